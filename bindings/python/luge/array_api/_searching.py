"""Functions that sort, search and find what is there once."""

from __future__ import annotations

from typing import NamedTuple

from .. import _C
from .._C import Tensor
from ._dtypes import Number, together
from ._manipulation import axis_of

__all__ = [
    "argsort", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts", "unique_inverse", "unique_values", "where",
]  # fmt: skip


class UniqueAll(NamedTuple):
    """What unique_all() gives."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What unique_counts() gives."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What unique_inverse() gives."""

    values: Tensor
    inverse_indices: Tensor


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places of the elements in order along a dimension; equal ones stay in theirs. NaN counts as the largest.

    >>> luge.array_api.argsort(luge.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    return _C.argsort(x, axis_of("argsort", axis, x.ndim), descending, stable)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along a dimension. NaN counts as the largest.

    >>> luge.array_api.sort(luge.tensor([3, 1, 2]), descending=True)
    tensor([3, 2, 1])
    """
    return _C.sort(x, axis_of("sort", axis, x.ndim), descending, stable).values


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The places of the elements that are not zero: an array for each dimension. Reads values on the host.

    >>> luge.array_api.nonzero(luge.tensor([[0, 1], [2, 0]]))
    (tensor([0, 1]), tensor([1, 0]))
    """
    if x.ndim == 0:
        raise ValueError("nonzero: the array is 0-d; it must have a dimension")
    flat = (x != 0).reshape(-1)
    places = _C.arange(flat.numel(), device=x.device)[flat]
    found = []
    for size in reversed(x.shape):
        whole = _floor_divided(places, size)
        found.append(places - whole * size)
        places = whole
    return tuple(reversed(found))


def _floor_divided(places: Tensor, size: int) -> Tensor:
    return _C.floor_divide(places, size) if size else places


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where the elements of x2 belong in x1, which is sorted, or becomes so in the order of `sorter`: before equal ones
    ("left") or behind them ("right").

    >>> luge.array_api.searchsorted(luge.tensor([1, 3, 5]), luge.tensor([3, 4]))
    tensor([1, 2])
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side is '{side}'; it must be 'left' or 'right'")
    if x1.ndim != 1:
        raise ValueError(f"searchsorted: x1 has {x1.ndim} dimensions; it must have one")
    ordered = x1 if sorter is None else _C.index_select(x1, 0, sorter)
    a, b = together(ordered, x2)
    return _C.searchsorted(a, b, right=side == "right")


def _unique(x: Tensor) -> UniqueAll:
    flat = x.reshape(-1)
    ordered, places = _C.sort(flat, 0, False, True)
    count = flat.numel()
    if count == 0:
        none = _C.zeros((0,), dtype=_C.int64, device=x.device)
        return UniqueAll(flat.clone(), none, none.reshape(x.shape), none)
    first = _C.cat([_C.ones((1,), dtype=_C.bool_, device=x.device), ordered[1:] != ordered[:-1]])
    starts = _C.arange(count, device=x.device)[first]
    ends = _C.cat([starts[1:], _C.full((1,), count, dtype=_C.int64, device=x.device)])
    ranks = _C.cumsum(first.to(_C.int64), 0) - 1
    inverse = _C.index_copy(_C.zeros_like(ranks), 0, places, ranks)
    values = _C.index_select(ordered, 0, starts)
    return UniqueAll(values, _C.index_select(places, 0, starts), inverse.reshape(x.shape), ends - starts)


def unique_all(x: Tensor, /) -> UniqueAll:
    """What is there, in order, each once: values, where each is first, which of them each element is, and how many there are.
    NaNs are different from each other. Reads values on the host, as all of these.

    >>> luge.array_api.unique_all(luge.tensor([2, 1, 2])).counts
    tensor([1, 2])
    """
    return _unique(x)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """The values, and how many there are of each.

    >>> luge.array_api.unique_counts(luge.tensor([2, 1, 2])).counts
    tensor([1, 2])
    """
    found = _unique(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """The values, and which of them each element is.

    >>> luge.array_api.unique_inverse(luge.tensor([2, 1, 2])).inverse_indices
    tensor([1, 0, 1])
    """
    found = _unique(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Tensor, /) -> Tensor:
    """The values.

    >>> luge.array_api.unique_values(luge.tensor([2, 1, 2]))
    tensor([1, 2])
    """
    return _unique(x).values


def where(condition: Tensor, x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 where the condition is true, x2 elsewhere.

    >>> luge.array_api.where(luge.tensor([True, False]), luge.tensor([1, 2]), 0)
    tensor([1, 0])
    """
    a, b = together(x1, x2)
    return _C.where(condition, a, b)
