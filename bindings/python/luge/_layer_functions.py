"""Functions of layers that PyTorch has outside nn.functional, too: torch.layer_norm, torch.embedding, torch.max_pool2d.

Their arguments are those of PyTorch's C++ functions: in another order than in nn.functional, or without defaults. `cudnn_enabled`
changes nothing. A reduction is 0 for 'none', 1 for 'mean' or 2 for 'sum', or one of these words; without one there is none, as in
PyTorch, whose signatures say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from ._C import Tensor
from ._C import _functional as _F
from ._C._functional import (
    adaptive_avg_pool1d,
    avg_pool1d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool3d,
    rms_norm,
)
from ._C._functional import adaptive_max_pool1d_with_indices as adaptive_max_pool1d
from ._numbers import whole as _whole
from .nn._named import named as _named

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "avg_pool1d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "embedding",
    "group_norm",
    "hinge_embedding_loss",
    "instance_norm",
    "kl_div",
    "layer_norm",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "poisson_nll_loss",
    "rms_norm",
    "triplet_margin_loss",
]

_Reduction = Union[int, str]
_REDUCTIONS = ("none", "mean", "sum")


# ---- normalization


@_named
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
    cudnn_enable: bool = True,
) -> Tensor:
    """nn.functional.layer_norm.

    >>> luge.layer_norm(luge.tensor([[1.0, 3.0]]), (2,), eps=0)
    tensor([[-1.,  1.]])
    """
    return _F.layer_norm(input, normalized_shape, weight, bias, eps)


@_named
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
    cudnn_enabled: bool = True,
) -> Tensor:
    """nn.functional.group_norm.

    >>> luge.group_norm(luge.tensor([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0)
    tensor([[-1.,  1., -1.,  1.]])
    """
    return _F.group_norm(input, num_groups, weight, bias, eps)


@_named
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """nn.functional.batch_norm, with weight and bias before the running statistics.

    >>> luge.batch_norm(luge.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 0.0, True)
    tensor([[-1.],
            [ 1.]])
    """
    return _F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@_named
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """nn.functional.instance_norm, with weight and bias before the running statistics.

    >>> luge.instance_norm(luge.tensor([[[1.0, 3.0]]]), None, None, None, None, True, 0.1, 0.0, True)
    tensor([[[-1.,  1.]]])
    """
    return _F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


# ---- tables


@_named
def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """nn.functional.embedding with the table first; a padding_idx below 0 is none.

    >>> luge.embedding(luge.tensor([[1.0], [2.0]]), luge.tensor([1, 0]))
    tensor([[2.],
            [1.]])
    """
    from .nn.functional import embedding as rows

    padding = None if _whole("embedding", "padding_idx", padding_idx) < 0 else padding_idx
    return rows(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


# ---- losses


def _word(reduction: _Reduction) -> str:
    """The reduction of a number or a word; what is neither goes on to where it is an error."""
    if isinstance(reduction, bool) or not isinstance(reduction, (int, str)):
        raise TypeError(f"reduction is of type {type(reduction).__name__}; it must be an int or a str")
    if isinstance(reduction, str):
        return reduction
    if not 0 <= reduction < len(_REDUCTIONS):
        raise ValueError(f"reduction is {reduction}; it must be 0, 1 or 2")
    return _REDUCTIONS[reduction]


@_named
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: _Reduction = 0,
) -> Tensor:
    """nn.functional.binary_cross_entropy_with_logits.

    >>> luge.binary_cross_entropy_with_logits(luge.zeros(2), luge.ones(2), reduction=1)
    tensor(0.6931)
    """
    return _F.binary_cross_entropy_with_logits(input, target, weight, reduction=_word(reduction), pos_weight=pos_weight)


@_named
def kl_div(input: Tensor, target: Tensor, reduction: _Reduction = 0, *, log_target: bool = False) -> Tensor:
    """nn.functional.kl_div.

    >>> luge.kl_div(luge.zeros(2), luge.ones(2), 2)
    tensor(0.)
    """
    return _F.kl_div(input, target, reduction=_word(reduction), log_target=log_target)


@_named
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: _Reduction
) -> Tensor:
    """nn.functional.poisson_nll_loss, all arguments given.

    >>> luge.poisson_nll_loss(luge.zeros(2), luge.ones(2), True, False, 1e-8, 1)
    tensor(1.)
    """
    return _F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_word(reduction))


@_named
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: _Reduction = 0) -> Tensor:
    """nn.functional.hinge_embedding_loss.

    >>> luge.hinge_embedding_loss(luge.tensor([0.5, 0.25]), luge.tensor([1, -1]), 1.0, 2)
    tensor(1.2500)
    """
    return _F.hinge_embedding_loss(input, target, margin, reduction=_word(reduction))


@_named
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: _Reduction = 0
) -> Tensor:
    """nn.functional.margin_ranking_loss.

    >>> luge.margin_ranking_loss(luge.zeros(2), luge.ones(2), luge.ones(2))
    tensor([1., 1.])
    """
    return _F.margin_ranking_loss(input1, input2, target, margin, reduction=_word(reduction))


@_named
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: _Reduction = 0
) -> Tensor:
    """nn.functional.cosine_embedding_loss.

    >>> luge.cosine_embedding_loss(luge.tensor([[1.0, 0.0]]), luge.tensor([[0.0, 1.0]]), luge.ones(1))
    tensor([1.])
    """
    return _F.cosine_embedding_loss(input1, input2, target, margin, reduction=_word(reduction))


@_named
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-06,
    swap: bool = False,
    reduction: _Reduction = 0,
) -> Tensor:
    """nn.functional.triplet_margin_loss.

    >>> luge.triplet_margin_loss(luge.zeros(1, 2), luge.ones(1, 2), luge.ones(1, 2))
    tensor([1.])
    """
    return _F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_word(reduction))
