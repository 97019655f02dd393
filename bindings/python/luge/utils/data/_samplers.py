"""Samplers: in which order a loader takes the samples."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ... import _C
from ..._generator import Generator

_T_co = TypeVar("_T_co", covariant=True)


def order(size: int, generator: Generator | None) -> list[int]:
    """The numbers of all samples in random order: of the generator, or of luge's own."""
    if size == 0:
        return []
    found: list[int] = (_C.randperm(size) if generator is None else generator._order(size)).tolist()
    return found


def _draws(points: int, generator: Generator | None) -> list[int]:
    """As many numbers of [0, points), each drawn from all of them."""
    found: list[int] = (_C.randint(0, points, (points,)) if generator is None else generator._draws(points)).tolist()
    return found


def _uniform(count: int, generator: Generator | None) -> list[float]:
    """Numbers in (0, 1): a place on a grid, and one between two of its points."""
    points = max(count, 2**16)
    coarse, fine = _draws(points, generator), _draws(points, generator)
    return [(coarse[i] + (fine[i] + 0.5) / points) / points for i in range(count)]


def count_of(kind: str, argument: str, value: Any) -> int:
    """`value`, or a ValueError where it is no int of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{kind}: {argument} is {value!r}; it must be an int of 1 or more")
    return value


class Sampler(Generic[_T_co]):
    """An order of samples: a subclass defines `__iter__`, which gives numbers of samples or lists of them."""

    def __iter__(self) -> Iterator[_T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class SequentialSampler(Sampler[int]):
    """All samples in their order.

    >>> list(luge.utils.data.SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All samples in random order, another one each time; with `replacement` each is drawn from all of them. `num_samples` may
    be more or fewer than there are.

    >>> sorted(luge.utils.data.RandomSampler("abc"))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = None if num_samples is None else count_of("RandomSampler", "num_samples", num_samples)

    @property
    def num_samples(self) -> int:
        """How many samples it gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size = len(self.data_source)
        if size == 0:
            return
        draw = _draws if self.replacement else order
        for left in range(self.num_samples, 0, -size):
            yield from draw(size, self.generator)[:left]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """These samples in random order.

    >>> sorted(luge.utils.data.SubsetRandomSampler([4, 2]))
    [2, 4]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in order(len(self.indices), self.generator))

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` samples, drawn in proportion to their weights, with replacement or without. Raises ValueError for weights
    that are negative or not finite, or of which too few are above zero.

    >>> list(luge.utils.data.WeightedRandomSampler([0.0, 1.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self, weights: Iterable[Any], num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        self.weights = [float(weight) for weight in weights]
        self.num_samples = count_of("WeightedRandomSampler", "num_samples", num_samples)
        self.replacement, self.generator = replacement, generator
        if not all(0 <= weight < math.inf for weight in self.weights):
            raise ValueError("WeightedRandomSampler: weights must be finite and not negative")
        above = sum(weight > 0 for weight in self.weights)
        if above < (1 if replacement else num_samples):
            raise ValueError(
                f"WeightedRandomSampler: {above} weights are above zero; {num_samples} samples are drawn "
                f"{'with' if replacement else 'without'} replacement"
            )

    def __iter__(self) -> Iterator[int]:
        if self.replacement:
            sums = list(itertools.accumulate(self.weights))
            last = max(i for i, weight in enumerate(self.weights) if weight > 0)
            return iter([min(bisect.bisect_right(sums, u * sums[-1]), last) for u in _uniform(self.num_samples, self.generator)])
        # The greatest of log(u) / weight are such a sample: Efraimidis and Spirakis, Information Processing Letters 97, 2006.
        uniform = _uniform(len(self.weights), self.generator)
        keys = [(math.log(u) / weight, i) for i, (u, weight) in enumerate(zip(uniform, self.weights)) if weight > 0]
        return iter([i for _, i in sorted(keys, reverse=True)[: self.num_samples]])

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` numbers of another sampler; with `drop_last` those that fill no batch are left out.

    >>> list(luge.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        self.sampler, self.drop_last = sampler, drop_last
        self.batch_size = count_of("BatchSampler", "batch_size", batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(itertools.islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)
