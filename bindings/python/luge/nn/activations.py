"""Functions of one tensor as layers: each does what luge.nn.functional says of the function of its name."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import functional as F
from .module import Module


class _InPlace(Module):
    """With an option `inplace`, which overwrites the input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


def _overwrites(inplace: bool) -> str:
    return ", inplace=True" if inplace else ""


class ReLU(_InPlace):
    """max(x, 0).

    >>> luge.nn.ReLU()(luge.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class ReLU6(_InPlace):
    """min(max(x, 0), 6).

    >>> luge.nn.ReLU6()(luge.tensor([-1.0, 7.0]))
    tensor([0., 6.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input, self.inplace)


class SELU(_InPlace):
    """1.0507 elu(x, 1.6733), which keeps mean 0 and variance 1.

    >>> luge.nn.SELU()(luge.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class SiLU(_InPlace):
    """x sigmoid(x).

    >>> luge.nn.SiLU()(luge.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """x tanh(softplus(x)).

    >>> luge.nn.Mish()(luge.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8651])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Hardsigmoid(_InPlace):
    """min(max(x + 3, 0), 6) / 6.

    >>> luge.nn.Hardsigmoid()(luge.tensor([-3.0, 0.0]))
    tensor([0.0000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""  # as in PyTorch


class Hardswish(_InPlace):
    """x hardsigmoid(x).

    >>> luge.nn.Hardswish()(luge.tensor([0.0, 3.0]))
    tensor([0., 3.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""  # as in PyTorch


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    >>> luge.nn.Sigmoid()(luge.tensor([0.0]))
    tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return _C.sigmoid(input)


class Tanh(Module):
    """tanh(x).

    >>> luge.nn.Tanh()(luge.tensor([0.0]))
    tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return _C.tanh(input)


class LogSigmoid(Module):
    """log(sigmoid(x)), exact for large |x|.

    >>> luge.nn.LogSigmoid()(luge.tensor([0.0]))
    tensor([-0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softsign(Module):
    """x / (1 + |x|).

    >>> luge.nn.Softsign()(luge.tensor([3.0]))
    tensor([0.7500])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x).

    >>> luge.nn.Tanhshrink()(luge.tensor([1.0]))
    tensor([0.2384])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class LeakyReLU(Module):
    """x where x > 0, negative_slope x elsewhere.

    >>> luge.nn.LeakyReLU(0.5)(luge.tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}{_overwrites(self.inplace)}"


class ELU(Module):
    """x where x > 0, alpha (exp(x) - 1) elsewhere.

    >>> luge.nn.ELU()(luge.tensor([-1.0, 1.0]))
    tensor([-0.6321,  1.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}{_overwrites(self.inplace)}"


class CELU(Module):
    """x where x > 0, alpha (exp(x / alpha) - 1) elsewhere.

    >>> luge.nn.CELU(2.0)(luge.tensor([-1.0, 1.0]))
    tensor([-0.7869,  1.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}{_overwrites(self.inplace)}"


class Threshold(Module):
    """`value` where x <= threshold, x elsewhere.

    >>> luge.nn.Threshold(1.0, 5.0)(luge.tensor([0.0, 2.0]))
    tensor([5., 2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}{_overwrites(self.inplace)}"


class RReLU(Module):
    """leaky_relu with slopes drawn uniformly from [lower, upper) in training, else with their mean.

    >>> luge.nn.RReLU(0.25, 0.75).eval()(luge.tensor([-2.0, 1.0]))
    tensor([-1.,  1.])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}{_overwrites(self.inplace)}"


class Hardshrink(Module):
    """x where |x| > lambd, 0 elsewhere.

    >>> luge.nn.Hardshrink()(luge.tensor([0.25, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return _C.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Module):
    """x - lambd above lambd, x + lambd below -lambd, 0 between.

    >>> luge.nn.Softshrink()(luge.tensor([2.0, 0.25]))
    tensor([1.5000, 0.0000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x where beta x > threshold.

    >>> luge.nn.Softplus()(luge.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class GELU(Module):
    """x (1 + erf(x / sqrt(2))) / 2, or with approximate='tanh' its approximation.

    >>> luge.nn.GELU("tanh")(luge.tensor([1.0]))
    tensor([0.8412])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """a sigmoid(b), with the halves a and b of the input along `dim`.

    >>> luge.nn.GLU()(luge.tensor([2.0, 0.0]))
    tensor([1.])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Hardtanh(Module):
    """x between min_val and max_val; the gradient is 0 at both. Raises ValueError unless min_val < max_val. `min_value` and
    `max_value` are their older names.

    >>> luge.nn.Hardtanh()(luge.tensor([-2.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if not self.max_val > self.min_val:
            raise ValueError(f"Hardtanh: min_val is {self.min_val} and max_val is {self.max_val}; min_val must be less")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}{_overwrites(self.inplace)}"
