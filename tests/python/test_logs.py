"""Summaries, and what Monitor hands to loggers; tests/interchange has the programs that read it."""

import math
import struct
import sys
import time

import pytest

import luge


def test_summarize():
    x = luge.tensor([[3.0, math.nan, 1.0], [10.0, 2.0, -math.inf]], requires_grad=True)
    found = luge.summarize(x.T, quantiles=(0.5, 0.0, 1.0), bins=3)
    assert isinstance(found, luge.Summary) and repr(found) == "<luge.Summary of 4 finite values: mean 4, from 1 to 10>"
    assert (found.count, found.not_finite, found.mean, found.min, found.max) == (4, 2, 4, 1, 10)
    assert (found.sum, found.sum_squares) == (16, 114) and found.quantiles == {0.5: 2.5, 0.0: 1, 1.0: 10}
    assert found.edges == [1, 4, 7, 10] and found.counts == [3, 0, 1]
    assert list(luge.summarize(x).quantiles) == [0.05, 0.25, 0.5, 0.75, 0.95] and len(luge.summarize(x).counts) == 64


def test_quantiles_are_those_of_numpy():
    numpy = pytest.importorskip("numpy")
    x = luge.randn(1001, dtype=luge.float64)
    q = [0.001, 0.1, 0.5, 0.77, 0.999]
    assert numpy.allclose(list(luge.summarize(x, q).quantiles.values()), numpy.quantile(x.numpy(), q), rtol=1e-14, atol=0)


@pytest.mark.parametrize("action, kind, text", [
    (lambda: luge.summarize(luge.ones(0)), luge.ShapeError, r"summarize: x of shape \(0,\) has no elements"),
    (lambda: luge.summarize(luge.arange(3)), luge.DTypeError, "summarize: x is int64; allowed are the floating dtypes"),
    (lambda: luge.summarize(luge.ones(1), [2.0]), ValueError, "summarize: quantiles has 2; allowed is 0 to 1"),
    (lambda: luge.summarize(luge.ones(1), bins=0), ValueError, "summarize: bins is 0; allowed is 1 to 4096"),
    (lambda: luge.summarize(None), TypeError, "summarize: x is None; it must be Tensor"),
    (lambda: luge.Monitor().distribution(3, luge.ones(1)), TypeError, "distribution: name is of type int; it must be a str"),
    (lambda: luge.Monitor().log_to(object()), TypeError,
     r"log_to: run is of type object; allowed are the runs of wandb.init\(\) and mlflow.start_run\(\)"),
    (lambda: luge.Monitor().log_to(None, hparams=3), TypeError, "log_to: hparams is of type int; it must be a dict"),
    (lambda: luge.Monitor().write_tensorboard("/proc/x", metrics={"a": "b"}), TypeError,
     "write_tensorboard: metrics has 'a' of type str; names must be str, values int or float"),
    (lambda: luge.Monitor().write_tensorboard("/proc/x", hparams={3: 1}), TypeError,
     "write_tensorboard: hparams has 3 of type int; names must be str, values bool, str, int or float"),
])  # fmt: skip
def test_bad_arguments(action, kind, text):
    with pytest.raises(kind, match=text):
        action()


def test_summaries_wait_for_the_device():
    with pytest.raises(luge.CaptureError, match="summarize"):
        luge.capture(lambda: luge.summarize(luge.ones(2)) and None)()


def test_kept_quantiles():
    monitor = luge.Monitor(keep_sets=3, progress=False)
    monitor.record(luge.tensor([1.0, 2.0, 6.0, 100.0]))
    monitor.record(luge.tensor([math.nan, 4.0, 8.0, 100.0]))
    assert [list(row) for row in monitor.kept_quantiles([0.5, 1, 0.25])] == [[2, 6, 1.5], [6, 8, 5]]
    assert len(monitor.kept_quantiles()[0]) == 5


# ---- TensorBoard


