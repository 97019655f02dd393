"""Layers that see in their first call how many inputs they have."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from .._C import Parameters, Tensor
from ._arena import arena
from .convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)


class _Unmade(dict[str, Any]):
    """The parameters of a layer before its first call: whoever asks for them would miss them."""

    kind = ""

    def items(self) -> Any:
        raise ValueError(f"{self.kind}: its parameters are made in its first call; call the model once before, under no_grad()")

    keys = values = items


class _Lazy(Module):
    """Takes the arguments of another layer but for the first one, which the first call finds; from then on it is that layer."""

    _becomes: ClassVar[type[Module]]
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, params: Parameters | None = None, name: str | None = None, **kwargs: Any) -> None:
        Module.__init__(self)
        given = self._defaults | kwargs
        inspect.signature(self._becomes).bind(1, *args, **given)
        own = self.__dict__
        own["_arguments"], own["_home"] = (args, {**given, "name": name}), arena(params)
        for registry in ("_parameters", "_buffers"):
            own[registry] = _Unmade()
            own[registry].kind = type(self).__name__

    def _size(self, input: Tensor, sets: int | None) -> int:
        """What the first argument is for this input. `sets`: how many the parameters have."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        input = args[0] if args else kwargs.get("input", kwargs.get("x"))
        kind = type(self).__name__
        if not isinstance(input, Tensor):
            raise TypeError(f"{kind}: input is of type {type(input).__name__}; it must be a tensor")
        own = self.__dict__
        (given, named), home, training = own["_arguments"], own["_home"], self.training
        try:
            size = self._size(input, home.sets if home is not None and home.batched else None)
        except IndexError as error:
            raise ValueError(f"{kind}: input has shape {input.shape}; it has too few dimensions") from error
        becomes: Any = self._becomes
        made = becomes(size, *given, params=home, **named)
        made.training = training
        hooks = {key: value for key, value in own.items() if key.endswith("_hooks")}
        own.clear()
        own.update(made.__dict__)
        own.update(hooks)
        self.__class__ = becomes
        return self(*args, **kwargs)


class _LazyConvolution(_Lazy):
    def _size(self, input: Tensor, sets: int | None) -> int:
        dims: int = getattr(self._becomes, "_dims")
        return input.shape[-dims - 1]


class _LazyNorm(_Lazy):
    def _size(self, input: Tensor, sets: int | None) -> int:
        ndims: tuple[int, ...] = getattr(self._becomes, "_ndims")
        if sets is None:
            alone = issubclass(self._becomes, (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)) and input.ndim == ndims[0] - 1
            return input.shape[0 if alone else 1]
        return input.shape[2 if input.ndim - 1 in ndims and input.shape[0] == sets else 1]


class _LazyInstanceNorm(_LazyNorm):
    _defaults = {"affine": True, "track_running_stats": True}


class LazyLinear(_Lazy, Linear):
    """A Linear whose `in_features` is the last size of the first input. Its parameters are made then, in the arena that it was
    made for: before, whatever asks for them raises ValueError, an optimizer among them.

    >>> layer = luge.nn.LazyLinear(2)
    >>> layer(luge.zeros(5, 3)).shape, type(layer) is luge.nn.Linear, layer.in_features
    ((5, 2), True, 3)
    """

    _becomes = Linear

    def _size(self, input: Tensor, sets: int | None) -> int:
        return input.shape[-1]


class LazyConv1d(_LazyConvolution, Conv1d):
    """A Conv1d whose `in_channels` is that of the first input; see LazyLinear.

    >>> luge.nn.LazyConv1d(2, 1)(luge.zeros(1, 3, 4)).shape
    (1, 2, 4)
    """

    _becomes = Conv1d


class LazyConv2d(_LazyConvolution, Conv2d):
    """A Conv2d whose `in_channels` is that of the first input; see LazyLinear.

    >>> luge.nn.LazyConv2d(2, 1)(luge.zeros(1, 3, 4, 4)).shape
    (1, 2, 4, 4)
    """

    _becomes = Conv2d


class LazyConv3d(_LazyConvolution, Conv3d):
    """A Conv3d whose `in_channels` is that of the first input; see LazyLinear.

    >>> luge.nn.LazyConv3d(2, 1)(luge.zeros(1, 3, 4, 4, 4)).shape
    (1, 2, 4, 4, 4)
    """

    _becomes = Conv3d


class LazyConvTranspose1d(_LazyConvolution, ConvTranspose1d):
    """A ConvTranspose1d whose `in_channels` is that of the first input; see LazyLinear.

    >>> luge.nn.LazyConvTranspose1d(2, 1)(luge.zeros(1, 3, 4)).shape
    (1, 2, 4)
    """

    _becomes = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvolution, ConvTranspose2d):
    """A ConvTranspose2d whose `in_channels` is that of the first input; see LazyLinear.

    >>> luge.nn.LazyConvTranspose2d(2, 1)(luge.zeros(1, 3, 4, 4)).shape
    (1, 2, 4, 4)
    """

    _becomes = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvolution, ConvTranspose3d):
    """A ConvTranspose3d whose `in_channels` is that of the first input; see LazyLinear.

    >>> luge.nn.LazyConvTranspose3d(2, 1)(luge.zeros(1, 3, 4, 4, 4)).shape
    (1, 2, 4, 4, 4)
    """

    _becomes = ConvTranspose3d


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A BatchNorm1d whose `num_features` is the channels of the first input; see LazyLinear.

    >>> luge.nn.LazyBatchNorm1d()(luge.zeros(2, 3, 4)).shape
    (2, 3, 4)
    """

    _becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A BatchNorm2d whose `num_features` is the channels of the first input; see LazyLinear.

    >>> luge.nn.LazyBatchNorm2d()(luge.zeros(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _becomes = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A BatchNorm3d whose `num_features` is the channels of the first input; see LazyLinear.

    >>> luge.nn.LazyBatchNorm3d()(luge.zeros(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _becomes = BatchNorm3d


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """An InstanceNorm1d whose `num_features` is the channels of the first input; see LazyLinear. In PyTorch
    it has weights and running statistics where nothing else is said, and so here.

    >>> luge.nn.LazyInstanceNorm1d()(luge.zeros(2, 3, 4)).shape
    (2, 3, 4)
    """

    _becomes = InstanceNorm1d


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """An InstanceNorm2d whose `num_features` is the channels of the first input; see LazyLinear. In PyTorch
    it has weights and running statistics where nothing else is said, and so here.

    >>> luge.nn.LazyInstanceNorm2d()(luge.zeros(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _becomes = InstanceNorm2d


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """An InstanceNorm3d whose `num_features` is the channels of the first input; see LazyLinear. In PyTorch
    it has weights and running statistics where nothing else is said, and so here.

    >>> luge.nn.LazyInstanceNorm3d()(luge.zeros(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _becomes = InstanceNorm3d
