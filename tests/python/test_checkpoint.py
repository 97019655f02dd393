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
        ({"schedule": [optimizer]}, r"schedule\[0\] is of type SGD; schedule must be a schedule of"),
        ({"schedule": optimizer}, "schedule is of type SGD; it must be a schedule of"),
        ({"schedule": "cosine"}, "schedule is of type str; it must be a schedule of"),
        ({"params": {1: luge.ones(1)}}, "params has a key of type int; names must be str"),
        ({"params": {"a": None}}, r"params\['a'\] is of type NoneType; it must be a tensor"),
        ({"metric": "a"}, "metric is of type str; it must be a number or a tensor of one element"),
        ({"metric": [1.0]}, "metric is of type list; it must be a number or a tensor of one element"),
        ({"extra": {"a": {"b": [{1: 2}]}}}, r"extra\['a'\]\['b'\]\[0\] has a key of type int; keys must be str"),
        ({"loader": [1]}, "loader is of type list; it must be a luge.data.BatchStream, or have"),
        ({"extra": [1]}, "extra is of type list; it must be a dict"),
        ({"extra": {1: 2}}, "extra has a key of type int"),
        ({"step": 1.5}, "step is of type float; it must be an int"),
        ({"keep": "2"}, "keep is of type str; it must be an int"),
        ({"extra": {"a": {1, 2}}}, r"extra\['a'\] cannot be kept: .*set.*; allowed are tensors and what JSON has"),
    ]:
        with pytest.raises(TypeError, match=f"^checkpoint.save: {words}"):
            luge.checkpoint.save(path, **arguments)
    for arguments, words in [
        ({"params": {"\ud800": luge.ones(1)}}, r"params has the name '.ud800', which holds a lone surrogate"),
        ({"extra": {"\ud800": 1}}, r"extra has the name '.ud800', which holds a lone surrogate"),
        ({"step": 2**63}, "step is 9223372036854775808; it must fit into 64 bits"),
    ]:
        with pytest.raises(ValueError, match=f"^checkpoint.save: {words}"):
            luge.checkpoint.save(path, **arguments)
    for wrong, kind in ((luge.ones(2), ValueError), (10**400, OverflowError)):
        with pytest.raises(kind, match="^checkpoint.save: metric is no number: "):
            luge.checkpoint.save(tmp_path / "{step}", params=params, metric=wrong)
    for call in (luge.checkpoint.save, luge.checkpoint.save_async, luge.checkpoint.load, luge.checkpoint.latest):
        with pytest.raises(TypeError, match=f"^checkpoint.{call.__name__}: path is of type int; it must be a str or an os.PathLike"):
            call(3)
        with pytest.raises(ValueError, match=f"^checkpoint.{call.__name__}: the path 'a.x00b{{step}}' names no file: it holds a zero byte"):
            call("a\0b{step}")
        with pytest.raises(ValueError, match=f"^checkpoint.{call.__name__}: the path '.ud800{{step}}' names no file: it holds a lone"):
            call("\ud800{step}")
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


def test_wrong_arguments_of_load_are_named(tmp_path):
    path = tmp_path / "x"
    params, optimizer = small(2)
    luge.checkpoint.save(path, params=params, optimizer=optimizer)
    before = params["w"].tolist()
    for arguments, words in [
        ({"sets": [0.5], "into_sets": [0]}, r"sets\[0\] is of type float; it must be an int"),
        ({"sets": [0], "into_sets": [True]}, r"into_sets\[0\] is of type bool; it must be an int"),
        ({"sets": 5, "into_sets": [0]}, "sets is of type int; it must be a sequence of int"),
        ({"sets": slice(0, 1), "into_sets": [0]}, "sets is of type slice; it must be a sequence of int"),
        ({"sets": "01", "into_sets": [0]}, "sets is of type str; it must be a sequence of int"),
        ({"strict": 1}, "strict is of type int; it must be a bool"),
        ({"random": None}, "random is of type NoneType; it must be a bool"),
    ]:
        with pytest.raises(TypeError, match=f"^checkpoint.load: {words}"):
            luge.checkpoint.load(path, params=params, **arguments)
    with pytest.raises(ValueError, match="^checkpoint.load: sets are given; parameters and their optimizer alone"):
        luge.checkpoint.load(path, params=params, sets=[0], into_sets=[0], loader=Loader(1))
    assert params["w"].tolist() == before
    luge.checkpoint.load(path, params=params, sets=range(2), into_sets=(1, 0))
    assert params["w"].tolist() == before[::-1]


