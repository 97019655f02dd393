"""The loader: batches of a data set, in an order, by threads that work ahead."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ... import _C
from ..._C import Tensor
from ..._generator import Generator
from ._arguments import check_order, check_sets, check_workers
from ._collate import by_sets, default_collate, default_convert, moved
from ._datasets import IterableDataset, Subset, TensorDataset
from ._samplers import BatchSampler, RandomSampler, SequentialSampler
from ._sets import OrdersOfSets
from ._workers import Worker, end


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


#: What stands for the end of a sequence.
_OVER = object()
#: Bytes of small batches that a worker makes ahead where nothing is said.
_BYTES_AHEAD = 2**23
#: Odd, so that seeds of neighbouring epochs differ: 2^64 divided by the golden ratio.
_STRIDE = 0x9E3779B97F4A7C15


class DataLoader:
    """Batches of a data set, as torch.utils.data.DataLoader: iterated anew for every epoch.

    dataset: samples by number (`__getitem__` and `__len__`), or an IterableDataset.
    batch_size: samples in a batch; None: the samples themselves, one by one.
    shuffle: another random order for every epoch, of `generator` where one is given, else of luge.manual_seed's numbers.
    sampler, batch_sampler: the numbers of samples, or lists of them, instead of `shuffle`.
    num_workers: threads that make batches ahead, `prefetch_factor` each; where it is not given 2, or up to 32 of a TensorDataset's
        while they take less than 8 MB. Batches are the same with any number of workers. They are threads, not processes: a data
        set is shared, not copied, and what it computes in Python runs one at a time.
    collate_fn: makes a batch of a list of samples; default_collate where it is not given.
    drop_last: leaves out the samples that fill no batch.
    timeout: seconds to wait for a worker's batch, then RuntimeError; 0: as long as it takes.
    device: where batches are brought to, by the workers if there are any.
    sets: batches for so many sets, of shape (sets, batch_size, ...): with `shuffle` each set has an order of its own, with
        `bootstrap` a sample of its own, drawn once with replacement. `first_set` is the number of the first of them: set i alone
        gets what it gets among others. Where tensors are on a GPU all of it happens there.
    pin_memory, multiprocessing_context, persistent_workers and in_order are PyTorch's and change nothing.

    A TensorDataset's batches are picked from its tensors at once. Raises ValueError for arguments that exclude each other; what a
    data set raises in a worker is raised where the batch would have come, and the workers end.

    >>> x, y = luge.arange(6.0), luge.arange(6)
    >>> samples = luge.utils.data.TensorDataset(x, y)
    >>> loader = luge.utils.data.DataLoader(samples, batch_size=4, shuffle=True, num_workers=1)
    >>> [len(labels) for _, labels in loader]
    [4, 2]
    >>> bags = luge.utils.data.DataLoader(samples, batch_size=2, sets=3, bootstrap=True)
    >>> [tuple(labels.shape) for _, labels in bags]
    [(3, 2), (3, 2), (3, 2)]
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
        sets: int | None = None,
        bootstrap: bool = False,
        first_set: int = 0,
    ) -> None:
        self._iterable = isinstance(dataset, IterableDataset)
        check_workers(num_workers, prefetch_factor, timeout, persistent_workers)
        check_order(self._iterable, shuffle, sampler, batch_sampler, batch_size, drop_last)
        plain = sampler is None and batch_sampler is None
        check_sets(self._iterable, sets, bootstrap, first_set, shuffle, plain, batch_size)
        self._of_sets = None if sets is None else OrdersOfSets(dataset, sets, first_set, bool(shuffle), bootstrap, generator)
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
        self.sets, self.bootstrap, self.first_set = sets, bootstrap, first_set
        self._epochs = 0
        self._place: dict[str, Any] | None = None  # in an epoch: where it began, and how far it is
        self._resumed: dict[str, Any] | None = None  # where the next iterator begins

    # ---- batches

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
        resumed, self._resumed = self._resumed, None
        return self._epoch(resumed)

    def _epoch(self, resumed: dict[str, Any] | None) -> Iterator[Any]:
        place = resumed or self._beginning()
        if resumed is None:
            place["seed"] = self._next_seed()
        else:
            self._epochs += 1
        self._place = place
        try:
            for batch in self._worked_ahead(place) if self.num_workers else self._one_by_one(place):
                place["batches"] += 1
                yield batch
        finally:
            if self._place is place:
                self._place = None

    def _next_seed(self) -> int:
        """The seed of an epoch's workers. It is drawn without workers, too, so that what is drawn later is the same."""
        self._epochs += 1
        if self.generator is None:
            return int(_C.randint(0, 2**31, ()).item())
        return (self.generator.initial_seed() + self._epochs * _STRIDE) % 2**63

    def _one_by_one(self, place: dict[str, Any]) -> Iterator[Any]:
        if self._iterable:
            return self._streamed(self.dataset)
        make, parts = self._plan()
        return map(make, itertools.islice(parts, place["batches"], None))

    # ---- where it is

    def _sampler(self) -> Any:
        """What draws an epoch's order."""
        return self.sampler if self.batch_sampler is None else getattr(self.batch_sampler, "sampler", self.batch_sampler)

    def _orders(self) -> Generator | None:
        """Where it draws from."""
        if self._of_sets is not None:
            return self._of_sets.generator
        found: Generator | None = getattr(self._sampler(), "generator", self.generator)
        return found

    def _beginning(self) -> dict[str, Any]:
        generator = self._orders()
        state = None if generator is None else list(generator.get_state())
        return {"epochs": self._epochs, "batches": 0, "generator": state, "seed": None}

    def state_dict(self) -> dict[str, Any]:
        """Where it is, for luge.checkpoint: in a loop over it how many batches of the epoch were taken, and how its order was
        drawn. A sampler of one's own must give the same numbers again. Raises ValueError where an order cannot be gone back to:
        for an IterableDataset, and for a random order without `generator`.
        """
        if self._iterable:
            raise ValueError("DataLoader.state_dict: an IterableDataset cannot be taken up at a place")
        if hasattr(self._sampler(), "generator") and self._orders() is None:
            raise ValueError(
                "DataLoader.state_dict: the order is of luge.manual_seed's numbers, which are others by now; give generator="
            )
        state = dict(self._place or self._resumed or self._beginning())
        state["sample"] = None if self._of_sets is None else self._of_sets.seed
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next iterator goes on where the loader was that this is the state of, behind the batches that were taken."""
        state = {name: state_dict[name] for name in ("epochs", "batches", "generator", "seed", "sample")}
        if (state["generator"] is None) != (self._orders() is None):
            raise ValueError("DataLoader.load_state_dict: the state is of a loader with other orders: one has a generator")
        if (sample := state.pop("sample")) is not None and self._of_sets is not None:
            self._of_sets.seed = sample
        if (generator := self._orders()) is not None:
            generator.set_state((state["generator"][0], state["generator"][1]))
        self._epochs = state["epochs"]
        self._resumed = state if state["seed"] is not None else None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_place": None}  # a copy is at no place

    # ---- what a batch is

    def _plan(self) -> tuple[Callable[[Any], Any], Iterator[Any]]:
        """What makes a batch, and what it is given for each batch of an epoch."""
        source = _tensors_of(self.dataset) if self.collate_fn is default_collate else None
        if self._of_sets is not None:
            return self._plan_of_sets(self._of_sets, source)
        if source is not None and self._takes_all():
            return self._plan_of_tensors(*source)
        return self._fetched, iter(self.batch_sampler if self._batched else self.sampler)

    def _finished(self, batch: Any) -> Any:
        return batch if self.device is None else moved(batch, self.device)

    def _samples(self, numbers: list[int]) -> list[Any]:
        if hasattr(self.dataset, "__getitems__"):
            samples: list[Any] = self.dataset.__getitems__(numbers)
            return samples
        return [self.dataset[number] for number in numbers]

    def _fetched(self, numbers: Any) -> Any:
        """The batch of these samples, or the one of this number."""
        return self._finished(self.collate_fn(self._samples(numbers) if self._batched else self.dataset[numbers]))

    def _streamed(self, dataset: Any) -> Iterator[Any]:
        """The batches of an iterable data set."""
        samples = iter(dataset)
        if not self._batched:
            for sample in samples:
                yield self._finished(self.collate_fn(sample))
            return
        size = self.batch_size or 1
        while batch := list(itertools.islice(samples, size)):
            if len(batch) == size or not self.drop_last:
                yield self._finished(self.collate_fn(batch))

    # ---- from tensors

    def _takes_all(self) -> bool:
        """Whether an epoch is all samples, in their order or a random one, in batches."""
        if self.batch_size is None or type(self.batch_sampler) is not BatchSampler:
            return False
        if type(self.sampler) is RandomSampler:
            return not self.sampler.replacement and len(self.sampler) == len(self.dataset)
        return type(self.sampler) is SequentialSampler

    def _places(self) -> Iterator[tuple[int, int]]:
        """Where each batch begins, and how many samples it has."""
        size, step = len(self.dataset), self.batch_size or 1
        return ((start, min(step, size - start)) for start in range(0, size - step + 1 if self.drop_last else size, step))

    def _plan_of_tensors(
        self, tensors: tuple[Tensor, ...], among: Tensor | None
    ) -> tuple[Callable[[Any], Any], Iterator[Any]]:
        """The batches of a TensorDataset, picked from its tensors."""
        size, order = len(self.dataset), among
        if type(self.sampler) is RandomSampler and size > 0:
            drawn = _C.randperm(size) if self.sampler.generator is None else self.sampler.generator._order(size)
            order = drawn if among is None else among.index_select(0, drawn)
        orders = [None if order is None else order.to(tensor.device) for tensor in tensors]

        def picked(place: tuple[int, int]) -> Any:
            return self._finished([
                tensor.narrow(0, *place).clone() if own is None else tensor.index_select(0, own.narrow(0, *place))
                for tensor, own in zip(tensors, orders)
            ])  # fmt: skip

        return picked, self._places()

    def _plan_of_sets(
        self, of_sets: OrdersOfSets, source: tuple[tuple[Tensor, ...], Tensor | None] | None
    ) -> tuple[Callable[[Any], Any], Iterator[Any]]:
        """Batches for sets: the samples of all of them in a row, and then apart."""
        if len(self.dataset) == 0:
            return self._finished, iter(())
        device = _C.device("cpu") if source is None else source[0][0].device
        among = None if source is None or source[1] is None else source[1].to(device)
        numbers_of = of_sets.next_epoch(device)

        def picked(place: tuple[int, int]) -> Any:
            numbers = numbers_of(*place)
            if source is None:
                batch = self.collate_fn(self._samples(numbers.tolist()))
            else:
                if among is not None:
                    numbers = among.index_select(0, numbers)
                batch = [tensor.index_select(0, numbers.to(tensor.device)) for tensor in source[0]]
            return self._finished(by_sets(batch, of_sets.sets))

        return picked, self._places()

    # ---- by workers

    def _worked_ahead(self, place: dict[str, Any]) -> Iterator[Any]:
        """Batch i is made by worker i modulo their number, so that an iterable data set's iterators stay with their threads."""
        seed = place["seed"] + 1
        workers = [Worker(f"luge-loader-{i}") for i in range(self.num_workers)]
        try:
            for number, worker in enumerate(workers):
                worker.ask(self._start_worker, [WorkerInfo(number, self.num_workers, seed + number, self.dataset)])
                worker.result()  # one after the other: what worker_init_fn does need not be safe among threads
            yield from self._streams_of(workers) if self._iterable else self._batches_of(workers, place["batches"])
        finally:
            end(workers)

    def _start_worker(self, info: WorkerInfo) -> None:
        _worker.info = info
        if self.worker_init_fn is not None:
            self.worker_init_fn(info.id)

    def _ahead(self) -> int:
        """Batches that each worker makes ahead: where nothing is said and they are small so many that it is rarely woken."""
        if self.prefetch_factor is not None:
            return self.prefetch_factor
        source = _tensors_of(self.dataset)
        if source is None or not self._batched or len(self.dataset) == 0:
            return 2
        samples = (self.batch_size or 1) * (self.sets or 1)
        each = samples * sum(tensor.nbytes / max(1, tensor.shape[0]) for tensor in source[0])
        return max(2, min(32, int(_BYTES_AHEAD / (1 + each))))

    def _batches_of(self, workers: list[Worker], taken: int) -> Iterator[Any]:
        make, parts = self._plan()
        parts = itertools.islice(parts, taken, None)
        ahead, turns = self._ahead() * len(workers), itertools.islice(itertools.cycle(workers), taken % len(workers), None)
        waiting: deque[Worker] = deque()
        while True:
            if len(waiting) <= ahead // 2:
                asked = list(itertools.islice(parts, ahead - len(waiting)))
                turn = list(itertools.islice(turns, len(asked)))
                for place, worker in enumerate(turn[: len(workers)]):
                    worker.ask(make, asked[place :: len(workers)])
                waiting.extend(turn)
            if not waiting:
                return
            yield waiting.popleft().result(self.timeout or None)

    def _streams_of(self, workers: list[Worker]) -> Iterator[Any]:
        for worker in workers:
            worker.ask(self._streamed, [self.dataset])
        streams = {worker: worker.result() for worker in workers}
        waiting: deque[Worker] = deque()

        def ask(worker: Worker) -> None:
            worker.ask(lambda stream: next(stream, _OVER), [streams[worker]])
            waiting.append(worker)

        for _ in range(self._ahead()):
            for worker in workers:
                ask(worker)
        while waiting:
            worker = waiting.popleft()
            batch = worker.result(self.timeout or None)
            if batch is not _OVER:
                ask(worker)
                yield batch
