"""Layers and losses, as in torch.nn."""

from typing import TYPE_CHECKING

from .._names import missing as _missing
from . import functional, init, utils
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .module import Module
from .modules import (
    GELU,
    CrossEntropyLoss,
    Embedding,
    Flatten,
    Hardshrink,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MSELoss,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .parameter import Parameter, clip_grad_norm_

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
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "clip_grad_norm_",
    "functional",
    "init",
    "utils",
]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
