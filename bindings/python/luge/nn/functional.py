"""Functions of layers, as in torch.nn.functional."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._C import (
    Tensor,
    _embedding,
    bilinear,
    channel_shuffle,
    cross_entropy,
    hardshrink,
    linear,
    log_softmax,
    one_hot,
    pad,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    sigmoid,
    softmax,
    tanh,
)
from .._C import where as _where
from .._C._functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    celu,
    celu_,
    cosine_embedding_loss,
    cosine_similarity,
    elu,
    elu_,
    gaussian_nll_loss,
    gelu,
    glu,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    leaky_relu,
    leaky_relu_,
    logsigmoid,
    margin_ranking_loss,
    mish,
    mse_loss,
    multi_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    normalize,
    pairwise_distance,
    poisson_nll_loss,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    silu,
    smooth_l1_loss,
    soft_margin_loss,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
    threshold_,
    triplet_margin_loss,
)
from .._names import missing as _missing

__all__ = [
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "elu",
    "elu_",
    "embedding",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "log_softmax",
    "logsigmoid",
    "margin_ranking_loss",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
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
    if isinstance(padding_idx, bool) or not isinstance(padding_idx, int):
        raise TypeError(f"embedding: padding_idx is of type {type(padding_idx).__name__}; it must be an int")
    count = weight.shape[-2]
    if not -count <= padding_idx < count:
        raise ValueError(f"embedding: padding_idx is {padding_idx}; the table has {count} rows")
    return _where((input == padding_idx % count).unsqueeze(-1), rows.detach(), rows)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
