"""Layers with the batch normalization behind them folded into their weights, as in torch.nn.utils.fusion."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ... import _C
from ..._C import Tensor
from ...autograd import no_grad

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]

_Layer = TypeVar("_Layer")


def _fused(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    scale: Tensor | None,
    shift: Tensor | None,
    dim: int,
) -> tuple[Tensor, Tensor]:
    """The values of both; `dim` is the weight's dimension of output channels."""
    with no_grad():
        factor = _C.rsqrt(var + eps)
        if scale is not None:
            factor = factor * scale
        shape = [1] * weight.ndim
        shape[dim] = -1
        moved = -mean if bias is None else bias - mean
        moved = moved * factor
        if shift is not None:
            moved = moved + shift
        return (weight * factor.reshape(shape)).to(weight.dtype), moved.to(weight.dtype if bias is None else bias.dtype)


def _parameters(weight: Tensor, bias: Tensor | None, values: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    from .. import Parameter

    given = (weight.requires_grad, bias is not None and bias.requires_grad)
    made = [Parameter(value, requires_grad=on) for value, on in zip(values, given)]
    return made[0], made[1]


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Tensor, Tensor]:
    """Weight and bias, as Parameters, of a convolution that does what this one and a normalization by running statistics do. A
    bias that was not there is frozen. `transpose`: the weight is that of a transposed convolution.

    >>> w, b = luge.ones(2, 1, 1), luge.zeros(2)
    >>> luge.nn.utils.fusion.fuse_conv_bn_weights(w, b, luge.ones(2), luge.ones(2), 0.0, None, None)[1].tolist()
    [-1.0, -1.0]
    """
    values = _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)
    return _parameters(conv_w, conv_b, values)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The same of a Linear.

    >>> w, b = luge.ones(2, 1), luge.zeros(2)
    >>> luge.nn.utils.fusion.fuse_linear_bn_weights(w, b, luge.ones(2), luge.ones(2), 0.0, None, None)[1].tolist()
    [-1.0, -1.0]
    """
    return _parameters(linear_w, linear_b, _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0))


def _check(name: str, layer: Any, bn: Any) -> None:
    if layer.training or bn.training:
        raise ValueError(f"{name}: a module is in training; both must be in eval(), where running statistics count")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError(f"{name}: the normalization has no running statistics")


def fuse_conv_bn_eval(conv: _Layer, bn: Any, transpose: bool = False) -> _Layer:
    """A copy of a convolution in eval() that does what it and a BatchNorm in eval() behind it do; `transpose` for transposed ones.
    Raises ValueError in training and without running statistics, ShapeError in an arena with sets.

    >>> conv, bn = luge.nn.Conv1d(1, 2, 3).eval(), luge.nn.BatchNorm1d(2).eval()
    >>> x = luge.ones(1, 1, 5)
    >>> luge.allclose(luge.nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-6)
    True
    """
    return _copied("fuse_conv_bn_eval", conv, bn, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: _Layer, bn: Any) -> _Layer:
    """The same of a Linear and a BatchNorm1d behind it. Raises ShapeError where they have different numbers of features.

    >>> linear, bn = luge.nn.Linear(1, 2).eval(), luge.nn.BatchNorm1d(2).eval()
    >>> luge.allclose(luge.nn.utils.fuse_linear_bn_eval(linear, bn)(luge.ones(3, 1)), bn(linear(luge.ones(3, 1))), atol=1e-6)
    True
    """
    return _copied("fuse_linear_bn_eval", linear, bn, 0)


def _copied(name: str, module: _Layer, bn: Any, dim: int) -> _Layer:
    layer: Any = module
    _check(name, layer, bn)
    if bn.running_mean.ndim != 1:
        raise _C.ShapeError(f"{name}: the running mean has shape {bn.running_mean.shape}; layers with sets cannot be fused")
    channels = layer.weight.shape[dim] * (layer.groups if dim == 1 else 1)
    if channels != bn.running_mean.numel() or (dim == 1 and layer.groups != 1):
        raise _C.ShapeError(
            f"{name}: the weight has shape {layer.weight.shape} and the normalization {bn.running_mean.numel()} features; "
            "they must be the output channels, in one group if transposed"
        )
    values = _fused(layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, dim)
    weight, bias = _parameters(layer.weight, layer.bias, values)
    made = copy.deepcopy(module)
    setattr(made, "weight", weight)
    setattr(made, "bias", bias)
    return made
