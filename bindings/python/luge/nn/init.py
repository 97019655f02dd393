"""Values to start from, as in torch.nn.init: written into a tensor in place, outside the graph. luge.init has the same as
objects, for parameters of an arena with sets, each of which draws numbers of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import _C
from .._C import Tensor
from .._names import missing as _missing
from ..autograd import no_grad

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much larger weights are than 1 / sqrt(fan) before this activation; `param` is the slope of "leaky_relu", 0.01 where it
    is not given.

    >>> luge.nn.init.calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"calculate_gain: param is {param!r}; the slope of leaky_relu must be a number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join(sorted([*_GAINS, "leaky_relu"]))
        raise ValueError(f"calculate_gain: nonlinearity is {nonlinearity!r}; it must be one of {known}")
    return _GAINS[nonlinearity]


def _fill(tensor: Tensor, values: Tensor | float) -> Tensor:
    with no_grad():
        return tensor.copy_(values) if isinstance(values, Tensor) else tensor.fill_(values)


def _drawn(tensor: Tensor, kind: str) -> Tensor:
    """As many uniform or normal numbers, in float64 where the tensor's are."""
    dtype = tensor.dtype if tensor.dtype in (_C.float32, _C.float64) else _C.float32
    draw = _C.rand if kind == "uniform" else _C.randn
    return draw(tensor.shape, dtype=dtype, device=tensor.device)


def _fans(op: str, tensor: Tensor) -> tuple[int, int]:
    """How many inputs a weight's output has, and outputs an input: (out, in, ...) of linear layers and convolutions."""
    if tensor.dim() < 2:
        raise ValueError(f"{op}: tensor has shape {tensor.shape}; it must have 2 dimensions or more, (out, in, ...)")
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Uniform numbers of [a, b).

    >>> bool((luge.nn.init.uniform_(luge.empty(9), -1, 0) <= 0).all())
    True
    """
    return _fill(tensor, a + (b - a) * _drawn(tensor, "uniform"))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Normal numbers of this mean and standard deviation.

    >>> luge.nn.init.normal_(luge.empty(2), mean=3.0, std=0.0)
    tensor([3., 3.])
    """
    return _fill(tensor, mean + std * _drawn(tensor, "normal"))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Normal numbers of this mean and standard deviation that lie in [a, b]; those outside are drawn again, by the inverse of
    the distribution function.

    >>> bool((luge.nn.init.trunc_normal_(luge.empty(99)).abs() <= 2).all())
    True
    """
    if not a <= b:
        raise ValueError(f"trunc_normal_: a is {a} and b is {b}; a must not be above b")
    low, high = (math.erf((end - mean) / (std * math.sqrt(2))) for end in (a, b))
    uniform = _C.rand(tensor.shape, dtype=_C.float64, device=tensor.device)
    values = mean + std * math.sqrt(2) * _C.erfinv(low + (high - low) * uniform)
    return _fill(tensor, _C.clamp(values, a, b))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere.

    >>> luge.nn.init.constant_(luge.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere.

    >>> luge.nn.init.ones_(luge.empty(2))
    tensor([1., 1.])
    """
    return _fill(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere.

    >>> luge.nn.init.zeros_(luge.empty(2))
    tensor([0., 0.])
    """
    return _fill(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere. Raises ValueError unless the tensor is 2-d.

    >>> luge.nn.init.eye_(luge.empty(1, 2))
    tensor([[1., 0.]])
    """
    if tensor.dim() != 2:
        raise ValueError(f"eye_: tensor has shape {tensor.shape}; it must be a matrix")
    return _fill(tensor, _C.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight (out, in, ...) of a convolution that passes its inputs on: 1 in the middle of output i's kernel for input i, in
    each of the groups. Raises ValueError unless there are 3 to 5 dimensions and `groups` divides the outputs.

    >>> luge.nn.init.dirac_(luge.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    if not 3 <= tensor.dim() <= 5:
        raise ValueError(f"dirac_: tensor has shape {tensor.shape}; it must have 3 to 5 dimensions, (out, in, ...)")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: groups is {groups}; it must divide the {tensor.shape[0]} outputs")
    per_group = tensor.shape[0] // groups
    middle = tuple(size // 2 for size in tensor.shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for i in range(min(per_group, tensor.shape[1])):
                tensor[(group * per_group + i, i, *middle)] = 1
    return tensor


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01) -> Tensor:
    """Normal numbers of this standard deviation, but zeros in a random fraction `sparsity` of each column's rows, rounded up.
    Raises ValueError unless the tensor is 2-d.

    >>> int((luge.nn.init.sparse_(luge.empty(4, 3), 0.5) == 0).sum())
    6
    """
    if tensor.dim() != 2:
        raise ValueError(f"sparse_: tensor has shape {tensor.shape}; it must be a matrix")
    zeros = math.ceil(sparsity * tensor.shape[0])
    order = _C.argsort(_C.rand(tensor.shape, device=tensor.device), dim=0)
    values = std * _drawn(tensor, "normal")
    return _fill(tensor, _C.where(order < zeros, 0.0, values))


def orthogonal_(tensor: Tensor, gain: float = 1) -> Tensor:
    """`gain` times a random matrix (first size, all others) with orthonormal rows, or columns where there are fewer of those, from
    the QR factors of normal numbers (Saxe et al., ICLR 2014). Raises ValueError for fewer than 2 dimensions.

    >>> q = luge.nn.init.orthogonal_(luge.empty(2, 3))
    >>> luge.allclose(q @ q.T, luge.eye(2), atol=1e-6)
    True
    """
    if tensor.dim() < 2:
        raise ValueError(f"orthogonal_: tensor has shape {tensor.shape}; it must have 2 dimensions or more")
    if tensor.numel() == 0:
        return tensor
    normal = _drawn(tensor, "normal").flatten(1)
    wide = normal.shape[0] < normal.shape[1]
    q, r = _C._linalg.qr(normal.T if wide else normal)
    q = q * _C.sign(_C.diagonal(r))  # else the factors prefer some signs
    return _fill(tensor, gain * (q.T if wide else q).reshape(tensor.shape))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Uniform numbers whose variance is 2 gain^2 / (fan_in + fan_out) (Glorot and Bengio, AISTATS 2010).

    >>> bool((luge.nn.init.xavier_uniform_(luge.empty(3, 3)).abs() <= 1).all())
    True
    """
    bound = gain * math.sqrt(6 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Normal numbers whose variance is 2 gain^2 / (fan_in + fan_out) (Glorot and Bengio, AISTATS 2010).

    >>> luge.nn.init.xavier_normal_(luge.empty(3, 2), gain=0.0).abs().sum()
    tensor(0.)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans("xavier_normal_", tensor))))


def _kaiming(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation of He et al., ICCV 2015."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{op}: mode is {mode!r}; it must be 'fan_in' or 'fan_out'")
    fan_in, fan_out = _fans(op, tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Uniform numbers whose variance is gain^2 / fan, before this activation; `a` is the slope of "leaky_relu".

    >>> bool((luge.nn.init.kaiming_uniform_(luge.empty(3, 6)).abs() <= 1).all())
    True
    """
    if tensor.numel() == 0:
        return tensor
    bound = math.sqrt(3) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Normal numbers whose variance is gain^2 / fan, before this activation; `a` is the slope of "leaky_relu".

    >>> luge.nn.init.kaiming_normal_(luge.empty(3, 6), nonlinearity="relu").shape
    (3, 6)
    """
    if tensor.numel() == 0:
        return tensor
    return normal_(tensor, 0.0, _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity))


if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