def test_without_tensorboardx(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="Monitor.write_tensorboard needs tensorboardX: pip install tensorboardX"):
        luge.Monitor(progress=False).write_tensorboard(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def events(folder):
    """Scalars as tag: [(step, value)] and histograms as (tag, step, limits, counts), of all event files of a folder."""
    from tensorboardX.proto.event_pb2 import Event

    scalars, histograms, times = {}, [], []
    for file in sorted(folder.iterdir()):
        data, at = file.read_bytes(), 0
        while at < len(data):  # a record: length, checksum, data, checksum
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                times.append(event.wall_time)
                if value.WhichOneof("value") == "simple_value":
                    scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
                elif value.WhichOneof("value") == "histo":
                    histograms.append((value.tag, event.step, list(value.histo.bucket_limit), list(value.histo.bucket)))
    return scalars, histograms, times


def test_write_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    before = time.time()
    monitor = luge.Monitor(keep_sets=2, progress=False)
    for step in range(5):
        monitor.record(luge.tensor([1.0, 3.0, 5.0]) + step)
    summary = monitor.distribution("x", luge.tensor([1.0, 2.0, 3.0, 10.0]), bins=3)
    assert summary.counts == [3, 0, 1]
    monitor.write_tensorboard(tmp_path, hparams={"lr": 0.5}, metrics={"accuracy": 0.25}, every=2)
    monitor.record(luge.tensor([1.0, math.nan, 5.0]))
    monitor.record(luge.tensor([1.0, math.nan, 5.0]))
    monitor.write_tensorboard(str(tmp_path), every=2)
    scalars, histograms, times = events(tmp_path)
    assert scalars["loss/mean"] == [(0, 3), (2, 5), (4, 7), (6, 3)] and scalars["loss/max"][0] == (0, 5)
    assert scalars["loss/min"][1] == (2, 3) and scalars["loss/set_1"][:2] == [(0, 3), (2, 5)]
    assert scalars["loss/not_finite"] == [(6, 1)] and scalars["accuracy"] == [(4, 0.25)] and scalars["x/q50"] == [(4, 2.5)]
    assert histograms == [("x", 4, [4, 7, 10], [3, 0, 1])]
    assert before - 1 <= min(times) and max(times) <= time.time() + 1
    with pytest.raises(ValueError, match="every is 0; it must be a whole number of 1 or more"):
        monitor.write_tensorboard(tmp_path, every=0)


def test_a_loaded_checkpoint_hides_what_was_written_since(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    run, path = tmp_path / "run", tmp_path / "x"
    monitor = luge.Monitor(progress=False)

    def record(monitor, *losses):
        for loss in losses:
            monitor.record(luge.tensor(float(loss)))

    record(monitor, 0, 1, 2)
    monitor.write_tensorboard(run)
    luge.checkpoint.save(path, monitor=monitor)
    record(monitor, 30, 40)
    monitor.write_tensorboard(run)
    loaded = luge.Monitor(progress=False)
    luge.checkpoint.load(path, monitor=loaded)
    record(loaded, 3)
    loaded.write_tensorboard(run)
    record(loaded, 4)
    loaded.write_tensorboard(run)
    shown = {}
    for file in sorted(run.iterdir(), key=lambda file: file.name.rsplit(".", 1)[1]):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            if event.session_log.status == SessionLog.START:  # as TensorBoard does
                shown = {step: value for step, value in shown.items() if step < event.step}
            for value in event.summary.value:
                if value.tag == "loss/mean":
                    assert event.step not in shown
                    shown[event.step] = value.simple_value
    assert shown == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}


def test_many_kept_sets_are_quantiles(tmp_path):
    pytest.importorskip("tensorboardX")
    monitor = luge.Monitor(keep_sets=101, progress=False)
    monitor.record(luge.arange(101).to(luge.float32))
    monitor.write_tensorboard(tmp_path)
    scalars, _, _ = events(tmp_path)
    assert scalars["loss/kept_q5"] == [(0, 5)] and scalars["loss/kept_q95"] == [(0, 95)] and "loss/set_0" not in scalars
