"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from .. import _C
from .._C import Tensor
from ._dtypes import is_floating, together
from ._manipulation import axes_of, axis_of, broadcast_shape

__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot"]

_Axes = Union[int, "tuple[Sequence[int], Sequence[int]]"]


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Of matrices (..., n, k) and (..., k, m). Integers are multiplied without the libraries of floating numbers."""
    if is_floating(a.dtype):
        return _C.matmul(a, b)
    return (a.unsqueeze(-1) * b.unsqueeze(-3)).sum(-2).to(a.dtype)


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The product of matrices, or of vectors with them.

    >>> luge.array_api.matmul(luge.tensor([[1, 2], [3, 4]]), luge.tensor([1, 1]))
    tensor([3, 7])
    """
    a, b = together(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: the arrays have {a.ndim} and {b.ndim} dimensions; both need one or more")
    rows, columns = a.ndim > 1, b.ndim > 1
    a, b = a if rows else a.unsqueeze(0), b if columns else b.unsqueeze(1)
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: the shapes are {x1.shape} and {x2.shape}; the inner sizes must be equal")
    result = _product(a, b)
    result = result if columns else result.squeeze(-1)
    return result if rows else result.squeeze(-2 if columns else -1)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The array with its last two dimensions exchanged.

    >>> luge.array_api.matrix_transpose(luge.ones(2, 3)).shape
    (3, 2)
    """
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: the array has {x.ndim} dimensions; it must have two or more")
    return x.mT


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: _Axes = 2) -> Tensor:
    """The sum of products over some dimensions of both: the last of x1 and the first of x2, or two lists of them.

    >>> luge.array_api.tensordot(luge.ones(2, 3), luge.ones(3, 4), axes=1).shape
    (2, 4)
    """
    a, b = together(x1, x2)
    if isinstance(axes, int):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ValueError(f"tensordot: axes is {axes}; the arrays have {a.ndim} and {b.ndim} dimensions")
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = axes_of("tensordot", axes[0], a.ndim), axes_of("tensordot", axes[1], b.ndim)
    sizes = [a.shape[one] for one in left]
    if sizes != [b.shape[one] for one in right]:
        raise ValueError(f"tensordot: the shapes are {a.shape} and {b.shape}; the sizes along {left} and {right} must be equal")
    rows = [one for one in range(a.ndim) if one not in left]
    columns = [one for one in range(b.ndim) if one not in right]
    count = 1
    for size in sizes:
        count *= size
    outer = [a.shape[one] for one in rows], [b.shape[one] for one in columns]
    height, width = (int(_size(shape)) for shape in outer)
    first = a.permute([*rows, *left]).reshape((height, count))
    second = b.permute([*right, *columns]).reshape((count, width))
    return _product(first, second).reshape([*outer[0], *outer[1]])


def _size(shape: Sequence[int]) -> int:
    count = 1
    for one in shape:
        count *= one
    return count


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sum of products along a dimension, counted from the last; all others are broadcast.

    >>> luge.array_api.vecdot(luge.tensor([1, 2]), luge.tensor([3, 4]))
    tensor(11)
    """
    a, b = together(x1, x2)
    if axis >= 0:
        raise ValueError(f"vecdot: axis is {axis}; it must be negative")
    first, second = axis_of("vecdot", axis, a.ndim), axis_of("vecdot", axis, b.ndim)
    if a.shape[first] != b.shape[second]:
        raise ValueError(f"vecdot: the shapes are {a.shape} and {b.shape}; the sizes along {axis} must be equal")
    shape = broadcast_shape("vecdot", a.shape, b.shape)
    return (a.expand(shape) * b.expand(shape)).sum(axis).to(a.dtype)
