"""An activation with parameters."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Parameters, Tensor, dtype
from . import functional as F
from ._arena import added
from ._sizes import whole
from .module import Module


class PReLU(Module):
    """x where x > 0, weight x elsewhere: `num_parameters` is 1, or the size of dimension 1. In an arena with sets weight is
    (sets, num_parameters), and x (sets, batch, ...) with channels in dimension 2.

    >>> luge.nn.PReLU()(luge.tensor([-2.0, 1.0])).tolist()
    [-0.5, 1.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        whole("PReLU", num_parameters=num_parameters)
        if num_parameters < 1:
            raise ValueError(f"PReLU: num_parameters is {num_parameters}; it must be 1 or more")
        self.num_parameters, self.init = num_parameters, init
        start = _C._init.constant(init)
        self.weight = added(params, name, "PReLU", [("weight", (num_parameters,), start)], device, dtype)[0]

    def forward(self, input: Tensor) -> Tensor:
        if self.weight.ndim == 1:
            return F.prelu(input, self.weight)
        sets, slopes = self.weight.shape
        if slopes == 1:
            shape: tuple[int, ...] = (sets, *(1,) * (input.ndim - 1))
        elif input.ndim >= 3 and input.shape[0] == sets and input.shape[2] == slopes:
            shape = (sets, 1, slopes, *(1,) * (input.ndim - 3))
        else:
            raise _C.ShapeError(f"PReLU: input has shape {input.shape}; it must be ({sets}, batch, {slopes}, ...)")
        positive = input > 0
        return _C.where(positive, input, _C.where(positive, 0, input) * self.weight.reshape(shape))

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
