"""Functions on parameters, as in torch.nn.utils."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ... import _C
from ..._C import Tensor
from ..._names import missing as _missing
from ...autograd import no_grad
from . import clip_grad, fusion, rnn
from .clip_grad import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)

__all__ = [
    "clip_grad",
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
