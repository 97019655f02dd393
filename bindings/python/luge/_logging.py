"""What Monitor hands to TensorBoard, W&B and MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional, Union

from . import _C
from ._C import Summary, _Monitor

Hyperparameters = Mapping[str, Union[bool, str, float, int]]
Metrics = Mapping[str, float]

# Kept sets that get a curve each; of more than that, quantiles are logged.
_SINGLE_SETS = 8
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MLFLOW_BATCH = 1000  # metrics that MLflow takes in one call


class Entry(NamedTuple):
    """What is logged of one step."""

    step: int
    time: float
    """Seconds since 1970."""
    scalars: dict[str, float]
    distributions: dict[str, Summary]


class Logged:
    """What of a training the loggers have got, each by its place: a folder, a run."""

    def __init__(self) -> None:
        self.began = time.time()
        self.distributions: list[tuple[int, str, Summary]] = []
        self._places: dict[str, tuple[int, int]] = {}  # steps and distributions
        self._rewritten: set[str] | None = None

    def place(self, name: str) -> tuple[int, int]:
        """How many steps and distributions a place has got."""
        return self._places.get(name, (0, 0))

    def put(self, name: str, steps: int) -> None:
        """A place has got that many steps, and all distributions."""
        self._places[name] = (steps, len(self.distributions))
        if self._rewritten is not None:
            self._rewritten.add(name)

    def places(self) -> dict[str, int]:
        """The steps that each place has got, for a checkpoint."""
        return {name: steps for name, (steps, _) in self._places.items()}

    def go_back(self, places: Mapping[str, int]) -> None:
        """The history is that of a checkpoint now. What a place has got since then is not of this training."""
        self.distributions.clear()
        self._places = {name: (steps, 0) for name, steps in places.items()}
        self._rewritten = set()

    def may_have_more(self, name: str) -> bool:
        """Whether a place may have got steps that the history does not know of."""
        return self._rewritten is not None and name not in self._rewritten


def _quantile_name(q: float) -> str:
    return f"q{100 * q:g}"


def _scalars(name: str, summary: Summary) -> dict[str, float]:
    result = {f"{name}/mean": summary.mean, f"{name}/min": summary.min, f"{name}/max": summary.max}
    result.update({f"{name}/{_quantile_name(q)}": value for q, value in summary.quantiles.items()})
    if summary.not_finite:
        result[f"{name}/not_finite"] = summary.not_finite
    return result


def entries(monitor: _Monitor, logged: Logged, place: str, every: int) -> Iterator[Entry]:
    """What `place` has not got yet: every `every`-th step, and the steps with distributions."""
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ValueError(f"Monitor: every is {every!r}; it must be a whole number of 1 or more")
    columns = monitor.columns()
    count = len(columns["step"])
    # After a checkpoint was loaded, the seconds go on from those of the earlier process.
    began = min(logged.began, time.time() - columns["seconds"][-1]) if count else logged.began
    kept = len(columns["sets"][0]) if count else 0
    quantiles = monitor._kept_quantiles(list(_QUANTILES)) if kept > _SINGLE_SETS else []
    summaries: dict[int, dict[str, Summary]] = {}
    begun, noted = logged.place(place)
    for step, name, summary in logged.distributions[noted:]:
        summaries.setdefault(step, {})[name] = summary
    for step in sorted(set(range(begun - begun % -every, count, every)) | summaries.keys()):
        scalars: dict[str, float] = {}
        if step < count and step >= begun and step % every == 0:
            for name in ("mean", "min", "max"):
                scalars[f"loss/{name}"] = columns[name][step]
            if columns["not_finite"][step]:
                scalars["loss/not_finite"] = columns["not_finite"][step]
            if quantiles:
                for q, value in zip(_QUANTILES, quantiles[step]):
                    scalars[f"loss/kept_{_quantile_name(q)}"] = value
            else:
                for number, value in enumerate(columns["sets"][step]):
                    scalars[f"loss/set_{number}"] = value
        distributions = summaries.get(step, {})
        for name, summary in distributions.items():
            scalars.update(_scalars(name, summary))
        seconds = columns["seconds"][min(step, count - 1)] if count else 0.0
        yield Entry(step, began + seconds, scalars, distributions)
    logged.put(place, count)


def check(function: str, hparams: object, metrics: object) -> None:
    """Names the first hyperparameter or metric that no logger takes."""
    for what, given, kinds, words in (("hparams", hparams, (bool, str, int, float), "bool, str, int or float"),
                                      ("metrics", metrics, (int, float), "int or float")):  # fmt: skip
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise TypeError(f"{function}: {what} is of type {type(given).__name__}; it must be a dict")
        for name, value in given.items():
            if not isinstance(name, str) or not isinstance(value, kinds):
                raise TypeError(f"{function}: {what} has {name!r} of type {type(value).__name__}; names must be str, values {words}")


def _folder(logdir: Union[str, os.PathLike[str]]) -> str:
    """The folder, which is made if it is not there yet."""
    if not isinstance(logdir, (str, os.PathLike)):
        raise TypeError(f"write_tensorboard: logdir is of type {type(logdir).__name__}; it must be a str or an os.PathLike")
    folder = os.fspath(logdir)
    if not folder:
        raise ValueError("write_tensorboard: logdir is empty; it must name a folder")
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError:
        raise _C.IoError(f"write_tensorboard: cannot write '{folder}': it is no folder") from None
    except OSError as error:
        raise _C.IoError(f"write_tensorboard: cannot write '{folder}': {error.strerror}") from None
    except ValueError as error:  # a zero byte, a lone surrogate
        raise ValueError(f"write_tensorboard: logdir {folder!a} names no folder: {error}") from None
    return folder


def write_tensorboard(
    monitor: _Monitor,
    logged: Logged,
    logdir: Union[str, os.PathLike[str]],
    hparams: Optional[Hyperparameters],
    metrics: Optional[Metrics],
    every: int,
) -> None:
    check("write_tensorboard", hparams, metrics)
    try:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams as hparams_summaries
    except ImportError as error:
        raise ImportError("Monitor.write_tensorboard needs tensorboardX: pip install tensorboardX") from error
    folder = _folder(logdir)
    place = os.path.abspath(folder)
    # TensorBoard then hides what the folder has from that step on.
    purge = logged.place(place)[0] if logged.may_have_more(place) else None
    # The files of two calls within a second would have one name.
    with SummaryWriter(folder, purge_step=purge, filename_suffix=f".{time.time_ns()}") as writer:
        last = None
        for entry in entries(monitor, logged, place, every):
            last = entry.step
            for name, value in entry.scalars.items():
                writer.add_scalar(name, value, entry.step, entry.time)
            for name, summary in entry.distributions.items():
                if summary.count:
                    writer.add_histogram_raw(name, summary.min, summary.max, summary.count, summary.sum, summary.sum_squares,
                                             summary.edges[1:], summary.counts, entry.step, entry.time)  # fmt: skip
        if hparams or metrics:
            for summary in hparams_summaries(dict(hparams or {}), dict(metrics or {})):
                writer.file_writer.add_summary(summary)
            for name, value in (metrics or {}).items():
                writer.add_scalar(name, value, last)


def log_to(monitor: _Monitor, logged: Logged, run: Any, hparams: Optional[Hyperparameters], metrics: Optional[Metrics], every: int) -> None:
    check("log_to", hparams, metrics)
    packages = {kind.__module__.split(".")[0] for kind in type(run).__mro__}
    if "wandb" in packages:
        _to_wandb(monitor, logged, run, hparams, metrics, every)
    elif "mlflow" in packages:
        _to_mlflow(monitor, logged, run, hparams, metrics, every)
    else:
        raise TypeError(f"log_to: run is of type {type(run).__name__}; allowed are the runs of wandb.init() and mlflow.start_run()")


def _to_wandb(monitor: _Monitor, logged: Logged, run: Any, hparams: Optional[Hyperparameters], metrics: Optional[Metrics], every: int) -> None:
    import wandb

    if hparams:
        run.config.update(dict(hparams), allow_val_change=True)
    # W&B's own step never goes back, and it may have moved on by what the user has logged.
    run.define_metric("step")
    known: set[str] = set()
    for entry in entries(monitor, logged, f"wandb {run.id}", every):
        values: dict[str, Any] = dict(entry.scalars)
        for name, summary in entry.distributions.items():
            if summary.count:
                values[f"{name}/histogram"] = wandb.Histogram(np_histogram=(summary.counts, summary.edges))
        for name in values.keys() - known:
            run.define_metric(name, step_metric="step")
        known |= values.keys()
        run.log({"step": entry.step, **values})
    if metrics:
        run.summary.update(dict(metrics))


def _to_mlflow(monitor: _Monitor, logged: Logged, run: Any, hparams: Optional[Hyperparameters], metrics: Optional[Metrics], every: int) -> None:
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    client, run_id = MlflowClient(), run.info.run_id
    if hparams:
        client.log_batch(run_id, params=[Param(name, str(value)) for name, value in hparams.items()])
    waiting: list[Any] = []
    last, now = 0, time.time()
    for entry in entries(monitor, logged, f"mlflow {run_id}", every):
        last = entry.step
        for name, value in entry.scalars.items():
            waiting.append(Metric(name, value, int(1000 * entry.time), entry.step))
    waiting += [Metric(name, float(value), int(1000 * now), last) for name, value in (metrics or {}).items()]
    for first in range(0, len(waiting), _MLFLOW_BATCH):
        client.log_batch(run_id, metrics=waiting[first : first + _MLFLOW_BATCH])