def test_names_that_are_no_text_are_kept_or_refused(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff{step}")  # what the system has for bytes that are no UTF-8
    written = luge.checkpoint.save(path, step=4)
    assert written == path.replace("{step}", "4") == luge.checkpoint.latest(path) and os.path.exists(written)
    assert luge.checkpoint.save_async(path, step=5).wait() == path.replace("{step}", "5")
    assert luge.checkpoint.load(written).step == 4
    with pytest.raises(luge.IoError, match=r"^checkpoint.load: cannot read '.*\\xff6': No such file"):
        luge.checkpoint.load(path.replace("{step}", "6"))


def test_a_history_of_other_sets_is_refused(tmp_path):
    path = tmp_path / "x"
    saved = luge.Monitor(keep_sets=2, progress=False)
    saved.record(luge.ones(3))
    luge.checkpoint.save(path, monitor=saved)
    for keep in (1, 3):
        monitor = luge.Monitor(keep_sets=keep, progress=False)
        with pytest.raises(ValueError, match=f"^checkpoint.load: '.*x' differs: monitor: the file has keep_sets 2, here it is keep_sets {keep}$"):
            luge.checkpoint.load(path, monitor=monitor)
        assert len(monitor.history) == 0
    monitor = luge.Monitor(keep_sets=2, progress=False)
    luge.checkpoint.load(path, monitor=monitor)
    monitor.record(luge.ones(3))
    assert monitor.history.sets.shape == (2, 2)


def test_schedules_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "x"
    schedules = luge.optim.lr_scheduler

    def made(*kinds):
        params, optimizer = small()
        return optimizer, [kind(optimizer) for kind in kinds]

    def warmup(optimizer):
        return schedules.LinearLR(optimizer)

    def decay(optimizer):
        return schedules.ExponentialLR(optimizer, 0.5)

    optimizer, both = made(warmup, decay)
    for one in both:
        one.step()
    luge.checkpoint.save(path, optimizer=optimizer, schedule=both[0])
    optimizer, reversed_ = made(decay, warmup)
    with pytest.raises(ValueError, match="differs: schedules: the file has LinearLr, ExponentialLr, here it is ExponentialLr, LinearLr"):
        luge.checkpoint.load(path, optimizer=optimizer, schedule=reversed_)
    optimizer, (one, other) = made(warmup, decay)  # in any order, and any of them for all
    luge.checkpoint.load(path, optimizer=optimizer, schedule=other)
    assert one.steps_taken() == other.steps_taken() == 1 and one.get_last_lr() == both[0].get_last_lr()


def test_loggers_go_on_from_a_checkpoint(tmp_path):
    logging = pytest.importorskip("luge._logging")
    path, folder = tmp_path / "x", "/a folder"

    def steps(monitor):
        return [entry.step for entry in logging.entries(monitor, monitor._logged, folder, 1)]

    def record(monitor, count):
        for _ in range(count):
            monitor.record(luge.ones(1))

    monitor = luge.Monitor(progress=False)
    record(monitor, 3)
    assert steps(monitor) == [0, 1, 2]
    record(monitor, 2)
    luge.checkpoint.save(path, monitor=monitor)
    record(monitor, 4)
    monitor.distribution("x", luge.ones(2))
    assert steps(monitor) == [3, 4, 5, 6, 7, 8] and not monitor._logged.may_have_more(folder)
    for loaded in (monitor, luge.Monitor(progress=False)):
        luge.checkpoint.load(path, monitor=loaded)
        assert loaded._logged.may_have_more(folder)
        record(loaded, 1)
        assert steps(loaded) == [3, 4, 5] and steps(loaded) == []
        assert not loaded._logged.may_have_more(folder)
    # A file that C++ has written knows of no logger; a load without the monitor changes nothing.
    luge.checkpoint.save(path)
    luge.checkpoint.load(path, monitor=monitor, strict=False)
    assert steps(monitor) == []


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
    with pytest.raises(ValueError, match="^checkpoint.load: '.*x' differs: loader: the file has no state_dict of a loader"):
        luge.checkpoint.load(path, loader=loader)
    assert luge.checkpoint.load(path, loader=loader, strict=False).missing == ["loader"]
    with pytest.raises(TypeError, match=r"^checkpoint.save: the loader's state_dict\(\)\['at'\] has a key of type int; keys must be str"):
        luge.checkpoint.save(path, loader=Loader({1: 2}))


def test_loaders_of_two_kinds_are_told_apart(tmp_path):
    path = tmp_path / "x"
    stream = luge.data.BatchStream(luge.data.Batches(luge.zeros(8, 2), luge.zeros(8, dtype=luge.int64), 4))
    luge.checkpoint.save(path, loader=Loader(7))
    with pytest.raises(ValueError, match="^checkpoint.load: '.*x' differs: loader: the file has one of another kind"):
        luge.checkpoint.load(path, loader=stream)
    assert luge.checkpoint.load(path, loader=stream, strict=False).missing == ["loader"]
    luge.checkpoint.save(path, loader=stream)
    with pytest.raises(ValueError, match="differs: loader: the file has no state_dict of a loader"):
        luge.checkpoint.load(path, loader=Loader(1))


def test_a_loader_that_refuses_its_state_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "x"

    class Refusing(Loader):
        def load_state_dict(self, state):
            self.at = state["at"]
            if self.at == 7:
                raise KeyError("at")

    params, optimizer = small()
    luge.checkpoint.save(path, params=params, optimizer=optimizer, loader=Loader(7))
    other, _ = small(seed=1)
    loader, before = Refusing(3), other["w"].tolist()
    with pytest.raises(KeyError, match="at"):
        luge.checkpoint.load(path, params=other, loader=loader)
    assert loader.at == 3 and other["w"].tolist() == before
    loader, wrong = Loader(3), small(2)[0]
    with pytest.raises(luge.ShapeError):
        luge.checkpoint.load(path, params=wrong, loader=loader)
    assert loader.at == 3


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
