"""Layers that pool. Every dimension of x before the channels is batch, one of sets among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._C import Tensor
from . import functional
from .module import Module

_Size = int | Sequence[int]


class _Pool(Module):
    def _function(self) -> Any:
        """The function of luge.nn.functional whose name is the class's: MaxPool2d's is max_pool2d."""
        return getattr(functional, self._called)

    _called = ""
    _shown: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)


class _MaxPool(_Pool):
    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        dilation: _Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self._function()(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class MaxPool1d(_MaxPool):
    """The largest value of each window of x (..., channels, length); with `return_indices` its place, too.

    >>> luge.nn.MaxPool1d(2)(luge.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[3., 4.]])
    """

    _called = "max_pool1d"


class MaxPool2d(_MaxPool):
    """MaxPool1d for (..., channels, height, width).

    >>> luge.nn.MaxPool2d(2)(luge.zeros(5, 3, 6, 6)).shape
    (5, 3, 3, 3)
    """

    _called = "max_pool2d"


class MaxPool3d(_MaxPool):
    """MaxPool1d for (..., channels, depth, height, width).

    >>> luge.nn.MaxPool3d(2)(luge.zeros(5, 3, 6, 6, 6)).shape
    (5, 3, 3, 3, 3)
    """

    _called = "max_pool3d"


class AvgPool1d(_Pool):
    """The mean of each window of x (..., channels, length), in which padding counts as zeros or, without
    `count_include_pad`, not at all.

    >>> luge.nn.AvgPool1d(2)(luge.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[2., 3.]])
    """

    _called = "avg_pool1d"
    _shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = _one(kernel_size), _one(kernel_size if stride is None else stride), _one(padding)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class _AvgPool(_Pool):
    _shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._function()(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )
        return result


class AvgPool2d(_AvgPool):
    """AvgPool1d for (..., channels, height, width); `divisor_override` is what sums are divided by instead.

    >>> luge.nn.AvgPool2d(2)(luge.ones(1, 2, 2))
    tensor([[[1.]]])
    """

    _called = "avg_pool2d"


class AvgPool3d(_AvgPool):
    """AvgPool2d for (..., channels, depth, height, width).

    >>> luge.nn.AvgPool3d(2)(luge.zeros(5, 3, 6, 6, 6)).shape
    (5, 3, 3, 3, 3)
    """

    _called = "avg_pool3d"


class _Adaptive(_Pool):
    _shown = ("output_size",)

    def __init__(self, output_size: int | None | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._function()(input, self.output_size)
        return result


class AdaptiveAvgPool1d(_Adaptive):
    """The mean of windows that divide the last dimension into `output_size` parts.

    >>> luge.nn.AdaptiveAvgPool1d(2)(luge.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[2., 3.]])
    """

    _called = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_Adaptive):
    """AdaptiveAvgPool1d for (..., channels, height, width): an int for both, or one for each, None for what there is.

    >>> luge.nn.AdaptiveAvgPool2d((None, 2))(luge.zeros(5, 3, 6, 6)).shape
    (5, 3, 6, 2)
    """

    _called = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_Adaptive):
    """AdaptiveAvgPool2d for (..., channels, depth, height, width).

    >>> luge.nn.AdaptiveAvgPool3d(2)(luge.zeros(5, 3, 6, 6, 6)).shape
    (5, 3, 2, 2, 2)
    """

    _called = "adaptive_avg_pool3d"


class _AdaptiveMax(_Pool):
    _shown = ("output_size",)

    def __init__(self, output_size: int | None | Sequence[int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return self._function()(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest value of windows that divide the last dimension into `output_size` parts; with `return_indices` its place,
    too.

    >>> luge.nn.AdaptiveMaxPool1d(2)(luge.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[3., 4.]])
    """

    _called = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMax):
    """AdaptiveMaxPool1d for (..., channels, height, width): an int for both, or one for each, None for what there is.

    >>> luge.nn.AdaptiveMaxPool2d(2)(luge.zeros(5, 3, 6, 6)).shape
    (5, 3, 2, 2)
    """

    _called = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMax):
    """AdaptiveMaxPool2d for (..., channels, depth, height, width).

    >>> luge.nn.AdaptiveMaxPool3d(2)(luge.zeros(5, 3, 6, 6, 6)).shape
    (5, 3, 2, 2, 2)
    """

    _called = "adaptive_max_pool3d"


class _LPPool(_Pool):
    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(self, norm_type: float, kernel_size: _Size, stride: _Size | None = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self._function()(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)
        return result


class LPPool1d(_LPPool):
    """(sum of x^p)^(1/p) of each window of x (..., channels, length), with p = `norm_type`.

    >>> luge.nn.LPPool1d(2, 2)(luge.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """

    _called = "lp_pool1d"


class LPPool2d(_LPPool):
    """LPPool1d for (..., channels, height, width).

    >>> luge.nn.LPPool2d(2, 2)(luge.ones(1, 2, 2))
    tensor([[[2.]]])
    """

    _called = "lp_pool2d"


class LPPool3d(_LPPool):
    """LPPool1d for (..., channels, depth, height, width).

    >>> luge.nn.LPPool3d(2, 2)(luge.zeros(3, 4, 4, 4)).shape
    (3, 2, 2, 2)
    """

    _called = "lp_pool3d"


class _MaxUnpool(_Pool):
    _shown = ("kernel_size", "stride", "padding")
    _dims = 1

    def __init__(self, kernel_size: _Size, stride: _Size | None = None, padding: _Size = 0) -> None:
        super().__init__()
        self.kernel_size = _each(kernel_size, self._dims)
        self.stride = self.kernel_size if stride is None else _each(stride, self._dims)
        self.padding = _each(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        result: Tensor = self._function()(input, indices, self.kernel_size, self.stride, self.padding, output_size)
        return result


class MaxUnpool1d(_MaxUnpool):
    """Zeros with x's values at the places that MaxPool1d(return_indices=True) gave.

    >>> x, places = luge.nn.MaxPool1d(2, return_indices=True)(luge.tensor([[1.0, 3.0, 2.0, 4.0]]))
    >>> luge.nn.MaxUnpool1d(2)(x, places)
    tensor([[0., 3., 0., 4.]])
    """

    _called = "max_unpool1d"


class MaxUnpool2d(_MaxUnpool):
    """MaxUnpool1d for (..., channels, height, width).

    >>> x, places = luge.nn.MaxPool2d(2, return_indices=True)(luge.zeros(5, 3, 6, 6))
    >>> luge.nn.MaxUnpool2d(2)(x, places).shape
    (5, 3, 6, 6)
    """

    _called, _dims = "max_unpool2d", 2


class MaxUnpool3d(_MaxUnpool):
    """MaxUnpool1d for (..., channels, depth, height, width).

    >>> x, places = luge.nn.MaxPool3d(2, return_indices=True)(luge.zeros(3, 4, 4, 4))
    >>> luge.nn.MaxUnpool3d(2)(x, places).shape
    (3, 4, 4, 4)
    """

    _called, _dims = "max_unpool3d", 3


def _one(given: _Size) -> tuple[int, ...]:
    return (given,) if isinstance(given, int) else tuple(given)


def _each(given: _Size, dims: int) -> tuple[int, ...]:
    return (given,) * dims if isinstance(given, int) else tuple(given)
