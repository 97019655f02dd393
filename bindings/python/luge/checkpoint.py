"""A training on disk: stopped at any step and loaded, it goes on bit by bit as if it had not been stopped.

    luge.checkpoint.save("run.safetensors", params=params, optimizer=optimizer, step=step)
    step = luge.checkpoint.load("run.safetensors", params=params, optimizer=optimizer).step

A checkpoint is one safetensors file with names that a person reads ("params/hidden.weight", "optimizer/exp_avg.hidden.weight").
It holds what it is given, the global generator and checksums of everything; C++ reads it, too. Gradients are not kept: save
between steps.
"""

from __future__ import annotations

import json as _json
import os as _os
from collections.abc import Mapping as _Mapping
from collections.abc import Sequence as _Sequence
from typing import TYPE_CHECKING
from typing import Any as _Any
from typing import NamedTuple as _NamedTuple

from . import _C
from ._C import Parameters as _Parameters
from ._C import Tensor as _Tensor
from ._C._checkpoint import PendingSave
from ._C._data import BatchStream as _BatchStream
from ._C._lr_scheduler import LRScheduler as _LRScheduler
from ._C._optim import Optimizer as _Optimizer
from ._monitor import Monitor as _Monitor
from ._names import missing as _missing
from .nn import Module as _Module

__all__ = ["Loaded", "PendingSave", "latest", "load", "save", "save_async"]

_EXTRA = "extra."
_LOADER = "loader"


class Loaded(_NamedTuple):
    """What a checkpoint says beside its parts."""

    step: int
    extra: dict[str, _Any]
    """Tensors, on the CPU, and other values."""
    metric: float | None
    missing: list[str]
    """With strict=False: what the parts have and the file has not."""
    unexpected: list[str]
    """With strict=False: what the file has of a part and the part has not."""


def _checked(op: str, name: str, given: _Any, kind: type[_Any] | tuple[type[_Any], ...], words: str) -> None:
    if given is not None and not isinstance(given, kind):
        raise TypeError(f"{op}: {name} is of type {type(given).__name__}; it must be {words}")


