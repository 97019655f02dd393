"""Images at places that a grid names."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _C
from .._C import Tensor
from ._named import named


@named
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Images (batch, channels, height, width) at a grid (batch, rows, columns, 2) of x and y from -1 to 1, or volumes at one of x, y
    and z: (batch, channels, rows, columns). `mode` is 'bilinear', 'nearest', or, of images, 'bicubic'; outside are 'zeros', the
    'border' or its 'reflection'. -1 and 1 are the middles of the outermost elements with `align_corners`, else their outer
    edges. Raises ShapeError, DTypeError, and ValueError for other words.

    >>> image = luge.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> luge.nn.functional.grid_sample(image, luge.zeros(1, 1, 1, 2))
    tensor([[[[2.5000]]]])
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample: mode is '{mode}'; it must be 'bilinear', 'nearest' or 'bicubic'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode is '{padding_mode}'; it must be 'zeros', 'border' or 'reflection'")
    return _C._grid_sample(input, grid, mode, padding_mode, bool(align_corners))


@named
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid of affine maps for grid_sample: theta (batch, 2, 3) and the size (batch, channels, height, width) of the result give
    (batch, height, width, 2); theta (batch, 3, 4) is for volumes. `align_corners` as in grid_sample. Raises ShapeError, DTypeError,
    and ValueError for sizes below 1.

    >>> identity = luge.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> luge.nn.functional.affine_grid(identity, (1, 1, 1, 2))
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    return _C._affine_grid(theta, [int(number) for number in size], bool(align_corners))
