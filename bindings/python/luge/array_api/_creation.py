"""Functions that make arrays."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from ._dtypes import DType, Number, is_floating, result_type

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid", "ones",
    "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip

_Shape = Any  # an int or a tuple of ints


def shape_of(shape: _Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: DType | None = None, device: Any = None
) -> Tensor:
    """Evenly spaced numbers from start to stop, the latter not included; none where stop lies before start.

    >>> luge.array_api.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ValueError("arange: step is 0; it must be another number")
    if dtype is None:
        dtype = _C.float32 if any(isinstance(one, float) for one in (start, stop, step)) else _C.int64
    if math.ceil((stop - start) / step) <= 0:
        return _C.empty((0,), dtype=dtype, device=device)
    return _C.arange(start, stop, step, dtype=dtype, device=device)


def asarray(obj: Any, /, *, dtype: DType | None = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """An array of a number, nested sequences, an array, or whatever offers the buffer protocol or DLPack. Floats become
    float32, ints int64. With `copy=True` it has memory of its own; with `copy=False` it has not, or a ValueError is raised.

    >>> luge.array_api.asarray([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(obj, (complex,)):
        raise TypeError("asarray: obj is complex; complex numbers are not supported")
    foreign = isinstance(obj, (bool, int, float, list, tuple, range))
    if copy is False and foreign:
        raise ValueError("asarray: copy is False, and a Python number or sequence has to be copied")
    made = _C.as_tensor(_nested(obj) if foreign else obj, dtype=dtype, device=device)
    if copy is False and isinstance(obj, Tensor) and made.data_ptr() != obj.data_ptr():
        raise ValueError("asarray: copy is False, and another dtype or device needs a copy")
    return made.clone() if copy and not foreign else made


def _nested(obj: Any) -> Any:
    """0-d arrays in sequences as numbers."""
    if isinstance(obj, (list, tuple, range)):
        return [_nested(one) for one in obj]
    return obj.tolist() if isinstance(obj, Tensor) else obj


def empty(shape: _Shape, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array whose elements are not set.

    >>> luge.array_api.empty((2, 3)).shape
    (2, 3)
    """
    return _C.empty(shape_of(shape), dtype=dtype, device=device)


def empty_like(x: Tensor, /, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of the same shape whose elements are not set.

    >>> luge.array_api.empty_like(luge.ones(2, 3)).shape
    (2, 3)
    """
    return _C.empty(x.shape, dtype=dtype or x.dtype, device=device or x.device)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Any = None) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere.

    >>> luge.array_api.eye(2, 3, k=1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    rows = _C.arange(n_rows, device=device).unsqueeze(1) + k
    columns = _C.arange(n_rows if n_cols is None else n_cols, device=device)
    return (rows == columns).to(dtype or _C.float32)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """An array that shares another library's memory through DLPack.

    >>> luge.array_api.from_dlpack(luge.ones(2))
    tensor([1., 1.])
    """
    made = _C.from_dlpack(x, copy=copy)
    return made if device is None else made.to(device)


def full(shape: _Shape, fill_value: Number, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of one number.

    >>> luge.array_api.full((2,), 7)
    tensor([7, 7])
    """
    return _C.full(shape_of(shape), fill_value, dtype=dtype or result_type(fill_value), device=device)


def full_like(x: Tensor, /, fill_value: Number, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of the same shape, of one number.

    >>> luge.array_api.full_like(luge.ones(2), 7)
    tensor([7., 7.])
    """
    return _C.full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x.device)


def linspace(
    start: float, stop: float, /, num: int, *, dtype: DType | None = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """`num` numbers from start to stop, the latter included with `endpoint`.

    >>> luge.array_api.linspace(0, 1, 4, endpoint=False)
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    dtype = dtype or _C.float32
    wide = dtype if is_floating(dtype) else _C.float64
    if endpoint:
        return _C.linspace(start, stop, num, dtype=wide, device=device).to(dtype)
    return _C.linspace(start, stop, num + 1, dtype=wide, device=device)[:num].to(dtype)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Grids of coordinates: arrays of one dimension, each along another dimension; with "xy" the first two change places.

    >>> [grid.tolist() for grid in luge.array_api.meshgrid(luge.tensor([1, 2]), luge.tensor([3, 4]))]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is '{indexing}'; it must be 'xy' or 'ij'")
    places = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        places[:2] = [1, 0]
    sizes = [0] * len(arrays)
    for place, array in zip(places, arrays):
        sizes[place] = array.numel()
    grids = []
    for place, array in zip(places, arrays):
        shape = [1] * len(arrays)
        shape[place] = array.numel()
        grids.append(array.reshape(shape).expand(sizes).clone())
    return tuple(grids)


def ones(shape: _Shape, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of ones.

    >>> luge.array_api.ones(2)
    tensor([1., 1.])
    """
    return _C.ones(shape_of(shape), dtype=dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of ones of the same shape.

    >>> luge.array_api.ones_like(luge.tensor([3, 4]))
    tensor([1, 1])
    """
    return _C.ones(x.shape, dtype=dtype or x.dtype, device=device or x.device)


def _triangle(x: Tensor, k: int, upper: bool, call: str) -> Tensor:
    if x.ndim < 2:
        raise ValueError(f"{call}: the array has shape {x.shape}; it must have two dimensions or more")
    rows = _C.arange(x.shape[-2], device=x.device).unsqueeze(1) + k
    columns = _C.arange(x.shape[-1], device=x.device)
    return _C.where(columns >= rows if upper else columns <= rows, x, _C.zeros((), dtype=x.dtype, device=x.device))


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The elements on the k-th diagonal and below, zeros elsewhere, of each matrix.

    >>> luge.array_api.tril(luge.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle(x, k, False, "tril")


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The elements on the k-th diagonal and above, zeros elsewhere, of each matrix.

    >>> luge.array_api.triu(luge.ones(2, 2), k=1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return _triangle(x, k, True, "triu")


def zeros(shape: _Shape, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of zeros.

    >>> luge.array_api.zeros(2)
    tensor([0., 0.])
    """
    return _C.zeros(shape_of(shape), dtype=dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """An array of zeros of the same shape.

    >>> luge.array_api.zeros_like(luge.tensor([3, 4]))
    tensor([0, 0])
    """
    return _C.zeros(x.shape, dtype=dtype or x.dtype, device=device or x.device)
