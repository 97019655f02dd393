"""Functions of layers, as in torch.nn.functional."""

from typing import TYPE_CHECKING

from .._C import (
    Tensor,
    _embedding,
    channel_shuffle,
    cross_entropy,
    gelu,
    hardshrink,
    leaky_relu,
    linear,
    log_softmax,
    mse_loss,
    one_hot,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from .._names import missing as _missing

__all__ = [
    "channel_shuffle",
    "cross_entropy",
    "embedding",
    "gelu",
    "hardshrink",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mse_loss",
    "one_hot",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def embedding(input: Tensor, weight: Tensor) -> Tensor:
    """Rows of a table: weight (count, dim) and indices (...) give (..., dim); weight (sets, count, dim) and indices (batch),
    the same for all sets, or (sets, batch) give (sets, batch, dim). Raises ShapeError for other shapes.

    >>> luge.nn.functional.embedding(luge.tensor([1, 0]), luge.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    return _embedding(input, weight)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
