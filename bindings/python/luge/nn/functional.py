"""Functions of layers, as in torch.nn.functional."""

from __future__ import annotations

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
from .._C import where as _where
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


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of a table: weight (count, dim) and indices (...) give (..., dim); weight (sets, count, dim) and indices (batch),
    the same for all sets, or (sets, batch) give (sets, batch, dim). The row `padding_idx` gets no gradient. Raises ShapeError
    for other shapes, ValueError for a padding_idx outside.

    >>> luge.nn.functional.embedding(luge.tensor([1, 0]), luge.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    rows = _embedding(input, weight)
    if padding_idx is None:
        return rows
    count = weight.shape[-2]
    if not -count <= padding_idx < count:
        raise ValueError(f"embedding: padding_idx is {padding_idx}; the table has {count} rows")
    return _where((input == padding_idx % count).unsqueeze(-1), rows.detach(), rows)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
