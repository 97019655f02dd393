"""Optimizers, as in torch.optim; every hyperparameter may differ from set to set."""

from .._C._optim import SGD, Adam, AdamW, Optimizer
from . import lr_scheduler

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]
