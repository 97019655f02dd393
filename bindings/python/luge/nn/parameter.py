"""What is trained."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from ._leaves import ambient as _ambient
from ._leaves import in_arena as _in_arena
from ._leaves import plain as _plain


class _ParameterType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and _C._is_parameter(instance)


class Parameter(metaclass=_ParameterType):
    """A leaf of its own, with the values of `data`: what a Module takes for a parameter when it is assigned to it, with or
    without `requires_grad`. Every leaf that requires a gradient, or has required one, is an instance. Within nn.build_in one of
    a floating dtype lives in that arena, in its dtype; with sets every set has these values, (sets, ...).

    >>> luge.nn.Parameter(luge.zeros(2)).requires_grad
    True
    >>> isinstance(luge.zeros(2), luge.nn.Parameter)
    False
    """

    def __new__(cls, data: Tensor, requires_grad: bool = True) -> Tensor:  # type: ignore[misc]
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data is of type {type(data).__name__}; it must be a tensor")
        if _ambient and data.dtype.is_floating_point:
            return _in_arena(_ambient[-1], data.detach(), requires_grad)
        return _plain(data, requires_grad)