class _Parts:
    """The parts as the compiled functions take them."""

    def __init__(self, op: str, params: _Any, optimizer: _Any, schedule: _Any, monitor: _Any, loader: _Any) -> None:
        self.op = op
        _checked(op, "params", params, (_Parameters, _Module, _Mapping), "a luge.Parameters, a Module or a dict of tensors")
        _checked(op, "optimizer", optimizer, _Optimizer, "an optimizer of luge.optim")
        _checked(op, "monitor", monitor, _Monitor, "a luge.Monitor")
        schedules = [] if schedule is None else [schedule] if isinstance(schedule, _LRScheduler) else list(schedule)
        for one in schedules:
            _checked(op, "schedule", one, _LRScheduler, "a schedule of luge.optim.lr_scheduler, or several")
        self.tensors: list[tuple[str, _Tensor]] = []
        arena = None
        if isinstance(params, _Parameters):
            arena = params
        elif isinstance(params, _Module):
            self.tensors = list(params.named_parameters())
        elif params is not None:
            for name, tensor in params.items():
                _checked(op, f"params['{name}']", tensor, _Tensor, "a tensor")
                self.tensors.append((name, tensor))
        # A loader of another kind says itself where it is.
        self.loader: _Any = None if loader is None or isinstance(loader, _BatchStream) else loader
        if self.loader is not None and not (hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")):
            raise TypeError(
                f"{op}: loader is of type {type(loader).__name__}; it must be a luge.data.BatchStream, or have state_dict() and "
                "load_state_dict()"
            )
        own = loader if isinstance(loader, _BatchStream) else None
        self.arguments = (arena, self.tensors, optimizer, schedules, monitor, own)


def _whole(op: str, name: str, given: _Any) -> int:
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise TypeError(f"{op}: {name} is of type {type(given).__name__}; it must be an int")
    return int(given.__index__())


def _json_of(op: str, what: str, value: _Any) -> str:
    try:
        return _json.dumps(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{op}: {what} cannot be kept: {error}; allowed are tensors and what JSON has") from None


def _save_arguments(op: str, parts: _Parts, extra: _Any, step: int, keep: int, metric: _Any) -> tuple[_Any, ...]:
    _checked(op, "extra", extra, _Mapping, "a dict")
    tensors: list[tuple[str, _Tensor]] = []
    json: dict[str, str] = {}
    for name, value in (extra or {}).items():
        if not isinstance(name, str):
            raise TypeError(f"{op}: extra has a key of type {type(name).__name__}; names must be str")
        if isinstance(value, _Tensor):
            tensors.append((name, value))
        else:
            json[_EXTRA + name] = _json_of(op, f"extra['{name}']", value)
    if parts.loader is not None:
        json[_LOADER] = _json_of(op, "the loader's state_dict()", parts.loader.state_dict())
    counts = _whole(op, "step", step), _whole(op, "keep", keep)
    return *parts.arguments, counts[0], tensors, {}, json, counts[1], None if metric is None else float(metric)


def save(
    path: str | _os.PathLike[str],
    *,
    params: _Parameters | _Module | _Mapping[str, _Tensor] | None = None,
    optimizer: _Optimizer | None = None,
    schedule: _LRScheduler | _Sequence[_LRScheduler] | None = None,
    monitor: _Monitor | None = None,
    loader: _Any = None,
    step: int = 0,
    extra: _Mapping[str, _Any] | None = None,
    keep: int = 0,
    metric: float | _Tensor | None = None,
) -> str:
    """Writes a checkpoint and returns its path. The file appears whole or not at all.

    `loader` is a luge.data.BatchStream, or has state_dict() and load_state_dict(). `extra` holds tensors and what JSON has.
    "{step}" in the path becomes the step; of such files only this one and those with the highest steps stay, `keep` in all, and,
    with a `metric` (the lower the better), the best one, named with "best" in place of the step.

    >>> import tempfile, os
    >>> params = luge.Parameters(sets=3)
    >>> x = params.add("x", (), luge.init.constant(1))
    >>> path = os.path.join(tempfile.mkdtemp(), "run.safetensors")
    >>> _ = luge.checkpoint.save(path, params=params, step=7)
    >>> luge.checkpoint.load(path, params=params).step
    7
    """
    op = "checkpoint.save"
    parts = _Parts(op, params, optimizer, schedule, monitor, loader)
    return _C._checkpoint._save(path, *_save_arguments(op, parts, extra, step, keep, metric))


def save_async(
    path: str | _os.PathLike[str],
    *,
    params: _Parameters | _Module | _Mapping[str, _Tensor] | None = None,
    optimizer: _Optimizer | None = None,
    schedule: _LRScheduler | _Sequence[_LRScheduler] | None = None,
    monitor: _Monitor | None = None,
    loader: _Any = None,
    step: int = 0,
    extra: _Mapping[str, _Any] | None = None,
    keep: int = 0,
    metric: float | _Tensor | None = None,
) -> PendingSave:
    """Copies everything on its device and returns; a thread writes the copy. wait() of what is returned waits for it and raises
    what save() would have raised. Two that write one path must not overlap."""
    op = "checkpoint.save_async"
    parts = _Parts(op, params, optimizer, schedule, monitor, loader)
    return _C._checkpoint._save_async(path, *_save_arguments(op, parts, extra, step, keep, metric))


def load(
    path: str | _os.PathLike[str],
    *,
    params: _Parameters | _Module | _Mapping[str, _Tensor] | None = None,
    optimizer: _Optimizer | None = None,
    schedule: _LRScheduler | _Sequence[_LRScheduler] | None = None,
    monitor: _Monitor | None = None,
    loader: _Any = None,
    strict: bool = True,
    sets: _Sequence[int] | None = None,
    into_sets: _Sequence[int] | None = None,
    random: bool = True,
) -> Loaded:
    """Loads a checkpoint into the parts, in place: captured steps stay as they are.

    Everything is read and checked first; an error names the first difference between file and parts, and nothing has changed
    then. With strict=False what only one of them has is passed over.

    `sets` are numbers of sets in the file, `into_sets` those of the model that take them: a part of an ensemble is loaded, put
    together with others, or replaced. Parameters and their optimizer alone can be loaded so.

    With `random` the global generator goes on as when the checkpoint was written.
    """
    op = "checkpoint.load"
    parts = _Parts(op, params, optimizer, schedule, monitor, loader)
    state = None
    if parts.loader is not None:
        with _C.safe_open(path) as file:
            told = file.metadata().get(f"json:{_LOADER}")
        if told is None and strict:
            raise ValueError(f"{op}: '{_os.fspath(path)}' differs: loader: the file has none")
        state = None if told is None else _json.loads(told)
    step, extra, notes, json, metric, missing, unexpected = _C._checkpoint._load(
        path, *parts.arguments, strict, _numbers(sets), _numbers(into_sets), random
    )
    values: dict[str, _Any] = {**extra, **notes}
    values.update((name[len(_EXTRA) :], _json.loads(text)) for name, text in json.items() if name.startswith(_EXTRA))
    if state is not None:
        parts.loader.load_state_dict(state)
    return Loaded(step, values, metric, missing, unexpected)


def _numbers(sets: _Sequence[int] | None) -> list[int]:
    return [] if sets is None else [int(i) for i in sets]


def latest(path: str | _os.PathLike[str]) -> str | None:
    """Of the files of a path that holds "{step}": the one with the highest step, or None."""
    return _C._checkpoint._latest(path)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
