"""Layers that normalize. In an arena with sets each set has parameters and running statistics of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import _C
from .._C import Parameters, ShapeError, Tensor
from ..autograd import no_grad
from ._scaled import Scaled as _Scaled
from ._sizes import whole
from .functional import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from .module import Module


class LayerNorm(_Scaled):
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last dimensions, whose sizes are `normalized_shape`.

    With an arena of sets the parameters are (sets, *normalized_shape); x with one dimension before these, the same for all
    sets, or with the sets and more, gives (sets, ...). Raises ShapeError.

    >>> luge.nn.LayerNorm(2, elementwise_affine=False)(luge.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    >>> luge.nn.LayerNorm(4, params=luge.Parameters(sets=7))(luge.zeros(5, 4)).shape
    (7, 5, 4)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._made(self.normalized_shape, elementwise_affine, elementwise_affine and bias, params, name, device, dtype)
        self._converted()

    def forward(self, input: Tensor) -> Tensor:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Scaled):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions, whose sizes are `normalized_shape`; sets as in LayerNorm.

    >>> luge.nn.RMSNorm(2, elementwise_affine=False)(luge.tensor([[1.0, -1.0]]))
    tensor([[ 1.0000, -1.0000]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._made(self.normalized_shape, elementwise_affine, None, params, name, device, dtype)
        self._converted()

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Scaled):
    """Each sample's groups of num_channels / num_groups channels, normalized by their own mean and variance.

    x is (batch, channels, ...). With an arena of sets it is the same for all sets, or (sets, batch, channels, ...), which an x
    that could be either is taken for. Raises ShapeError, ValueError.

    >>> luge.nn.GroupNorm(2, 4)(luge.zeros(5, 4, 3)).shape
    (5, 4, 3)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        whole("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_groups < 1 or num_channels % num_groups != 0:
            raise ValueError(f"GroupNorm: num_groups is {num_groups}; it must divide num_channels, {num_channels}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self._made((num_channels,), affine, affine and bias, params, name, device, dtype)
        self._converted()

    def forward(self, input: Tensor) -> Tensor:
        if self._sets is None:
            return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)
        x = self._with_sets(input, (), self.num_channels)
        if self.weight is None:  # no parameter says how many sets there are
            return group_norm(x.flatten(0, 1), self.num_groups, None, None, self.eps).reshape(x.shape)
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class _ByChannel(_Scaled):
    """What has parameters and running statistics by channel."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _ndims: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
        params: Parameters | None,
        name: str | None,
    ) -> None:
        super().__init__()
        whole(type(self).__name__, num_features=num_features)
        if num_features < 0:
            raise ValueError(f"{type(self).__name__}: num_features is {num_features}; it must be 0 or more")
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        self._made((num_features,), affine, affine and bias, params, name, device, dtype)
        lead = () if self._sets is None else (self._sets,)
        if track_running_stats:
            self.register_buffer("running_mean", _C.zeros(*lead, num_features, **self._where))
            self.register_buffer("running_var", _C.ones(*lead, num_features, **self._where))
            device = self._where.get("device")
            self.register_buffer("num_batches_tracked", _C.zeros(lead, dtype=_C.int64, device=device))
        else:
            for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(buffer, None)
        self._converted()

    def reset_running_stats(self) -> None:
        """Running means of 0 and variances of 1, of no batches."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weights of 1, biases of 0, and reset_running_stats()."""
        self.reset_running_stats()
        with no_grad():
            if self.weight is not None:
                self.weight.fill_(1)
            if self.bias is not None:
                self.bias.zero_()

    def _checked(self, x: Tensor) -> Tensor:
        if self._sets is not None:
            return self._with_sets(x, self._ndims, self.num_features)
        if x.ndim not in self._ndims:
            raise ShapeError(
                f"{type(self).__name__}: x has shape {x.shape}; it must have {' or '.join(map(str, self._ndims))} dimensions"
            )
        return x

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias, params, name)

    def forward(self, input: Tensor) -> Tensor:
        x = self._checked(input)
        momentum: float | Tensor = 0.0 if self.momentum is None else self.momentum
        counted = self.num_batches_tracked if self.training and self.track_running_stats else None
        if counted is not None and self.momentum is None:  # the mean of all batches
            momentum = 1.0 / (counted + 1).to(_C.float64)
        mean, var = self.running_mean, self.running_var
        from_batch = self.training or (mean is None and var is None)
        if self.training and not self.track_running_stats:
            mean = var = None
        weight = self.weight
        if self._sets is not None and weight is None and mean is None:  # something has to say how many sets there are
            weight = _C.ones(self._sets, self.num_features, dtype=x.dtype, device=x.device)
        result = batch_norm(x, mean, var, weight, self.bias, from_batch, momentum, self.eps)
        if counted is not None:
            counted.add_(1)
        return result


