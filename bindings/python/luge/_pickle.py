"""How leaves, Parameters and optimizers are pickled and copied: as one graph of objects.

Several Python objects may stand for one leaf, or for one arena. The first that is met stands for all of them: the others are
pickled as references to it, so that a copy has one leaf where there was one.
"""

from __future__ import annotations

import copy
import copyreg
import weakref
from typing import Any, TypeVar

from . import _C
from ._C import Init, Parameters, Tensor, device, dtype
from ._C._init import zeros
from ._C._optim import Optimizer
from .autograd import no_grad

T = TypeVar("T")

# By what they stand for, which they keep alive.
_leaves: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
_arenas: weakref.WeakValueDictionary[int, Parameters] = weakref.WeakValueDictionary()


def _first(known: weakref.WeakValueDictionary[int, T], given: T) -> T:
    """The object that stands for all that are the same as `given`."""
    first = known.get(hash(given))
    if first is None or hash(first) != hash(given):  # an object may have come to stand for something else
        known[hash(given)] = first = given
    return first


def _same(first: T) -> T:
    return first


def _member(parameters: Parameters, name: str) -> Tensor:
    return parameters[name]


def _place(leaf: Tensor) -> tuple[Parameters, str] | None:
    """The arena that a user made and the leaf's name there. An optimizer's own arena is none: its leaves stand alone."""
    home = _C._home_of(leaf)
    if home is None or home._adopted:
        return None
    name = next(name for name, tensor in zip(home.names(), home.tensors()) if hash(tensor) == hash(leaf))
    return _first(_arenas, home), name


def reduce_leaf(leaf: Tensor) -> tuple[Any, ...]:
    """How a leaf is pickled: a parameter of an arena as a member of that."""
    place = _place(leaf)
    if place is not None:
        return _member, place
    first = _first(_leaves, leaf)
    return _C._reduce_values(leaf) if first is leaf else (_same, (first,))


def copy_leaf(leaf: Tensor, memo: dict[int, Any] | None) -> Tensor:
    """What copy.deepcopy makes of a leaf."""
    place = _place(leaf)
    if place is not None:
        return _member(copy.deepcopy(place[0], memo), place[1])
    first = _first(_leaves, leaf)
    return _C._copy_values(leaf) if first is leaf else copy.deepcopy(first, memo)


def _rebuild(
    sets: int | None,
    where: device,
    kind: dtype,
    values: list[tuple[str, Tensor]],
    seed: int | None = None,
    first_set: int = 0,
    frozen: tuple[str, ...] = (),
    active: Tensor | None = None,
    inits: list[Init | None] | None = None,
) -> Parameters:
    parameters = Parameters(sets, device=where, dtype=kind, seed=seed, first_set=first_set)
    for name, value in values:
        own = parameters.add(name, value.shape[1:] if sets is not None else value.shape, zeros())
        with no_grad():
            own.copy_(value)
        own.requires_grad_(name not in frozen)
    for i, (name, _) in enumerate(values):  # which of an older file nobody knows
        parameters._set_init(name, inits[i] if inits else None)
    if active is not None:
        parameters.set_active(active)
    return parameters


def _active(parameters: Parameters) -> Tensor | None:
    """Which sets optimizers step; None where it is all of them."""
    active = parameters.active()
    return None if active.all().item() else active


def _reduce(parameters: Parameters) -> tuple[Any, ...]:
    first = _first(_arenas, parameters)
    if first is not parameters:
        return _same, (first,)
    if parameters._adopted:
        raise TypeError("pickle: these Parameters are an optimizer's own; pickle the leaves that were given to it")
    members = [(name, parameters[name]) for name in parameters.names()]
    values = [(name, member.detach()) for name, member in members]
    frozen = tuple(name for name, member in members if not member.requires_grad)
    sets = parameters.sets if parameters.batched else None
    arena = (sets, parameters.device, parameters.dtype, values, parameters.seed, parameters.first_set)
    return _rebuild, (*arena, frozen, _active(parameters), parameters._inits())


def _restore(optimizer: Optimizer, state: list[Tensor], active: Tensor | None) -> Optimizer:
    if len(state) > len(optimizer._state()):  # some set has begun anew
        home = optimizer.parameters
        _C._population._restart(optimizer, _C.zeros(home.sets, dtype=_C.bool_, device=home.device), None)
    with no_grad():
        for own, value in zip(optimizer._state(), state):
            own.copy_(value)
    if active is not None:
        optimizer.parameters.set_active(active)
    return optimizer


def _rebuild_optimizer(
    kind: type[Any],
    params: Any,
    options: dict[str, Any],
    state: list[Tensor],
    active: Tensor | None = None,
) -> Optimizer:
    return _restore(kind(params, **options), state, active)


def _rebuild_composite(
    kind: type[Optimizer],
    groups: list[dict[str, Any]],
    defaults: dict[str, Any],
    state: list[Tensor],
    active: Tensor | None,
    state_dict: dict[str, Any],
) -> Optimizer:
    optimizer = kind.__new__(kind)
    Optimizer.__init__(optimizer, groups, defaults)
    optimizer.load_state_dict(state_dict)
    return _restore(optimizer, state, active)


def reduce_optimizer(optimizer: Optimizer) -> tuple[Any, ...]:
    """How an optimizer is pickled: its groups, whose parameters are leaves, and what it keeps."""
    groups = [dict(group) for group in optimizer.param_groups]
    state, active = optimizer._state(), _active(optimizer.parameters)
    if "_composite_state" in optimizer.__dict__:
        state_dict = optimizer.state_dict()
        return _rebuild_composite, (type(optimizer), groups, optimizer.__dict__["defaults"], state, active, state_dict)
    return _rebuild_optimizer, (type(optimizer), groups, {}, state, active)


def _rebuild_init(function: str, arguments: tuple[float, ...]) -> Init:
    init: Init = getattr(_C._init, function)(*arguments)
    return init


def register() -> None:
    """Tells pickle and copy how; gradients are not kept."""
    copyreg.pickle(Parameters, _reduce)
    copyreg.pickle(Init, lambda init: (_rebuild_init, init._made_by()))
