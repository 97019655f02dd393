"""Functions of one tensor as layers."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from .module import Module


class ReLU(Module):
    """relu(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.relu(x)


class GELU(Module):
    """gelu(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.gelu(x)


class SiLU(Module):
    """silu(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.silu(x)


class Sigmoid(Module):
    """sigmoid(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.sigmoid(x)


class Tanh(Module):
    """tanh(x)"""

    def forward(self, x: Tensor) -> Tensor:
        return _C.tanh(x)


class LeakyReLU(Module):
    """leaky_relu(x, negative_slope)"""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return _C.leaky_relu(x, self.negative_slope)


class Hardshrink(Module):
    """hardshrink(x, lambd)"""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        return _C.hardshrink(x, self.lambd)


class Softplus(Module):
    """softplus(x, beta)"""

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        return _C.softplus(x, self.beta)


class Softmax(Module):
    """softmax(x, dim)"""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return _C.softmax(x, self.dim)


class LogSoftmax(Module):
    """log_softmax(x, dim)"""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return _C.log_softmax(x, self.dim)
