"""Functions that rearrange arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _C
from .._C import Tensor
from ._creation import shape_of
from ._dtypes import result_type

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat", "reshape", "roll",
    "squeeze", "stack", "take", "take_along_axis", "tile", "unstack",
]  # fmt: skip


def axis_of(call: str, axis: int, ndim: int) -> int:
    """Counted from the first. Raises IndexError outside."""
    if not -ndim <= axis < ndim:
        raise IndexError(f"{call}: axis is {axis}; the array has {ndim} dimensions")
    return axis % ndim


def axes_of(call: str, axis: int | Sequence[int] | None, ndim: int) -> list[int]:
    """Counted from the first, None for all. Raises ValueError where one is there twice."""
    if axis is None:
        return list(range(ndim))
    found = [axis_of(call, one, ndim) for one in ([axis] if isinstance(axis, int) else axis)]
    if len(set(found)) != len(found):
        raise ValueError(f"{call}: axis {axis} names a dimension twice")
    return found


def broadcast_shape(call: str, *shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that shapes have together. Raises ValueError where they do not fit."""
    longest = max((len(shape) for shape in shapes), default=0)
    result = []
    for place in range(-longest, 0):
        sizes = {shape[place] for shape in shapes if len(shape) >= -place} - {1}
        if len(sizes) > 1:
            raise ValueError(f"{call}: the shapes {', '.join(str(tuple(shape)) for shape in shapes)} do not fit together")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """The arrays with the shape that they have together.

    >>> [x.shape for x in luge.array_api.broadcast_arrays(luge.ones(2, 1), luge.ones(3))]
    [(2, 3), (2, 3)]
    """
    shape = broadcast_shape("broadcast_arrays", *(array.shape for array in arrays))
    return tuple(array.expand(shape) for array in arrays)


