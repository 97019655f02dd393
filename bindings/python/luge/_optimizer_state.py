"""What an optimizer that steps in Python keeps with each parameter, as a checkpoint holds it."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from ._C import Tensor
from ._C._optim import Optimizer
from .optim._groups import IGNORED

#: The JSON that says what there is, and what the names of its tensors begin with.
NAME = "optimizer.state"


def is_kept_in_python(optimizer: Any) -> bool:
    """Whether it is one of Muon, LBFGS and classes of one's own."""
    return isinstance(optimizer, Optimizer) and "_composite_state" in optimizer.__dict__


def taken_apart(optimizer: Optimizer) -> tuple[dict[str, Any], list[tuple[str, Tensor]]]:
    """What JSON says of the state, and the tensors in it. A tensor is {"tensor": name}, a list with such {"list": [...]}."""
    tensors: list[tuple[str, Tensor]] = []

    def apart(name: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            tensors.append((name, value.detach()))
            return {"tensor": name}
        if isinstance(value, (list, tuple)) and any(isinstance(one, Tensor) for one in value):
            return {"list": [apart(f"{name}.{i}", one) for i, one in enumerate(value)]}
        return {"value": value}

    state = {
        str(i): {key: apart(f"{NAME}.{i}.{key}", value) for key, value in optimizer.state[leaf].items()}
        for i, leaf in enumerate(_leaves(optimizer))
        if leaf in optimizer.state
    }
    told = {"kind": type(optimizer).__name__, "shapes": _shapes(optimizer), "options": _options(optimizer), "state": state}
    return told, tensors


def _options(optimizer: Any) -> list[dict[str, Any]]:
    """What each group has beside its hyperparameters on the device, as JSON has it; what JSON has not is left out."""
    result = []
    for group in optimizer.param_groups:
        own = {}
        for key, value in group._options.items():
            if group._parts(key) or key in (*IGNORED, "initial_lr"):
                continue
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                own[key] = json.loads(json.dumps(value))
        result.append(own)
    return result


def _leaves(optimizer: Optimizer) -> list[Tensor]:
    return [leaf for group in optimizer.param_groups for leaf in group["params"]]


def _shapes(optimizer: Optimizer) -> list[list[int]]:
    return [list(leaf.shape) for leaf in _leaves(optimizer)]


def check(op: str, path: str, optimizer: Any, told: Mapping[str, Any] | None) -> None:
    """Raises ValueError where the file is of another optimizer, or of other parameters."""
    here = type(optimizer).__name__
    if told is None and is_kept_in_python(optimizer):
        raise ValueError(f"{op}: '{path}' differs: optimizer: the file has no state of one that steps in Python, as {here} does")
    if told is not None and (told["kind"] != here or not is_kept_in_python(optimizer)):
        raise ValueError(f"{op}: '{path}' differs: optimizer: the file has {told['kind']}, here it is {here}")
    if told is not None and told["shapes"] != _shapes(optimizer):
        raise ValueError(
            f"{op}: '{path}' differs: optimizer: the file has parameters of shapes {told['shapes']}, here they are {_shapes(optimizer)}"
        )
    if told is None or not _is_of_luge(optimizer):
        return
    for g, (own, kept) in enumerate(zip(_options(optimizer), told.get("options", ()))):
        for key in own.keys() & kept.keys():
            if own[key] != kept[key]:
                raise ValueError(
                    f"{op}: '{path}' differs: optimizer, group {g}: {key}: the file has {kept[key]!r}, here it is {own[key]!r}"
                )


def _is_of_luge(optimizer: Any) -> bool:
    """One of luge's own has options that say how it steps; one of one's own may count in them."""
    return type(optimizer).__module__.startswith("luge.optim.")


def put_together(optimizer: Optimizer, told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Has the optimizer go on from that state."""

    def together(value: Mapping[str, Any]) -> Any:
        if "tensor" in value:
            return tensors[value["tensor"]]
        return [together(one) for one in value["list"]] if "list" in value else value["value"]

    state = {int(i): {key: together(value) for key, value in one.items()} for i, one in told["state"].items()}
    counts = [len(group["params"]) for group in optimizer.param_groups]
    # Without options: the hyperparameters are there, and one that is set by hand would scale what a schedule goes on with.
    groups: list[dict[str, Any]]
    groups = [{"params": list(range(end - count, end))} for count, end in zip(counts, itertools.accumulate(counts))]
    if not _is_of_luge(optimizer):
        for group, here, kept in zip(groups, optimizer.param_groups, told.get("options", ())):
            group.update((key, tuple(value) if isinstance(here.get(key), tuple) else value) for key, value in kept.items())
    optimizer.load_state_dict({"state": state, "param_groups": groups})
