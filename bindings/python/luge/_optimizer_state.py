"""What an optimizer that steps in Python keeps with each parameter, as a checkpoint holds it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from ._C import Tensor
from ._C._optim import Optimizer

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
    return {"kind": type(optimizer).__name__, "shapes": _shapes(optimizer), "state": state}, tensors


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


def put_together(optimizer: Optimizer, told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Has the optimizer go on from that state."""

    def together(value: Mapping[str, Any]) -> Any:
        if "tensor" in value:
            return tensors[value["tensor"]]
        return [together(one) for one in value["list"]] if "list" in value else value["value"]

    state = {int(i): {key: together(value) for key, value in one.items()} for i, one in told["state"].items()}
    counts = [len(group["params"]) for group in optimizer.param_groups]
    # Without options: the hyperparameters are there, and one that is set by hand would scale what a schedule goes on with.
    groups = [{"params": list(range(end - count, end))} for count, end in zip(counts, itertools.accumulate(counts))]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
