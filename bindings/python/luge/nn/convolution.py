"""Layers that are convolutions, and windows of images as columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Union

from .. import _C, init
from .._C import Init, Parameters, Tensor, dtype
from .._C._functional import fold, unfold
from ._arena import added
from ._sizes import whole
from .module import Module

_Numbers = Union[int, Sequence[int]]


def _each(kind: str, what: str, given: _Numbers, dims: int, least: int) -> tuple[int, ...]:
    """One number for each spatial dimension."""
    numbers = tuple(given) if isinstance(given, Iterable) else (given,) * dims
    for number in numbers:
        whole(kind, **{what: number})
    if len(numbers) == 1:
        numbers *= dims
    if len(numbers) != dims:
        raise ValueError(f"{kind}: {what} is {given}; it must be an int or {dims} of them")
    for number in numbers:
        if number < least:
            raise ValueError(f"{kind}: {what} is {given}; it must be {least} or more")
    return numbers


class _Convolution(Module):
    """What all have: sizes, and parameters "weight" and "bias"."""

    _dims: ClassVar[int]
    _transposed: ClassVar[bool] = False
    _modes: ClassVar[tuple[str, ...]] = ("zeros", "reflect", "replicate", "circular")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Numbers,
        stride: _Numbers,
        padding: str | _Numbers,
        dilation: _Numbers,
        groups: int,
        bias: bool,
        padding_mode: str,
        output_padding: _Numbers,
        device: Any,
        dtype: dtype | None,
        params: Parameters | None,
        name: str | None,
        weight_init: Init | None,
        bias_init: Init | None,
    ) -> None:
        super().__init__()
        kind, dims = type(self).__name__, self._dims
        whole(kind, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels < 1 or out_channels < 1 or groups < 1:
            raise ValueError(
                f"{kind}: in_channels is {in_channels}, out_channels {out_channels} and groups {groups}; "
                "all must be 1 or more"
            )
        for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups != 0:
                raise ValueError(f"{kind}: {what} is {channels}; it must be a multiple of groups, which is {groups}")
        if padding_mode not in self._modes:
            raise ValueError(f"{kind}: padding_mode is '{padding_mode}'; it must be one of {self._modes}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = _each(kind, "kernel_size", kernel_size, dims, 1)
        self.stride = _each(kind, "stride", stride, dims, 1)
        self.dilation = _each(kind, "dilation", dilation, dims, 1)
        self.padding_mode = padding_mode
        self.padding: str | tuple[int, ...]
        if isinstance(padding, str):
            if padding not in ("same", "valid") or self._transposed:
                allowed = "an int or a tuple of ints" if self._transposed else "'same', 'valid', an int or a tuple of ints"
                raise ValueError(f"{kind}: padding is '{padding}'; it must be {allowed}")
            if padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError(f"{kind}: padding is 'same' and stride {self.stride}; with 'same' it must be 1")
            self.padding = padding
        else:
            self.padding = _each(kind, "padding", padding, dims, 0)
        self.output_padding = _each(kind, "output_padding", output_padding, dims, 0)
        self.transposed = self._transposed
        first, second = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        fan_in = second // groups * math.prod(self.kernel_size)
        bound = 1 / math.sqrt(fan_in)
        weight_start = weight_init or init.kaiming_uniform(fan_in, math.sqrt(5))
        entries: list[tuple[str, tuple[int, ...], Init]] = [
            ("weight", (first, second // groups, *self.kernel_size), weight_start)
        ]
        if bias:
            entries.append(("bias", (out_channels,), bias_init or init.uniform(-bound, bound)))
        made = added(params, name, kind, entries, device, dtype)
        self.weight = made[0]
        self.register_parameter("bias", made[1] if bias else None)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if isinstance(self.padding, str) or any(self.padding):
            text += f", padding={self.padding}"
        if any(step != 1 for step in self.dilation):
            text += f", dilation={self.dilation}"
        if any(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_Convolution):
    _call: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Numbers,
        stride: _Numbers = 1,
        padding: str | _Numbers = 0,
        dilation: _Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, 0,
            device, dtype, params, name, weight_init, bias_init,
        )  # fmt: skip

    def _borders(self) -> list[int]:
        """Those of pad(): before and behind the last dimension, then the one before it, ..."""
        borders: list[int] = []
        for d in reversed(range(self._dims)):
            if isinstance(self.padding, str):
                reach = self.dilation[d] * (self.kernel_size[d] - 1) if self.padding == "same" else 0
                borders += [reach // 2, reach - reach // 2]
            else:
                borders += [self.padding[d]] * 2
        return borders

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            borders, lead = self._borders(), input.shape[: max(0, input.ndim - self._dims - 1)]
            # What stands before the channels is one batch to pad().
            images = input.reshape(-1, *input.shape[len(lead) :]) if len(lead) > 1 else input
            images = _C.pad(images, borders, mode=self.padding_mode)
            input = images.reshape(*lead, *images.shape[1:]) if len(lead) > 1 else images
            padding = 0
        return type(self)._call(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """A convolution of signals: (batch, in, length) or (in, length) gives (batch, out, length') or (out, length'). With parameters
    of an arena with sets, x is (batch, in, length), the same for all, or (sets, batch, in, length). The default initialization is
    PyTorch's. `padding` may be 'same' or 'valid', `padding_mode` 'zeros', 'reflect', 'replicate' or 'circular'. Raises ValueError for
    numbers out of range, and ShapeError when called.

    >>> luge.nn.Conv1d(3, 4, 5, padding=2)(luge.zeros(2, 3, 10)).shape
    (2, 4, 10)
    """

    _dims = 1
    _call = staticmethod(_C.conv1d)


class Conv2d(_Conv):
    """A convolution of images: (batch, in, height, width) or (in, height, width) gives (batch, out, height', width') or
    (out, height', width'). With parameters of an arena with sets, x is (batch, ...), the same for all, or (sets, batch, ...). The
    default initialization is PyTorch's. `padding` may be 'same' or 'valid', `padding_mode` 'zeros', 'reflect', 'replicate' or
    'circular'. Raises ValueError for numbers out of range, and ShapeError when called.

    >>> luge.nn.Conv2d(1, 4, 3, padding=1)(luge.zeros(2, 1, 8, 8)).shape
    (2, 4, 8, 8)
    >>> params = luge.Parameters(sets=7)
    >>> luge.nn.Conv2d(1, 4, 3, params=params)(luge.zeros(2, 1, 8, 8)).shape
    (7, 2, 4, 6, 6)
    """

    _dims = 2
    _call = staticmethod(_C.conv2d)


class Conv3d(_Conv):
    """A convolution of volumes: (batch, in, depth, height, width), or without the batch, as Conv2d of images.

    >>> luge.nn.Conv3d(1, 4, (1, 3, 3), padding="same")(luge.zeros(2, 1, 5, 8, 8)).shape
    (2, 4, 5, 8, 8)
    """

    _dims = 3
    _call = staticmethod(_C.conv3d)


class _ConvTranspose(_Convolution):
    _transposed = True
    _modes = ("zeros",)
    _call: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Numbers,
        stride: _Numbers = 1,
        padding: _Numbers = 0,
        output_padding: _Numbers = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: _Numbers = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: dtype | None = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, output_padding,
            device, dtype, params, name, weight_init, bias_init,
        )  # fmt: skip

    def _behind(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The output padding that gives this size."""
        if output_size is None:
            return self.output_padding
        kind, wanted = type(self).__name__, tuple(output_size)[-self._dims :]
        if len(output_size) not in (self._dims, input.ndim):
            raise ValueError(
                f"{kind}: output_size has {len(output_size)} numbers; it must have {self._dims}, or {input.ndim} with those before"
            )
        result = []
        for d in range(self._dims):
            padding = self.padding[d]
            assert isinstance(padding, int)
            least = (input.shape[d - self._dims] - 1) * self.stride[d] - 2 * padding
            least += self.dilation[d] * (self.kernel_size[d] - 1) + 1
            most = least + self.stride[d] - 1
            if not least <= wanted[d] <= most:
                raise ValueError(f"{kind}: output_size is {tuple(output_size)}; dimension {d} can be {least} to {most}")
            result.append(wanted[d] - least)
        return tuple(result)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        behind = self._behind(input, output_size)
        return type(self)._call(
            input, self.weight, self.bias, self.stride, self.padding, behind, self.groups, self.dilation
        )


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution of signals, the gradient of Conv1d with respect to its input: (batch, in, length) gives
    (batch, out, (length - 1) * stride - 2 padding + dilation * (kernel_size - 1) + output_padding + 1). Called with `output_size`, it finds
    the output padding. Sets and errors as Conv1d's.

    >>> luge.nn.ConvTranspose1d(3, 4, 2, stride=2)(luge.zeros(2, 3, 10)).shape
    (2, 4, 20)
    """

    _dims = 1
    _call = staticmethod(_C.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution of images, the gradient of Conv2d with respect to its input: a size becomes
    (size - 1) * stride - 2 padding + dilation * (kernel_size - 1) + output_padding + 1. Called with `output_size`, it finds the output
    padding. Sets and errors as Conv2d's.

    >>> layer = luge.nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1)
    >>> layer(luge.zeros(2, 4, 4, 4)).shape, layer(luge.zeros(2, 4, 4, 4), output_size=(8, 8)).shape
    ((2, 1, 7, 7), (2, 1, 8, 8))
    """

    _dims = 2
    _call = staticmethod(_C.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution of volumes, as ConvTranspose2d of images.

    >>> luge.nn.ConvTranspose3d(4, 1, 2, stride=2)(luge.zeros(2, 4, 2, 4, 4)).shape
    (2, 1, 4, 8, 8)
    """

    _dims = 3
    _call = staticmethod(_C.conv_transpose3d)


class Unfold(Module):
    """The windows of images as columns: (batch, channels, height, width) -> (batch, channels * taps, windows). Raises ShapeError and
    ValueError as nn.functional.unfold.

    >>> luge.nn.Unfold((2, 3))(luge.zeros(5, 3, 4, 6)).shape
    (5, 18, 12)
    """

    def __init__(
        self, kernel_size: _Numbers, dilation: _Numbers = 1, padding: _Numbers = 0, stride: _Numbers = 1
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Fold(Module):
    """Columns added up where their windows overlap: (batch, channels * taps, windows) -> (batch, channels, *output_size). Raises ShapeError
    and ValueError as nn.functional.fold.

    >>> luge.nn.Fold((4, 6), (2, 3))(luge.zeros(5, 18, 12)).shape
    (5, 3, 4, 6)
    """

    def __init__(
        self,
        output_size: _Numbers,
        kernel_size: _Numbers,
        dilation: _Numbers = 1,
        padding: _Numbers = 0,
        stride: _Numbers = 1,
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
