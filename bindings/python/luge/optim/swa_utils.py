"""Averages of a model's parameters over training, as in torch.optim.swa_utils."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .. import _C
from .._C import Tensor
from .._names import missing as _missing
from ..autograd import no_grad
from ..nn import Module
from ._cycles import SWALR

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
           "update_bn"]  # fmt: skip


def _checked_decay(op: str, decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"{op}: decay is {decay}; it must be from 0 to 1")


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[list[Tensor], list[Tensor], Any], None]:
    """The exponential moving average of lists of tensors, in place: average = decay * average + (1 - decay) * value.

    >>> average = [luge.zeros(1)]
    >>> luge.optim.swa_utils.get_ema_multi_avg_fn(0.5)(average, [luge.ones(1)], 1)
    >>> average
    [tensor([0.5000])]
    """
    _checked_decay("get_ema_multi_avg_fn", decay)

    @no_grad()
    def ema_update(ema_param_list: list[Tensor], current_param_list: list[Tensor], _: Any) -> None:
        for average, value in zip(ema_param_list, current_param_list):
            if average.is_floating_point():
                average.lerp_(value, 1 - decay)
            else:
                average.copy_(average * decay + value * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> Callable[[list[Tensor], list[Tensor], Any], None]:
    """The mean of all values so far of lists of tensors, in place.

    >>> average = [luge.zeros(1)]
    >>> luge.optim.swa_utils.get_swa_multi_avg_fn()(average, [luge.ones(1)], 1)
    >>> average
    [tensor([0.5000])]
    """

    @no_grad()
    def swa_update(averaged_param_list: list[Tensor], current_param_list: list[Tensor], num_averaged: Any) -> None:
        for average, value in zip(averaged_param_list, current_param_list):
            if not average.is_floating_point():
                average.copy_(average + (value - average) / (num_averaged + 1))
            elif isinstance(num_averaged, Tensor):
                average.lerp_(value, 1 / (num_averaged.to(average.dtype) + 1))
            else:
                average.lerp_(value, 1 / (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The exponential moving average: decay * average + (1 - decay) * value.

    >>> luge.optim.swa_utils.get_ema_avg_fn(0.5)(luge.zeros(1), luge.ones(1), 1)
    tensor([0.5000])
    """
    _checked_decay("get_ema_avg_fn", decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The mean of all values so far: average + (value - average) / (num_averaged + 1).

    >>> luge.optim.swa_utils.get_swa_avg_fn()(luge.zeros(1), luge.ones(1), 1)
    tensor([0.5000])
    """

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        moved: Tensor = averaged_param + (current_param - averaged_param) / (num_averaged + 1)
        return moved

    return swa_update


class AveragedModel(Module):
    """A model whose parameters are the average of another's over training: the mean of all that update_parameters() saw,
    or what `avg_fn` (of an average, a value and the number of updates) or `multi_avg_fn` (the same in place, of lists)
    makes of them. The first update takes the values as they are.

    The number of updates, `n_averaged`, lives on the device and decides there, so that a captured step may update. With
    `use_buffers` buffers are averaged, too; else they follow the model's.

    >>> model = luge.nn.Linear(1, 1)
    >>> averaged = luge.optim.swa_utils.AveragedModel(model)
    >>> averaged.update_parameters(model)
    >>> averaged.n_averaged.item(), averaged.module.weight.equal(model.weight)
    (1, True)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Tensor] | None = None,
        multi_avg_fn: Callable[[list[Tensor], list[Tensor], Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: both avg_fn and multi_avg_fn are given; at most one is allowed")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        counter = _C.zeros((), dtype=_C.int64) if device is None else _C.zeros((), dtype=_C.int64, device=device)
        first = next(iter(self.module.parameters()), None)
        if device is None and first is not None:
            counter = counter.to(first.device)
        self.register_buffer("n_averaged", counter)
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model makes of its arguments."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Takes the parameters of `model` into the average."""
        own, other = list(self.module.buffers()), list(model.buffers())
        averages = [one.detach() for one in itertools.chain(self.module.parameters(), own if self.use_buffers else ())]
        values = [one.detach() for one in itertools.chain(model.parameters(), other if self.use_buffers else ())]
        if len(averages) != len(values):
            raise ValueError(
                f"update_parameters: the model has {len(values)} parameters and the averaged one {len(averages)}; they must be "
                "alike"
            )
        values = [value.to(average.device) for average, value in zip(averages, values)]
        first = self.n_averaged == 0
        if self.avg_fn is not None:
            for average, value in zip(averages, values):
                average.copy_(_C.where(first, value, self.avg_fn(average, value, self.n_averaged)))
        else:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            for dtype in dict.fromkeys(average.dtype for average in averages):
                places = [i for i, average in enumerate(averages) if average.dtype == dtype]
                update([averages[i] for i in places], [values[i] for i in places], self.n_averaged)
            for average, value in zip(averages, values):
                average.copy_(_C.where(first, value, average))
        if not self.use_buffers:
            for average, value in zip(own, other):
                average.detach().copy_(value.detach().to(average.device))
        self.n_averaged.add_(1)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running means and variances of a model's batch norms anew, as means over all batches of the loader,
    whose first elements are the inputs where they are tuples or lists. Other models stay as they are.

    >>> luge.optim.swa_utils.update_bn([luge.ones(2, 1)], luge.nn.Linear(1, 1))
    """
    norms = [module for module in model.modules() if hasattr(module, "reset_running_stats")]
    if not norms:
        return
    momenta = [module.momentum for module in norms]
    was_training = model.training
    model.train()
    for module in norms:
        module.reset_running_stats()
        module.momentum = None
    try:
        for batch in loader:
            x = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(x if device is None else x.to(device))
    finally:
        for module, momentum in zip(norms, momenta):
            module.momentum = momentum
        model.train(was_training)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
