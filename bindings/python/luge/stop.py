"""Stop rules: each set of a training stops by itself, for a reason that is noted, and the others go on.

    rule = luge.stop.when(optimizer, loss_below=1e-6, plateau=(20, 1e-4), max_steps=1000)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = (x - target) ** 2  # one for each set
        loss.sum().backward()
        rule.check(loss)
        optimizer.step()

    while not rule.all_stopped():
        step.run(50)
    print(rule.report())
"""

from __future__ import annotations

from typing import Any as _Any

from ._C import Tensor as _Tensor
from ._C import _stop
from ._C._optim import Optimizer as _Optimizer
from ._C._stop import Quarantined, Reason, Report, Round, StopRule, Training
from ._stop_train import Live, train

__all__ = ["Live", "Quarantined", "Reason", "Report", "Round", "StopRule", "Training", "train", "when"]


def _patience(plateau: _Any) -> tuple[int | None, float | _Tensor]:
    if plateau is None:
        return None, 0.0
    if hasattr(plateau, "__index__") and not isinstance(plateau, (bool, _Tensor)):
        return plateau.__index__(), 0.0
    if isinstance(plateau, (tuple, list)) and len(plateau) == 2:
        patience, min_delta = plateau
        if hasattr(patience, "__index__") and not isinstance(patience, (bool, _Tensor)):
            return patience.__index__(), min_delta
    raise TypeError(f"stop.when: plateau is {plateau!r}; it must be an int, the patience, or (patience, min_delta)")


def when(
    optimizer: _Optimizer,
    *,
    loss_below: float | _Tensor | None = None,
    plateau: int | tuple[int, float | _Tensor] | None = None,
    gradient_below: float | _Tensor | None = None,
    step_below: float | _Tensor | None = None,
    max_steps: int | None = None,
    nan: bool = True,
    keep_best: bool = False,
) -> StopRule:
    """A rule that stops the sets of the optimizer's parameters, of all its groups. A threshold is a number, or a tensor with one for each set.

    loss_below: the loss is this or less.
    plateau: (patience, min_delta): so many checks in a row without a loss below the best one by more than min_delta.
    gradient_below: the largest magnitude among the components of the gradient is this or less.
    step_below: no parameter has changed by more than this since the check before.
    max_steps: a set takes so many optimizer steps.
    nan: a set whose loss or gradient is not finite is put in quarantine before the optimizer reads it.
    keep_best: keep each set's parameters of its lowest loss, for restore_best().

    >>> params = luge.Parameters(sets=2)
    >>> x = params.add("x", (), luge.init.constant(8))
    >>> optimizer = luge.optim.SGD(params, lr=luge.tensor([0.25, 0.375]))
    >>> rule = luge.stop.when(optimizer, loss_below=1)
    >>> while not rule.all_stopped():
    ...     optimizer.zero_grad()
    ...     loss = x**2
    ...     loss.sum().backward()
    ...     rule.check(loss)
    ...     optimizer.step()
    >>> rule.stopped_at.tolist(), x.tolist()
    ([3, 2], [1.0, 0.5])
    """
    if not isinstance(optimizer, _Optimizer):
        raise TypeError(f"stop.when: optimizer is of type {type(optimizer).__name__}; it must be an optimizer of luge.optim")
    patience, min_delta = _patience(plateau)
    return _stop._when(
        optimizer, loss_below, patience, min_delta, gradient_below, step_below, max_steps, nan, keep_best
    )
