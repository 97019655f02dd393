"""Functions of one array, element by element."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from ._dtypes import is_floating

__all__ = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "bitwise_invert", "ceil", "conj", "cos", "cosh", "exp",
    "expm1", "floor", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "logical_not", "negative",
    "positive", "real", "reciprocal", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh",
    "trunc",
]  # fmt: skip


def abs(x: Tensor, /) -> Tensor:
    """The absolute value.

    >>> luge.array_api.abs(luge.tensor([-1, 2]))
    tensor([1, 2])
    """
    return _C.abs(x)


def acos(x: Tensor, /) -> Tensor:
    """The angle in [0, pi] whose cosine is x.

    >>> luge.array_api.acos(luge.tensor([1.0]))
    tensor([0.])
    """
    return _C.acos(x)


def acosh(x: Tensor, /) -> Tensor:
    """The inverse of cosh; NaN below 1.

    >>> luge.array_api.acosh(luge.tensor([1.0]))
    tensor([0.])
    """
    return _C.acosh(x)


def asin(x: Tensor, /) -> Tensor:
    """The angle in [-pi/2, pi/2] whose sine is x.

    >>> luge.array_api.asin(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.asin(x)


def asinh(x: Tensor, /) -> Tensor:
    """The inverse of sinh.

    >>> luge.array_api.asinh(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.asinh(x)


def atan(x: Tensor, /) -> Tensor:
    """The angle in [-pi/2, pi/2] whose tangent is x.

    >>> luge.array_api.atan(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.atan(x)


def atanh(x: Tensor, /) -> Tensor:
    """The inverse of tanh; NaN outside [-1, 1].

    >>> luge.array_api.atanh(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.atanh(x)


def bitwise_invert(x: Tensor, /) -> Tensor:
    """Every bit the other way round.

    >>> luge.array_api.bitwise_invert(luge.tensor([0, 5]))
    tensor([-1, -6])
    """
    return _C.bitwise_not(x)


def ceil(x: Tensor, /) -> Tensor:
    """The least integer that is not less.

    >>> luge.array_api.ceil(luge.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
    """
    return _C.ceil(x) if is_floating(x.dtype) else x.clone()


def cos(x: Tensor, /) -> Tensor:
    """The cosine.

    >>> luge.array_api.cos(luge.tensor([0.0]))
    tensor([1.])
    """
    return _C.cos(x)


def cosh(x: Tensor, /) -> Tensor:
    """The hyperbolic cosine.

    >>> luge.array_api.cosh(luge.tensor([0.0]))
    tensor([1.])
    """
    return _C.cosh(x)


def exp(x: Tensor, /) -> Tensor:
    """The exponential function.

    >>> luge.array_api.exp(luge.tensor([0.0]))
    tensor([1.])
    """
    return _C.exp(x)


def expm1(x: Tensor, /) -> Tensor:
    """exp(x) - 1, exact near 0.

    >>> luge.array_api.expm1(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.expm1(x)


def floor(x: Tensor, /) -> Tensor:
    """The largest integer that is not greater.

    >>> luge.array_api.floor(luge.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
    """
    return _C.floor(x) if is_floating(x.dtype) else x.clone()


def isfinite(x: Tensor, /) -> Tensor:
    """Whether neither NaN nor infinite.

    >>> luge.array_api.isfinite(luge.tensor([1.0, float('inf')]))
    tensor([ True, False])
    """
    return _C.isfinite(x)


def isinf(x: Tensor, /) -> Tensor:
    """Whether infinite.

    >>> luge.array_api.isinf(luge.tensor([1.0, float('inf')]))
    tensor([False,  True])
    """
    return _C.isinf(x)


def isnan(x: Tensor, /) -> Tensor:
    """Whether NaN.

    >>> luge.array_api.isnan(luge.tensor([1.0, float('nan')]))
    tensor([False,  True])
    """
    return _C.isnan(x)


def log(x: Tensor, /) -> Tensor:
    """The natural logarithm.

    >>> luge.array_api.log(luge.tensor([1.0]))
    tensor([0.])
    """
    return _C.log(x)


def log1p(x: Tensor, /) -> Tensor:
    """log(1 + x), exact near 0.

    >>> luge.array_api.log1p(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.log1p(x)


def log2(x: Tensor, /) -> Tensor:
    """The logarithm to base 2.

    >>> luge.array_api.log2(luge.tensor([8.0]))
    tensor([3.])
    """
    return _C.log2(x)


def log10(x: Tensor, /) -> Tensor:
    """The logarithm to base 10.

    >>> luge.array_api.log10(luge.tensor([100.0]))
    tensor([2.])
    """
    return _C.log10(x)


def logical_not(x: Tensor, /) -> Tensor:
    """Whether zero.

    >>> luge.array_api.logical_not(luge.tensor([True, False]))
    tensor([False,  True])
    """
    return _C.logical_not(x)


def negative(x: Tensor, /) -> Tensor:
    """-x.

    >>> luge.array_api.negative(luge.tensor([1, -2]))
    tensor([-1,  2])
    """
    return _C.neg(x)


def reciprocal(x: Tensor, /) -> Tensor:
    """1 / x.

    >>> luge.array_api.reciprocal(luge.tensor([4.0]))
    tensor([0.2500])
    """
    return _C.reciprocal(x)


def round(x: Tensor, /) -> Tensor:
    """The nearest integer, the even one of two.

    >>> luge.array_api.round(luge.tensor([0.5, 1.5]))
    tensor([0., 2.])
    """
    return _C.round(x) if is_floating(x.dtype) else x.clone()


def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1; NaN of NaN.

    >>> luge.array_api.sign(luge.tensor([-3, 0, 2]))
    tensor([-1,  0,  1])
    """
    return _C.sign(x)


def signbit(x: Tensor, /) -> Tensor:
    """Whether the sign bit is set: of -0, too.

    >>> luge.array_api.signbit(luge.tensor([-0.0, 1.0]))
    tensor([ True, False])
    """
    return _C.signbit(x)


def sin(x: Tensor, /) -> Tensor:
    """The sine.

    >>> luge.array_api.sin(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.sin(x)


def sinh(x: Tensor, /) -> Tensor:
    """The hyperbolic sine.

    >>> luge.array_api.sinh(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.sinh(x)


def sqrt(x: Tensor, /) -> Tensor:
    """The square root.

    >>> luge.array_api.sqrt(luge.tensor([4.0]))
    tensor([2.])
    """
    return _C.sqrt(x)


def square(x: Tensor, /) -> Tensor:
    """x * x.

    >>> luge.array_api.square(luge.tensor([3]))
    tensor([9])
    """
    return _C.square(x)


def tan(x: Tensor, /) -> Tensor:
    """The tangent.

    >>> luge.array_api.tan(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.tan(x)


def tanh(x: Tensor, /) -> Tensor:
    """The hyperbolic tangent.

    >>> luge.array_api.tanh(luge.tensor([0.0]))
    tensor([0.])
    """
    return _C.tanh(x)


def trunc(x: Tensor, /) -> Tensor:
    """The nearest integer towards 0.

    >>> luge.array_api.trunc(luge.tensor([1.5, -1.5]))
    tensor([ 1., -1.])
    """
    return _C.trunc(x) if is_floating(x.dtype) else x.clone()


def conj(x: Tensor, /) -> Tensor:
    """The number itself: complex numbers are not supported.

    >>> luge.array_api.conj(luge.tensor([1.0]))
    tensor([1.])
    """
    return x.clone()


def positive(x: Tensor, /) -> Tensor:
    """+x: a copy.

    >>> luge.array_api.positive(luge.tensor([1.0]))
    tensor([1.])
    """
    return x.clone()


def real(x: Tensor, /) -> Tensor:
    """The number itself: complex numbers are not supported.

    >>> luge.array_api.real(luge.tensor([1.0]))
    tensor([1.])
    """
    return x.clone()
