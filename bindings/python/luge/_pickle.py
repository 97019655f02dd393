"""How Parameters are pickled; tensors know themselves."""

from __future__ import annotations

import copyreg
from typing import Any

from ._C import Parameters, Tensor, device, dtype
from ._C._init import zeros
from .autograd import no_grad


def _rebuild(sets: int | None, where: device, kind: dtype, values: list[tuple[str, Tensor]]) -> Parameters:
    parameters = Parameters(sets, device=where, dtype=kind)
    for name, value in values:
        own = parameters.add(name, value.shape[1:] if sets is not None else value.shape, zeros())
        with no_grad():
            own.copy_(value)
    return parameters


def _reduce(parameters: Parameters) -> tuple[Any, ...]:
    values = [(name, parameters[name].detach()) for name in parameters.names()]
    return _rebuild, (parameters.sets if parameters.batched else None, parameters.device, parameters.dtype, values)


def register() -> None:
    """Tells pickle and copy how; gradients are not kept."""
    copyreg.pickle(Parameters, _reduce)
