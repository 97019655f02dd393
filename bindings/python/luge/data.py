"""Data sets, mini-batches, and which points each set of a training is given; luge.utils.data has PyTorch's loader."""

from __future__ import annotations

from typing import Union as _Union

from ._C import Tensor as _Tensor
from ._C import _sampling
from ._C import device as _device
from ._C._data import Batches, BatchStream, Dataset, Epoch, find_dataset, load_idx_dataset, read_idx
from ._C._sampling import bootstrap, bootstrap_counts, folds, shuffled, split

__all__ = [
    "Batches",
    "BatchStream",
    "Dataset",
    "Epoch",
    "bootstrap",
    "bootstrap_counts",
    "find_dataset",
    "folds",
    "load_idx_dataset",
    "minibatch",
    "read_idx",
    "shuffled",
    "split",
]

_Step = _Union[int, _Tensor]


def minibatch(
    points: int | _Tensor,
    batch: int,
    sets: int | None = None,
    seed: int | None = None,
    step: _Step = 0,
    *,
    first_set: int = 0,
    device: _device | str | None = None,
) -> _Tensor:
    """Mini-batch number `step` of each set, which goes through all points in an order of its own for each epoch: indices of
    shape (sets, batch), int64. Points that fill no batch are left out of an epoch.

    points: how many there are; each call then sorts (sets, points) numbers. Or orders of shape (sets, points) that
        shuffled(points, sets, seed, step=epoch) gave, once an epoch; `step` is then modulo the number of batches.
    step: an int, or an int64 tensor, which a captured step may count.

    >>> orders = luge.data.shuffled(6, sets=2, seed=1)
    >>> luge.data.minibatch(6, 2, sets=2, seed=1, step=1).equal(orders[:, 2:4])
    True
    >>> luge.data.minibatch(orders, 2, step=1).equal(orders[:, 2:4])
    True
    """
    if isinstance(points, _Tensor):
        if sets is not None or seed is not None or device is not None or first_set != 0:
            raise TypeError("minibatch: orders are given; sets, seed, first_set and device are theirs")
        return _sampling._minibatch_of(points, batch, step)
    if sets is None:
        raise TypeError("minibatch: sets is missing; it must be the number of sets, or give the orders of shuffled()")
    return _sampling._minibatch(points, batch, sets, seed, step, first_set, device)
