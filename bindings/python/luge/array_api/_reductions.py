"""Sums, extremes, moments and their kin."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _C
from .._C import Tensor
from ._dtypes import DType, is_floating, together
from ._manipulation import axes_of, axis_of

__all__ = [
    "all", "any", "argmax", "argmin", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod",
    "std", "sum", "var",
]  # fmt: skip


def _rows(call: str, x: Tensor, axis: int | Sequence[int] | None) -> tuple[Tensor, list[int]]:
    """(the array with the reduced dimensions as one, the last; their numbers)."""
    axes = axes_of(call, axis, x.ndim)
    kept = [one for one in range(x.ndim) if one not in axes]
    count = 1
    for one in axes:
        count *= x.shape[one]
    return x.permute([*kept, *axes]).reshape([*(x.shape[one] for one in kept), count]), axes


def _shaped(result: Tensor, x: Tensor, axes: list[int], keepdims: bool) -> Tensor:
    if not keepdims:
        return result
    return result.reshape([1 if place in axes else size for place, size in enumerate(x.shape)])


def _summed_dtype(x: Tensor, dtype: DType | None) -> DType:
    return dtype or (x.dtype if is_floating(x.dtype) else _C.int64)


def all(x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are not zero; true where there are none.

    >>> luge.array_api.all(luge.tensor([[1, 0], [1, 1]]), axis=1)
    tensor([False,  True])
    """
    rows, axes = _rows("all", x, axis)
    return _shaped((rows == 0).sum(-1) == 0, x, axes, keepdims)


def any(x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """Whether an element is not zero; false where there are none.

    >>> luge.array_api.any(luge.tensor([[1, 0], [0, 0]]), axis=1)
    tensor([ True, False])
    """
    rows, axes = _rows("any", x, axis)
    return _shaped((rows != 0).sum(-1) > 0, x, axes, keepdims)


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the first largest element.

    >>> luge.array_api.argmax(luge.tensor([3, 9, 9]))
    tensor(1)
    """
    rows, axes = _rows("argmax", x, axis)
    return _shaped(_C.argmax(rows, -1), x, axes, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the first smallest element.

    >>> luge.array_api.argmin(luge.tensor([3, 1, 1]))
    tensor(1)
    """
    rows, axes = _rows("argmin", x, axis)
    return _shaped(_C.argmin(rows, -1), x, axes, keepdims)


def count_nonzero(x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero.

    >>> luge.array_api.count_nonzero(luge.tensor([3, 0, 1]))
    tensor(2)
    """
    rows, axes = _rows("count_nonzero", x, axis)
    return _shaped((rows != 0).sum(-1), x, axes, keepdims)


def _along(call: str, x: Tensor, axis: int | None) -> int:
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"{call}: axis is missing; an array of {x.ndim} dimensions needs one")
        return 0
    return axis_of(call, axis, x.ndim)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Tensor:
    """The sums of the elements up to each; with `include_initial` those before each and of all.

    >>> luge.array_api.cumulative_sum(luge.tensor([1, 2, 3]), include_initial=True)
    tensor([0, 1, 3, 6])
    """
    axis = _along("cumulative_sum", x, axis)
    wanted = _summed_dtype(x, dtype)
    result = _C.cumsum(x.to(wanted), axis).to(wanted)
    if not include_initial:
        return result
    first = [1 if place == axis else size for place, size in enumerate(x.shape)]
    return _C.cat([_C.zeros(first, dtype=wanted, device=x.device), result], axis)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False
) -> Tensor:
    """The products of the elements up to each; with `include_initial` those before each and of all.

    >>> luge.array_api.cumulative_prod(luge.tensor([1, 2, 3]), include_initial=True)
    tensor([1, 1, 2, 6])
    """
    axis = _along("cumulative_prod", x, axis)
    wanted = _summed_dtype(x, dtype)
    result = _C.cumprod(x.to(wanted), axis).to(wanted)
    if not include_initial:
        return result
    first = [1 if place == axis else size for place, size in enumerate(x.shape)]
    return _C.cat([_C.ones(first, dtype=wanted, device=x.device), result], axis)


def diff(x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The differences of neighbours along a dimension, n times over.

    >>> luge.array_api.diff(luge.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    axis = axis_of("diff", axis, x.ndim)
    if n < 0:
        raise ValueError(f"diff: n is {n}; it must be 0 or more")
    if n == 0:
        return x.clone()
    parts = together(*[part for part in (prepend, x, append) if part is not None])
    x = _C.cat(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        size = x.shape[axis]
        if size == 0:
            return x.clone()
        after, before = x.narrow(axis, 1, size - 1), x.narrow(axis, 0, size - 1)
        x = _C.ne(after, before) if x.dtype == _C.bool_ else after - before
    return x


def max(x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """The largest element; NaN where there is one.

    >>> luge.array_api.max(luge.tensor([[1, 5], [7, 2]]), axis=1)
    tensor([5, 7])
    """
    rows, axes = _rows("max", x, axis)
    return _shaped(_C.amax(rows, -1), x, axes, keepdims)


def min(x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """The smallest element; NaN where there is one.

    >>> luge.array_api.min(luge.tensor([[1, 5], [7, 2]]), axis=1)
    tensor([1, 2])
    """
    rows, axes = _rows("min", x, axis)
    return _shaped(_C.amin(rows, -1), x, axes, keepdims)


def mean(x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
    """The mean.

    >>> luge.array_api.mean(luge.tensor([1.0, 2.0]))
    tensor(1.5000)
    """
    rows, axes = _rows("mean", x, axis)
    return _shaped(_C.mean(rows, -1), x, axes, keepdims)


def prod(
    x: Tensor, /, *, axis: int | Sequence[int] | None = None, dtype: DType | None = None, keepdims: bool = False
) -> Tensor:
    """The product; int64 of integers, unless `dtype` says otherwise.

    >>> luge.array_api.prod(luge.tensor([2, 3, 4]))
    tensor(24)
    """
    wanted = _summed_dtype(x, dtype)
    rows, axes = _rows("prod", x.to(wanted), axis)
    return _shaped(_C.prod(rows, -1).to(wanted), x, axes, keepdims)


def std(
    x: Tensor, /, *, axis: int | Sequence[int] | None = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The standard deviation: the root of var().

    >>> luge.array_api.std(luge.tensor([1.0, 3.0]))
    tensor(1.)
    """
    rows, axes = _rows("std", x, axis)
    return _shaped(_C.std(rows, -1, correction=correction), x, axes, keepdims)


def sum(
    x: Tensor, /, *, axis: int | Sequence[int] | None = None, dtype: DType | None = None, keepdims: bool = False
) -> Tensor:
    """The sum; int64 of integers, unless `dtype` says otherwise.

    >>> luge.array_api.sum(luge.tensor([[1, 2], [3, 4]]), axis=0)
    tensor([4, 6])
    """
    wanted = _summed_dtype(x, dtype)
    rows, axes = _rows("sum", x.to(wanted), axis)
    return _shaped(_C.sum(rows, -1).to(wanted), x, axes, keepdims)


def var(
    x: Tensor, /, *, axis: int | Sequence[int] | None = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The variance: squared distances from the mean over n - `correction`.

    >>> luge.array_api.var(luge.tensor([1.0, 3.0]))
    tensor(1.)
    """
    rows, axes = _rows("var", x, axis)
    return _shaped(_C.var(rows, -1, correction=correction), x, axes, keepdims)
