"""luge.checkpoint: a training that is stopped in one process goes on in another as if it had not been stopped."""

import json
import os
import subprocess
import sys

import pytest

import luge

PROGRAM = """
import sys
import luge

path, first, last, captured = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "captured"
luge.manual_seed(3)
generator = luge.randn(64, 5)
batches = luge.data.Batches(generator, luge.randint(0, 3, (64,)), 10, seed=4)
stream = luge.data.BatchStream(batches)
model = luge.nn.Sequential(luge.nn.Linear(5, 8), luge.nn.Tanh(), luge.nn.Linear(8, 3))
optimizer = luge.optim.Adam(model.parameters(), lr=0.01)
schedule = luge.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
monitor = luge.Monitor(progress=False)
parts = dict(params=model, optimizer=optimizer, schedule=schedule, monitor=monitor, loader=stream)
if first:
    luge.manual_seed(99)
    loaded = luge.checkpoint.load(path, **parts)
    assert loaded.step == first, loaded
    assert loaded.extra["note"] == {"a": [1, 2.5, None, "x"]} and loaded.extra["text"] == "5", loaded.extra
    assert loaded.extra["best"].tolist() == [1.0, 2.0]
x = luge.zeros(4, 5)
y = luge.zeros(4, dtype=luge.int64)

def body():
    optimizer.zero_grad()
    loss = luge.nn.functional.cross_entropy(model(x + 0.01 * luge.randn(4, 5)), y)
    loss.backward()
    optimizer.step()
    schedule.step()
    monitor.record(loss)

step = luge.capture(body) if captured else body
for _ in range(first, last):
    images, labels = next(stream)
    x.copy_(images[:4])
    y.copy_(labels[:4])
    step()
extra = {"note": {"a": [1, 2.5, None, "x"]}, "text": "5", "best": luge.tensor([1.0, 2.0])}
luge.checkpoint.save(path, **parts, step=last, extra=extra)
"""


def state_of(path):
    with luge.safe_open(path) as file:
        state = {name: file.get_tensor(name).tolist() for name in file.keys() if name != "monitor/seconds"}
        place = {name: text for name, text in file.metadata().items() if not name.startswith("xxh3")}
    return state, place


@pytest.mark.parametrize("kind", ["eager", "captured"])
def test_another_process_goes_on_where_one_stopped(tmp_path, kind):
    def run(path, first, last):
        subprocess.run([sys.executable, "-c", PROGRAM, str(path), str(first), str(last), kind], check=True, timeout=120)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(whole, 0, 20)
    for first, last in ((0, 7), (7, 8), (8, 20)):
        run(cut, first, last)
    assert state_of(whole) == state_of(cut)
    names = set(state_of(cut)[0])
    assert {"params/0.weight", "optimizer/exp_avg.0.weight", "schedule/0.steps", "monitor/mean"} <= names


def small(sets=None, seed=0):
    params = luge.Parameters(sets, seed=seed)
    params.add("w", (3,), luge.init.normal())
    return params, luge.optim.SGD(params, lr=0.1, momentum=0.9)


def test_differences_are_named_and_nothing_changes(tmp_path):
    path = tmp_path / "x"
    params, optimizer = small(2)
    luge.checkpoint.save(path, params=params, optimizer=optimizer)
    other, _ = small(3)
    before = other["w"].tolist()
    with pytest.raises(luge.ShapeError, match=r"^checkpoint.load: '.*x' differs: params/w: the file has shape \(2, 3\), here it is \(3, 3\)$"):
        luge.checkpoint.load(path, params=other)
    assert other["w"].tolist() == before
    luge.checkpoint.load(path, params=other, sets=[1, 0], into_sets=[0, 2])
    assert other["w"].tolist() == [params["w"].tolist()[1], before[1], params["w"].tolist()[0]]
    adam = luge.optim.Adam(other)
    with pytest.raises(ValueError, match="optimizer: the file has MomentumSgd, here it is Adam"):
        luge.checkpoint.load(path, optimizer=adam)
    loaded = luge.checkpoint.load(path, params={"w": luge.zeros(2, 3), "v": luge.zeros(1)}, strict=False)
    assert isinstance(loaded, luge.checkpoint.Loaded)
    assert (loaded.missing, loaded.unexpected) == (["params/v"], [])


