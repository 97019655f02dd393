"""Populations: the sets of a training as members that are copied, begin anew, vary and are selected, on the device.

    source = luge.population.exploit(optimizer, losses, 0.2)  # the worst fifth become clones of the best fifth
    luge.population.explore(optimizer, source)  # and vary their learning rates

Scores have one value for each set, of shape (sets); the lower the better. NaN is the worst score of all; of equal scores the
set with the lower index is the better one. Nothing waits for the device, and all of it can be captured.

Random numbers are keyed by set. Without a seed they are the next ones of the global generator, others at each replay of a
captured step. With one they depend on seed and step alone; `step` may be an int64 tensor that a captured step counts.
"""

from __future__ import annotations

from collections.abc import Iterable as _Iterable
from collections.abc import Sequence as _Sequence
from typing import NamedTuple as _NamedTuple
from typing import Union as _Union

from ._C import Init as _Init
from ._C import Parameters as _Parameters
from ._C import Tensor as _Tensor
from ._C import _population
from ._C._optim import Optimizer as _Optimizer

__all__ = [
    "Rung",
    "best",
    "best_of",
    "clone",
    "exploit",
    "explore",
    "halve",
    "hyperband",
    "perturb",
    "ranks",
    "resample",
    "restart",
    "successive_halving",
]

_Step = _Union[int, _Tensor]


class Rung(_NamedTuple):
    """A rung of successive halving: `sets` sets go on until each has taken `steps` steps in all; then the best `keep` stay."""

    sets: int
    steps: int
    keep: int


def _optimizer(function: str, given: object) -> _Optimizer:
    if not isinstance(given, _Optimizer):
        kind = type(given).__name__
        raise TypeError(f"population.{function}: optimizer is of type {kind}; it must be an optimizer of luge.optim")
    return given


def clone(what: _Optimizer | _Iterable[_Tensor], source: _Tensor, *, hyperparameters: bool = True) -> None:
    """Set i takes parameters, optimizer state and hyperparameters from set source[i], as they were before the call.

    what: an optimizer; or tensors of shape (sets, ...), such as a stop rule's state, whose slices are moved likewise.
    hyperparameters: whether those that have one value for each set go along.

    The clone goes on bit for bit as its source would. Which sets are active stays.

    >>> params = luge.Parameters(sets=3)
    >>> x = params.add("x", (), luge.init.uniform(0, 1))
    >>> optimizer = luge.optim.Adam(params, lr=luge.tensor([0.1, 0.2, 0.3]))
    >>> luge.population.clone(optimizer, luge.tensor([0, 0, 2]))
    >>> bool(x[0] == x[1]), optimizer.lr[1].item() == optimizer.lr[0].item()
    (True, True)
    """
    if isinstance(what, _Optimizer):
        _population._clone(what, source, hyperparameters)
    else:
        _population._clone_tensors(what, source)


def restart(optimizer: _Optimizer, mask: _Tensor, seed: int | None = None) -> None:
    """The sets of the mask begin anew, as those of a new optimizer on new parameters: initial values as Parameters.add was
    told, drawn afresh, moments as they begin with, steps counted from here. Hyperparameters and schedules stay.

    seed: set i takes the values that set i of Parameters(seed=seed) has. None: the next numbers of the global generator.

    A step that was captured before the first call cannot go on if its rule counts steps (momentum, Adam, AdamW, Adagrad):
    call this with a mask of no set before capturing.

    >>> params = luge.Parameters(sets=2, seed=1)
    >>> x = params.add("x", (), luge.init.normal())
    >>> first = x.tolist()
    >>> with luge.no_grad():
    ...     _ = x.add_(1)
    >>> luge.population.restart(luge.optim.Adam(params), luge.tensor([True, False]), seed=1)
    >>> x[0].item() == first[0], x[1].item() == first[1]
    (True, False)
    """
    _population._restart(_optimizer("restart", optimizer), mask, seed)


def _factors(op: str, factors: _Sequence[float] | None) -> list[float]:
    if factors is None:
        return []
    given = list(factors)
    if not given:
        raise ValueError(f"population.{op}: factors is empty; without it factors are between low and high")
    return given


def perturb(
    values: _Tensor,
    low: float = 0.8,
    high: float = 1.25,
    *,
    factors: _Sequence[float] | None = None,
    mask: _Tensor | None = None,
    seed: int | None = None,
    step: _Step = 0,
    first_set: int = 0,
) -> _Tensor:
    """The values, of shape (sets, ...), times random factors between low and high, evenly on a logarithmic scale.

    factors: one of these instead, each as likely as the others.
    mask: bool of shape (sets): the values of the others stay.

    >>> rate = luge.population.perturb(luge.ones(3), factors=(0.5, 2), seed=1)
    >>> set(rate.tolist()) <= {0.5, 2.0}
    True
    """
    return _population._perturb(values, low, high, _factors("perturb", factors), mask, seed, step, first_set)


def resample(
    values: _Tensor,
    init: _Init,
    *,
    mask: _Tensor | None = None,
    seed: int | None = None,
    step: _Step = 0,
    first_set: int = 0,
) -> _Tensor:
    """The values, of shape (sets, ...), with others where the mask holds, drawn as one of luge.init says.

    Learning rates on a logarithmic scale: resample(lr.log(), luge.init.uniform(math.log(1e-4), math.log(1e-1))).exp()

    >>> x = luge.population.resample(luge.zeros(3), luge.init.uniform(1, 2), mask=luge.tensor([True, False, True]), seed=1)
    >>> (x >= 1).tolist()
    [True, False, True]
    """
    return _population._resample(values, init, mask, seed, step, first_set)


