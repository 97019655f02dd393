"""What TensorBoard, W&B and MLflow read of what Monitor logs."""

import json
import math
import os
import struct
import subprocess

import numpy
import pytest

import luge


def training(sets=3, keep=3, steps=20):
    monitor = luge.Monitor(keep_sets=keep, progress=False)
    for step in range(steps):
        monitor.record(luge.arange(sets).to(luge.float32) + step / 8)
    return monitor


# ---- TensorBoard


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    return found.Reload()


def curve(found, tag):
    return [(event.step, event.value) for event in found.Scalars(tag)]


def test_tensorboard_reads_scalars_and_histograms(tmp_path):
    monitor = training()
    x = luge.tensor([1.0, 2.0, 3.0, 10.0, float("nan")])
    monitor.distribution("x", x, bins=3)
    monitor.write_tensorboard(tmp_path)
    found = events(tmp_path)
    assert {"loss/mean", "loss/min", "loss/max", "loss/set_0", "loss/set_2", "x/mean", "x/q5", "x/q50", "x/not_finite"} <= set(
        found.Tags()["scalars"]
    )
    assert curve(found, "loss/mean") == [(step, 1 + step / 8) for step in range(20)]
    assert curve(found, "loss/set_2") == [(step, 2 + step / 8) for step in range(20)]
    assert curve(found, "x/q50") == [(19, 2.5)] and curve(found, "x/not_finite") == [(19, 1)]
    times = [event.wall_time for event in found.Scalars("loss/mean")]
    assert times == sorted(times)
    (event,) = found.Histograms("x")
    histogram = event.histogram_value
    assert event.step == 19 and (histogram.min, histogram.max, histogram.num, histogram.sum) == (1, 10, 4, 16)
    assert histogram.sum_squares == 114 and list(histogram.bucket_limit) == [4, 7, 10] and list(histogram.bucket) == [3, 0, 1]


def test_tensorboard_gets_quantiles_of_many_kept_sets(tmp_path):
    monitor = training(sets=101, keep=101, steps=3)
    monitor.write_tensorboard(tmp_path)
    found = events(tmp_path)
    assert curve(found, "loss/kept_q5") == [(step, 5 + step / 8) for step in range(3)]
    assert curve(found, "loss/kept_q95") == [(step, 95 + step / 8) for step in range(3)]
    assert "loss/set_0" not in found.Tags()["scalars"]


def test_tensorboard_gets_what_is_new(tmp_path):
    monitor = training(steps=5)
    monitor.distribution("x", luge.ones(2))
    monitor.write_tensorboard(tmp_path, every=2)
    for step in range(5, 9):
        monitor.record(luge.arange(3).to(luge.float32) + step / 8)
    monitor.write_tensorboard(str(tmp_path), every=2)
    monitor.write_tensorboard(tmp_path, every=2)
    found = events(tmp_path)
    assert [step for step, _ in curve(found, "loss/mean")] == [0, 2, 4, 6, 8]
    assert len(found.Histograms("x")) == 1


def test_tensorboard_reads_hyperparameters(tmp_path):
    from tensorboard.plugins.hparams import plugin_data_pb2

    monitor = training(steps=2)
    monitor.write_tensorboard(tmp_path, hparams={"lr": 0.25, "rule": "Adam", "nesterov": True}, metrics={"accuracy": 0.5})
    assert all(entry.is_file() for entry in os.scandir(tmp_path))  # one run
    found = events(tmp_path)
    assert curve(found, "accuracy") == [(1, 0.5)]
    contents = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(contents).session_start_info
    assert start.hparams["lr"].number_value == 0.25 and start.hparams["rule"].string_value == "Adam"
    assert start.hparams["nesterov"].bool_value is True


def test_tensorboard_reads_what_cpp_writes(tmp_path):
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    subprocess.run(["tests/tensorboard_training", tmp_path], check=True)
    assert len(list(tmp_path.iterdir())) == 2
    found = events(tmp_path)
    assert curve(found, "loss/mean") == [(step, 1 + step / 8) for step in range(20)]
    assert curve(found, "loss/set_2") == [(step, 2 + step / 8) for step in range(20)]
    assert curve(found, "x/q50") == [(19, 2.5)] and curve(found, "x/not_finite") == [(19, 1)]
    times = [event.wall_time for event in found.Scalars("loss/mean")]
    assert times == sorted(times)
    (event,) = found.Histograms("x")
    histogram = event.histogram_value
    assert event.step == 19 and (histogram.min, histogram.max, histogram.num, histogram.sum) == (1, 10, 4, 16)
    assert histogram.sum_squares == 114 and list(histogram.bucket_limit) == [4, 7, 10] and list(histogram.bucket) == [3, 0, 1]
    assert curve(found, "accuracy") == [(19, 0.5)]

    def plugin(name):
        content = found.SummaryMetadata(f"_hparams_/{name}").plugin_data.content
        return plugin_data_pb2.HParamsPluginData.FromString(content)

    start = plugin("session_start_info").session_start_info
    assert start.hparams["lr"].number_value == 0.25 and start.hparams["layers"].number_value == 3
    assert start.hparams["rule"].string_value == "Adam" and start.hparams["nesterov"].bool_value is True
    experiment = plugin("experiment").experiment
    kinds = {info.name: info.type for info in experiment.hparam_infos}
    assert kinds == {"lr": api_pb2.DATA_TYPE_FLOAT64, "rule": api_pb2.DATA_TYPE_STRING, "nesterov": api_pb2.DATA_TYPE_BOOL,
                     "layers": api_pb2.DATA_TYPE_FLOAT64}  # fmt: skip
    assert [info.name.tag for info in experiment.metric_infos] == ["accuracy"]
    assert plugin("session_end_info").session_end_info.status == api_pb2.STATUS_SUCCESS


