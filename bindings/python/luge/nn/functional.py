"""Functions of layers, as in torch.nn.functional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._C import (
    Tensor,
    bilinear,
    channel_shuffle,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
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
from .._C._functional import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    batch_norm,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    celu,
    celu_,
    cosine_embedding_loss,
    cosine_similarity,
    elu,
    elu_,
    fold,
    gaussian_nll_loss,
    gelu,
    glu,
    group_norm,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    hinge_embedding_loss,
    huber_loss,
    instance_norm,
    kl_div,
    l1_loss,
    layer_norm,
    leaky_relu,
    leaky_relu_,
    local_response_norm,
    logsigmoid,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    margin_ranking_loss,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
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
    rms_norm,
    rrelu,
    rrelu_,
    scaled_dot_product_attention,
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
    unfold,
)
from .._names import missing as _missing
from ._dropout import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from ._fractional import fractional_max_pool as _fractional_max_pool
from ._grids import affine_grid, grid_sample
from ._heads import multi_head_attention_forward
from ._losses import (
    gumbel_softmax,
    multilabel_margin_loss,
    triplet_margin_with_distance_loss,
)
from ._named import named as _named
from ._resize import interpolate, upsample, upsample_bilinear, upsample_nearest
from ._tables import embedding, embedding_bag
from ._unpool import max_unpool as _max_unpool

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
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
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
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
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]


@_named
def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the input's values at the places that max_pool1d(return_indices=True) gave. Without `output_size` the
    size is the least that such windows come from. Input (..., channels, length). Raises ShapeError, ValueError for another
    size, IndexError for places outside.

    >>> x, places = luge.nn.functional.max_pool1d(luge.ones(1, 2), 2, return_indices=True)
    >>> luge.nn.functional.max_unpool1d(x, places, 2).sum()
    tensor(1.)
    """
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


@_named
def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the input's values at the places that max_pool2d(return_indices=True) gave. Without `output_size` the
    size is the least that such windows come from. Input (..., channels, height, width). Raises ShapeError, ValueError for another
    size, IndexError for places outside.

    >>> x, places = luge.nn.functional.max_pool2d(luge.ones(1, 2, 2), 2, return_indices=True)
    >>> luge.nn.functional.max_unpool2d(x, places, 2).sum()
    tensor(1.)
    """
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


@_named
def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the input's values at the places that max_pool3d(return_indices=True) gave. Without `output_size` the
    size is the least that such windows come from. Input (..., channels, depth, height, width). Raises ShapeError, ValueError for another
    size, IndexError for places outside.

    >>> x, places = luge.nn.functional.max_pool3d(luge.ones(1, 2, 2, 2), 2, return_indices=True)
    >>> luge.nn.functional.max_unpool3d(x, places, 2).sum()
    tensor(1.)
    """
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


@_named
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest values of windows of x (batch, channels, height, width) or without batch, of which there are `output_size`, or
    `output_ratio` times the size, and with `return_indices` their places. The windows cover x, and where they begin is drawn for
    each channel of each sample, or follows from `_random_samples` (batch, channels, 2) in [0, 1). Raises ShapeError, ValueError.

    >>> luge.nn.functional.fractional_max_pool2d(luge.zeros(1, 1, 6, 8), 2, output_ratio=0.5).shape
    (1, 1, 3, 4)
    """
    found = _fractional_max_pool("fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


@_named
def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """fractional_max_pool2d with `return_indices`.

    >>> luge.nn.functional.fractional_max_pool2d_with_indices(luge.zeros(1, 1, 6, 8), 2, output_ratio=0.5)[1].shape
    (1, 1, 3, 4)
    """
    found = _fractional_max_pool("fractional_max_pool2d_with_indices", 2, input, kernel_size, output_size, output_ratio, _random_samples)
    return found


@_named
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest values of windows of x (batch, channels, depth, height, width) or without batch, of which there are `output_size`, or
    `output_ratio` times the size, and with `return_indices` their places. The windows cover x, and where they begin is drawn for
    each channel of each sample, or follows from `_random_samples` (batch, channels, 3) in [0, 1). Raises ShapeError, ValueError.

    >>> luge.nn.functional.fractional_max_pool3d(luge.zeros(1, 1, 4, 6, 8), 2, output_ratio=0.5).shape
    (1, 1, 2, 3, 4)
    """
    found = _fractional_max_pool("fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


@_named
def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """fractional_max_pool3d with `return_indices`.

    >>> luge.nn.functional.fractional_max_pool3d_with_indices(luge.zeros(1, 1, 4, 6, 8), 2, output_ratio=0.5)[1].shape
    (1, 1, 2, 3, 4)
    """
    found = _fractional_max_pool("fractional_max_pool3d_with_indices", 3, input, kernel_size, output_size, output_ratio, _random_samples)
    return found


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
