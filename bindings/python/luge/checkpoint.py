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
from ._C._optim import Optimizer as _Optimizer
from ._monitor import Monitor as _Monitor
from ._names import missing as _missing
from ._numbers import whole as _whole
from ._optimizer_state import NAME as _STATE
from ._optimizer_state import check as _check_state
from ._optimizer_state import is_kept_in_python as _is_kept_in_python
from ._optimizer_state import put_together as _put_together
from ._optimizer_state import taken_apart as _taken_apart
from .nn import Module as _Module
from .optim._schedule import forget_loaded as _forget_loaded
from .optim.lr_scheduler import LRScheduler as _LRScheduler

__all__ = ["Loaded", "PendingSave", "latest", "load", "save", "save_async"]

_EXTRA = "extra."
_LOADER = "loader"
_LOGGED = "monitor.logged"


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


def _several(op: str, name: str, given: _Any, words: str) -> list[_Any]:
    """The elements of a sequence, or of what is like one, as NumPy's arrays."""
    is_like_one = all(hasattr(given, name) for name in ("__len__", "__getitem__", "__iter__"))
    if isinstance(given, (str, bytes, _Mapping)) or not is_like_one:
        raise TypeError(f"{op}: {name} is of type {type(given).__name__}; it must be {words}")
    return list(given)


def _checked_name(op: str, what: str, name: _Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"{op}: {what} has a key of type {type(name).__name__}; names must be str")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{op}: {what} has the name {name!a}, which holds a lone surrogate") from None
    return name


