"""Functions on parameters, as in torch.nn.utils."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ... import _C
from ..._C import Tensor
from ..._names import missing as _missing
from ...autograd import no_grad
from ..parameter import clip_grad_norm_
from . import fusion, rnn
from .fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "fusion",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "skip_init",
    "vector_to_parameters",
]

_Module = TypeVar("_Module")


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
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of the tensors together, as linalg.vector_norm has it. Raises ValueError for one that is not
    finite, if that is asked for.

    >>> luge.nn.utils.get_total_norm([luge.tensor([3.0]), luge.tensor([0.0, 4.0])])
    tensor(5.)
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
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


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, one behind the other: a part of the graph.

    >>> luge.nn.utils.parameters_to_vector([luge.ones(2), luge.zeros(1, 1)])
    tensor([1., 1., 0.])
    """
    return _C.cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrites the parameters' values with those of a vector, the other way round. Raises ShapeError unless it has as many
    elements; nothing has changed then.

    >>> w = luge.nn.Parameter(luge.zeros(2))
    >>> luge.nn.utils.vector_to_parameters(luge.tensor([1.0, 2.0]), [w])
    >>> w.tolist()
    [1.0, 2.0]
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: vec is of type {type(vec).__name__}; it must be a tensor")
    kept = list(parameters)
    count = sum(parameter.numel() for parameter in kept)
    if vec.dim() != 1 or vec.numel() != count:
        raise _C.ShapeError(f"vector_to_parameters: vec has shape {vec.shape}; the parameters have {count} elements")
    start = 0
    with no_grad():
        for parameter in kept:
            parameter.copy_(vec[start : start + parameter.numel()].reshape(parameter.shape))
            start += parameter.numel()


def skip_init(module_cls: Callable[..., _Module], *args: Any, **kwargs: Any) -> _Module:
    """The module of these arguments, whose initial values are not to be relied on. In luge it has them all the same: an arena
    makes those of all its parameters at once.

    >>> luge.nn.utils.skip_init(luge.nn.Linear, 3, 2).weight.shape
    (2, 3)
    """
    return module_cls(*args, **kwargs)


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
