"""luge.save and luge.load of nested state, as PyTorch's programs write it."""

import json
import math
import os

import pytest

import luge
from luge import nn


def same(a, b):
    if isinstance(a, luge.Tensor):
        return isinstance(b, luge.Tensor) and a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def test_every_kind_of_value_comes_back_as_it_was(tmp_path):
    state = {
        "none": None, "flags": [True, False], "ints": (0, -7, 2**80), "floats": [0.1, -0.0, math.inf, math.nan, 5e-324],
        "text": "ü\n\"'", "empty": {}, "lists": [[], ()], 3: {"x": luge.arange(3), -1: luge.ones(2, 0)}, "bool": luge.tensor([True]),
        "half": luge.ones(2, dtype=luge.bfloat16), "number": luge.tensor(2.5, dtype=luge.float64), "a.b": luge.ones(1), "a": {"b": luge.zeros(1)},
    }  # fmt: skip
    luge.save(state, tmp_path / "x")
    found = luge.load(tmp_path / "x")
    assert same(found, state)
    assert math.copysign(1, found["floats"][1]) == -1
    # Other programs see tensors, each under a name of its own.
    assert sorted(luge.load_file(tmp_path / "x")) == ["3.-1", "3.x", "a.b", "a.b#2", "bool", "half", "number"]


def trained(steps, state=None):
    luge.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    optimizer = luge.optim.AdamW(model.parameters(), lr=0.1)
    schedule = luge.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    epoch = 0
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        epoch = state["epoch"]
    for epoch in range(epoch, epoch + steps):  # noqa: B020
        x = luge.ones(4, 2) * (luge.arange(8).reshape(4, 2) + epoch)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        schedule.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "epoch": epoch + 1}


def test_a_training_goes_on_with_the_same_bits(tmp_path):
    luge.save(trained(3), tmp_path / "x.safetensors")
    assert same(trained(4, luge.load(tmp_path / "x.safetensors", map_location="cpu"))["model"], trained(7)["model"])


@pytest.mark.parametrize(
    "state, error, message",
    [
        ({"a": [1, {"b": object()}]}, TypeError, "save: obj['a'][1]['b'] is of type object; it must be a tensor, None, a bool"),
        ({"model": nn.Linear(1, 1)}, TypeError, "save: obj['model'] is of type Linear"),
        ({"a": 1j}, TypeError, "save: obj['a'] is of type complex"),
        ({"a": {1.5: 2}}, TypeError, "save: obj['a'] has a key of type float; keys must be str or int"),
        ({True: 2}, TypeError, "save: obj has a key of type bool"),
        ({"\udcff": {"a": luge.ones(1)}}, ValueError, "save: "),
    ],
)
def test_what_cannot_be_kept_is_named(tmp_path, state, error, message):
    with pytest.raises(error) as raised:
        luge.save(state, tmp_path / "x")
    assert str(raised.value).startswith(message)
    assert os.listdir(tmp_path) == []


def test_state_that_holds_itself_is_refused(tmp_path):
    state = {}
    state["state"] = state
    with pytest.raises(ValueError, match="save: obj is nested more than 100 deep"):
        luge.save(state, tmp_path / "x")


def test_plain_state_is_a_plain_file(tmp_path):
    luge.save({"w": luge.ones(2)}, tmp_path / "x")
    luge.save_file({"w": luge.ones(2)}, tmp_path / "y")
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize(
    "state",
    [
        luge.arange(3), [luge.ones(1), luge.zeros(2)], (luge.ones(1), 3), {"w": luge.ones(1), "b": luge.zeros(1)},
        {"b": luge.ones(1, dtype=luge.int8), "w": luge.zeros(1), "x": luge.ones(2, dtype=luge.float64)},
    ],
)  # fmt: skip
def test_tensors_lists_and_the_order_of_names_come_back(tmp_path, state):
    luge.save(state, tmp_path / "x")
    assert same(luge.load(tmp_path / "x"), state)


def test_names_out_of_order_can_be_renamed(tmp_path):
    luge.save({"w": luge.ones(1), "b": luge.zeros(1)}, tmp_path / "x")
    assert list(luge.load(tmp_path / "x", rename={"w": "weight"})) == ["weight", "b"]


def test_numbers_of_numpy_come_back_as_pythons(tmp_path):
    np = pytest.importorskip("numpy")
    luge.save({"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True)}, tmp_path / "x")
    assert same(luge.load(tmp_path / "x"), {"a": 0.5, "b": 3, "c": True})


def test_names_of_nested_state_are_its_own(tmp_path):
    luge.save({"model": {"w": luge.ones(2)}}, tmp_path / "x")
    with pytest.raises(ValueError, match="load: rename is given and '.*x' holds nested state"):
        luge.load(tmp_path / "x", rename={"model": "m"})


@pytest.mark.parametrize(
    "told",
    ["", "{", "3", "[]", {"tensor": "other"}, {"dict": [["a", {"tensor": "other"}]]}, {"dict": [["a"]]}, {"dict": [[[], 1]]}, {"dict": 3},
     {"dict": [["a", {"float": "x"}]]}, {"dict": [["a", {"float": 1}]]}, {"dict": [["a", {"list": None}]]}, {"dict": [["a", {"code": 1}]]},
     {"dict": [["a", [1]]]}, {"dict": [["a", {}]]}, {"dict": [["a", 1.5]]}],
)  # fmt: skip
def test_a_text_that_luge_has_not_written_is_an_error(tmp_path, told):
    text = told if isinstance(told, str) else json.dumps(told)
    luge.save_file({"w": luge.ones(2)}, tmp_path / "x", {"luge.nested": text})
    with pytest.raises(luge.IoError, match="load: '.*x' says in its metadata that it holds nested state"):
        luge.load(tmp_path / "x")
