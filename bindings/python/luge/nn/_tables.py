"""Functions that look rows up in a table."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from .._numbers import whole
from ._named import named


def _checked(name: str, weight: Tensor, padding_idx: int | None, sparse: bool) -> None:
    if sparse:
        raise ValueError(f"{name}: sparse is True; gradients are dense, so it must be False")
    if padding_idx is not None:
        whole(name, "padding_idx", padding_idx)


@named
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of a table: weight (count, dim) and indices (...) give (..., dim); weight (sets, count, dim) and indices (batch),
    the same for all sets, or (sets, ...) give (sets, ..., dim).

    The row `padding_idx` gets no gradient. `max_norm`: rows that are named and whose `norm_type`-norm is larger are scaled down
    to it in place, before. `scale_grad_by_freq`: a row's gradient is divided by how often it is named. Raises ShapeError,
    DTypeError, IndexError for an index outside, ValueError for a padding_idx outside and for `sparse`.

    >>> luge.nn.functional.embedding(luge.tensor([1, 0]), luge.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    _checked("embedding", weight, padding_idx, sparse)
    if max_norm is not None:
        _C._renormalize_rows_(weight, input, max_norm, norm_type)
    return _C._embedding(input, weight, padding_idx, scale_grad_by_freq)


@named
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The 'sum', 'mean' or 'max' of bags of rows: indices (bags, size), or 1-d with the `offsets` at which bags begin, give
    (bags, dim); an empty bag is 0.

    With `include_last_offset` the last offset is the end. `per_sample_weights`, of the indices' shape, multiply the rows of a sum.
    The row `padding_idx` counts for nothing; the other options as in embedding. Raises ShapeError, DTypeError, IndexError, and
    ValueError for options that do not go together.

    >>> luge.nn.functional.embedding_bag(luge.tensor([[0, 1]]), luge.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[2., 3.]])
    """
    _checked("embedding_bag", weight, padding_idx, sparse)
    if max_norm is not None:
        _C._renormalize_rows_(weight, input.reshape(-1), max_norm, norm_type)
    return _C._embedding_bag(
        input,
        weight,
        offsets,
        scale_grad_by_freq,
        mode,
        per_sample_weights,
        include_last_offset,
        padding_idx,
    )
