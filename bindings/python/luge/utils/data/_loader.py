"""The loader: batches of a data set, in an order, by threads that work ahead."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from ... import _C
from ..._C import Tensor
from ..._generator import Generator
from ._collate import default_collate, default_convert, moved
from ._datasets import IterableDataset, Subset, TensorDataset
from ._samplers import BatchSampler, RandomSampler, SequentialSampler, count_of


class WorkerInfo(NamedTuple):
    """Which of a loader's workers is asking."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """In a worker of a loader: its number, how many there are, its seed and the data set. None elsewhere.

    >>> luge.utils.data.get_worker_info() is None
    True
    """
    return getattr(_worker, "info", None)


def _tensors_of(dataset: Any) -> tuple[tuple[Tensor, ...], Tensor | None] | None:
    """The tensors that samples are slices of, and which of them, where that is all there is to a data set."""
    if type(dataset) is TensorDataset:
        return dataset.tensors, None
    if type(dataset) is Subset and type(dataset.dataset) is TensorDataset:
        return dataset.dataset.tensors, _C.tensor(list(dataset.indices), dtype=_C.int64)
    return None


class DataLoader:
    """Batches of a data set, as torch.utils.data.DataLoader: iterated anew for every epoch.

    dataset: samples by number (`__getitem__` and `__len__`), or an IterableDataset.
    batch_size: samples in a batch; None: the samples themselves, one by one.
    shuffle: another random order for every epoch, of `generator` where one is given, else of luge.manual_seed's numbers.
    sampler, batch_sampler: the numbers of samples, or lists of them, instead of `shuffle`.
    num_workers: threads that make batches ahead, `prefetch_factor` each, which is 2 where it is not given; the order stays.
        They are threads, not processes: a data set is shared, not copied, and what it computes in Python runs one at a time.
    collate_fn: makes a batch of a list of samples; default_collate where it is not given.
    drop_last: leaves out the samples that fill no batch.
    device: where batches are brought to, by the workers if there are any.
    pin_memory, timeout, multiprocessing_context, persistent_workers and in_order are PyTorch's and change nothing.

    A TensorDataset's batches are picked from its tensors at once. Raises ValueError for arguments that exclude each other.

    >>> x, y = luge.arange(6.0), luge.arange(6)
    >>> loader = luge.utils.data.DataLoader(luge.utils.data.TensorDataset(x, y), batch_size=4, shuffle=True)
    >>> [len(labels) for _, labels in loader]
    [4, 2]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        device: Any = None,
    ) -> None:
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
            raise ValueError(f"DataLoader: num_workers is {num_workers!r}; it must be an int of 0 or more")
        if prefetch_factor is not None:
            count_of("DataLoader", "prefetch_factor", prefetch_factor)
            if num_workers == 0:
                raise ValueError("DataLoader: prefetch_factor is given and num_workers is 0; workers are needed to work ahead")
        self._iterable = isinstance(dataset, IterableDataset)
        self._check_order(shuffle, sampler, batch_sampler, batch_size, drop_last)
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None and not self._iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self._batched = batch_size is not None or batch_sampler is not None
        self.dataset, self.batch_size, self.sampler, self.batch_sampler = dataset, batch_size, sampler, batch_sampler
        self.num_workers, self.prefetch_factor, self.drop_last = num_workers, prefetch_factor, drop_last
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)
        self.worker_init_fn, self.generator, self.device = worker_init_fn, generator, device
        self.pin_memory, self.timeout, self.persistent_workers = pin_memory, timeout, persistent_workers

    def _check_order(self, shuffle: Any, sampler: Any, batch_sampler: Any, batch_size: Any, drop_last: bool) -> None:
        given = {"shuffle": bool(shuffle), "sampler": sampler is not None, "batch_sampler": batch_sampler is not None}
        named = [name for name, there in given.items() if there]
        if self._iterable and named:
            raise ValueError(f"DataLoader: {named[0]} is given, and an IterableDataset has an order of its own")
        if len(named) > 1:
            raise ValueError(f"DataLoader: {' and '.join(named)} are given; one of them says what the order is")
        if batch_sampler is not None and (batch_size != 1 or drop_last):
            raise ValueError("DataLoader: batch_sampler is given, which leaves no choice to batch_size and drop_last")
        if batch_size is not None:
            count_of("DataLoader", "batch_size", batch_size)
        elif drop_last:
            raise ValueError("DataLoader: drop_last is True and batch_size None; without batches none can be left out")

    def __len__(self) -> int:
        """Batches in an epoch."""
        if not self._iterable:
            return len(self.batch_sampler if self._batched else self.sampler)
        size = len(self.dataset)
        if self.batch_size is None:
            return size
        whole, rest = divmod(size, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        batches = self._picked() or (self._worked_ahead() if self.num_workers else self._one_by_one())
        return batches

    # ---- without workers

    def _finished(self, batch: Any) -> Any:
        return batch if self.device is None else moved(batch, self.device)

    def _fetched(self, numbers: Any) -> Any:
        """The batch of these samples, or the one of this number."""
        if not self._batched:
            return self._finished(self.collate_fn(self.dataset[numbers]))
        if hasattr(self.dataset, "__getitems__"):
            samples = self.dataset.__getitems__(numbers)
        else:
            samples = [self.dataset[number] for number in numbers]
        return self._finished(self.collate_fn(samples))

    def _streamed(self, samples: Iterator[Any]) -> Iterator[Any]:
        """The batches of an iterable data set."""
        if not self._batched:
            for sample in samples:
                yield self._finished(self.collate_fn(sample))
            return
        size = self.batch_size or 1
        while batch := list(itertools.islice(samples, size)):
            if len(batch) == size or not self.drop_last:
                yield self._finished(self.collate_fn(batch))

    def _one_by_one(self) -> Iterator[Any]:
        if self._iterable:
            yield from self._streamed(iter(self.dataset))
        else:
            for numbers in self.batch_sampler if self._batched else self.sampler:
                yield self._fetched(numbers)

    # ---- from tensors

    def _picked(self) -> Iterator[Any] | None:
        """The batches of a TensorDataset, picked from its tensors; None where samples have to be looked at one by one."""
        plain = type(self.sampler) in (RandomSampler, SequentialSampler) and type(self.batch_sampler) is BatchSampler
        source = _tensors_of(self.dataset)
        if source is None or not plain or self.batch_size is None or self.collate_fn is not default_collate:
            return None
        if type(self.sampler) is RandomSampler and (self.sampler.replacement or len(self.sampler) != len(self.dataset)):
            return None
        return self._slices(*source)

    def _slices(self, tensors: tuple[Tensor, ...], among: Tensor | None) -> Iterator[Any]:
        size, step = len(self.dataset), self.batch_size or 1
        if size == 0:
            return
        order = among
        if type(self.sampler) is RandomSampler:
            drawn = _C.randperm(size) if self.sampler.generator is None else self.sampler.generator._order(size)
            order = drawn if among is None else among.index_select(0, drawn)
        for start in range(0, size - step + 1 if self.drop_last else size, step):
            count = min(step, size - start)
            if order is None:
                yield [self._finished(tensor.narrow(0, start, count).clone()) for tensor in tensors]
            else:
                numbers = order.narrow(0, start, count)
                yield [self._finished(tensor.index_select(0, numbers.to(tensor.device))) for tensor in tensors]

    # ---- by workers

    def _worked_ahead(self) -> Iterator[Any]:
        """Batch i is made by worker i modulo their number, each of which is one thread, so that an iterable data set's
        iterators stay with their threads."""
        seed = (self.generator.initial_seed() if self.generator else int(_C.randint(0, 2**31, ()).item())) + 1
        pools = [ThreadPoolExecutor(1, f"luge-loader-{i}") for i in range(self.num_workers)]
        try:
            for number, pool in enumerate(pools):
                pool.submit(self._start_worker, WorkerInfo(number, self.num_workers, seed + number, self.dataset)).result()
            ahead = self.num_workers * (self.prefetch_factor or 2)
            yield from self._streams_of(pools, ahead) if self._iterable else self._batches_of(pools, ahead)
        finally:
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)

    def _start_worker(self, info: WorkerInfo) -> None:
        _worker.info = info
        if self.worker_init_fn is not None:
            self.worker_init_fn(info.id)

    def _batches_of(self, pools: list[ThreadPoolExecutor], ahead: int) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        numbers = iter(self.batch_sampler if self._batched else self.sampler)
        for pool in itertools.cycle(pools):
            batch = next(numbers, None)
            if batch is not None:
                waiting.append(pool.submit(self._fetched, batch))
            if not waiting:
                return
            if batch is None or len(waiting) >= ahead:
                yield waiting.popleft().result()

    def _streams_of(self, pools: list[ThreadPoolExecutor], ahead: int) -> Iterator[Any]:
        over = object()
        streams = [pool.submit(lambda: self._streamed(iter(self.dataset))).result() for pool in pools]
        waiting: deque[tuple[int, Future[Any]]] = deque()
        for _ in range(max(1, ahead // len(pools))):
            for number, pool in enumerate(pools):
                waiting.append((number, pool.submit(next, streams[number], over)))
        while waiting:
            number, future = waiting.popleft()
            batch = future.result()
            if batch is not over:
                waiting.append((number, pools[number].submit(next, streams[number], over)))
                yield batch
