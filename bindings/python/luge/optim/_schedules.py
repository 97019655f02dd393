"""Learning-rate schedules in closed form."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from .._C import _lr_scheduler as _made
from .._C._optim import Optimizer
from ._schedule import LRScheduler, forget_loaded, groups_of, whole


class StepLR(LRScheduler):
    """base * gamma^floor(n / step_size)

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        schedule = partial(_made.StepLR, optimizer, step_size, gamma)
        self._begin(optimizer, last_epoch, schedule, step_size=step_size, gamma=gamma)


class MultiStepLR(LRScheduler):
    """base * gamma^(the number of milestones that are n or less)

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = list(milestones)
        schedule = partial(_made.MultiStepLR, optimizer, self.milestones, gamma)
        self._begin(optimizer, last_epoch, schedule, gamma=gamma)


class ConstantLR(LRScheduler):
    """base * factor while n < total_iters, base afterwards

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> luge.optim.lr_scheduler.ConstantLR(optimizer, factor=0.25).get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        schedule = partial(_made.ConstantLR, optimizer, factor, total_iters)
        self._begin(optimizer, last_epoch, schedule, factor=factor, total_iters=total_iters)


class LinearLR(LRScheduler):
    """From base * start_factor to base * end_factor in total_iters steps.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> luge.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5).get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        schedule = partial(_made.LinearLR, optimizer, start_factor, end_factor, total_iters)
        self._begin(optimizer, last_epoch, schedule, start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)


class ExponentialLR(LRScheduler):
    """base * gamma^n

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self._begin(optimizer, last_epoch, partial(_made.ExponentialLR, optimizer, gamma), gamma=gamma)


class PolynomialLR(LRScheduler):
    """base * (1 - min(n, total_iters) / total_iters)^power

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2, power=2)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        schedule = partial(_made.PolynomialLR, optimizer, total_iters, power)
        self._begin(optimizer, last_epoch, schedule, total_iters=total_iters, power=power)


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) * (1 + cos(pi * n / T_max)) / 2: down to eta_min at n = T_max.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        schedule = partial(_made.CosineAnnealingLR, optimizer, T_max, eta_min)
        self._begin(optimizer, last_epoch, schedule, T_max=T_max, eta_min=eta_min)


class CosineAnnealingWarmRestarts(LRScheduler):
    """eta_min + (base - eta_min) * (1 + cos(pi * t / T_i)) / 2, t being how far the present cycle of T_i steps has gone; the
    first has T_0 steps and each is T_mult times as long as the one before. step(epoch) goes to an epoch, which may lie
    between two: epoch + i / batches.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=4)
    >>> schedule.step(4)
    >>> schedule.get_last_lr()
    [1.0]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        name = "CosineAnnealingWarmRestarts"
        schedule = partial(_made.CosineAnnealingWarmRestarts, optimizer, whole(name, "T_0", T_0), whole(name, "T_mult", T_mult), eta_min)
        self._begin(optimizer, last_epoch, schedule, T_0=T_0, T_mult=T_mult, eta_min=eta_min)

    def step(self, epoch: float | None = None) -> None:
        """Counts a step, or goes to `epoch`, and sets the optimizer's learning rate."""
        forget_loaded(self.optimizer, self)
        if epoch is None:
            self._schedule.step()
        else:
            self._schedule.step_to(epoch)

    def _own_state(self) -> dict[str, Any]:
        t, length = self.last_epoch + self._schedule.state()["fraction"].item(), self.T_0
        while t >= length:
            t -= length
            if self.T_mult == 1:
                t %= length
            length *= self.T_mult
        return {"T_cur": t, "T_i": length}

    def _load_own_state(self, state_dict: dict[str, Any]) -> None:
        t, begin, length = state_dict.get("T_cur", 0.0), 0, self.T_0
        while length < state_dict.get("T_i", length):
            begin += length
            length *= self.T_mult
        n = state_dict["last_epoch"]
        fraction = begin + t - n if self.T_mult > 1 else (t - n) % self.T_0
        self._schedule.state()["fraction"].fill_(fraction % 1 if self.T_mult == 1 else fraction)


def _functions(op: str, optimizer: Any, given: Any) -> list[Callable[[int], float]]:
    functions = list(given) if isinstance(given, (list, tuple)) else [given]
    if isinstance(given, (list, tuple)) and len(functions) != groups_of(optimizer):
        raise ValueError(f"{op}: there are {len(functions)} functions and {groups_of(optimizer)} parameter groups")
    for function in functions:
        if not callable(function):
            raise TypeError(f"{op}: lr_lambda is of type {type(function).__name__}; it must be a function of n")
    return functions


def weakly(schedule: LRScheduler, find: Callable[[Any], Callable[..., Any]]) -> Callable[..., float]:
    """A function of the schedule as what is compiled keeps it: by the schedule, so that the cycle collector, which does not look into
    what is compiled, finds a function that knows the schedule or its optimizer."""
    known = weakref.ref(schedule)
    return lambda n: float(find(known())(n))


def _floats(schedule: _ByFunctions, functions: list[Callable[[int], float]]) -> list[Callable[[int], float]]:
    schedule.lr_lambdas = functions
    return [weakly(schedule, lambda of, i=i: of.lr_lambdas[i]) for i in range(len(functions))]  # type: ignore[misc]


class _ByFunctions(LRScheduler):
    lr_lambdas: list[Any]

    def _own_state(self) -> dict[str, Any]:
        plain = type(lambda: 0)
        return {"lr_lambdas": [None if isinstance(f, plain) else dict(getattr(f, "__dict__", {})) for f in self.lr_lambdas]}

    def _load_own_state(self, state_dict: dict[str, Any]) -> None:
        for function, own in zip(self.lr_lambdas, state_dict.get("lr_lambdas", [])):
            if own is not None:
                function.__dict__.update(own)


class LambdaLR(_ByFunctions):
    """base * lr_lambda(n), with one function for all parameter groups or one for each. The function is called on the host:
    such a step cannot be captured (CaptureError).

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1 / (1 + n))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        functions = _functions("LambdaLR", optimizer, lr_lambda)
        self._begin(optimizer, last_epoch, partial(_made.LambdaLR, optimizer, _floats(self, functions)))


class MultiplicativeLR(_ByFunctions):
    """base * lr_lambda(1) * ... * lr_lambda(n), with one function for all parameter groups or one for each. The function is
    called on the host: such a step cannot be captured (CaptureError).

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda n: 0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        functions = _functions("MultiplicativeLR", optimizer, lr_lambda)
        self._begin(optimizer, last_epoch, partial(_made.MultiplicativeLR, optimizer, _floats(self, functions)))
