"""Captured steps and the monitor."""

import functools
import gc
import math
import os
import pathlib
import shutil
import signal
import sys
import threading
import time
import weakref

import pytest

import luge
from luge import nn


class Parabola:
    """The demo over sets, eager or captured."""

    def __init__(self, sets=7, **options):
        self.params = luge.Parameters(sets=sets, seed=1)
        self.x = self.params.add("x", (), luge.init.uniform(-2, 2))
        self.optimizer = luge.optim.Adam(self.params, lr=0.1)
        self.monitor = luge.Monitor(progress=False, **options)

    def step(self):
        self.optimizer.zero_grad()
        loss = 3 * self.x**2 - 2 * self.x + 3
        loss.sum().backward()
        self.optimizer.step()
        self.monitor.record(loss)
        return loss


def test_the_bits_of_eager_steps():
    eager, captured = Parabola(1000), Parabola(1000)
    step = luge.capture(captured.step)
    for _ in range(20):
        loss = eager.step()
    step()
    step.run(18)
    assert step().equal(loss) and captured.x.equal(eager.x)
    assert list(captured.monitor.history.mean) == list(eager.monitor.history.mean)
    assert step.stats.replays == 19 and step.stats.seconds > 0 and step.stats.bytes_per_second > 0
    figures = step.figures
    assert figures.launches == 1 < figures.recorded_calls and figures.bytes < figures.recorded_bytes
    assert figures.flops > 0 and figures.peak <= figures.recorded_peak
    assert "adam step" in step.plan() and step.__wrapped__ == captured.step


@pytest.mark.parametrize("value, same", [
    (None, lambda a, b: a is None), (luge.ones(1), lambda a, b: a.equal(b)), ((luge.ones(1), luge.ones(2)), None),
    ([luge.ones(1)], None), ({"loss": luge.ones(1), "norm": luge.ones(2)}, lambda a, b: list(a) == list(b)), ((), None),
])  # fmt: skip
def test_what_is_returned(value, same):
    x = luge.ones(1)
    step = luge.capture(lambda: (x.add_(1), value)[1])
    for _ in range(2):
        result = step()
        assert type(result) is type(value)
        assert same(result, value) if same else all(a.equal(b) for a, b in zip(result, value)) and len(result) == len(value)


@pytest.mark.parametrize("value", [3, "text", (1,), [luge.ones(1), None], {"a": 1}])
def test_what_cannot_be_returned(value):
    with pytest.raises(TypeError, match="capture"):
        luge.capture(lambda: value)()


def test_as_a_decorator():
    x = luge.zeros(2)

    @luge.capture
    def first():
        x.add_(1)

    @luge.capture(keep_gradients=False)
    def second():
        x.add_(10)

    first()
    first.run(2)
    second()
    assert x.tolist() == [13, 13]
    for bad in (3, "text", luge.ones(1)):
        with pytest.raises(TypeError, match="function"):
            luge.capture(bad)
    with pytest.raises(luge.CaptureError, match="nothing"):
        luge.capture(lambda: None)()


def test_inputs_are_refilled():
    data, total = luge.zeros(3), luge.zeros(())
    step = luge.capture(lambda: total.add_(data.sum()))
    for value in (1.0, 2.0, 5.0):
        data.copy_(luge.full((3,), value))
        step()
    assert total.item() == 24


def line():
    return sys._getframe(1).f_lineno


@pytest.mark.parametrize("read", [
    lambda x: x.item(), lambda x: float(x.sum()), lambda x: bool(x[0] > 0), lambda x: x.tolist(), lambda x: repr(x), lambda x: x.numpy(),
    lambda x: x.add_(luge.tensor([1.0])), lambda x: x[x > 0], lambda x: print(x),
])  # fmt: skip
def test_errors_name_the_lines(read):
    x = luge.ones(1)
    step = luge.capture(lambda: (x.mul_(2), read(x))[0])
    at = line() - 1
    with pytest.raises(luge.CaptureError) as error:
        step()
    assert f"test_capture.py:{at}" in str(error.value)
    assert str(error.value).count("test_capture.py") == 2
    assert x.item() == 1


def halve(optimizer):
    for group in optimizer.param_groups:
        group["lr"] *= 0.5


def test_errors_name_the_programs_line_where_the_call_is_the_packages():
    optimizer = luge.optim.SGD([luge.ones(2, requires_grad=True)], lr=0.1)
    lengths, x = luge.tensor([3, 2]), luge.ones(3, 2, 1)
    for call in (lambda: halve(optimizer), lambda: nn.utils.rnn.pack_padded_sequence(x, lengths)):
        with pytest.raises(luge.CaptureError) as error:
            luge.capture(functools.partial(lambda call: (x.mul_(1), call())[0], call))()
        assert str(error.value).count("test_capture.py") == 2, str(error.value)


