"""Functions of layers, as in torch.nn.functional."""

from .._C import (
    cross_entropy,
    gelu,
    leaky_relu,
    linear,
    log_softmax,
    mse_loss,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from .modules import embedding

__all__ = [
    "cross_entropy",
    "embedding",
    "gelu",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
