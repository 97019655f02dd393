"""Learning-rate schedules that cycle, wait for a metric, or end in a constant."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .._C import Tensor
from .._C import _lr_scheduler as _made
from .._C._optim import Optimizer
from ._schedule import LRScheduler, choice, groups_of, numbers, whole
from ._schedules import weakly


class OneCycleLR(LRScheduler):
    """One cycle from max_lr / div_factor up to max_lr and down to a final_div_factor-th of where it began; momentum, or
    beta1, goes the other way. `total_steps`, or `epochs` times `steps_per_epoch`, is its length. With `three_phase` it goes
    down to where it began in as many steps as up, and then further.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> schedule = luge.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> round(schedule.get_last_lr()[0], 6)
    0.04

    A step beyond the last raises ValueError.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        name, groups = "OneCycleLR", groups_of(optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(f"{name}: neither total_steps nor both of epochs and steps_per_epoch are given")
            total_steps = whole(name, "epochs", epochs) * whole(name, "steps_per_epoch", steps_per_epoch)
            if epochs <= 0 or steps_per_epoch <= 0:
                raise ValueError(f"{name}: epochs is {epochs} and steps_per_epoch is {steps_per_epoch}; both must be 1 or more")
        schedule = partial(
            _made.OneCycleLR,
            optimizer,
            numbers(name, "max_lr", max_lr, groups),
            whole(name, "total_steps", total_steps),
            pct_start,
            choice(name, "anneal_strategy", anneal_strategy, ("cos", "linear")) == 1,
            cycle_momentum,
            numbers(name, "base_momentum", base_momentum, groups),
            numbers(name, "max_momentum", max_momentum, groups),
            div_factor,
            final_div_factor,
            three_phase,
        )
        self._begin(optimizer, last_epoch, schedule, total_steps=total_steps, cycle_momentum=cycle_momentum,
                    _anneal_func_type=anneal_strategy)  # fmt: skip


_MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
    """From base_lr up to max_lr in step_size_up steps, down in step_size_down, and again; momentum, or beta1, goes the other
    way. `mode` says how high: always the same, half as high from cycle to cycle, or gamma^n times; `scale_fn`, of the number
    of the cycle or, with scale_mode="iterations", of n, does so in its place, called on the host.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.CyclicLR(optimizer, 0.5, 1.0, step_size_up=2, cycle_momentum=False)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        name, groups = "CyclicLR", groups_of(optimizer)
        number = 0 if scale_fn is not None and mode not in _MODES else choice(name, "mode", mode, _MODES)
        by_iterations = choice(name, "scale_mode", scale_mode, ("cycle", "iterations")) == 1
        self._scale_fn_custom = scale_fn
        call = None if scale_fn is None else weakly(self, lambda of: of._scale_fn_custom)
        schedule = partial(
            _made.CyclicLR,
            optimizer,
            numbers(name, "base_lr", base_lr, groups),
            numbers(name, "max_lr", max_lr, groups),
            step_size_up,
            step_size_down,
            number,
            gamma,
            call,
            by_iterations,
            cycle_momentum,
            numbers(name, "base_momentum", base_momentum, groups),
            numbers(name, "max_momentum", max_momentum, groups),
        )
        total = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self._begin(optimizer, last_epoch, schedule, mode=mode, gamma=gamma, cycle_momentum=cycle_momentum,
                    total_size=total, step_ratio=step_size_up / total if total else 0.0,
                    scale_mode=scale_mode, _scale_fn_custom=scale_fn)  # fmt: skip

    def _own_state(self) -> dict[str, Any]:
        return {"_scale_fn_custom": None}


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rate by `factor` once a metric, given to step(), has not improved for more than `patience`
    steps. A metric that is a tensor is looked at on the device, and each set of an optimizer with a learning rate for each
    set has its own.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for _ in range(3):
    ...     schedule.step(1.0)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        name = "ReduceLROnPlateau"
        schedule = partial(
            _made.ReduceLROnPlateau,
            optimizer,
            choice(name, "mode", mode, ("min", "max")) == 1,
            factor,
            patience,
            threshold,
            choice(name, "threshold_mode", threshold_mode, ("rel", "abs")) == 1,
            cooldown,
            numbers(name, "min_lr", min_lr, groups_of(optimizer)),
            eps,
        )
        self._begin(optimizer, -1, schedule, mode=mode, factor=factor, patience=patience, threshold=threshold,
                    threshold_mode=threshold_mode, cooldown=cooldown, eps=eps)  # fmt: skip

    def step(self, metrics: float | Tensor, epoch: int | None = None) -> None:  # type: ignore[override]
        """Looks at the metric and counts a step."""
        self._schedule.step_by(metrics)

    def __getattr__(self, name: str) -> Any:
        if name in ("best", "num_bad_epochs", "cooldown_counter") and self._schedule is not None:
            value = self._schedule.state()[name]
            if value.ndim > 0:
                return value.clone()
            return value.item() if name == "best" else int(value.item())
        return super().__getattr__(name)

    @property
    def in_cooldown(self) -> Any:
        """Whether bad steps do not count at present."""
        return self.cooldown_counter > 0

    def _own_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("best", "num_bad_epochs", "cooldown_counter")}

    def _load_own_state(self, state_dict: dict[str, Any]) -> None:
        state = self._schedule.state()
        for name in ("best", "num_bad_epochs", "cooldown_counter"):
            if name in state_dict:
                value = state_dict[name]
                state[name].copy_(value) if isinstance(value, Tensor) else state[name].fill_(value)


class SWALR(LRScheduler):
    """From the base to swa_lr in anneal_epochs steps, then constant: for stochastic weight averaging
    (luge.optim.swa_utils.AveragedModel).

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = luge.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        name = "SWALR"
        linear = choice(name, "anneal_strategy", anneal_strategy, ("cos", "linear")) == 1
        schedule = partial(
            _made.SWALR,
            optimizer, numbers(name, "swa_lr", swa_lr, groups_of(optimizer)), whole(name, "anneal_epochs", anneal_epochs), linear
        )
        self._begin(optimizer, last_epoch, schedule, anneal_epochs=anneal_epochs, _anneal_strategy=anneal_strategy)