def test_an_exception_leaves_everything():
    training = Parabola()
    before = training.x.clone()

    def fails():
        training.step()
        raise KeyError("mine")

    step = luge.capture(fails)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            step()
    assert training.x.equal(before)
    with pytest.raises(luge.CaptureError):
        step.plan()
    for bad in (0, -1):
        with pytest.raises(ValueError, match="steps"):
            step.run(bad)
    with pytest.raises(TypeError):
        step.run("a")


def test_steps_within_steps():
    inner = luge.capture(lambda: luge.ones(1) * 2)
    with pytest.raises(luge.CaptureError, match="within another"):
        luge.capture(lambda: inner())()
    assert inner().item() == 2


def test_what_is_gone_is_missed():
    x = luge.ones(1)
    box = [luge.ones(1)]
    step = luge.capture(lambda: x.add_(box[0]))
    step()
    box[0] = luge.ones(1)
    gc.collect()
    with pytest.raises(luge.CaptureError, match="gone"):
        step()
    assert x.item() == 2


def test_steps_are_collected():
    class Trainer:
        def __init__(self):
            self.x = luge.zeros(1)
            self.step = luge.capture(self.work)

        def work(self):
            self.x.add_(1)

    trainer = Trainer()
    trainer.step()
    reference = weakref.ref(trainer)
    del trainer
    gc.collect()
    assert reference() is None


def test_interrupted(hears_interrupts):
    """Ctrl-C is heard between kernels, and what was done stays."""
    x = luge.zeros(1000)
    step = luge.capture(lambda: x.add_(1))
    step()
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        step.run(10**12)
    assert time.monotonic() - begun < 5
    steps = x[0].item()
    assert x.min().item() == x.max().item() == steps > 1
    step()
    assert x[0].item() == steps + 1


# ---- the monitor


def test_history():
    numpy = pytest.importorskip("numpy")
    monitor = luge.Monitor(keep_sets=2, progress=False)
    for values in ([1.0, 3.0, 8.0], [2.0, float("nan"), 6.0]):
        monitor.record(luge.tensor(values))
    history = monitor.history
    assert isinstance(history, luge.History) and len(history) == 2 and "2 steps" in repr(history)
    assert history.step.tolist() == [0, 1] and history.mean.tolist() == [4, 4] and history.min.tolist() == [1, 2]
    assert history.max.tolist() == [8, 6] and history.not_finite.tolist() == [0, 1] and (numpy.diff(history.seconds) >= 0).all()
    assert history.sets.shape == (2, 2) and history.sets[0].tolist() == [1, 3]
    with pytest.raises(luge.DTypeError):
        monitor.record(luge.tensor([1]))
    with pytest.raises(TypeError):
        monitor.record(1.0)


def test_files(tmp_path):
    with luge.Monitor(progress=False) as monitor:
        monitor.record(luge.tensor([1.0, 3.0]))
    monitor.write_csv(str(tmp_path / "run.csv"))
    monitor.write_jsonl(str(tmp_path / "run.jsonl"))
    assert (tmp_path / "run.csv").read_text().splitlines()[0] == "step,seconds,mean,min,max,not_finite"
    assert '"mean":2.0' in (tmp_path / "run.jsonl").read_text()
    with pytest.raises(luge.IoError, match="/none/run.csv"):
        monitor.write_csv("/none/run.csv")
    with pytest.raises(OSError):
        monitor.write_jsonl("/none/run.jsonl")


def test_report(tmp_path, recwarn):
    monitor = luge.Monitor(keep_sets=2, progress=False)
    for step in range(20):
        monitor.record(luge.tensor([100.0 / 2**step, 3.0]))
    page = monitor.report(tmp_path / "a" / "report", title="A <title>", options={"lr": 0.25, "rule": "Adam"})
    text = pathlib.Path(page).read_text()
    assert page == str(tmp_path / "a" / "report" / "index.html")
    for words in ("A &lt;title&gt;", "<dt>lr</dt><dd>0.25</dd>", "<dd>Adam</dd>", "First and last step", "step 19", "history.jsonl", "Machine"):
        assert words in text
    assert len((tmp_path / "a/report/history.csv").read_text().splitlines()) == 21
    if shutil.which("gnuplot"):
        assert "<svg" in text and not recwarn.list
    with pytest.raises(luge.IoError, match="report: /proc/report: cannot make the folder"):
        monitor.report("/proc/report")
    with pytest.raises(luge.CaptureError, match="Monitor::history"):
        luge.capture(lambda: monitor.report(tmp_path / "never") and None)()


