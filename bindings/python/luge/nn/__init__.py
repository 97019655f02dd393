"""Layers and losses, as in torch.nn."""

from typing import TYPE_CHECKING

from .._names import missing as _missing
from . import functional, init, utils
from ._arena import build_in
from .activations import GELU, Hardshrink, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .linear import Linear
from .losses import CrossEntropyLoss, MSELoss
from .module import Module
from .parameter import Parameter, clip_grad_norm_
from .shapes import Flatten
from .sparse import Embedding

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
    "build_in",
    "clip_grad_norm_",
    "functional",
    "init",
    "utils",
]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
