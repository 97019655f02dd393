"""What all learning-rate schedules share."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

from .._C import Tensor
from .._C import _lr_scheduler as _made
from .._C._optim import Optimizer


def groups_of(optimizer: Any) -> int:
    """How many parameter groups there are."""
    return len(getattr(optimizer, "param_groups", (None,)))


def numbers(op: str, name: str, given: Any, groups: int) -> list[float]:
    """One number for all parameter groups, or a list with one for each."""
    if not isinstance(given, (list, tuple)):
        return [float(given)]
    if len(given) != groups:
        raise ValueError(f"{op}: {name} has {len(given)} values; there are {groups} parameter groups")
    return [float(value) for value in given]


def whole(op: str, name: str, given: Any) -> int:
    """An int."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError(f"{op}: {name} is {given!r}; it must be a whole number")
    return given


def choice(op: str, name: str, given: Any, allowed: Sequence[str]) -> int:
    """The place of a word among those allowed."""
    if given not in allowed:
        raise ValueError(f"{op}: {name} is {given!r}; allowed are {', '.join(map(repr, allowed))}")
    return list(allowed).index(given)


def plain(rate: Tensor) -> Any:
    """A learning rate as a number, or a tensor where each set has its own. Waits for the device."""
    return rate.item() if rate.ndim == 0 else rate


