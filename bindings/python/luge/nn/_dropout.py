"""What the layers and functions of dropout have in common."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from .._numbers import probability
from ._named import named


def dropped(
    input: Tensor,
    name: str,
    kind: str,
    dims: tuple[int, ...],
    p: float,
    training: bool,
    inplace: bool = False,
    sets: tuple[int, int] | None = None,
) -> Tensor:
    """Dropout of this kind. `dims` are the allowed numbers of dimensions; with two of them the smaller is without a batch.
    `sets`: how many, and the number of the first; x's first dimension is theirs if it is as large."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: input is of type {type(input).__name__}; it must be a tensor")
    probability(name, "p", p)
    ndim = input.ndim
    first_set = None
    if sets is not None and ndim > 0 and input.shape[0] == sets[0] and not (dims and ndim <= min(dims)):
        first_set, ndim = sets[1], ndim - 1
    if kind.startswith("feature") and (ndim < 2 or (dims == (2, 3) and ndim > 3)):
        allowed = " or ".join(map(str, dims)) if dims else "2 or more"
        raise _C.ShapeError(f"{name}: input has shape {input.shape}; it must have {allowed} dimensions")
    if len(dims) == 2 and ndim == dims[0]:  # one sample
        at = 0 if first_set is None else 1
        result = _C._dropout(input.unsqueeze(at), kind, p, training, inplace, first_set)
        return input if inplace else result.squeeze(at)
    return _C._dropout(input, kind, p, training, inplace, first_set)


@named
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element with probability `p` 0, else x / (1 - p); x itself unless `training`. `inplace` overwrites x. Raises
    ValueError for a p outside [0, 1], DTypeError for integers.

    >>> luge.nn.functional.dropout(luge.ones(2), training=False)
    tensor([1., 1.])
    """
    return dropped(input, "dropout", "dropout", (), p, training, inplace)


@named
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """dropout of whole channels of (batch, channels, length) or (channels, length). Raises ShapeError for other shapes.

    >>> luge.nn.functional.dropout1d(luge.ones(1, 1, 2), 1.0)
    tensor([[[0., 0.]]])
    """
    return dropped(input, "dropout1d", "feature_dropout", (2, 3), p, training, inplace)


@named
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """dropout of whole channels of (batch, channels, height, width), or of (batch, channels, length), as in PyTorch. Raises
    ShapeError for fewer than two dimensions.

    >>> luge.nn.functional.dropout2d(luge.ones(1, 1, 1, 2), 1.0)
    tensor([[[[0., 0.]]]])
    """
    return dropped(input, "dropout2d", "feature_dropout", (4,), p, training, inplace)


@named
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """dropout of whole channels of (batch, channels, depth, height, width), or without the batch. Raises ShapeError for fewer
    than two dimensions.

    >>> luge.nn.functional.dropout3d(luge.ones(1, 1, 1, 2), 1.0)
    tensor([[[[0., 0.]]]])
    """
    return dropped(input, "dropout3d", "feature_dropout", (4, 5), p, training, inplace)


@named
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """dropout that keeps mean 0 and variance 1 of what selu gives; see dropout.

    >>> luge.nn.functional.alpha_dropout(luge.ones(2))
    tensor([1., 1.])
    """
    return dropped(input, "alpha_dropout", "alpha_dropout", (), p, training, inplace)


@named
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels of (batch, channels, ...). Raises ShapeError for fewer than two dimensions.

    >>> luge.nn.functional.feature_alpha_dropout(luge.ones(1, 2))
    tensor([[1., 1.]])
    """
    return dropped(
        input,
        "feature_alpha_dropout",
        "feature_alpha_dropout",
        (),
        p,
        training,
        inplace,
    )