def test_report_without_gnuplot(tmp_path, monkeypatch):
    monitor = luge.Monitor(progress=False)
    monitor.record(luge.ones(2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.warns(RuntimeWarning, match="report without pictures: gnuplot is not installed; on Debian: apt-get install gnuplot-nox"):
        page = monitor.report(tmp_path)
    assert "No pictures" in pathlib.Path(page).read_text()


def test_bad_monitors():
    for options in ({"capacity": 0}, {"keep_sets": -1}, {"total": -1}):
        with pytest.raises(ValueError):
            luge.Monitor(progress=False, **options)


def test_plot():
    pytest.importorskip("matplotlib").use("Agg")
    training = Parabola()
    for _ in range(3):
        training.step()
    axes = training.monitor.plot()
    assert axes.get_xlabel() == "step" and len(axes.lines[0].get_xdata()) == 3
    assert training.monitor.plot(axes) is axes


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="matplotlib"):
        luge.Monitor(progress=False).plot()


def test_the_bar(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(luge._monitor, "_wants_bar", lambda: True)
    monitor = luge.Monitor(total=3)
    for _ in range(3):
        monitor.record(luge.ones(1))
    monitor.finish()
    assert "3/3" in capsys.readouterr().err


# ---- arguments


def test_arguments_are_copied_into_the_step():
    w = luge.zeros(3)

    @luge.capture
    def step(x, y):
        w.add_(x * y)
        return x + y

    x, y = luge.ones(3), luge.full((3,), 2.0)
    for i in range(4):
        assert step(x, y).tolist() == [2.0 + 1 + i] * 3
        x.add_(1)
    assert x.tolist() == [5.0] * 3 and y.tolist() == [2.0] * 3
    assert w.tolist() == [2 + 4 + 6 + 8.0] * 3
    step.run(5, luge.ones(3), luge.ones(3))
    assert w.tolist() == [25.0] * 3


def test_another_shape_is_another_plan():
    total, runs = luge.zeros(()), []

    @luge.capture
    def step(batch):
        runs.append(batch.shape)
        total.add_(batch.float().sum())
        return batch * 2

    for size in (4, 4, 3, 4, 3, 4):
        assert step(luge.ones(size)).tolist() == [2.0] * size
    step(luge.ones(4, dtype=luge.float64)), step(luge.ones(4, dtype=luge.float64))
    assert total.item() == 30 and runs == [(4,), (3,), (4,)]


def test_there_is_a_limit_of_plans():
    step = luge.capture(lambda x: x + 1)
    for size in range(1, 17):
        step(luge.ones(size))
    with pytest.raises(luge.CaptureError, match="arguments of 17 different shapes, dtypes or devices; allowed are 16"):
        step(luge.ones(17))
    assert step(luge.ones(2)).tolist() == [2, 2]


def test_named_arguments():
    step = luge.capture(lambda x, *, scale, shift: x * scale + shift)
    for i in range(3):
        assert step(luge.ones(2), scale=luge.tensor(2.0 + i), shift=luge.ones(2)).tolist() == [3.0 + i] * 2
        assert step(luge.ones(2), shift=luge.zeros(2), scale=luge.tensor(4.0 + i)).tolist() == [4.0 + i] * 2


def test_a_training_step_with_a_smaller_last_batch_has_the_bits_of_the_eager_one():
    def train(captured):
        luge.manual_seed(0)
        params = luge.Parameters(seed=1)
        model = nn.Sequential(nn.Linear(5, 4, params=params), nn.ReLU(), nn.Linear(4, 3, params=params))
        optimizer = luge.optim.Adam(params, lr=0.05)

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        x, y = luge.randn(22, 5), luge.randint(0, 3, (22,))
        losses = [run(x[i : i + 8], y[i : i + 8]).item() for _ in range(4) for i in range(0, 22, 8)]
        return losses, [p.tolist() for p in params.tensors()]

    assert train(True) == train(False)


def test_wrong_arguments():
    step = luge.capture(lambda x: x + 1)
    with pytest.raises(TypeError, match="step: argument 0 is an object of type float; a captured step takes tensors"):
        step(1.0)
    with pytest.raises(luge.AutogradError, match=r"step: argument 0 of shape \(2,\) requires a gradient"):
        step(luge.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        step()
    with pytest.raises(luge.CaptureError, match="plan: nothing is recorded yet"):
        luge.capture(lambda: luge.ones(1)).plan()
    assert step(luge.ones(2)).tolist() == [2, 2]


# ---- what a replay has to notice


def test_a_value_handed_on_keeps_what_it_was():
    prev, w = luge.zeros(4), luge.ones(4)

    @luge.capture
    def step():
        prev.copy_(w)
        w.sub_(0.25)

    for _ in range(3):
        step()
    assert prev.tolist() == [0.5] * 4 and w.tolist() == [0.25] * 4


def test_a_returned_gradient_is_this_steps():
    w, scale = luge.ones(2, requires_grad=True), luge.ones(2)

    @functools.partial(luge.capture, keep_gradients=False)
    def step():
        w.grad = None
        (w * scale).sum().backward()
        scale.add_(1)
        return w.grad

    assert [step().tolist() for _ in range(4)] == [[i + 1.0] * 2 for i in range(4)]


def test_a_gradient_shared_with_numpy_is_this_steps():
    np = pytest.importorskip("numpy")
    params = luge.Parameters()
    w, scale = params.add("w", (2,), luge.init.constant(1)), luge.ones(2)
    optimizer = luge.optim.SGD(params, lr=0.0)

    @functools.partial(luge.capture, keep_gradients=False)
    def step():
        optimizer.zero_grad()
        (w * scale).sum().backward()
        optimizer.step()
        scale.add_(1)

    step()
    array = w.grad.numpy()
    step()
    step.run(2)
    assert np.array_equal(array, [4.0, 4.0])


def test_a_replaced_tensor_is_refused_though_something_keeps_it():
    state, kept = {"h": luge.ones(3)}, []
    kept.append(state["h"])

    @luge.capture
    def step():
        state["h"] = state["h"] * 0.5 + 1

    step(), step()
    assert state["h"].tolist() == [1.75] * 3
    with pytest.raises(luge.CaptureError, match=r"mul \(call 1 of 2\) works on other memory in every step.*copy_"):
        step()


def test_what_a_step_leaves_on_an_object_is_refilled():
    class Trainer:
        def __init__(self):
            self.x = luge.ones(2)

        def step(self):
            self.x.mul_(2)
            self.last = self.x + 1

    trainer = Trainer()
    step = luge.capture(trainer.step)
    for _ in range(4):
        step()
    assert trainer.last.tolist() == [17.0] * 2


def test_a_frozen_leaf_gets_no_gradient():
    a, b = luge.ones(2, requires_grad=True), luge.full((2,), 3.0, requires_grad=True)

    @luge.capture
    def step():
        a.grad = b.grad = None
        (a * b).sum().backward()

    step(), step()
    a.requires_grad_(False)
    step(), step()
    assert a.grad is None and b.grad.tolist() == [1, 1]


def test_an_index_out_of_range_is_an_error_at_every_replay():
    table, index, steps = luge.arange(4.0), luge.tensor([0, 1]), luge.zeros(())

    @luge.capture
    def step():
        steps.add_(1)
        return luge.index_select(table, 0, index)

    assert step().tolist() == [0, 1]
    index.add_(2)
    assert step().tolist() == [2, 3]
    index.add_(2)
    with pytest.raises(IndexError, match="index 5 at position 1 is out of range; allowed are 0 to 3"):
        step()
    assert steps.item() == 2


def test_a_seed_in_the_step_acts_in_every_step():
    @luge.capture
    def step():
        luge.manual_seed(3)
        return luge.rand(4)

    luge.manual_seed(3)
    expected = luge.rand(4).tolist()
    assert [step().tolist() for _ in range(3)] == [expected] * 3


def test_a_refused_capture_moves_neither_monitor_nor_random_numbers():
    monitor, x = luge.Monitor(progress=False), luge.ones(4)
    luge.manual_seed(5)
    expected = luge.rand(3).tolist()
    luge.manual_seed(5)

    @luge.capture
    def step():
        loss = x * luge.rand(4)
        monitor.record(loss)
        loss.sum().item()

    with pytest.raises(luge.CaptureError):
        step()
    assert luge.rand(3).tolist() == expected and len(monitor.history.mean) == 0


def test_a_step_that_differentiates_a_gradient():
    """Newton's method: the same bits with and without a recording."""

    def newton(captured):
        x = luge.tensor([0.3, 2.0, -1.0], dtype=luge.float64, requires_grad=True)

        def step():
            energy = (x.exp() - 2 * x).sum()
            (slope,) = luge.autograd.grad(energy, x, create_graph=True)
            (curvature,) = luge.autograd.grad(slope.sum(), x)
            with luge.no_grad():
                x.sub_(slope.detach() / curvature)
            return energy

        run = luge.capture(step) if captured else step
        return [run().item() for _ in range(10)] + x.tolist()

    assert newton(True) == newton(False)
    assert newton(True)[-3:] == pytest.approx([math.log(2)] * 3)


def test_a_step_with_functions_of_functions():
    def train(captured):
        w = luge.tensor([[0.5, -0.3], [0.2, 0.9]], dtype=luge.float64, requires_grad=True)
        x = luge.tensor([0.4, -0.7], dtype=luge.float64)
        optimizer = luge.optim.Adam([w], lr=0.05)

        def step():
            optimizer.zero_grad()
            curvature = luge.func.hessian(lambda x: (w @ x).tanh().square().sum())(x)
            loss = (curvature - luge.eye(2, dtype=luge.float64)).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        return [run().item() for _ in range(6)] + w.tolist()

    eager = train(False)
    assert train(True) == eager and eager[5] < eager[0]