class LRScheduler:
    """What all schedules share: the learning rate is a closed form of the base rate and of the number of steps, computed on
    the device, so that captured steps go on with it. Several schedules of one optimizer chain: their factors multiply. A
    learning rate that is set by hand scales what follows.

    A class of one's own gives `get_lr()`, which returns the learning rates of all parameter groups for `self.last_epoch`;
    it is called on the host.

    >>> class Halving(luge.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [rate * 0.5**self.last_epoch for rate in self.base_lrs]
    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> optimizer.lr.item()
    0.5
    """

    optimizer: Any
    _schedule: Any = None

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: optimizer is of type {type(optimizer).__name__}; it must be Optimizer")
        self.optimizer = optimizer
        self.base_lrs = [plain(rate) for rate in self._initial_lrs(last_epoch)]
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()

    def _initial_lrs(self, last_epoch: int) -> list[Tensor]:
        """What the parameter groups began with."""
        groups = getattr(self.optimizer, "param_groups", None)
        if groups is None:
            if last_epoch != -1:
                raise KeyError(f"{type(self).__name__}: last_epoch is {last_epoch} and the optimizer has no 'initial_lr'")
            return [self.optimizer.lr]
        result = []
        for i, group in enumerate(groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: last_epoch is {last_epoch} and param_groups[{i}] has no 'initial_lr', from which "
                    "the schedule would go on"
                )
            rate = group["initial_lr"]
            result.append(rate if isinstance(rate, Tensor) else _tensor(rate))
        return result

    def _begin(self, optimizer: Any, last_epoch: int, make: Any, **options: Any) -> None:
        """Makes the compiled schedule; goes on from `last_epoch`, if that is not -1."""
        self.optimizer = optimizer
        initial = None if last_epoch == -1 else self._initial_lrs(whole(type(self).__name__, "last_epoch", last_epoch))
        self._schedule = make()
        self.__dict__.update(options)
        if initial is not None:
            self._schedule.resume(last_epoch + 1, initial, True)
            return
        for group, rate in zip(getattr(optimizer, "param_groups", ()), self.base_lrs):
            group.setdefault("initial_lr", rate)

    def __getattr__(self, name: str) -> Any:
        if self._schedule is not None:
            if name == "last_epoch":
                return self._schedule.steps_taken()
            if name == "_step_count":
                return self._schedule.steps_taken() + 1
            if name == "base_lrs":
                state = self._schedule.state()
                return [plain(rate) for key, rate in state.items() if key.startswith("base_lrs.")]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_lr(self) -> list[Any]:
        """The learning rates of all parameter groups for `self.last_epoch`: for classes of one's own."""
        raise NotImplementedError(f"{type(self).__name__}: get_lr is for schedules of one's own; get_last_lr() tells the rates")

    def step(self) -> None:
        """Counts a step and sets the optimizer's learning rate."""
        if self._schedule is not None:
            self._schedule.step()
            return
        self._step_count += 1
        self.last_epoch += 1
        rates = self.get_lr()
        if len(rates) == 1:
            self.optimizer.set_lr(rates[0])
        else:
            for group, rate in enumerate(rates):
                self.optimizer.set_lr(rate, group)
        self._last_lr = list(rates)

    def get_last_lr(self) -> list[Any]:
        """The learning rates that this schedule set last, one for each parameter group: a number, or a tensor of shape
        (sets) where each set has its own. Waits for the device.
        """
        if self._schedule is None:
            return list(self._last_lr)
        loaded = _loaded(self.optimizer)
        if self in loaded:
            steps, rates = loaded[self]
            if steps == self.steps_taken():
                return list(rates)
            del loaded[self]
        return [plain(rate) for rate in self._schedule.last_lr()]

    def steps_taken(self) -> int:
        """Steps taken; waits for the device."""
        return int(self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Options, the number of steps and the base learning rates, by PyTorch's names; functions are left out."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "_schedule") and not callable(value)}
        if self._schedule is not None:
            state.update(last_epoch=self.last_epoch, base_lrs=self.base_lrs, _step_count=self._step_count,
                         _last_lr=self.get_last_lr())  # fmt: skip
            state.update(self._own_state())
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on as the schedule did that this is the state of; one of PyTorch's fits, too. The learning rate is the
        optimizer's own state.
        """
        name = type(self).__name__
        if self._schedule is None:
            self.__dict__.update({key: value for key, value in state_dict.items() if key != "optimizer"})
            return
        if "last_epoch" not in state_dict:
            raise KeyError(f"load_state_dict: the state has no 'last_epoch', which a {name} needs")
        base = state_dict.get("base_lrs", self.base_lrs)
        self._schedule.resume(int(state_dict["last_epoch"]), [rate if isinstance(rate, Tensor) else _tensor(rate) for rate in base])
        self._load_own_state(state_dict)
        last = state_dict.get("_last_lr")
        forget_loaded(self.optimizer, self)
        if last is not None:
            _loaded(self.optimizer)[self] = int(state_dict["last_epoch"]), list(last)

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _load_own_state(self, state_dict: dict[str, Any]) -> None:
        pass

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{type(self).__name__}: a schedule is not copied; make one for the other optimizer")

    def __copy__(self) -> Any:
        return self.__reduce_ex__(2)

    def __deepcopy__(self, memo: Any) -> Any:
        return self.__reduce_ex__(2)


def _tensor(rate: Any) -> Tensor:
    from .._C import float64, tensor

    return tensor(float(rate), dtype=float64)


def _loaded(optimizer: Any) -> Any:
    """Of schedules after load_state_dict(), until the next step: at which step the state was taken, and the rates of then."""
    return optimizer.__dict__.setdefault("_loaded_rates", weakref.WeakKeyDictionary())


def forget_loaded(optimizer: Any, schedule: LRScheduler | None = None) -> None:
    """Of one schedule or of all: their rates have changed since load_state_dict()."""
    if schedule is None:
        _loaded(optimizer).clear()
    else:
        _loaded(optimizer).pop(schedule, None)


def parts_of(op: str, schedulers: Any) -> list[Any]:
    """The compiled schedules of several."""
    if isinstance(schedulers, LRScheduler) or not hasattr(schedulers, "__iter__"):
        raise TypeError(f"{op}: schedulers is of type {type(schedulers).__name__}; it must be a sequence of schedules")
    schedulers = list(schedulers)
    for i, one in enumerate(schedulers):
        if not isinstance(one, LRScheduler):
            raise TypeError(f"{op}: schedulers[{i}] is of type {type(one).__name__}; it must be a schedule")
        if one._schedule is None:
            raise ValueError(f"{op}: schedulers[{i}] is a {type(one).__name__}, whose get_lr() is of one's own; step it by itself")
    return [one._schedule for one in schedulers]


class ChainedScheduler(LRScheduler):
    """Steps several schedules of one optimizer at once. It takes them over: their own step() is then an error.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedules = luge.optim.lr_scheduler
    >>> both = schedules.ChainedScheduler([schedules.ConstantLR(optimizer, 0.5, 2), schedules.ExponentialLR(optimizer, 0.5)])
    >>> both.step()
    >>> optimizer.lr.item()
    0.25
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        parts = parts_of("ChainedScheduler", schedulers)
        self._schedulers = list(schedulers)
        if optimizer is not None and any(one.optimizer is not optimizer for one in schedulers):
            raise ValueError("ChainedScheduler: a scheduler is of another optimizer than the one given")
        self._begin(self._schedulers[0].optimizer if parts else optimizer, -1, partial(_made.ChainedScheduler, parts))

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["_schedulers"] = [one.state_dict() for one in self._schedulers]
        return state


class SequentialLR(LRScheduler):
    """One schedule after the other: number i of them from milestone i - 1 on, where it begins anew. It takes the schedules
    over: their own step() is then an error.

    >>> optimizer = luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=1.0)
    >>> schedules = luge.optim.lr_scheduler
    >>> warmup = schedules.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> both = schedules.SequentialLR(optimizer, [warmup, schedules.ExponentialLR(optimizer, 0.5)], [2])
    >>> for _ in range(3):
    ...     both.step()
    >>> optimizer.lr.item()
    0.5
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        parts = parts_of("SequentialLR", schedulers)
        self._schedulers = list(schedulers)
        schedule = partial(_made.SequentialLR, optimizer, parts, list(milestones))
        self._begin(optimizer, last_epoch, schedule, _milestones=list(milestones))

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        state["_schedulers"] = [one.state_dict() for one in self._schedulers]
        return state