class _Parts:
    """The parts as the compiled functions take them."""

    def __init__(
        self, op: str, path: _Any, params: _Any, optimizer: _Any, schedule: _Any, monitor: _Any, loader: _Any
    ) -> None:
        self.op = op
        _checked_path(op, path)
        _checked(op, "params", params, (_Parameters, _Module, _Mapping), "a luge.Parameters, a Module or a dict of tensors")
        _checked(op, "optimizer", optimizer, _Optimizer, "an optimizer of luge.optim")
        _checked(op, "monitor", monitor, _Monitor, "a luge.Monitor")
        words = "a schedule of luge.optim.lr_scheduler, or a sequence of them"
        schedules: list[_Any] = []
        if isinstance(schedule, _LRScheduler):
            schedules = [schedule]
        elif schedule is not None:
            schedules = _several(op, "schedule", schedule, words)
        for number, one in enumerate(schedules):
            if not isinstance(one, _LRScheduler):
                raise TypeError(f"{op}: schedule[{number}] is of type {type(one).__name__}; schedule must be {words}")
            if one._schedule is None:
                raise ValueError(
                    f"{op}: schedule[{number}] is a {type(one).__name__}, whose get_lr() is of one's own; keep its state_dict()"
                )
        self.tensors: list[tuple[str, _Tensor]] = []
        arena = None
        if isinstance(params, _Parameters):
            arena = params
        elif isinstance(params, _Module):
            tied = {hash(tensor): name for name, tensor in reversed(list(params._state()))}  # under the first of their names
            self.tensors = [(name, tensor) for name, tensor in params._state() if tied[hash(tensor)] == name]
        elif params is not None:
            for name, tensor in params.items():
                _checked_name(op, "params", name)
                if not isinstance(tensor, _Tensor):
                    raise TypeError(f"{op}: params['{name}'] is of type {type(tensor).__name__}; it must be a tensor")
                self.tensors.append((name, tensor))
        # A loader of another kind says itself where it is.
        self.loader: _Any = None if loader is None or isinstance(loader, _BatchStream) else loader
        if self.loader is not None and not (hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")):
            raise TypeError(
                f"{op}: loader is of type {type(loader).__name__}; it must be a luge.data.BatchStream, or have state_dict() and "
                "load_state_dict()"
            )
        self.monitor: _Monitor | None = monitor
        self.optimizer: _Optimizer | None = optimizer
        own = loader if isinstance(loader, _BatchStream) else None
        self.arguments = (arena, self.tensors, optimizer, [one._schedule for one in schedules], monitor, own)


def _checked_path(op: str, path: _Any) -> None:
    if not isinstance(path, (str, bytes, _os.PathLike)):
        raise TypeError(f"{op}: path is of type {type(path).__name__}; it must be a str or an os.PathLike")


def _flag(op: str, name: str, given: _Any) -> bool:
    if not isinstance(given, bool):
        raise TypeError(f"{op}: {name} is of type {type(given).__name__}; it must be a bool")
    return given


def _number(op: str, name: str, given: _Any) -> float | None:
    """A number, or what makes itself one: a tensor or an array of one element."""
    if given is None:
        return None
    if not isinstance(given, (str, bytes)) and hasattr(given, "__float__"):
        try:
            return float(given)
        except (TypeError, ValueError, OverflowError) as error:
            raise type(error)(f"{op}: {name} is no number: {error}") from None
    raise TypeError(f"{op}: {name} is of type {type(given).__name__}; it must be a number or a tensor of one element")


def _check_keys(op: str, what: str, value: _Any) -> None:
    """JSON has no keys but texts: others would come back as such."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{op}: {what} has a key of type {type(key).__name__}; keys must be str")
            _check_keys(op, f"{what}[{key!r}]", inner)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            _check_keys(op, f"{what}[{number}]", inner)


def _json_of(op: str, what: str, value: _Any) -> str:
    try:
        text = _json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{op}: {what} cannot be kept: {error}; allowed are tensors and what JSON has") from None
    _check_keys(op, what, value)
    return text


def _save_arguments(op: str, parts: _Parts, extra: _Any, step: int, keep: int, metric: _Any) -> tuple[_Any, ...]:
    _checked(op, "extra", extra, _Mapping, "a dict")
    tensors: list[tuple[str, _Tensor]] = []
    json: dict[str, str] = {}
    if parts.optimizer is not None and _is_kept_in_python(parts.optimizer):
        told, tensors = _taken_apart(parts.optimizer)
        json[_STATE] = _json_of(op, "the optimizer's state", told)
    for name, value in (extra or {}).items():
        _checked_name(op, "extra", name)
        if name.startswith(_STATE + "."):
            raise ValueError(f"{op}: extra has the name {name!r}; names that begin with '{_STATE}.' are the optimizer's")
        if isinstance(value, _Tensor):
            tensors.append((name, value))
        else:
            json[_EXTRA + name] = _json_of(op, f"extra['{name}']", value)
    if parts.loader is not None:
        json[_LOADER] = _json_of(op, "the loader's state_dict()", parts.loader.state_dict())
    if parts.monitor is not None:
        json[_LOGGED] = _json.dumps(parts.monitor._logged.places())
    counts = _whole(op, "step", step), _whole(op, "keep", keep)
    return *parts.arguments, counts[0], tensors, {}, json, counts[1], _number(op, "metric", metric)


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

    `loader` is a luge.data.BatchStream, or has state_dict() and load_state_dict(). `extra` holds tensors and what JSON has; a
    tuple comes back as a list.
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
    parts = _Parts(op, path, params, optimizer, schedule, monitor, loader)
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
    parts = _Parts(op, path, params, optimizer, schedule, monitor, loader)
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
    then. A loader of your own takes its state before anything else does: if it refuses, nothing has changed either. With
    strict=False what only one of them has is passed over.

    `sets` are numbers of sets in the file, `into_sets` those of the model that take them: a part of an ensemble is loaded, put
    together with others, or replaced. Parameters and their optimizer alone can be loaded so.

    With `random` the global generator goes on as when the checkpoint was written.
    """
    op = "checkpoint.load"
    parts = _Parts(op, path, params, optimizer, schedule, monitor, loader)
    picked, into = _numbers(op, "sets", sets), _numbers(op, "into_sets", into_sets)
    if parts.loader is not None and (picked or into):
        raise ValueError(f"{op}: sets are given; parameters and their optimizer alone can be loaded by sets")
    if _is_kept_in_python(optimizer) and (picked or into):
        raise ValueError(f"{op}: sets are given; the state of a {type(optimizer).__name__}, which steps in Python, is loaded whole")
    shown = _os.fsdecode(path)
    passed_over: list[str] = []

    def accept(json: dict[str, str]) -> None:
        if optimizer is not None and (strict or _STATE in json):
            _check_state(op, shown, optimizer, _json.loads(json[_STATE]) if _STATE in json else None)
        if parts.loader is None:
            return
        if _LOADER in json:
            _load_state(parts.loader, _json.loads(json[_LOADER]))
        elif strict:
            raise ValueError(f"{op}: '{shown}' differs: loader: the file has no state_dict of a loader")
        else:
            passed_over.append(_LOADER)

    step, extra, notes, json, told, missing, unexpected = _C._checkpoint._load(
        path,
        *parts.arguments,
        _flag(op, "strict", strict),
        picked,
        into,
        _flag(op, "random", random),
        accept,
    )
    if schedule is not None:
        _forget_loaded(optimizer)
    if optimizer is not None and _STATE in json:
        _put_together(optimizer, _json.loads(json[_STATE]), extra)
    elif _is_kept_in_python(optimizer):
        passed_over.append(_STATE)
    extra = {name: tensor for name, tensor in extra.items() if not name.startswith(_STATE + ".")}
    if parts.monitor is not None and "monitor/mean" not in missing:
        parts.monitor._logged.go_back(_json.loads(json.get(_LOGGED, "{}")))
    values: dict[str, _Any] = {**extra, **notes}
    values.update((name[len(_EXTRA) :], _json.loads(text)) for name, text in json.items() if name.startswith(_EXTRA))
    return Loaded(step, values, told, missing + passed_over, unexpected)


def _load_state(loader: _Any, state: _Any) -> None:
    """A loader that refuses has its old state back."""
    before = loader.state_dict()
    try:
        loader.load_state_dict(state)
    except BaseException:
        loader.load_state_dict(before)
        raise


def _numbers(op: str, name: str, given: _Any) -> list[int]:
    if given is None:
        return []
    return [_whole(op, f"{name}[{number}]", one) for number, one in enumerate(_several(op, name, given, "a sequence of int"))]


def latest(path: str | _os.PathLike[str]) -> str | None:
    """Of the files of a path that holds "{step}": the one with the highest step, or None."""
    _checked_path("checkpoint.latest", path)
    return _C._checkpoint._latest(path)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
