"""max_unpool1d, 2d and 3d."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .. import _C
from .._C import Tensor
from .._C._functional import _max_unpool
from ._named import named_as


def numbers(op: str, argument: str, given: int | Sequence[int], dims: int) -> list[int]:
    """One number for each of the dimensions."""
    values: list[Any] = list(given) if isinstance(given, (tuple, list)) else [given] * dims
    if len(values) == 1:
        values *= dims
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{op}: {argument} is {given}; it must be an int or one for each dimension")
    if len(values) != dims:
        raise ValueError(f"{op}: {argument} has {len(values)} numbers; it must have one, or one for each of {dims} dimensions")
    return values


class _MaxUnpool(Protocol):
    def __call__(
        self,
        input: Tensor,
        indices: Tensor,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor: ...


def _made(dims: int, sizes: str) -> _MaxUnpool:
    op = f"max_unpool{dims}d"

    def max_unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        kernel = numbers(op, "kernel_size", kernel_size, dims)
        step = kernel if stride is None else numbers(op, "stride", stride, dims)
        border = numbers(op, "padding", padding, dims)
        if input.ndim < dims + 1:
            raise _C.ShapeError(f"{op}: the tensor has shape {input.shape}; it must have {dims + 1} dimensions or more")
        usual = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(input.shape[-dims:], step, border, kernel)]
        size = usual
        if output_size is not None:
            size = list(output_size)[-dims:]
            if len(output_size) not in (dims, input.ndim):
                raise ValueError(
                    f"{op}: output_size has {len(output_size)} numbers; it must have {dims}, or {input.ndim}, as the tensor has"
                )
            for own, most, near in zip(size, usual, step):
                if not most - near < own < most + near:
                    raise ValueError(
                        f"{op}: output_size is {tuple(output_size)}; each number must be within the stride, {tuple(step)}, of {tuple(usual)}"
                    )
        return _max_unpool(input, indices, size)

    doc = f"""Zeros with the input's values at the places that max_pool{dims}d(return_indices=True) gave. Without `output_size` the
    size is the least that such windows come from. Input (..., channels, {sizes}). Raises ShapeError, ValueError for another
    size, IndexError for places outside.

    >>> x, places = luge.nn.functional.max_pool{dims}d(luge.ones(1{dims * ', 2'}), 2, return_indices=True)
    >>> luge.nn.functional.{op}(x, places, 2).sum()
    tensor(1.)
    """
    return named_as(op, doc, max_unpool)


max_unpool1d = _made(1, "length")
max_unpool2d = _made(2, "height, width")
max_unpool3d = _made(3, "depth, height, width")
