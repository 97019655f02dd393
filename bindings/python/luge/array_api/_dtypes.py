"""Element types: the standard's promotion, limits and kinds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Union

from .. import _C
from .._C import Tensor

__all__ = ["astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

DType = _C.dtype
Number = Union[bool, int, float]

SIGNED = (_C.int8, _C.int16, _C.int32, _C.int64)
UNSIGNED = (_C.uint8,)
FLOATING = (_C.float16, _C.bfloat16, _C.float32, _C.float64)
KINDS: dict[str, tuple[DType, ...]] = {
    "bool": (_C.bool_,),
    "signed integer": SIGNED,
    "unsigned integer": UNSIGNED,
    "integral": SIGNED + UNSIGNED,
    "real floating": FLOATING,
    "complex floating": (),
    "numeric": SIGNED + UNSIGNED + FLOATING,
}
_BITS = {
    _C.bool_: 8, _C.int8: 8, _C.uint8: 8, _C.int16: 16, _C.int32: 32, _C.int64: 64, _C.float16: 16, _C.bfloat16: 16,
    _C.float32: 32, _C.float64: 64,
}  # fmt: skip


def is_floating(dtype: DType) -> bool:
    return dtype in FLOATING


def _promoted(a: DType, b: DType) -> DType:
    """Of two. Mixes that the standard leaves open are PyTorch's: bool below integers below floating ones."""
    if a == b:
        return a
    for kind in (FLOATING, SIGNED + UNSIGNED):
        inside = [dtype for dtype in (a, b) if dtype in kind]
        if len(inside) == 1:
            return inside[0]
        if inside:
            break
    if {a, b} == {_C.float16, _C.bfloat16}:
        return _C.float32
    if {a, b} == {_C.uint8, _C.int8}:
        return _C.int16
    return a if _BITS[a] > _BITS[b] or b == _C.uint8 else b


def _of_number(value: Number, others: DType | None) -> DType:
    """The dtype that a Python number takes beside an array's."""
    if isinstance(value, bool):
        return _C.bool_ if others is None else others
    if isinstance(value, int):
        return others if others is not None and others != _C.bool_ else _C.int64
    return others if others is not None and is_floating(others) else _C.float32


def result_type(*arrays_and_dtypes: Tensor | DType | Number) -> DType:
    """The dtype that arrays, dtypes and Python numbers have together. 0-d arrays count as any other array does.

    >>> luge.array_api.result_type(luge.int8, luge.uint8)
    luge.int16
    >>> luge.array_api.result_type(luge.ones(2, dtype=luge.float64), 1)
    luge.float64
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type: nothing is given; at least one array or dtype is needed")
    found: DType | None = None
    numbers: list[Number] = []
    for one in arrays_and_dtypes:
        if isinstance(one, (bool, int, float)):
            numbers.append(one)
            continue
        dtype = one.dtype if isinstance(one, Tensor) else one
        if not isinstance(dtype, DType):
            raise TypeError(f"result_type: an argument is of type {type(one).__name__}; it must be an array, a dtype or a number")
        found = dtype if found is None else _promoted(found, dtype)
    for number in numbers:
        found = _of_number(number, found)
    assert found is not None
    return found


def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """The array with another dtype; itself, where it has that already and `copy` is False.

    >>> luge.array_api.astype(luge.tensor([1.5, 2.5]), luge.int64)
    tensor([1, 2])
    """
    moved = x if device is None else x.to(device)
    return moved.clone() if copy and moved.dtype == dtype and moved is x else moved.to(dtype)


def can_cast(from_: DType | Tensor, to: DType, /) -> bool:
    """Whether promotion leads from the first dtype to the second.

    >>> luge.array_api.can_cast(luge.int8, luge.int32), luge.array_api.can_cast(luge.int32, luge.int8)
    (True, False)
    """
    dtype = from_.dtype if isinstance(from_, Tensor) else from_
    same_kind = any(dtype in KINDS[kind] and to in KINDS[kind] for kind in ("bool", "integral", "real floating"))
    return same_kind and _promoted(dtype, to) == to


@dataclass(frozen=True)
class FloatLimits:
    """What finfo says; numbers are Python's."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerLimits:
    """What iinfo says."""

    bits: int
    max: int
    min: int
    dtype: DType


#: Of the significand, without the leading one; the largest exponent.
_FORMATS = {_C.float16: (10, 15), _C.bfloat16: (7, 127), _C.float32: (23, 127), _C.float64: (52, 1023)}


def finfo(type: DType | Tensor, /) -> FloatLimits:
    """The limits of a floating dtype. Raises TypeError for other ones.

    >>> luge.array_api.finfo(luge.float32).eps
    1.1920928955078125e-07
    """
    dtype = type.dtype if isinstance(type, Tensor) else type
    if dtype not in _FORMATS:
        raise TypeError(f"finfo: the dtype is {dtype}; it must be floating")
    digits, exponent = _FORMATS[dtype]
    largest = math.ldexp(2 - math.ldexp(1.0, -digits), exponent)
    return FloatLimits(_BITS[dtype], math.ldexp(1.0, -digits), largest, -largest, math.ldexp(1.0, 1 - exponent), dtype)


def iinfo(type: DType | Tensor, /) -> IntegerLimits:
    """The limits of an integer dtype. Raises TypeError for other ones.

    >>> luge.array_api.iinfo(luge.int8).max
    127
    """
    dtype = type.dtype if isinstance(type, Tensor) else type
    if dtype not in KINDS["integral"]:
        raise TypeError(f"iinfo: the dtype is {dtype}; it must be an integer one")
    bits = _BITS[dtype]
    if dtype in UNSIGNED:
        return IntegerLimits(bits, 2**bits - 1, 0, dtype)
    return IntegerLimits(bits, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), dtype)


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> bool:
    """Whether a dtype is this one, of this kind, or one of several: "bool", "signed integer", "unsigned integer", "integral",
    "real floating", "complex floating", "numeric".

    >>> luge.array_api.isdtype(luge.int8, "integral"), luge.array_api.isdtype(luge.int8, ("bool", luge.int16))
    (True, False)
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ValueError(f"isdtype: kind is '{kind}'; allowed are {', '.join(KINDS)}")
        return dtype in KINDS[kind]
    return dtype == kind


def together(*values: Tensor | Number) -> list[Tensor]:
    """Arrays of one dtype, numbers among them as 0-d arrays; at least one is an array."""
    dtype = result_type(*values)
    device = next((value.device for value in values if isinstance(value, Tensor)), None)
    return [
        value.to(dtype) if isinstance(value, Tensor) else _C.full((), value, dtype=dtype, device=device) for value in values
    ]
