"""Checkpoints of optimizers that step in Python, and of parameters that are not the optimizer's."""

import os
import re

import pytest

import luge


def test_an_optimizer_of_other_leaves_is_refused(tmp_path):
    model, other = luge.nn.Linear(2, 3), luge.nn.Linear(2, 3)
    optimizer = luge.optim.Adam(other.parameters())
    with pytest.raises(ValueError, match=r"^checkpoint.save: the optimizer steps a tensor of shape \(3, 2\), its parameter '0', that is not among"):
        luge.checkpoint.save(tmp_path / "x", params=model, optimizer=optimizer)
    assert os.listdir(tmp_path) == []


class Signs(luge.optim.Optimizer):
    """One of one's own, which counts its steps and keeps what it subtracted."""

    def __init__(self, params, lr=0.125):
        super().__init__(params, {"lr": lr})

    @luge.no_grad()
    def step(self, closure=None):
        with luge.enable_grad():
            closure()
        for group in self.param_groups:
            for p in group["params"]:
                own = self.state[p]
                own["count"] = own.get("count", 0) + 1
                own["last"] = p.grad.sign() * group["lr"] / own["count"] + 0.5 * own.get("last", 0)
                own["all"] = [*own.get("all", []), own["last"].clone()][-2:]
                p.sub_(sum(own["all"]))


def steps_in_python(kind, seed, sizes=(3, 4)):
    luge.manual_seed(seed)
    model = luge.nn.Sequential(*(luge.nn.Linear(n, 3, bias=False) for n in sizes[:1]), luge.nn.Tanh(), luge.nn.Linear(3, sizes[1], bias=False))
    optimizer = kind(model.parameters(), lr=0.125)
    x = luge.linspace(-1, 1, 5 * sizes[0]).view(5, sizes[0])

    def train(count):
        def closure():
            optimizer.zero_grad()
            loss = ((model(x) - 1) ** 2).mean()
            loss.backward()
            return loss

        for _ in range(count):
            optimizer.step(closure)
        return [p.tolist() for p in model.parameters()]

    return model, optimizer, train


IN_PYTHON = [luge.optim.Muon, luge.optim.LBFGS, Signs]


@pytest.mark.parametrize("kind", IN_PYTHON)
@pytest.mark.parametrize("behind", [False, True])
def test_an_optimizer_that_steps_in_python_goes_on(kind, behind, tmp_path):
    model, optimizer, train = steps_in_python(kind, 0)
    train(3)
    if behind:
        luge.checkpoint.save_async(tmp_path / "x", params=model, optimizer=optimizer, extra={"best": luge.ones(1)}).wait()
    else:
        luge.checkpoint.save(tmp_path / "x", params=model, optimizer=optimizer, extra={"best": luge.ones(1)})
    expected = train(3)
    for before in (0, 2):
        model, optimizer, train = steps_in_python(kind, 1)
        train(before)
        loaded = luge.checkpoint.load(tmp_path / "x", params=model, optimizer=optimizer)
        assert list(loaded.extra) == ["best"] and (loaded.missing, loaded.unexpected) == ([], [])
        assert train(3) == expected


@pytest.mark.parametrize(
    "kind, key, here, there",
    [
        (luge.optim.Muon, "ns_coefficients", (3.0, -4.0, 2.0), (3.4445, -4.775, 2.0315)),
        (luge.optim.Muon, "adjust_lr_fn", None, "match_rms_adamw"),
        (luge.optim.LBFGS, "history_size", 7, 100),
        (luge.optim.LBFGS, "line_search_fn", "strong_wolfe", None),
        (luge.optim.LBFGS, "maximize", True, False),
    ],
)
def test_options_of_an_optimizer_that_steps_in_python_must_be_the_same(kind, key, here, there, tmp_path):
    def made(value):
        return kind([luge.ones(2, 2, requires_grad=True)], **{key: value})

    luge.checkpoint.save(tmp_path / "x", optimizer=made(there))
    words = [repr(list(value) if isinstance(value, tuple) else value) for value in (there, here)]
    with pytest.raises(ValueError, match=f"{key}: " + re.escape(f"the file has {words[0]}, here it is {words[1]}") + "$"):
        luge.checkpoint.load(tmp_path / "x", optimizer=made(here))
    luge.checkpoint.load(tmp_path / "x", optimizer=made(there))


class Counting(luge.optim.Optimizer):
    """One of one's own that counts in its options."""

    def __init__(self, params, lr=0.5):
        super().__init__(params, {"lr": lr, "count": 0, "window": (2, 3), "rule": lambda n: 1 / n})

    @luge.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["count"] += 1
            for p in group["params"]:
                p.sub_(group["lr"] * group["rule"](group["count"]))


def test_what_an_optimizer_of_ones_own_counts_in_its_options_is_kept(tmp_path):
    def made():
        x = luge.zeros(1, requires_grad=True)
        return x, Counting([{"params": [x]}])

    x, optimizer = made()
    for _ in range(3):
        optimizer.step()
    luge.checkpoint.save(tmp_path / "x", params={"x": x}, optimizer=optimizer)
    optimizer.step()
    other, again = made()
    luge.checkpoint.load(tmp_path / "x", params={"x": other}, optimizer=again)
    group = again.param_groups[0]
    assert (group["count"], group["window"], group["lr"]) == (3, (2, 3), 0.5)
    again.step()
    assert other.item() == x.item()


def test_the_state_of_another_optimizer_is_refused(tmp_path):
    model, optimizer, train = steps_in_python(Signs, 0)
    train(1)
    luge.checkpoint.save(tmp_path / "x", params=model, optimizer=optimizer)
    other_class = type("Signs2", (Signs,), {})
    plain = steps_in_python(luge.optim.SGD, 0)
    luge.checkpoint.save(tmp_path / "y", params=plain[0], optimizer=plain[1])
    for path, kind, words in [
        ("x", other_class, "optimizer: the file has Signs, here it is Signs2"), ("x", luge.optim.LBFGS, "optimizer: the file has Signs, here"),
        ("x", luge.optim.SGD, "optimizer"), ("y", Signs, "optimizer"),
    ]:  # fmt: skip
        model, optimizer, train = steps_in_python(kind, 1)
        before = [p.tolist() for p in model.parameters()]
        with pytest.raises(ValueError, match=f"^checkpoint.load: '.*{path}' differs: {words}"):
            luge.checkpoint.load(tmp_path / path, params=model, optimizer=optimizer)
        assert [p.tolist() for p in model.parameters()] == before
    model, optimizer, train = steps_in_python(Signs, 1, (3, 2))
    with pytest.raises(ValueError, match=r"the file has parameters of shapes \[\[3, 3\], \[4, 3\]\], here they are \[\[3, 3\], \[2, 3\]\]"):
        luge.checkpoint.load(tmp_path / "x", optimizer=optimizer)
    with pytest.raises(ValueError, match="sets are given; the state of a Signs, which steps in Python, is loaded whole"):
        luge.checkpoint.load(tmp_path / "x", params=model, optimizer=optimizer, sets=[0], into_sets=[0])
    with pytest.raises(ValueError, match="names that begin with 'optimizer.state.' are the optimizer's"):
        luge.checkpoint.save(tmp_path / "z", extra={"optimizer.state.0": 1})
    optimizer.state[next(iter(model.parameters()))]["odd"] = object()
    with pytest.raises(TypeError, match="^checkpoint.save: the optimizer's state cannot be kept: .*object"):
        luge.checkpoint.save(tmp_path / "z", params=model, optimizer=optimizer)
    assert not (tmp_path / "z").exists()