def test_wrong_arguments_are_named(tmp_path):
    path = tmp_path / "x"
    params, optimizer = small()
    for arguments, words in [
        ({"params": 3}, "params is of type int; it must be a luge.Parameters, a Module or a dict of tensors"),
        ({"params": {"a": 3}}, r"params\['a'\] is of type int; it must be a tensor"),
        ({"optimizer": params}, "optimizer is of type Parameters; it must be an optimizer of luge.optim"),
        ({"monitor": params}, "monitor is of type Parameters; it must be a luge.Monitor"),
        ({"schedule": [optimizer]}, "schedule is of type SGD; it must be a schedule"),
        ({"loader": [1]}, "loader is of type list; it must be a luge.data.BatchStream, or have"),
        ({"extra": [1]}, "extra is of type list; it must be a dict"),
        ({"extra": {1: 2}}, "extra has a key of type int"),
        ({"step": 1.5}, "step is of type float; it must be an int"),
        ({"keep": "2"}, "keep is of type str; it must be an int"),
        ({"extra": {"a": {1, 2}}}, r"extra\['a'\] cannot be kept: .*set.*; allowed are tensors and what JSON has"),
    ]:
        with pytest.raises(TypeError, match=f"^checkpoint.save: {words}"):
            luge.checkpoint.save(path, **arguments)
    with pytest.raises(ValueError, match=r'keep is given; the file name .* must then hold "\{step\}"'):
        luge.checkpoint.save(path, params=params, keep=2)
    assert os.listdir(tmp_path) == []
    with pytest.raises(luge.IoError, match="checkpoint.load: cannot read"):
        luge.checkpoint.load(path)
    luge.save_file({}, path)
    with pytest.raises(luge.IoError, match="is no checkpoint of luge; load_file reads its tensors"):
        luge.checkpoint.load(path)
    with pytest.raises(luge.CaptureError):
        luge.capture(lambda: luge.checkpoint.save(path, params=params))()


class Loader:
    """Another loader, which says itself where it is."""

    def __init__(self, at):
        self.at = at

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def test_any_loader_with_a_state_is_kept(tmp_path):
    path, loader = tmp_path / "x", Loader(3)
    luge.checkpoint.save(path, loader=Loader(7))
    luge.checkpoint.load(path, loader=loader)
    assert loader.at == 7
    luge.checkpoint.save(path)
    with pytest.raises(ValueError, match="loader: the file has none"):
        luge.checkpoint.load(path, loader=loader)


def test_the_last_and_the_best_are_kept(tmp_path):
    params, optimizer = small()
    path = tmp_path / "run-{step}.safetensors"
    for step, metric in enumerate([3.0, 1.0, luge.tensor(2.0)]):
        written = luge.checkpoint.save(path, params=params, step=step, keep=1, metric=metric)
        assert written == str(tmp_path / f"run-{step}.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["run-2.safetensors", "run-best.safetensors"]
    assert luge.checkpoint.latest(path) == written
    assert luge.checkpoint.load(tmp_path / "run-best.safetensors", params=params).metric == 1.0
    assert luge.checkpoint.latest(tmp_path / "other-{step}") is None


def test_a_save_behind_the_training_holds_what_was(tmp_path):
    params, optimizer = small(1000)
    before = params["w"].tolist()
    pending = luge.checkpoint.save_async(tmp_path / "x", params=params, optimizer=optimizer, step=4)
    with luge.no_grad():
        params["w"].fill_(0)
    assert isinstance(pending, luge.checkpoint.PendingSave)
    assert pending.wait() == str(tmp_path / "x") and pending.is_done
    assert luge.checkpoint.load(tmp_path / "x", params=params, optimizer=optimizer).step == 4
    assert params["w"].tolist() == before
    with pytest.raises(luge.IoError, match="checkpoint.save_async: cannot write"):
        luge.checkpoint.save_async(tmp_path / "nowhere" / "x").wait()


def test_a_checkpoint_of_the_program_is_read(tmp_path):
    program = os.path.join(os.environ["LUGE_CPP_BUILD"], "luge")
    data = tmp_path / "data"
    data.mkdir()
    pixels, labels = bytes(range(160)) * 5, bytes(i % 4 for i in range(50))
    for part in ("train", "t10k"):
        (data / f"{part}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 50, 0, 0, 0, 4, 0, 0, 0, 4]) + pixels)
        (data / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 50]) + labels)
    path = tmp_path / "x.safetensors"
    command = [program, "train", "--sets", "2", "--epochs", "2", "--batch", "10", "--hidden", "8", "--data", data]
    subprocess.run([*command, "--checkpoint", path], check=True, capture_output=True)
    params = luge.Parameters(2)
    for name, shape in (("hidden.weight", (8, 16)), ("hidden.bias", (8,)), ("output.weight", (4, 8)), ("output.bias", (4,))):
        params.add(name, shape, luge.init.zeros())
    optimizer = luge.optim.Adam(params)
    loaded = luge.checkpoint.load(path, params=params, optimizer=optimizer)
    assert loaded.step == optimizer.steps_taken() == 10
    assert loaded.extra["program"] == "luge train"
    assert params["hidden.weight"].abs().sum().item() > 0
    with luge.safe_open(path) as file:
        assert json.loads(file.metadata()["json:training"])["hidden"] == 8
