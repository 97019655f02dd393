"""Functions of two arrays, or of an array and a number, element by element.

Both are promoted as the standard says: a 0-d array counts as any other one, unlike in luge itself.
"""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from ._dtypes import Number, finfo, is_floating, result_type, together

__all__ = [
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "clip",
    "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal",
    "logaddexp", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "nextafter", "not_equal",
    "pow", "remainder", "subtract",
]  # fmt: skip


def add(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 + x2.

    >>> luge.array_api.add(luge.tensor([1, 2]), 3)
    tensor([4, 5])
    """
    a, b = together(x1, x2)
    return _C.add(a, b)


def atan2(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """The angle of the point (x2, x1).

    >>> luge.array_api.atan2(luge.tensor([0.0]), luge.tensor([1.0]))
    tensor([0.])
    """
    a, b = together(x1, x2)
    return _C.atan2(a, b)


def bitwise_and(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Bits that both have.

    >>> luge.array_api.bitwise_and(luge.tensor([6]), 3)
    tensor([2])
    """
    a, b = together(x1, x2)
    return _C.bitwise_and(a, b)


def bitwise_left_shift(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Bits moved to the left.

    >>> luge.array_api.bitwise_left_shift(luge.tensor([1]), 3)
    tensor([8])
    """
    a, b = together(x1, x2)
    return _C.bitwise_left_shift(a, b)


def bitwise_or(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Bits that one has.

    >>> luge.array_api.bitwise_or(luge.tensor([6]), 3)
    tensor([7])
    """
    a, b = together(x1, x2)
    return _C.bitwise_or(a, b)


def bitwise_right_shift(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Bits moved to the right; the sign stays.

    >>> luge.array_api.bitwise_right_shift(luge.tensor([-8]), 1)
    tensor([-4])
    """
    a, b = together(x1, x2)
    return _C.bitwise_right_shift(a, b)


def bitwise_xor(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Bits that one alone has.

    >>> luge.array_api.bitwise_xor(luge.tensor([6]), 3)
    tensor([5])
    """
    a, b = together(x1, x2)
    return _C.bitwise_xor(a, b)


def copysign(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """The size of x1 with the sign of x2.

    >>> luge.array_api.copysign(luge.tensor([1.0]), luge.tensor([-0.0]))
    tensor([-1.])
    """
    a, b = together(x1, x2)
    return _C.copysign(a, b)


def divide(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 / x2.

    >>> luge.array_api.divide(luge.tensor([1.0]), 4.0)
    tensor([0.2500])
    """
    a, b = together(x1, x2)
    return _C.div(a, b)


def equal(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether equal.

    >>> luge.array_api.equal(luge.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    a, b = together(x1, x2)
    return _C.eq(a, b)


def floor_divide(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 / x2, rounded down.

    >>> luge.array_api.floor_divide(luge.tensor([-3]), 2)
    tensor([-2])
    """
    a, b = together(x1, x2)
    return _C.floor_divide(a, b)


def greater(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether x1 is greater.

    >>> luge.array_api.greater(luge.tensor([1, 3]), 2)
    tensor([False,  True])
    """
    a, b = together(x1, x2)
    return _C.gt(a, b)


def greater_equal(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether x1 is not less.

    >>> luge.array_api.greater_equal(luge.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    a, b = together(x1, x2)
    return _C.ge(a, b)


def hypot(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """The length of the vector (x1, x2).

    >>> luge.array_api.hypot(luge.tensor([3.0]), luge.tensor([4.0]))
    tensor([5.])
    """
    a, b = together(x1, x2)
    return _C.hypot(a, b)


def less(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether x1 is less.

    >>> luge.array_api.less(luge.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    a, b = together(x1, x2)
    return _C.lt(a, b)


def less_equal(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether x1 is not greater.

    >>> luge.array_api.less_equal(luge.tensor([1, 3]), 2)
    tensor([ True, False])
    """
    a, b = together(x1, x2)
    return _C.le(a, b)


def logaddexp(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """log(exp(x1) + exp(x2)).

    >>> luge.array_api.logaddexp(luge.tensor([1000.0]), luge.tensor([0.0]))
    tensor([1000.])
    """
    a, b = together(x1, x2)
    return _C.logaddexp(a, b)


def logical_and(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether both are not zero.

    >>> luge.array_api.logical_and(luge.tensor([True, False]), True)
    tensor([ True, False])
    """
    a, b = together(x1, x2)
    return _C.logical_and(a, b)


def logical_or(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether one is not zero.

    >>> luge.array_api.logical_or(luge.tensor([True, False]), False)
    tensor([ True, False])
    """
    a, b = together(x1, x2)
    return _C.logical_or(a, b)


def logical_xor(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether one alone is not zero.

    >>> luge.array_api.logical_xor(luge.tensor([True, False]), True)
    tensor([False,  True])
    """
    a, b = together(x1, x2)
    return _C.logical_xor(a, b)


def maximum(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """The larger of both; NaN where one is.

    >>> luge.array_api.maximum(luge.tensor([1, 3]), 2)
    tensor([2, 3])
    """
    a, b = together(x1, x2)
    return _C.maximum(a, b)


def minimum(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """The smaller of both; NaN where one is.

    >>> luge.array_api.minimum(luge.tensor([1, 3]), 2)
    tensor([1, 2])
    """
    a, b = together(x1, x2)
    return _C.minimum(a, b)


def multiply(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 * x2.

    >>> luge.array_api.multiply(luge.tensor([1, 2]), 3)
    tensor([3, 6])
    """
    a, b = together(x1, x2)
    return _C.mul(a, b)


def not_equal(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """Whether not equal.

    >>> luge.array_api.not_equal(luge.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    a, b = together(x1, x2)
    return _C.ne(a, b)


def pow(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 ** x2.

    >>> luge.array_api.pow(luge.tensor([3]), 2)
    tensor([9])
    """
    a, b = together(x1, x2)
    return _C.pow(a, b)


def remainder(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """What a floor division leaves; it has the sign of x2.

    >>> luge.array_api.remainder(luge.tensor([-3]), 2)
    tensor([1])
    """
    a, b = together(x1, x2)
    rest = _C.remainder(a, b)
    return _C.where(rest == 0, _C.copysign(rest, b), rest) if is_floating(rest.dtype) else rest


def subtract(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """x1 - x2.

    >>> luge.array_api.subtract(luge.tensor([1, 2]), 3)
    tensor([-2, -1])
    """
    a, b = together(x1, x2)
    return _C.sub(a, b)


def clip(x: Tensor, /, min: Tensor | Number | None = None, max: Tensor | Number | None = None) -> Tensor:
    """min(max(x, min), max), with the dtype of x.

    >>> luge.array_api.clip(luge.tensor([1, 5]), 2, 4)
    tensor([2, 4])
    """
    if min is None and max is None:
        return x.clone()
    bounds = [
        None if bound is None else bound if isinstance(bound, Tensor) else _C.full((), bound, dtype=result_type(bound, x))
        for bound in (min, max)
    ]
    low, high = (bound.to(x.device) if bound is not None else None for bound in bounds)
    return _C.clamp(x, low, high).to(x.dtype)


def nextafter(x1: Tensor | Number, x2: Tensor | Number, /) -> Tensor:
    """The number beside x1 in the direction of x2.

    The neighbours in round-to-nearest are Rump, Zimmermann, Boldo and Melquiond's.

    >>> luge.array_api.nextafter(luge.tensor([1.0]), luge.tensor([2.0])) - 1
    tensor([1.1921e-07])
    """
    a, b = together(x1, x2)
    limits = finfo(a.dtype)
    unit = limits.eps / 2
    least = limits.smallest_normal * limits.eps
    size = _C.abs(a)
    step = unit * (1 + 2 * unit) * size
    #: Below this the step itself would be rounded: it is computed of a scaled number.
    large = size >= least / unit / unit / 2
    scaled = (unit * (1 + 2 * unit)) * (size / unit)
    tiny = size < least / unit

    def neighbour(sign: int) -> Tensor:
        small = (a / unit + sign * scaled) * unit
        return _C.where(large, a + sign * step, _C.where(tiny, a + sign * least, small))

    up, down = neighbour(1), neighbour(-1)
    largest = _C.full((), limits.max, dtype=a.dtype, device=a.device)
    up = _C.where(a == -float("inf"), -largest, up)
    down = _C.where(a == float("inf"), largest, down)
    moved = _C.where(b > a, up, _C.where(b < a, down, b))
    return _C.where(_C.isnan(a), a, moved)