def test_nan_reaches_tensorboard(tmp_path):
    monitor = luge.Monitor(progress=False)
    monitor.record(luge.tensor([float("nan"), float("inf")]))
    monitor.distribution("x", luge.tensor([float("nan")]))
    monitor.write_tensorboard(tmp_path)
    found = events(tmp_path)
    assert math.isnan(curve(found, "loss/mean")[0][1]) and curve(found, "loss/not_finite") == [(0, 2)]
    assert found.Tags()["histograms"] == []


# ---- Weights & Biases


def test_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    import wandb

    monitor = training()
    monitor.distribution("x", luge.tensor([1.0, 2.0, 3.0, 10.0]), bins=3)
    run = wandb.init(mode="offline", dir=tmp_path, project="luge", config={"lr": 1})
    for _ in range(50):
        run.log({"of the user": 1})  # moves W&B's step beyond the monitor's
    monitor.log_to(run, hparams={"lr": 0.25, "rule": "Adam"}, metrics={"accuracy": 0.5})
    monitor.log_to(run)
    run.finish()
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    history, summary, config, metrics = wandb_records(file)
    steps = [row for row in history if "loss/mean" in row]
    assert [row["step"] for row in steps] == list(range(20))
    assert [row["loss/mean"] for row in steps] == [1 + step / 8 for step in range(20)]
    assert [row["loss/set_2"] for row in steps] == [2 + step / 8 for step in range(20)]
    assert steps[-1]["x/histogram/values"] == [3, 0, 1] and steps[-1]["x/histogram/bins"] == [1, 4, 7, 10]
    assert steps[-1]["x/q50"] == 2.5
    assert summary["accuracy"] == 0.5 and config["lr"] == 0.25 and config["rule"] == "Adam"
    assert {"loss/mean", "x/histogram", "x/q50"} <= metrics  # with "step" below their curves


def logged_parts(data):
    """The records of a .wandb file: seven bytes, then LevelDB's log format, blocks of 32 KiB with parts of records."""
    at, record = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)  # after the checksum
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # all of it, or the last part
            yield record
            record = b""


def wandb_records(file):
    """What an offline run has written: history, summary, config and the metrics that are drawn over "step"."""
    from wandb.proto import wandb_internal_pb2

    def pairs(items):
        return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}

    history, summary, config, metrics = [], {}, {}, set()
    for data in logged_parts(file.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "history":
            history.append(pairs(record.history.item))
        elif kind == "summary":
            summary.update(pairs(record.summary.update))
        elif kind == "config":
            config.update(pairs(record.config.update))
        elif kind == "metric" and record.metric.step_metric == "step":
            metrics.add(record.metric.name)
    return history, summary, config, metrics


# ---- MLflow


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow

    mlflow.set_tracking_uri(f"file://{tmp_path}/mlruns")
    return mlflow


def test_mlflow(mlflow):
    monitor = training(steps=400)  # more metrics than MLflow takes in one call
    monitor.distribution("x", luge.tensor([1.0, 2.0, 3.0, 10.0]))
    with mlflow.start_run() as run:
        monitor.log_to(run, hparams={"lr": 0.25, "rule": "Adam"}, metrics={"accuracy": 0.5})
        monitor.log_to(run)
    client = mlflow.MlflowClient()
    found = client.get_metric_history(run.info.run_id, "loss/mean")
    assert [(point.step, point.value) for point in found] == [(step, 1 + step / 8) for step in range(400)]
    assert numpy.diff([point.timestamp for point in found]).min() >= 0
    data = client.get_run(run.info.run_id).data
    assert data.metrics["x/q50"] == 2.5 and data.metrics["accuracy"] == 0.5
    assert data.params == {"lr": "0.25", "rule": "Adam"}


def test_mlflow_gets_nan(mlflow):
    monitor = luge.Monitor(progress=False)
    monitor.record(luge.tensor([float("nan")]))
    with mlflow.start_run() as run:
        monitor.log_to(run)
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert math.isnan(metrics["loss/mean"]) and metrics["loss/not_finite"] == 1