def broadcast_to(x: Tensor, /, shape: Sequence[int]) -> Tensor:
    """The array with another shape: dimensions of size 1 repeat, new ones stand in front.

    >>> luge.array_api.broadcast_to(luge.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return x.expand(shape_of(shape))


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Joins arrays along a dimension, flattened ones with None.

    >>> luge.array_api.concat([luge.tensor([1]), luge.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    if not arrays:
        raise ValueError("concat: no arrays are given; at least one is needed")
    dtype = result_type(*arrays)
    parts = [array.to(dtype) for array in arrays]
    if axis is None:
        return _C.cat([part.reshape(-1) for part in parts], 0)
    return _C.cat(parts, axis_of("concat", axis, parts[0].ndim))


def expand_dims(x: Tensor, /, axis: int = 0) -> Tensor:
    """The array with a new dimension of size 1.

    >>> luge.array_api.expand_dims(luge.ones(2), axis=-1).shape
    (2, 1)
    """
    return x.unsqueeze(axis)


def flip(x: Tensor, /, *, axis: int | Sequence[int] | None = None) -> Tensor:
    """The elements in reverse order along some dimensions.

    >>> luge.array_api.flip(luge.tensor([1, 2]))
    tensor([2, 1])
    """
    for one in axes_of("flip", axis, x.ndim):
        order = x.shape[one] - 1 - _C.arange(x.shape[one], device=x.device)
        x = _C.index_select(x, one, order)
    return x.clone() if x.ndim == 0 else x


def moveaxis(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int], /) -> Tensor:
    """The array with some dimensions at other places; the rest stays in order.

    >>> luge.array_api.moveaxis(luge.ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    old, new = axes_of("moveaxis", source, x.ndim), axes_of("moveaxis", destination, x.ndim)
    if len(old) != len(new):
        raise ValueError(f"moveaxis: source has {len(old)} dimensions and destination {len(new)}")
    order = [one for one in range(x.ndim) if one not in old]
    for place, one in sorted(zip(new, old)):
        order.insert(place, one)
    return x.permute(order)


def permute_dims(x: Tensor, /, axes: Sequence[int]) -> Tensor:
    """The array with its dimensions in another order.

    >>> luge.array_api.permute_dims(luge.ones(2, 3), (1, 0)).shape
    (3, 2)
    """
    return x.permute(tuple(axes))


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Each element, or each slice along a dimension, some times.

    >>> luge.array_api.repeat(luge.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis_of("repeat", axis, x.ndim)
    size = x.shape[axis]
    counts = [repeats] * size if isinstance(repeats, int) else repeats.expand((size,)).tolist()
    places = [place for place, count in enumerate(counts) for _ in range(count)]
    return _C.index_select(x, axis, _C.tensor(places, dtype=_C.int64, device=x.device))


def reshape(x: Tensor, /, shape: Sequence[int], *, copy: bool | None = None) -> Tensor:
    """The elements in another shape; one size may be -1. With `copy=False` a ValueError is raised where memory would be copied.

    >>> luge.array_api.reshape(luge.tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1, 2],
            [3, 4]])
    """
    made = x.reshape(shape_of(shape))
    if copy:
        return made.clone()
    if copy is False and x.numel() and made.data_ptr() != x.data_ptr():
        raise ValueError("reshape: copy is False, and this shape needs a copy")
    return made


def roll(x: Tensor, /, shift: int | Sequence[int], *, axis: int | Sequence[int] | None = None) -> Tensor:
    """The elements moved along dimensions, those beyond the end to the beginning.

    >>> luge.array_api.roll(luge.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    if axis is None:
        return roll(x.reshape(-1), shift, axis=0).reshape(x.shape)
    axes = [axis] if isinstance(axis, int) else list(axis)
    shifts = [shift] * len(axes) if isinstance(shift, int) else list(shift)
    if len(axes) != len(shifts):
        raise ValueError(f"roll: shift has {len(shifts)} numbers and axis {len(axes)}")
    for one, by in zip(axes, shifts):
        one = axis_of("roll", one, x.ndim)
        size = x.shape[one]
        by = by % size if size else 0
        x = _C.cat([x.narrow(one, size - by, by), x.narrow(one, 0, size - by)], one)
    return x


def squeeze(x: Tensor, /, axis: int | Sequence[int]) -> Tensor:
    """The array without some dimensions of size 1. Raises ValueError for others.

    >>> luge.array_api.squeeze(luge.ones(1, 2), 0).shape
    (2,)
    """
    axes = axes_of("squeeze", axis, x.ndim)
    for one in axes:
        if x.shape[one] != 1:
            raise ValueError(f"squeeze: dimension {one} has size {x.shape[one]}; it must be 1")
    return x.reshape([size for place, size in enumerate(x.shape) if place not in axes])


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Joins arrays along a new dimension.

    >>> luge.array_api.stack([luge.tensor([1]), luge.tensor([2])])
    tensor([[1],
            [2]])
    """
    if not arrays:
        raise ValueError("stack: no arrays are given; at least one is needed")
    dtype = result_type(*arrays)
    return _C.stack([array.to(dtype) for array in arrays], axis)


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices along a dimension at some places; negative ones count from the end.

    >>> luge.array_api.take(luge.tensor([5, 6, 7]), luge.tensor([2, 0]))
    tensor([7, 5])
    """
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: axis is missing; an array of {x.ndim} dimensions needs one")
        axis = 0
    axis = axis_of("take", axis, x.ndim)
    places = _C.where(indices < 0, indices + x.shape[axis], indices)
    return _C.index_select(x, axis, places)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The elements along a dimension at some places; all other dimensions are broadcast.

    >>> luge.array_api.take_along_axis(luge.tensor([[5, 6], [7, 8]]), luge.tensor([[1], [0]]))
    tensor([[6],
            [7]])
    """
    axis = axis_of("take_along_axis", axis, x.ndim)
    if indices.ndim != x.ndim:
        raise ValueError(f"take_along_axis: indices have {indices.ndim} dimensions and the array {x.ndim}")
    others = [one.shape[:axis] + (1,) + one.shape[axis + 1 :] for one in (x, indices)]
    shape = broadcast_shape("take_along_axis", *others)
    sizes = [(*shape[:axis], one.shape[axis], *shape[axis + 1 :]) for one in (x, indices)]
    places = _C.where(indices < 0, indices + x.shape[axis], indices)
    return _C.gather(x.expand(sizes[0]), axis, places.expand(sizes[1]))


def tile(x: Tensor, repetitions: Sequence[int], /) -> Tensor:
    """The array beside itself, so many times along each dimension.

    >>> luge.array_api.tile(luge.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    counts = shape_of(repetitions)
    x = x.reshape((1,) * max(0, len(counts) - x.ndim) + tuple(x.shape))
    counts = (1,) * (x.ndim - len(counts)) + counts
    inside: list[Any] = []
    for count, size in zip(counts, x.shape):
        inside += [count, size]
    spread = x.reshape([one for size in x.shape for one in (1, size)]).expand(inside)
    return spread.clone().reshape([count * size for count, size in zip(counts, x.shape)])


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension.

    >>> luge.array_api.unstack(luge.tensor([1, 2]))
    (tensor(1), tensor(2))
    """
    axis = axis_of("unstack", axis, x.ndim)
    return tuple(x.select(axis, place) for place in range(x.shape[axis]))
