"""luge.stop.train: trainings whose stopped sets cost nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ._C import Parameters, Tensor, _stop
from ._C._optim import Optimizer
from ._C._stop import StopRule, Training
from .nn.module import Module

_M = TypeVar("_M", bound=Module)


class Live:
    """What a step of luge.stop.train works on: the sets that still go on, as if they were all there are.

    As long as no set has moved, `params`, `optimizer` and `rule` are those that train() was given; afterwards others that were
    made alike. `data` are these sets of train()'s data, `sets` their numbers (int64). Some may be of sets that have stopped and
    stand still.
    """

    params: Parameters
    optimizer: Optimizer
    rule: StopRule
    sets: Tensor
    data: dict[str, Tensor]

    def __init__(
        self,
        whole: Parameters,
        params: Parameters,
        optimizer: Optimizer,
        rule: StopRule,
        sets: Tensor,
        data: dict[str, Tensor],
    ) -> None:
        self.params, self.optimizer, self.rule, self.sets, self.data = params, optimizer, rule, sets, data
        self._leaves = {} if whole == params else {hash(whole[name]): params[name] for name in whole.names()}
        self._modules: dict[int, Module] = {}

    def module(self, module: _M) -> _M:
        """The module, with these sets' parameters in place of all sets': a copy of its layers, which share everything else.
        Parameters that train() does not train stay as they are."""
        if not isinstance(module, Module):
            raise TypeError(f"Live.module: module is of type {type(module).__name__}; it must be a luge.nn.Module")
        return self._moved(module) if self._leaves else module

    def _moved(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._leaves.get(hash(value), value)
        if isinstance(value, Module):
            known = self._modules.get(id(value))
            if known is None:
                known = self._modules[id(value)] = object.__new__(type(value))
                known.__dict__.update({name: self._moved(own) for name, own in value.__dict__.items()})
            return known
        if type(value) in (list, tuple):
            return type(value)(self._moved(one) for one in value)
        if type(value) is dict:
            return {key: self._moved(one) for key, one in value.items()}
        return value


def train(
    step: Callable[[Live], Tensor | None],
    optimizer: Optimizer,
    rule: StopRule,
    *,
    data: Mapping[str, Tensor] | None = None,
    every: int = 25,
    max_steps: int | None = None,
    compact: bool = True,
    min_sets: int = 1,
) -> Training:
    """Captures `step` and runs it until no set is active; sets that have stopped cost nothing.

    The step takes a luge.stop.Live and must call live.rule.check; it returns one loss per set, or None. After every `every`
    steps the sets that still go on move, if they fit, to parameters of a smaller size, with their optimizer state, their
    hyperparameters, what the rule knows of them and their `data`, and the step is captured anew. Afterwards, and when an exception
    or Ctrl-C ends it, everything is back in the parameters, the optimizer and the rule that were given. The bits are
    those of a training in which no set moves.

    data: tensors whose first axis are the sets. All else that the step uses is the same for all sets.
    every: steps between two looks at the sets, each of which waits for the device.
    max_steps: steps in all; None: until no set is active.
    compact: False: no set moves.
    min_sets: fewer sets than this are not worth a move.

    >>> params = luge.Parameters(sets=100)
    >>> x = params.add("x", (), luge.init.constant(8))
    >>> optimizer = luge.optim.SGD(params, lr=luge.linspace(0.01, 0.4, 100))
    >>> rule = luge.stop.when(optimizer, loss_below=1)
    >>> def step(live):
    ...     live.optimizer.zero_grad()
    ...     loss = live.params["x"] ** 2
    ...     loss.sum().backward()
    ...     live.rule.check(loss)
    ...     live.optimizer.step()
    ...     return loss
    >>> training = luge.stop.train(step, optimizer, rule, every=5)
    >>> [r.size for r in training.rounds[:6]], (x < 1).all().item()
    ([100, 64, 24, 16, 12, 8], True)
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"stop.train: optimizer is of type {type(optimizer).__name__}; it must be an optimizer of luge.optim")
    if not isinstance(rule, StopRule):
        raise TypeError(f"stop.train: rule is of type {type(rule).__name__}; it must be a rule of luge.stop.when")
    if not callable(step):
        raise TypeError(f"stop.train: step is of type {type(step).__name__}; it must be a function of a luge.stop.Live")
    if data is not None and not isinstance(data, Mapping):
        raise TypeError(f"stop.train: data is of type {type(data).__name__}; it must be a dict of tensors")
    whole = optimizer.parameters

    def call(params: Parameters, own: Optimizer | None, judge: StopRule | None, sets: Tensor, of_sets: dict[str, Tensor]) -> Any:
        stepped, judging = (optimizer if own is None else own), (rule if judge is None else judge)
        return step(Live(whole, params, stepped, judging, sets, of_sets))

    caller = sys._getframe(1)
    given = None if data is None else dict(data)
    return _stop._train(
        optimizer, rule, given, call, every, max_steps, compact, min_sets, caller.f_code.co_filename, caller.f_lineno
    )
