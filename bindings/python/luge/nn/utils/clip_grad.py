"""The norm of gradients, and gradients that are bounded by it or by a value."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ... import _C
from ..._C import Parameters, Tensor
from ...autograd import no_grad


def clip_grad_norm_(
    parameters: Parameters | Tensor | Iterable[Tensor],
    max_norm: float | Tensor,
    norm_type: float | str = 2.0,
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
    norm_type = float(norm_type)
    plain = norm_type == 2.0 and not error_if_nonfinite
    if isinstance(parameters, Parameters):
        if plain:
            return parameters.clip_grad_norm_(max_norm)
        if parameters.batched:
            raise ValueError("clip_grad_norm_: norm_type and error_if_nonfinite are given; parameters with sets have neither")
        parameters = parameters.tensors()
    leaves = [parameters] if isinstance(parameters, Tensor) else parameters
    if plain:
        return _C._clip_grad_norm_(leaves, max_norm)
    unique = list({hash(leaf): leaf for leaf in leaves}.values())
    total = get_total_norm([leaf.grad for leaf in unique if leaf.grad is not None], norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise ValueError(f"clip_grad_norm_: the norm is {total.item()}; with error_if_nonfinite it must be finite")
    clip_grads_with_norm_(unique, max_norm, total)
    return total


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clips every element of the gradients to [-clip_value, clip_value], in place; tensors without a gradient play no part.
    `foreach` changes nothing.

    >>> w = luge.nn.Parameter(luge.zeros(2))
    >>> (w * luge.tensor([3.0, -4.0])).sum().backward()
    >>> luge.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1., -1.])
    """
    value = float(clip_value)
    if math.isnan(value) or value < 0:
        raise ValueError(f"clip_grad_value_: clip_value is {clip_value}; it must be 0 or more")
    with no_grad():
        for leaf in [parameters] if isinstance(parameters, Tensor) else parameters:
            gradient = leaf.grad
            if gradient is not None:
                gradient.clamp_(-value, value)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of the tensors together, as linalg.vector_norm has it. Raises ValueError for one that is not
    finite, if that is asked for.

    >>> luge.nn.utils.get_total_norm([luge.tensor([3.0]), luge.tensor([0.0, 4.0])])
    tensor(5.)
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    norms = [_C._linalg.vector_norm(tensor, norm_type) for tensor in given]
    total = _C._linalg.vector_norm(_C.stack(norms), norm_type) if norms else _C.tensor(0.0)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise ValueError(f"get_total_norm: the norm is {total.item()}; with error_if_nonfinite it must be finite")
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float | Tensor, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales the gradients by max_norm / (total_norm + 1e-6) where that is below 1, in place.

    >>> w = luge.nn.Parameter(luge.zeros(2))
    >>> (w * luge.tensor([3.0, 4.0])).sum().backward()
    >>> luge.nn.utils.clip_grads_with_norm_([w], 1.0, luge.nn.utils.get_total_norm([w.grad]))
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    factor = _C.clamp(max_norm / (total_norm + 1e-6), max=1.0)
    with no_grad():
        for leaf in [parameters] if isinstance(parameters, Tensor) else parameters:
            gradient = leaf.grad
            if gradient is not None:
                gradient.mul_(factor.to(gradient.dtype).to(gradient.device))
