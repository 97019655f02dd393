"""Sweeps: many hyperparameters are tried at once, each in a set of its own.

    sweep = luge.sweep
    settings = sweep.space({"lr": sweep.log_uniform(1e-4, 1e-1), "weight_decay": sweep.uniform(0, 0.1)}, sets=256)
    params = luge.Parameters(sets=settings.sets, seed=0)
    optimizer = luge.optim.AdamW(params, **settings.hyper("lr", "weight_decay"))

    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y, reduction="per_set")
        loss.sum().backward()
        optimizer.step()
        return loss

    result = sweep.run(step, optimizer, settings, steps=1000)
    print(result.table(10))
    result.report("report")
"""

from __future__ import annotations

import sys as _sys
from collections.abc import Callable as _Callable
from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import Any as _Any

from . import _C
from ._C import Step as _Step
from ._C import Tensor as _Tensor
from ._C import _sweep
from ._C._optim import Optimizer as _Optimizer
from ._C._stop import StopRule as _StopRule
from ._C._sweep import Association, Distribution, Look, Result, SettingScores, Settings
from ._stop_train import Live as _Live
from ._stop_train import train as _train

__all__ = [
    "Association",
    "Distribution",
    "Look",
    "Result",
    "SettingScores",
    "Settings",
    "choice",
    "geomspace",
    "grid",
    "integers",
    "linspace",
    "log_uniform",
    "run",
    "space",
    "uniform",
]


def choice(*values: _Any) -> Distribution:
    """One of these numbers, each as often: choice(0.9, 0.99), or of a list.

    >>> luge.sweep.choice(0.9, 0.99)
    choice(0.9, 0.99)
    """
    return _sweep._choice(values[0] if len(values) == 1 else values)


def uniform(low: float, high: float) -> Distribution:
    """Uniform from low to high.

    >>> luge.sweep.uniform(0, 4).quantile(0.25)
    1.0
    """
    return _sweep._uniform(low, high)


def log_uniform(low: float, high: float) -> Distribution:
    """Its logarithm is uniform; 0 < low <= high.

    >>> round(luge.sweep.log_uniform(1e-4, 1e-2).quantile(0.5), 12)
    0.001
    """
    return _sweep._log_uniform(low, high)


def integers(low: int, high: int) -> Distribution:
    """Whole numbers from low to high - 1, each as often, as NumPy's Generator.integers.

    >>> luge.sweep.integers(1, 5).quantile(0.99)
    4.0
    """
    return _sweep._integers(low, high)


