"""Learning-rate schedules, as in torch.optim.lr_scheduler, in closed form and computed on the device."""

from typing import TYPE_CHECKING

from .._C._lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
    StepLR,
)
from .._names import missing as _missing

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LinearLR",
    "MultiStepLR",
    "SequentialLR",
    "StepLR",
]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
