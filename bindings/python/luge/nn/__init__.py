"""Layers and losses, as in torch.nn."""

from typing import TYPE_CHECKING

from .._names import missing as _missing
from . import functional, utils
from .module import Module, Parameter, clip_grad_norm_
from .modules import (
    GELU,
    CrossEntropyLoss,
    Embedding,
    Flatten,
    Hardshrink,
    LeakyReLU,
    Linear,
    LogSoftmax,
    ModuleList,
    MSELoss,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

__all__ = [
    "GELU",
    "CrossEntropyLoss",
    "Embedding",
    "Flatten",
    "Hardshrink",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "clip_grad_norm_",
    "functional",
    "utils",
]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
