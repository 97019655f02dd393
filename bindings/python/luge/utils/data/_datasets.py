"""Data sets: what has samples, by number or one after the other."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ..._C import Tensor
from ..._generator import Generator
from ._samplers import order

_T_co = TypeVar("_T_co", covariant=True)


class Dataset(Generic[_T_co]):
    """Samples by number: a subclass defines `__getitem__` and, for samplers that need it, `__len__`. `__getitems__`, where
    there is one, is given a list of numbers and returns the list of their samples.

    >>> class Squares(luge.utils.data.Dataset):
    ...     def __getitem__(self, index):
    ...         return index**2
    ...     def __len__(self):
    ...         return 4
    >>> list(luge.utils.data.DataLoader(Squares(), batch_size=2))
    [tensor([0, 1]), tensor([4, 9])]
    """

    def __getitem__(self, index: Any) -> _T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other: Dataset[Any]) -> Dataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[_T_co]):
    """Samples one after the other: a subclass defines `__iter__`. With workers each has an iterator of its own;
    get_worker_info() tells it which part is its own.

    >>> class Count(luge.utils.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(3))
    >>> list(luge.utils.data.DataLoader(Count(), batch_size=2))
    [tensor([0, 1]), tensor([2])]
    """

    def __iter__(self) -> Iterator[_T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")

    def __add__(self, other: Dataset[Any]) -> Dataset[Any]:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors whose first dimension counts the samples; sample i is the tuple of their i-th slices.

    Raises ValueError for tensors of different first sizes.

    >>> data = luge.utils.data.TensorDataset(luge.tensor([1.0, 2.0]), luge.tensor([0, 1]))
    >>> data[1]
    (tensor(2.), tensor(1))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors or not all(isinstance(tensor, Tensor) and tensor.dim() > 0 for tensor in tensors):
            raise ValueError("TensorDataset: one or more tensors are needed, of one dimension or more")
        sizes = [tensor.shape[0] for tensor in tensors]
        if len(set(sizes)) > 1:
            raise ValueError(f"TensorDataset: the tensors have {sizes} samples; all must have as many")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class StackDataset(Dataset[Any]):
    """Data sets of one length side by side: sample i is the tuple, or for keywords the dict, of their i-th samples.

    >>> data = luge.utils.data.StackDataset(x=[1, 2], y=[3, 4])
    >>> data[0]
    {'x': 1, 'y': 3}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: data sets are given in order or by keyword, one way or the other")
        self.datasets: Any = args or kwargs
        lengths = [len(data) for data in (args or kwargs.values())]
        if len(set(lengths)) > 1:
            raise ValueError(f"StackDataset: the data sets have {lengths} samples; all must have as many")
        self._length = lengths[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: data[index] for name, data in self.datasets.items()}
        return tuple(data[index] for data in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """Data sets one behind the other.

    >>> len(luge.utils.data.ConcatDataset([[1, 2], [3]]))
    3
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: datasets is empty; one or more are needed")
        if any(isinstance(data, IterableDataset) for data in self.datasets):
            raise ValueError("ConcatDataset: an IterableDataset has no samples by number; ChainDataset takes it")
        self.cumulative_sizes = list(itertools.accumulate(len(data) for data in self.datasets))

    def __getitem__(self, index: int) -> Any:
        size = len(self)
        if not -size <= index < size:
            raise IndexError(f"ConcatDataset: index {index} is outside [{-size}, {size})")
        index %= size
        number = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[number][index - (self.cumulative_sizes[number - 1] if number else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Any]):
    """Iterable data sets one behind the other.

    >>> list(luge.utils.data.ChainDataset([[1], [2, 3]]))
    [1, 2, 3]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(data) for data in self.datasets)


class Subset(Dataset[_T_co]):
    """The samples of a data set that have these numbers.

    >>> luge.utils.data.Subset([5, 6, 7], [2, 0])[0]
    7
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def _counts(lengths: Sequence[float], size: int) -> list[int]:
    if all(isinstance(length, int) and length >= 0 for length in lengths) and sum(lengths) == size:
        return [int(length) for length in lengths]
    if not lengths or not all(0 <= length <= 1 for length in lengths) or not math.isclose(sum(lengths), 1):
        raise ValueError(
            f"random_split: lengths is {list(lengths)}; it must be numbers of samples that add up to {size}, or fractions that "
            "add up to 1"
        )
    counts = [math.floor(size * length) for length in lengths]
    for i in range(size - sum(counts)):
        counts[i % len(counts)] += 1
    return counts


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset[Any]]:
    """Parts of a data set with no sample in common, drawn at random: of these numbers of samples, or of these fractions, whose
    remainders go to the first parts. Raises ValueError for others.

    >>> [len(part) for part in luge.utils.data.random_split(range(10), [0.7, 0.3])]
    [7, 3]
    """
    counts = _counts(lengths, len(dataset))
    indices = order(len(dataset), generator)
    ends = list(itertools.accumulate(counts))
    return [Subset(dataset, indices[end - count : end]) for count, end in zip(counts, ends)]
