"""Leaves of their own, and leaves in the arena that a model is built in."""

from __future__ import annotations

from .. import _C
from .._C import Parameters, Tensor
from ..autograd import no_grad

#: Arenas in which modules are being built, the innermost last; see build_in.
ambient: list[Parameters] = []


def plain(data: Tensor, requires_grad: bool = True) -> Tensor:
    """A leaf outside of all arenas."""
    return _C._as_parameter(data.detach().clone(), requires_grad)


def in_arena(params: Parameters, data: Tensor, requires_grad: bool) -> Tensor:
    taken, number = set(params.names()), len(params)
    while f"Parameter{number}" in taken:
        number += 1
    name = f"Parameter{number}"
    leaf = params.add(name, tuple(data.shape), _C._init.zeros())
    with no_grad():
        leaf.copy_(data.to(params.device).to(params.dtype))
    params._set_init(name, None)
    return leaf.requires_grad_(requires_grad)