def linspace(first: float, last: float, count: int) -> list[float]:
    """Numbers for a grid, both ends included, each as far from the one before.

    >>> luge.sweep.linspace(0, 1, 5)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return _sweep._linspace(first, last, count)


def geomspace(first: float, last: float, count: int) -> list[float]:
    """Numbers for a grid, both ends included, each the same multiple of the one before, as numpy.geomspace.

    >>> [round(value, 9) for value in luge.sweep.geomspace(1, 8, 4)]
    [1.0, 2.0, 4.0, 8.0]
    """
    return _sweep._geomspace(first, last, count)


def _merged(op: str, values: _Any, named: _Mapping[str, _Any]) -> dict[str, _Any]:
    if values is None:
        return dict(named)
    if not isinstance(values, _Mapping):
        raise TypeError(f"{op}: the hyperparameters are of type {type(values).__name__}; they must be a dict")
    for name in named:
        if name in values:
            raise TypeError(f"{op}: {name} is given twice")
    return {**values, **named}


def grid(values: _Mapping[str, _Any] | None = None, /, *, seeds: int = 1, **lists: _Any) -> Settings:
    """Every combination of the values in the lists, the last one changing fastest, as in itertools.product.

    A list is a sequence of numbers, a tensor, or one number. `seeds` sets have each setting, with different initial values.

    >>> settings = luge.sweep.grid(lr=[0.1, 0.2], momentum=[0, 0.5, 0.9])
    >>> settings["lr"].tolist(), settings["momentum"].tolist()
    ([0.1, 0.1, 0.1, 0.2, 0.2, 0.2], [0.0, 0.5, 0.9, 0.0, 0.5, 0.9])
    """
    return _sweep._grid(_merged("sweep.grid", values, lists), seeds)


def space(
    distributions: _Mapping[str, Distribution | float],
    *,
    sets: int,
    seed: int = 0,
    seeds: int = 1,
    first_set: int = 0,
    method: str = "random",
) -> Settings:
    """Draws settings: what one gets depends on its number, the seed and the names alone, not on how many there are.

    sets: how many sets there are, a multiple of seeds.
    seeds: sets of each setting, with different initial values.
    first_set: set i here has what set first_set + i of a larger space has.
    method: "random", independent draws, or "halton", Halton's sequence shifted by the seed, which fills the space more evenly.

    >>> several = luge.sweep.space({"lr": luge.sweep.log_uniform(1e-4, 1e-1)}, sets=8)
    >>> alone = luge.sweep.space({"lr": luge.sweep.log_uniform(1e-4, 1e-1)}, sets=1, first_set=5)
    >>> alone["lr"].item() == several["lr"][5].item()
    True
    """
    return _sweep._space(_merged("sweep.space", distributions, {}), sets, seed, seeds, first_set, method)


def _fed(step: _Step, batches: _Iterable[_Any]) -> _Callable[[int], _Any]:
    """Steps that are fed, one batch each, from the beginning again at the end."""
    served = iter(batches)

    def advance(count: int) -> _Any:
        nonlocal served
        loss = None
        for _ in range(count):
            batch = next(served, None)
            if batch is None:
                served = iter(batches)
                batch = next(served, None)
                if batch is None:
                    raise ValueError("sweep.run: batches has none any more; it must be an iterable that can begin anew")
            loss = step(*batch) if isinstance(batch, (tuple, list)) else step(batch)
        return loss

    return advance


def _compacted(
    step: _Callable[[_Live], _Any], optimizer: _Optimizer, rule: _StopRule, data: _Mapping[str, _Tensor] | None
) -> _Callable[[int], _Any]:
    """Steps by live compaction, which return the losses of all sets; of one that stood still that of its last step."""
    last: _Tensor | None = None

    def advance(count: int) -> _Any:
        nonlocal last
        goes_on = optimizer.parameters.active()
        losses = _train(step, optimizer, rule, data=data, every=count, max_steps=count).losses
        if losses is not None:
            last = losses[0] if last is None else _C.where(goes_on, losses[0], last)
        return last

    return advance


def run(
    step: _Step | _Callable[..., _Any],
    optimizer: _Optimizer,
    settings: Settings,
    *,
    steps: int,
    every: int | None = None,
    batches: _Iterable[_Any] | None = None,
    halving: int | tuple[int, int] | None = None,
    validate: _Callable[[], _Tensor] | None = None,
    rule: _StopRule | None = None,
    compact: bool = False,
    data: _Mapping[str, _Tensor] | None = None,
    watch: _Callable[[Look], _Any] | None = None,
    score_name: str | None = None,
) -> Result:
    """Trains every set by its setting, looks at the scores every so many steps, and stops the sets that fall behind.

    step: the training step, which is captured, or a captured one; it returns one loss for each set.
    steps: most steps of a set.
    every: steps between two looks; a fiftieth of steps by default. Each look waits for the device.
    batches: what the step takes, a batch for each step: an iterable of tuples of tensors, which begins anew at its end.
    halving: eta, or (eta, min_steps): successive halving. At each rung one setting in eta goes on; the first is after
        min_steps, each other after eta times as many. A setting is judged by the mean over its seeds.
    validate: scores of all sets for their present parameters, of shape (sets), the lower the better; called at every look,
        without recording gradients. Without it the score is the loss of the last step.
    rule: the stop rule that the step checks, for the reasons of the sets that it stops.
    compact: sets that have stopped cost nothing, which makes halving pay: the step takes a luge.stop.Live, as that of
        luge.stop.train does, and calls live.rule.check. It is captured anew at every look. Needs `rule`.
    data: with `compact`, tensors whose first axis are the sets, for live.data.
    watch: called at every look with a Look; False ends the sweep.
    score_name: what the score is, for tables.

    >>> settings = luge.sweep.grid(lr=[0.1, 0.5, 0.9])
    >>> params = luge.Parameters(sets=settings.sets)
    >>> x = params.add("x", (), luge.init.ones())
    >>> optimizer = luge.optim.SGD(params, **settings.hyper("lr"))
    >>> def step():
    ...     optimizer.zero_grad()
    ...     loss = x**2
    ...     loss.sum().backward()
    ...     optimizer.step()
    ...     return loss
    >>> luge.sweep.run(step, optimizer, settings, steps=10).best()
    [1]
    """
    if not isinstance(optimizer, _Optimizer):
        raise TypeError(f"sweep.run: optimizer is of type {type(optimizer).__name__}; it must be an optimizer of luge.optim")
    if not isinstance(settings, Settings):
        raise TypeError(f"sweep.run: settings is of type {type(settings).__name__}; it must be what grid or space gives")
    if rule is not None and not isinstance(rule, _StopRule):
        raise TypeError(f"sweep.run: rule is of type {type(rule).__name__}; it must be what luge.stop.when gives")
    for name, function in (("step", step), ("validate", validate), ("watch", watch)):
        if not callable(function) and (function is not None or name == "step"):
            raise TypeError(f"sweep.run: {name} is of type {type(function).__name__}; it must be a function")
    if batches is not None and not hasattr(batches, "__iter__"):
        raise TypeError(f"sweep.run: batches is of type {type(batches).__name__}; it must be an iterable of batches")
    rungs: tuple[int, int] | None = None
    if halving is not None:
        given = halving if isinstance(halving, tuple) else (halving, 0)
        if len(given) != 2 or any(isinstance(part, bool) or not hasattr(part, "__index__") for part in given):
            raise TypeError(f"sweep.run: halving is {halving!r}; it must be an int, or a tuple of two, (eta, min_steps)")
        if any(not -(2**63) <= part < 2**63 for part in given):
            raise ValueError(f"sweep.run: halving is {halving!r}; its numbers must fit into 64 bits")
        rungs = given
    if data is not None and not isinstance(data, _Mapping):
        raise TypeError(f"sweep.run: data is of type {type(data).__name__}; it must be a dict of tensors")
    if data is not None and not compact:
        raise ValueError("sweep.run: data is for compact=True; a step can use other tensors as they are")
    if compact:
        if rule is None:
            raise ValueError("sweep.run: compact needs a rule, which the step checks: rule=luge.stop.when(optimizer)")
        if batches is not None or isinstance(step, _Step):
            what = "batches" if batches is not None else "a captured step"
            raise ValueError(f"sweep.run: compact does not go with {what}; the step takes a luge.stop.Live")
        advance = _compacted(step, optimizer, rule, data)
    elif isinstance(step, _Step):
        advance = step.run if batches is None else _fed(step, batches)
    else:
        caller = _sys._getframe(1)
        captured = _Step(step, True, caller.f_code.co_filename, caller.f_lineno)
        advance = captured.run if batches is None else _fed(captured, batches)
    looks = 0 if every is None else every
    return _sweep._run(advance, optimizer, settings, steps, looks, rungs, validate, rule, watch, score_name or "")

