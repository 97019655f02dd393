"""Interpolation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _C
from .._C import Tensor
from ._named import named

_DIMS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_MODES = ("nearest", "nearest-exact", "area", *_DIMS)


def _each(name: str, what: str, given: object, spatial: int) -> list[float]:
    values: list[Any] = list(given) if isinstance(given, (Sequence, Tensor)) else [given] * spatial
    if len(values) != spatial:
        raise ValueError(f"{name}: {what} has {len(values)} numbers; the input has {spatial} spatial dimensions")
    return [float(value) for value in values]


@named
def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """An input (batch, channels, ...) of one to three spatial dimensions at another `size`, or `scale_factor` times as large.

    `mode`: 'nearest', 'nearest-exact' and 'area' of all, 'linear' of one, 'bilinear' and 'bicubic' of two, 'trilinear' of three
    spatial dimensions. `align_corners`: corner elements keep their places, of the last four; else the edges do. Places follow
    from `scale_factor` unless `recompute_scale_factor` has them follow from the sizes. Raises ValueError for other words, for
    sizes below 1, for options that do not go together and for `antialias`; ShapeError, DTypeError.

    >>> luge.nn.functional.interpolate(luge.tensor([[[1.0, 2.0]]]), scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.2500, 1.7500, 2.0000]]])
    """
    return _interpolated(
        "interpolate",
        input,
        size,
        scale_factor,
        mode,
        align_corners,
        recompute_scale_factor,
        antialias,
    )


def _interpolated(
    name: str,
    input: Tensor,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    mode: str,
    align_corners: bool | None,
    recompute: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    if mode not in _MODES:
        raise ValueError(f"{name}: mode is '{mode}'; it must be one of {', '.join(_MODES)}")
    if antialias:
        raise ValueError(f"{name}: antialias is True; it must be False")
    if align_corners is not None and mode not in _DIMS:
        raise ValueError(f"{name}: align_corners is given and mode is '{mode}'; it goes with {', '.join(_DIMS)}")
    allowed = (_DIMS[mode],) if mode in _DIMS else (3, 4, 5)
    if input.ndim not in allowed:
        raise _C.ShapeError(
            f"{name}: input has shape {input.shape}; with mode '{mode}' it must have {_words(allowed)} dimensions"
        )
    spatial = input.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"{name}: {'neither' if size is None else 'both'} of size and scale_factor given; one is needed"
        )
    if recompute and size is not None:
        raise ValueError(f"{name}: recompute_scale_factor goes with scale_factor, and size is given")
    scales: list[float] = []
    if size is not None:
        sizes = [int(value) for value in _each(name, "size", size, spatial)]
    else:
        scales = _each(name, "scale_factor", scale_factor, spatial)
        sizes = [math.floor(float(old) * scale) for old, scale in zip(input.shape[2:], scales)]
        if recompute:
            scales = []
    if min(sizes) < 1:
        raise ValueError(f"{name}: the result has sizes {sizes}; they must be 1 or more")
    return _C._resize(input, sizes, mode, bool(align_corners), scales)


def _words(numbers: tuple[int, ...]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]}"


@named
def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """interpolate, under its older name.

    >>> luge.nn.functional.upsample(luge.tensor([[[1.0, 2.0]]]), 4)
    tensor([[[1., 1., 2., 2.]]])
    """
    return _interpolated("upsample", input, size, scale_factor, mode, align_corners)


@named
def upsample_nearest(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """interpolate(mode='nearest').

    >>> luge.nn.functional.upsample_nearest(luge.tensor([[[1.0, 2.0]]]), 4)
    tensor([[[1., 1., 2., 2.]]])
    """
    return _interpolated("upsample_nearest", input, size, scale_factor, "nearest", None)


@named
def upsample_bilinear(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """interpolate(mode='bilinear', align_corners=True).

    >>> luge.nn.functional.upsample_bilinear(luge.tensor([[[[1.0, 2.0]]]]), (1, 3))
    tensor([[[[1.0000, 1.5000, 2.0000]]]])
    """
    return _interpolated("upsample_bilinear", input, size, scale_factor, "bilinear", True)
