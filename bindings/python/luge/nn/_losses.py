"""Losses made of other functions, and PyTorch's older options of a reduction."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from .. import _C
from .._C import Tensor
from .._C import _functional as _F
from ._named import named


def reduction_of(name: str, size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """What the older options say, with a warning, where one of them is given."""
    if size_average is None and reduce is None:
        return reduction
    if isinstance(size_average, str):
        raise TypeError(f"{name}: size_average is '{size_average}'; write reduction='{size_average}'")
    average, reduces = size_average is None or size_average, reduce is None or reduce
    told = "none" if not reduces else "mean" if average else "sum"
    warnings.warn(
        f"{name}: size_average and reduce are old; write reduction='{told}'",
        stacklevel=4,
    )
    return told


def _reduced(name: str, losses: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    raise ValueError(f"{name}: reduction is '{reduction}'; it must be 'mean', 'sum' or 'none'")


@named
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over a sample's classes i that are not labels and its labels j of max(0, 1 - input[j] + input[i]), over the number
    of classes: input (batch, classes) with labels (batch, classes), int64, of which those from the first -1 on count for
    nothing; or both of one sample. Raises ShapeError, DTypeError, and IndexError for a label outside.

    >>> luge.nn.functional.multilabel_margin_loss(luge.tensor([[0.1, 0.2, 0.4]]), luge.tensor([[2, -1, 0]]))
    tensor(0.5000)
    """
    reduction = reduction_of("multilabel_margin_loss", size_average, reduce, reduction)
    return _C._multilabel_margin_loss(input, target, reduction)


@named
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for a distance that is given, or pairwise_distance. `swap` takes
    the smaller of the distances of the negative example to the other two. Raises ShapeError, and ValueError for margin <= 0.

    >>> far = luge.tensor([[3.0, 4.0]])
    >>> luge.nn.functional.triplet_margin_with_distance_loss(luge.zeros(1, 2), far, far)
    tensor(1.)
    """
    name = "triplet_margin_with_distance_loss"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: reduction is '{reduction}'; it must be 'mean', 'sum' or 'none'")
    if margin <= 0:
        raise ValueError(f"{name}: margin is {margin}; it must be above 0")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise _C.ShapeError(
            f"{name}: anchor has shape {anchor.shape}, positive {positive.shape} and negative {negative.shape}; they must have "
            "equally many dimensions"
        )
    distance = distance_function or _F.pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _C.minimum(far, distance(positive, negative))
    return _reduced(name, _C.clamp(margin + near - far, min=0), reduction)


@named
def gumbel_softmax(
    logits: Tensor,
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
) -> Tensor:
    """A sample of the Gumbel-softmax distribution, softmax((logits + noise) / tau) along `dim` (Jang et al. 2017, Maddison et al.
    2017). With `hard` it is one-hot, and its gradient that of the soft sample. `eps` plays no part, as in PyTorch. Raises
    DTypeError.

    >>> luge.nn.functional.gumbel_softmax(luge.zeros(2, 3), hard=True).sum(-1)
    tensor([1., 1.])
    """
    if not logits.dtype.is_floating_point:
        raise _C.DTypeError(f"gumbel_softmax: logits are {logits.dtype}; allowed are the floating dtypes")
    uniform = _C.rand(*logits.shape, dtype=_C.float32, device=logits.device)
    exponential = -_C.log1p(-uniform)
    noise = -_C.log(exponential.clamp(min=2.0**-126)).to(logits.dtype)
    soft = _C.softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.detach().argmax(dim, True)
    one_hot = _C.zeros_like(soft).scatter(dim, index, 1.0)
    return one_hot - soft.detach() + soft
