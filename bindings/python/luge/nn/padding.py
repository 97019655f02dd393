"""Layers that pad: borders of constants, of mirrored and of repeated elements."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _C
from .._C import Tensor
from .module import Module


class _Pad(Module):
    _spatial = 1
    _mode = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        count = 2 * self._spatial
        self.padding = (padding,) * count if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != count:
            raise ValueError(f"{type(self).__name__}: padding is {padding}; it must be an int or {count} of them")

    def forward(self, input: Tensor) -> Tensor:
        ndim = self._spatial + 2
        if input.ndim <= ndim:
            return _C.pad(input, self.padding, self._mode)
        lead = input.ndim - ndim + 1  # dimensions such as that of sets before the batch
        padded = _C.pad(input.flatten(0, lead - 1), self.padding, self._mode)
        return padded.reshape((*input.shape[:lead], *padded.shape[1:]))

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return _C.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """`value` before and after the last dimension: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off.

    >>> luge.nn.ConstantPad1d(1, 7.0)(luge.ones(1, 1, 3)).shape
    (1, 1, 5)
    """


class ConstantPad2d(_ConstantPad):
    """`value` before and after the last two dimensions: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off.

    >>> luge.nn.ConstantPad2d(1, 7.0)(luge.ones(1, 1, 3, 3)).shape
    (1, 1, 5, 5)
    """

    _spatial = 2


class ConstantPad3d(_ConstantPad):
    """`value` before and after the last three dimensions: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off.

    >>> luge.nn.ConstantPad3d(1, 7.0)(luge.ones(1, 1, 3, 3, 3)).shape
    (1, 1, 5, 5, 5)
    """

    _spatial = 3


class ZeroPad1d(_ZeroPad):
    """Zeros before and after the last dimension: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off.

    >>> luge.nn.ZeroPad1d(1)(luge.ones(1, 1, 3)).shape
    (1, 1, 5)
    """


class ZeroPad2d(_ZeroPad):
    """Zeros before and after the last two dimensions: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off.

    >>> luge.nn.ZeroPad2d(1)(luge.ones(1, 1, 3, 3)).shape
    (1, 1, 5, 5)
    """

    _spatial = 2


class ZeroPad3d(_ZeroPad):
    """Zeros before and after the last three dimensions: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off.

    >>> luge.nn.ZeroPad3d(1)(luge.ones(1, 1, 3, 3, 3)).shape
    (1, 1, 5, 5, 5)
    """

    _spatial = 3


class ReflectionPad1d(_Pad):
    """The last dimension, mirrored at the outermost elements, which are not repeated: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.ReflectionPad1d(1)(luge.ones(1, 1, 3)).shape
    (1, 1, 5)
    """

    _mode = "reflect"


class ReflectionPad2d(_Pad):
    """The last two dimensions, mirrored at the outermost elements, which are not repeated: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.ReflectionPad2d(1)(luge.ones(1, 1, 3, 3)).shape
    (1, 1, 5, 5)
    """

    _spatial = 2
    _mode = "reflect"


class ReflectionPad3d(_Pad):
    """The last three dimensions, mirrored at the outermost elements, which are not repeated: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.ReflectionPad3d(1)(luge.ones(1, 1, 3, 3, 3)).shape
    (1, 1, 5, 5, 5)
    """

    _spatial = 3
    _mode = "reflect"


class ReplicationPad1d(_Pad):
    """The last dimension, with the outermost elements repeated: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.ReplicationPad1d(1)(luge.ones(1, 1, 3)).shape
    (1, 1, 5)
    """

    _mode = "replicate"


class ReplicationPad2d(_Pad):
    """The last two dimensions, with the outermost elements repeated: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.ReplicationPad2d(1)(luge.ones(1, 1, 3, 3)).shape
    (1, 1, 5, 5)
    """

    _spatial = 2
    _mode = "replicate"


class ReplicationPad3d(_Pad):
    """The last three dimensions, with the outermost elements repeated: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.ReplicationPad3d(1)(luge.ones(1, 1, 3, 3, 3)).shape
    (1, 1, 5, 5, 5)
    """

    _spatial = 3
    _mode = "replicate"


class CircularPad1d(_Pad):
    """The last dimension, with the elements of the other end before and after: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.CircularPad1d(1)(luge.ones(1, 1, 3)).shape
    (1, 1, 5)
    """

    _mode = "circular"


class CircularPad2d(_Pad):
    """The last two dimensions, with the elements of the other end before and after: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.CircularPad2d(1)(luge.ones(1, 1, 3, 3)).shape
    (1, 1, 5, 5)
    """

    _spatial = 2
    _mode = "circular"


class CircularPad3d(_Pad):
    """The last three dimensions, with the elements of the other end before and after: `padding` is one number, or one for each end, the
    last dimension first; negative ones cut off. Raises
    ValueError for borders that do not fit.

    >>> luge.nn.CircularPad3d(1)(luge.ones(1, 1, 3, 3, 3)).shape
    (1, 1, 5, 5, 5)
    """

    _spatial = 3
    _mode = "circular"
