"""Learning-rate schedules, as in torch.optim.lr_scheduler, in closed form and computed on the device."""

from typing import TYPE_CHECKING

from .._names import missing as _missing
from ._cycles import CyclicLR, OneCycleLR, ReduceLROnPlateau
from ._schedule import ChainedScheduler, LRScheduler, SequentialLR
from ._schedules import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)

_LRScheduler = LRScheduler  # as PyTorch called it once; programs import it still

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