class BatchNorm1d(_BatchNorm):
    """Channels of (batch, channels) or (batch, channels, length), normalized over everything else; in eval() by the running
    statistics, which training moves by the fraction `momentum`, None for the mean of all batches. These are changed in place,
    so captured steps go on with them.

    With an arena of sets, parameters and statistics are (sets, channels), and x is the same for all sets or has them before
    the batch; (sets, batch, channels) is what an x that could be either is taken for. Raises ShapeError, ValueError for a
    single value per channel.

    >>> luge.nn.BatchNorm1d(1, affine=False)(luge.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]])
    >>> luge.nn.BatchNorm1d(4, params=luge.Parameters(sets=7))(luge.zeros(5, 4)).shape
    (7, 5, 4)
    """

    _ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """BatchNorm1d for (batch, channels, height, width).

    >>> luge.nn.BatchNorm2d(3)(luge.zeros(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """BatchNorm1d for (batch, channels, depth, height, width).

    >>> luge.nn.BatchNorm3d(3)(luge.zeros(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _ndims = (5,)


class _InstanceNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
        params: Parameters | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias, params, name)

    def forward(self, input: Tensor) -> Tensor:
        if self._sets is None and input.ndim == self._ndims[0] - 1:
            return self._normalized(input.unsqueeze(0)).squeeze(0)
        return self._normalized(self._checked(input))

    def _normalized(self, x: Tensor) -> Tensor:
        if x.shape[1 if self._sets is None else 2] != self.num_features and self.affine:
            raise ShapeError(f"{type(self).__name__}: x has shape {x.shape}; it must have {self.num_features} channels")
        from_input = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        if self._sets is not None and self.weight is None and self.running_mean is None:  # samples are normalized one by one
            y = instance_norm(x.flatten(0, 1), None, None, None, None, from_input, momentum, self.eps)
            return y.reshape(x.shape)
        return instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, from_input, momentum, self.eps
        )


class InstanceNorm1d(_InstanceNorm):
    """Channels of each sample of (batch, channels, length), or of one (channels, length), normalized by their own mean and
    variance; with `track_running_stats` in eval() by the running ones. Sets as in BatchNorm1d.

    >>> luge.nn.InstanceNorm1d(1)(luge.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])
    """

    _ndims = (3,)


class InstanceNorm2d(_InstanceNorm):
    """InstanceNorm1d for (batch, channels, height, width), or without the batch.

    >>> luge.nn.InstanceNorm2d(3)(luge.zeros(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    _ndims = (4,)


class InstanceNorm3d(_InstanceNorm):
    """InstanceNorm1d for (batch, channels, depth, height, width), or without the batch.

    >>> luge.nn.InstanceNorm3d(3)(luge.zeros(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    _ndims = (5,)


class LocalResponseNorm(Module):
    """local_response_norm(x, size, alpha, beta, k)

    >>> luge.nn.LocalResponseNorm(2)(luge.zeros(1, 3, 4)).shape
    (1, 3, 4)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _shape(kind: str, given: int | Sequence[int]) -> tuple[int, ...]:
    shape = tuple(given) if isinstance(given, Iterable) else (given,)
    for size in shape:
        whole(kind, normalized_shape=size)
    if not shape or any(size < 1 for size in shape):
        raise ValueError(f"{kind}: normalized_shape is {given}; it must have one size or more, each 1 or more")
    return shape
