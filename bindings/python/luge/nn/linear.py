"""Layers that are matrix products."""

from __future__ import annotations

import math
from typing import Any

from .. import _C, init
from .._C import Init, Parameters, Tensor, dtype
from ._arena import added
from ._sizes import whole
from .module import Module


class Linear(Module):
    """y = x weight^T + bias.

    Without `params` its parameters are leaves of their own, as in PyTorch. With a luge.Parameters they live in that arena as
    "name.weight" and "name.bias", with its leading axis of sets: x (batch, in), the same for all sets, or (sets, ..., in)
    gives (sets, batch, out) or (sets, ..., out). `weight_init` and `bias_init` are of luge.init; the default is PyTorch's.

    >>> luge.nn.Linear(3, 2)(luge.zeros(5, 3)).shape
    (5, 2)
    >>> params = luge.Parameters(sets=7)
    >>> luge.nn.Linear(3, 2, params=params)(luge.zeros(5, 3)).shape
    (7, 5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        super().__init__()
        whole("Linear", in_features=in_features, out_features=out_features)
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"Linear: in_features is {in_features} and out_features is {out_features}; both must be 1 or more"
            )
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features)
        weight_start = weight_init or init.kaiming_uniform(in_features, math.sqrt(5))
        entries: list[tuple[str, tuple[int, ...], Init]] = [("weight", (out_features, in_features), weight_start)]
        if bias:
            entries.append(("bias", (out_features,), bias_init or init.uniform(-bound, bound)))
        made = added(params, name, "Linear", entries, device, dtype)
        self.weight = made[0]
        self.register_parameter("bias", made[1] if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        return _C.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y = x1^T weight x2 + bias, for each output a matrix: x1 (..., in1) and x2 (..., in2) give (..., out). In an arena with
    sets x1 and x2 are (sets, ..., in). Raises ShapeError.

    >>> luge.nn.Bilinear(3, 4, 2)(luge.zeros(5, 3), luge.zeros(5, 4)).shape
    (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        whole("Bilinear", in1_features=in1_features, in2_features=in2_features, out_features=out_features)
        if min(in1_features, in2_features, out_features) < 1:
            raise ValueError(
                f"Bilinear: the numbers of features are {in1_features}, {in2_features} and {out_features}; they must be 1 or more"
            )
        self.in1_features, self.in2_features, self.out_features = (
            in1_features,
            in2_features,
            out_features,
        )
        start = init.uniform(-1 / math.sqrt(in1_features), 1 / math.sqrt(in1_features))
        entries: list[tuple[str, tuple[int, ...], Init]] = [
            ("weight", (out_features, in1_features, in2_features), start)
        ]
        if bias:
            entries.append(("bias", (out_features,), start))
        made = added(params, name, "Bilinear", entries, device, dtype)
        self.weight = made[0]
        self.register_parameter("bias", made[1] if bias else None)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        if self.weight.ndim == 3:
            return _C.bilinear(input1, input2, self.weight, self.bias)
        sets = self.weight.shape[0]
        if input1.ndim < 3 or input1.shape[:-1] != input2.shape[:-1] or input1.shape[0] != sets:
            raise _C.ShapeError(
                f"Bilinear: input1 is {input1.shape} and input2 is {input2.shape}; allowed are ({sets}, ..., "
                f"{self.in1_features}) and ({sets}, ..., {self.in2_features})"
            )
        x1, x2 = input1.flatten(1, -2), input2.flatten(1, -2)
        y = _C.einsum("sbi,soij,sbj->sbo", x1, self.weight, x2)
        if self.bias is not None:
            y = y + self.bias.unsqueeze(1)
        return y.reshape((*input1.shape[:-1], self.out_features))

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
