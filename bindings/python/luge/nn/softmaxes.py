"""Softmax and its kin as layers."""

from __future__ import annotations

import warnings

from .. import _C
from .._C import Tensor
from . import functional as F
from .module import Module


def _dim(name: str, dim: int | None, ndim: int) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"{name}: dim is not given; it is 0 of one and three dimensions and 1 of others, as in PyTorch",
        stacklevel=4,
    )
    return 0 if ndim in (0, 1, 3) else 1


class _AlongDim(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) over its sum along `dim`; without one, with a warning, 0 of one and three dimensions and 1 of others.

    >>> luge.nn.Softmax(dim=0)(luge.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return _C.softmax(input, _dim("Softmax", self.dim, input.ndim))


class Softmin(_AlongDim):
    """softmax(-x) along `dim`; without one as Softmax.

    >>> luge.nn.Softmin(dim=0)(luge.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, _dim("Softmin", self.dim, input.ndim))


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along `dim`; without one as Softmax.

    >>> luge.nn.LogSoftmax(dim=0)(luge.zeros(2))
    tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return _C.log_softmax(input, _dim("LogSoftmax", self.dim, input.ndim))


class Softmax2d(Module):
    """Softmax over the channels of (batch, channels, height, width) or (channels, height, width). Raises ShapeError.

    >>> luge.nn.Softmax2d()(luge.zeros(2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 3:
            raise _C.ShapeError(f"Softmax2d: input has shape {input.shape}; it must have 3 or 4 dimensions")
        return _C.softmax(input, -3)
