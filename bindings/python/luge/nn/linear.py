"""Layers that are matrix products."""

from __future__ import annotations

import math

from .. import _C, init
from .._C import Init, Parameters, Tensor
from ._arena import added
from .module import Module


class Linear(Module):
    """y = x weight^T + bias.

    Without `params` its parameters are leaves of their own, as in PyTorch. With a luge.Parameters they live in that arena as
    "name.weight" and "name.bias", with its leading axis of sets: x (batch, in), the same for all sets, or (sets, batch, in)
    gives (sets, batch, out). `weight_init` and `bias_init` are of luge.init; the default is PyTorch's.

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
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        super().__init__()
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
        made = added(params, name, "Linear", entries)
        self.weight = made[0]
        self.register_parameter("bias", made[1] if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        return _C.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
