"""Layers that pool over windows whose places are drawn."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from ._fractional import Ratios, Sizes
from ._fractional import output_sizes as _output_sizes
from .module import Module


class _FractionalMaxPool(Module):
    _dims: int

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: Ratios | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"{type(self).__name__}: output_size and output_ratio are given; one of them must be")
        self.kernel_size, self.return_indices = kernel_size, return_indices
        self.output_size, self.output_ratio = _output_sizes(type(self).__name__, self._dims, output_size, output_ratio)
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        from . import functional

        function = functional.fractional_max_pool2d if self._dims == 2 else functional.fractional_max_pool3d
        return function(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest values of windows of x (batch, channels, height, width) or (channels, height, width), of which there are
    `output_size`, or `output_ratio` times the size, at places that each call draws for each channel of each sample.

    >>> luge.nn.FractionalMaxPool2d(2, output_ratio=0.5)(luge.zeros(1, 1, 6, 8)).shape
    (1, 1, 3, 4)
    """

    _dims = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """The same of x (batch, channels, depth, height, width) or (channels, depth, height, width).

    >>> luge.nn.FractionalMaxPool3d(2, (2, 3, 3))(luge.zeros(1, 1, 4, 5, 6)).shape
    (1, 1, 2, 3, 3)
    """

    _dims = 3
