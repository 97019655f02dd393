"""Pooling over windows whose places are drawn (Graham, Fractional Max-Pooling, 2014)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, Union

from .. import _C
from .._C import Tensor
from ._named import named_as

Sizes = Union[int, Sequence[int]]
Ratios = Union[float, Sequence[float]]


def _each(name: str, what: str, given: Any, dims: int) -> tuple[Any, ...]:
    numbers = tuple(given) if isinstance(given, (tuple, list)) else (given,) * dims
    if len(numbers) != dims:
        raise ValueError(f"{name}: {what} is {given}; it must be a number or {dims} of them")
    return numbers


def output_sizes(name: str, dims: int, output_size: Any, output_ratio: Any) -> tuple[Any, Any]:
    """The sizes, where they are given, or the ratios, of each dimension; the others are None."""
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name}: neither output_size nor output_ratio is given")
    if output_size is not None:
        return _each(name, "output_size", output_size, dims), None
    ratios = _each(name, "output_ratio", output_ratio, dims)
    if not all(0 < ratio < 1 for ratio in ratios):
        raise ValueError(f"{name}: output_ratio is {output_ratio}; it must be between 0 and 1")
    return None, ratios


def _starts(samples: Tensor, size: int, kernel: int, output: int) -> Tensor:
    """Where the windows begin: (..., output) for samples (...) in [0, 1)."""
    last = _C.full((*samples.shape, 1), size - kernel, dtype=_C.int64, device=samples.device)
    if output == 1:
        return last
    step = (size - kernel) / (output - 1)
    drawn = samples.unsqueeze(-1)
    places = (_C.arange(output - 1, device=samples.device) + drawn) * step
    return _C.cat([places.to(_C.int64) - (drawn * step).to(_C.int64), last], -1)


def _pooled(
    name: str,
    dims: int,
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: Ratios | None,
    samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The largest values of the windows and their places. Of `samples` (batch, channels, dims) the last number is that of the
    outermost dimension for images, and of the innermost one for volumes, as in PyTorch."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: input is of type {type(input).__name__}; it must be a tensor")
    if input.ndim not in (dims + 1, dims + 2):
        raise _C.ShapeError(f"{name}: input has shape {input.shape}; it must have {dims + 1} or {dims + 2} dimensions")
    sizes, kernel = input.shape[-dims:], _each(name, "kernel_size", kernel_size, dims)
    given, ratios = output_sizes(name, dims, output_size, output_ratio)
    output = given or tuple(int(size * ratio) for size, ratio in zip(sizes, ratios))
    for size, window, count in zip(sizes, kernel, output):
        if window < 1 or count < 1 or count + window - 1 > size:
            raise ValueError(
                f"{name}: kernel_size is {kernel} and the output {output}; with an input of {sizes} both must be 1 or more, and their "
                "sum at most 1 more than the input"
            )
    lead = input.shape[:-dims]
    batch = (1, *lead)[-2:]
    if samples is None:
        dtype = input.dtype if input.dtype in (_C.float32, _C.float64) else _C.float32
        samples = _C.rand(*batch, dims, dtype=dtype, device=input.device)
    if not isinstance(samples, Tensor) or samples.shape != (*batch, dims):
        shown = samples.shape if isinstance(samples, Tensor) else type(samples).__name__
        raise _C.ShapeError(f"{name}: _random_samples is {shown}; it must be of shape {(*batch, dims)}")
    samples = samples.detach().reshape(*lead, dims)
    places = _C.zeros((*lead, *(1,) * (2 * dims)), dtype=_C.int64, device=input.device)
    for d in range(dims):
        start = _starts(samples[..., dims - 1 - d if dims == 2 else d], sizes[d], kernel[d], output[d])
        window = start.unsqueeze(-1) + _C.arange(kernel[d], device=input.device)
        shape = [1] * (2 * dims)
        shape[d], shape[dims + d] = output[d], kernel[d]
        places = places + window.reshape(*lead, *shape) * math.prod(sizes[d + 1 :])
    places = places.flatten(-dims)
    values = input.flatten(-dims).gather(-1, places.flatten(len(lead))).reshape(places.shape)
    largest = values.max(-1, keepdim=True)
    return largest[0].squeeze(-1), places.gather(-1, largest[1]).squeeze(-1)


_Result = TypeVar("_Result", covariant=True)


class _Pool(Protocol[_Result]):
    def __call__(
        self,
        input: Tensor,
        kernel_size: int | Sequence[int],
        output_size: int | Sequence[int] | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> _Result: ...


def _made(dims: int, sizes: str, with_indices: bool = False) -> Any:
    """One of the functions; those with indices give their places whatever `return_indices` says."""
    plain = f"fractional_max_pool{dims}d"
    name = f"{plain}_with_indices" if with_indices else plain

    def pool(
        input: Tensor,
        kernel_size: int | Sequence[int],
        output_size: int | Sequence[int] | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        found = _pooled(name, dims, input, kernel_size, output_size, output_ratio, _random_samples)
        return found if with_indices or return_indices else found[0]

    if with_indices:
        doc, result = f"{plain} with `return_indices`.", "[1].shape"
        pool.__annotations__["return"] = "tuple[Tensor, Tensor]"
    else:
        result = ".shape"
        doc = f"""The largest values of windows of x (batch, channels, {sizes}) or without batch, of which there are `output_size`, or
    `output_ratio` times the size, and with `return_indices` their places. The windows cover x, and where they begin is drawn for
    each channel of each sample, or follows from `_random_samples` (batch, channels, {dims}) in [0, 1). Raises ShapeError, ValueError."""
    example = f"""

    >>> luge.nn.functional.{name}(luge.zeros{(1, 1, *(4, 6, 8)[-dims:])}, 2, output_ratio=0.5){result}
    {(1, 1, *(2, 3, 4)[-dims:])}
    """
    return named_as(name, doc + example, pool)


fractional_max_pool2d: _Pool[Tensor | tuple[Tensor, Tensor]] = _made(2, "height, width")
fractional_max_pool3d: _Pool[Tensor | tuple[Tensor, Tensor]] = _made(3, "depth, height, width")
fractional_max_pool2d_with_indices: _Pool[tuple[Tensor, Tensor]] = _made(2, "height, width", True)
fractional_max_pool3d_with_indices: _Pool[tuple[Tensor, Tensor]] = _made(3, "depth, height, width", True)
