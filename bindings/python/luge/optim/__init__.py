"""Optimizers, as in torch.optim; every hyperparameter may differ from set to set."""

from typing import TYPE_CHECKING

from .._C._optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from .._names import missing as _missing
from . import lr_scheduler, swa_utils

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler", "swa_utils"]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
