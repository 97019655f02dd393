"""What is trained, and the norm of its gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import _C
from .._C import Parameters, Tensor
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


def clip_grad_norm_(
    parameters: Parameters | Tensor | Iterable[Tensor],
    max_norm: float | Tensor,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients of these leaves so that their joint norm is at most `max_norm`; returns the norm before.

    Tensors without a gradient play no part, one that is given twice counts once. Parameters with sets are clipped set by
    set, by the 2-norm: `max_norm` may then be a tensor with one value for each set, and the norms are one. `foreach` changes
    nothing. Raises ValueError, and scales nothing, for a norm that is not finite, if that is asked for.

    >>> w = luge.nn.Parameter(luge.zeros(2))
    >>> (w * luge.tensor([3.0, 4.0])).sum().backward()
    >>> luge.nn.clip_grad_norm_([w], 1.0)
    tensor(5.)
    """
    plain = float(norm_type) == 2.0 and not error_if_nonfinite
    if isinstance(parameters, Parameters):
        if plain:
            return parameters.clip_grad_norm_(max_norm)
        if parameters.batched:
            raise ValueError("clip_grad_norm_: norm_type and error_if_nonfinite are given; parameters with sets have neither")
        parameters = parameters.tensors()
    leaves = [parameters] if isinstance(parameters, Tensor) else parameters
    if plain:
        return _C._clip_grad_norm_(leaves, max_norm)
    from .utils import clip_grads_with_norm_, get_total_norm

    unique = list({hash(leaf): leaf for leaf in leaves}.values())
    total = get_total_norm([leaf.grad for leaf in unique if leaf.grad is not None], norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise ValueError(f"clip_grad_norm_: the norm is {total.item()}; with error_if_nonfinite it must be finite")
    clip_grads_with_norm_(unique, max_norm, total)
    return total