def ranks(scores: _Tensor) -> _Tensor:
    """The place of each set, the best has 0: int64.

    >>> luge.population.ranks(luge.tensor([0.5, float("nan"), 0.1])).tolist()
    [1, 2, 0]
    """
    return _population._ranks(scores)


def best(scores: _Tensor, count: int) -> _Tensor:
    """The `count` best sets, the best first: int64.

    >>> luge.population.best(luge.tensor([0.5, float("nan"), 0.1]), 2).tolist()
    [2, 0]
    """
    return _population._best(scores, count)


def best_of(scores: _Tensor, starts: int) -> _Tensor:
    """Multi-start: of each group of `starts` consecutive sets the best one: int64 of shape (sets / starts).

    >>> luge.population.best_of(luge.tensor([0.5, 0.3, 0.9, 1.0]), 2).tolist()
    [1, 2]
    """
    return _population._best_of(scores, starts)


def halve(what: _Optimizer | _Parameters, scores: _Tensor, keep: int) -> _Tensor:
    """Successive halving: of the sets that are active the `keep` best stay active. Returns the mask of those.

    what: an optimizer, or its Parameters.

    >>> params = luge.Parameters(sets=4)
    >>> x = params.add("x", (), luge.init.zeros())
    >>> luge.population.halve(params, luge.tensor([3.0, 1.0, 2.0, float("nan")]), 2).tolist()
    [False, True, True, False]
    """
    if isinstance(what, _Optimizer):
        what = what.parameters
    if not isinstance(what, _Parameters):
        raise TypeError(f"population.halve: what is of type {type(what).__name__}; it must be an optimizer or Parameters")
    return _population._halve(what, scores, keep)


def exploit(
    optimizer: _Optimizer,
    scores: _Tensor,
    fraction: float = 0.2,
    *,
    pairing: str = "random",
    hyperparameters: bool = True,
    seed: int | None = None,
    step: _Step = 0,
) -> _Tensor:
    """Truncation selection of population-based training (M. Jaderberg et al., arXiv:1711.09846): each of the worst fraction
    becomes a clone of one of the best fraction. Returns the source of each set, its own index where it stayed.

    pairing: "random": each of the worst draws one of the best. "rank": the n-th of the worst takes from the n-th of the best.

    A set whose score is NaN is replaced in any case and never a source. What was replaced is active from then on.

    >>> params = luge.Parameters(sets=5)
    >>> x = params.add("x", (), luge.init.zeros())
    >>> optimizer = luge.optim.SGD(params)
    >>> luge.population.exploit(optimizer, luge.tensor([3.0, 1.0, 5.0, 2.0, 4.0])).tolist()
    [0, 1, 1, 3, 4]
    """
    if pairing not in ("random", "rank"):
        raise ValueError(f"population.exploit: pairing is {pairing!r}; allowed are 'random' and 'rank'")
    owner = _optimizer("exploit", optimizer)
    return _population._exploit(owner, scores, fraction, pairing == "rank", hyperparameters, seed, step)


def explore(
    optimizer: _Optimizer,
    source: _Tensor,
    hyperparameters: str | _Sequence[str] = ("lr",),
    low: float = 0.8,
    high: float = 1.25,
    *,
    factors: _Sequence[float] | None = None,
    seed: int | None = None,
    step: _Step = 0,
) -> None:
    """Multiplies hyperparameters of the sets that were replaced, those with source[i] != i, by random factors as perturb() does.

    hyperparameters: names, "lr", "weight_decay", "beta1", ...; each must have one value for each set. Of momentum,
        dampening, beta1, beta2 and alpha it is the distance from 1 that is multiplied, to 1 at most.

    >>> params = luge.Parameters(sets=3)
    >>> x = params.add("x", (), luge.init.zeros())
    >>> optimizer = luge.optim.SGD(params, lr=luge.ones(3))
    >>> luge.population.explore(optimizer, luge.tensor([0, 0, 2]), factors=[0.5])
    >>> optimizer.lr.tolist()
    [1.0, 0.5, 1.0]
    """
    names = [hyperparameters] if isinstance(hyperparameters, str) else list(hyperparameters)
    _population._explore(_optimizer("explore", optimizer), source, names, low, high, _factors("explore", factors), seed, step)


def successive_halving(sets: int, min_steps: int, eta: int = 3) -> list[Rung]:
    """Successive halving (K. Jamieson and A. Talwalkar, AISTATS 2016): from one rung to the next an eta-th part of the sets
    takes eta times as many steps, until one is left, which has a rung of its own.

    >>> luge.population.successive_halving(9, 10)
    [Rung(sets=9, steps=10, keep=3), Rung(sets=3, steps=30, keep=1), Rung(sets=1, steps=90, keep=1)]
    """
    return [Rung(*rung) for rung in _population._successive_halving(sets, min_steps, eta)]


def hyperband(max_steps: int, eta: int = 3) -> list[list[Rung]]:
    """The brackets of Hyperband (L. Li et al., JMLR 18, 2018, algorithm 1), from the one with the most sets to the one
    without halving. No set takes more than max_steps steps.

    >>> for bracket in luge.population.hyperband(9):
    ...     print([tuple(rung) for rung in bracket])
    [(9, 1, 3), (3, 3, 1), (1, 9, 1)]
    [(5, 3, 1), (1, 9, 1)]
    [(3, 9, 1)]
    """
    return [[Rung(*rung) for rung in rungs] for rungs in _population._hyperband(max_steps, eta)]
