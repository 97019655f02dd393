"""luge.utils.data: data sets, samplers, and the loader with and without workers; beside PyTorch's where it is installed."""

import collections
import threading

import pytest

import luge
from luge.utils import data

np = pytest.importorskip("numpy")
torch_data = pytest.importorskip("torch.utils.data")

Point = collections.namedtuple("Point", "x y")


class Numbers(data.Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        return {"x": np.float32(index), "label": index, "name": str(index), "pair": Point(index / 2, luge.tensor([index]))}


class Counting(data.IterableDataset):
    """Each of several workers gives every n-th number."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(info.id if info else 0, self.count, info.num_workers if info else 1))


def plain(value):
    """Nested lists, so that batches can be compared."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


# ---- batches


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("batch_size, drop_last", [(1, False), (4, False), (4, True), (20, False), (20, True), (None, False)])
def test_batches_are_pytorchs(workers, batch_size, drop_last):
    theirs = torch_data.DataLoader([(float(i), i) for i in range(11)], batch_size=batch_size, drop_last=drop_last)
    ours = data.DataLoader([(float(i), i) for i in range(11)], batch_size=batch_size, drop_last=drop_last, num_workers=workers)
    assert len(ours) == len(theirs)
    assert plain(list(ours)) == plain(list(theirs)) == plain(list(ours))


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_of_any_structure(workers):
    first, last = list(data.DataLoader(Numbers(5), batch_size=3, num_workers=workers))
    assert first["x"].dtype == luge.float32 and first["label"].dtype == luge.int64 and first["name"] == ["0", "1", "2"]
    assert isinstance(first["pair"], Point) and first["pair"].x.dtype == luge.float64
    assert first["pair"].y.tolist() == [[0], [1], [2]] and last["label"].tolist() == [3, 4]


@pytest.mark.parametrize("size, batch_size, drop_last", [(10, 3, False), (10, 3, True), (9, 3, False), (2, 5, True), (0, 4, False)])
@pytest.mark.parametrize("subset", [False, True])
def test_tensors_are_picked_at_once(size, batch_size, drop_last, subset):
    x, y = luge.arange(24.0).reshape(12, 2), luge.arange(12)
    whole = data.TensorDataset(x, y)
    part = data.Subset(whole, list(range(11, 11 - size, -1))) if subset else data.TensorDataset(x[:size], y[:size])
    by_hand = [data.default_collate([part[i] for i in numbers]) for numbers in data.BatchSampler(range(size), batch_size, drop_last)]
    found = list(data.DataLoader(part, batch_size=batch_size, drop_last=drop_last))
    assert plain(found) == plain(by_hand)
    if found:
        found[0][0].zero_()  # a batch is not a view of the data
        assert x.sum().item() == 276


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("of_tensors", [False, True])
def test_shuffling(workers, of_tensors):
    samples = data.TensorDataset(luge.arange(50)) if of_tensors else [(i,) for i in range(50)]

    def epochs(seed):
        luge.manual_seed(seed)
        loader = data.DataLoader(samples, batch_size=8, shuffle=True, num_workers=workers)
        return [[number for (batch,) in loader for number in batch.tolist()] for _ in range(2)]

    first, second = epochs(1)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second != list(range(50))
    assert epochs(1) == [first, second] != epochs(2)


def test_a_generator_has_numbers_of_its_own():
    def numbers(generator):
        loader = data.DataLoader(range(20), batch_size=20, shuffle=True, generator=generator)
        return [next(iter(loader)).tolist() for _ in range(2)]

    first = numbers(luge.Generator().manual_seed(5))
    luge.manual_seed(0)
    untouched = luge.rand(3).tolist()
    luge.manual_seed(0)
    assert numbers(luge.Generator().manual_seed(5)) == first != numbers(luge.Generator().manual_seed(6))
    assert luge.rand(3).tolist() == untouched
    generator = luge.Generator()
    state = generator.get_state()
    drawn = numbers(generator)
    assert numbers(generator.set_state(state)) == drawn
    assert 0 <= generator.seed() == generator.initial_seed()
    with pytest.raises(TypeError, match="manual_seed: seed is of type str"):
        generator.manual_seed("1")


# ---- workers


def test_workers_are_threads_and_end():
    before = threading.active_count()
    seen = set()

    class Who(data.Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, index):
            info = data.get_worker_info()
            assert isinstance(info, data.WorkerInfo) and info.dataset is loader.dataset
            seen.add((info.id, info.num_workers, threading.current_thread().name))
            return info.id

    started = []
    loader = data.DataLoader(Who(), batch_size=2, num_workers=3, worker_init_fn=started.append)
    assert [batch.tolist() for batch in loader] == [[0, 0], [1, 1], [2, 2]] * 2
    assert started == [0, 1, 2] and {number for number, _, _ in seen} == {0, 1, 2} and len({name for *_, name in seen}) == 3
    iterator = iter(loader)
    next(iterator)
    iterator.close()
    assert threading.active_count() == before and data.get_worker_info() is None


@pytest.mark.parametrize("workers", [0, 2])
def test_errors_of_samples_arrive(workers):
    class Faulty(data.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            if index == 3:
                raise KeyError("sample 3")
            return index

    before = threading.active_count()
    batches = iter(data.DataLoader(Faulty(), batch_size=2, num_workers=workers))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(KeyError, match="sample 3"):
        next(batches)
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("drop_last", [False, True])
def test_iterable_data_sets(workers, drop_last):
    loader = data.DataLoader(Counting(11), batch_size=3, num_workers=workers, drop_last=drop_last)
    batches = [batch.tolist() for batch in loader]
    numbers = sorted(number for batch in batches for number in batch)
    if drop_last:
        assert all(len(batch) == 3 for batch in batches) and len(set(numbers)) == len(numbers)
    else:
        assert numbers == list(range(11))
    if workers == 2:
        assert batches[:2] == [[0, 2, 4], [1, 3, 5]]


def test_batches_are_brought_to_a_device():
    loader = data.DataLoader(Numbers(4), batch_size=2, num_workers=2, device="cpu")
    assert [batch["label"].device.type for batch in loader] == ["cpu", "cpu"]


# ---- data sets and samplers


def test_data_sets():
    joined = Numbers(2) + Numbers(3)
    assert len(joined) == 5 and [joined[i]["label"] for i in (0, 1, 2, 4, -1)] == [0, 1, 0, 2, 2]
    chain = Counting(2) + Counting(3)
    assert isinstance(joined, data.ConcatDataset) and isinstance(chain, data.ChainDataset) and list(chain) == [0, 1, 0, 1, 2]
    assert data.Subset("abcdef", [4, 2])[1] == "c" and data.Subset(luge.arange(6) * 2, [4, 2])[[0, 1]].tolist() == [8, 4]
    assert data.StackDataset([1, 2], [3, 4])[1] == (2, 4)
    parts = data.random_split(range(10), [3, 7], luge.Generator().manual_seed(0))
    assert [len(part) for part in parts] == [3, 7] and sorted(n for part in parts for n in part) == list(range(10))
    for lengths in ([0.55, 0.45], [0.1, 0.2, 0.7], [1 / 3] * 3, [1.0]):
        theirs = torch_data.random_split(range(11), lengths) if hasattr(torch_data, "default_convert") else None
        ours = data.random_split(range(11), lengths)
        assert sum(map(len, ours)) == 11 and (theirs is None or [len(p) for p in ours] == [len(p) for p in theirs])


def test_conversion():
    converted = data.default_convert({"x": np.ones(2), "pair": Point(np.int64(3), "a"), "list": [np.float32(1), b"b"]})
    assert converted["x"].dtype == luge.float64 and converted["pair"].x.item() == 3 and converted["list"][1] == b"b"


def test_samplers():
    luge.manual_seed(0)
    assert list(data.SequentialSampler("abc")) == [0, 1, 2]
    assert sorted(data.SubsetRandomSampler([7, 3, 5], luge.Generator())) == [3, 5, 7]
    assert sorted(data.RandomSampler(range(5))) == list(range(5))
    assert len(list(data.RandomSampler(range(5), num_samples=12))) == 12
    assert sorted(list(data.RandomSampler(range(5), num_samples=10))) == sorted(list(range(5)) * 2)
    drawn = list(data.RandomSampler(range(5), replacement=True, num_samples=200))
    assert len(drawn) == 200 and set(drawn) == set(range(5))
    weighted = collections.Counter(data.WeightedRandomSampler([1.0, 0.0, 3.0], 4000))
    assert set(weighted) == {0, 2} and 2.6 < weighted[2] / weighted[0] < 3.4
    apart = list(data.WeightedRandomSampler([1.0, 0.0, 3.0], 2, replacement=False))
    assert sorted(apart) == [0, 2]
    generator = luge.Generator().manual_seed(1)
    firsts = collections.Counter(next(iter(data.WeightedRandomSampler([1.0, 3.0], 1, False, generator))) for _ in range(400))
    assert 0.6 < firsts[1] / 400 < 0.9
    batches = data.DataLoader(range(6), batch_sampler=[[5, 0], [1]])
    assert plain(list(batches)) == [[5, 0], [1]] and len(batches) == 2
    assert plain(list(data.DataLoader(range(6), batch_size=2, sampler=[3, 1, 2]))) == [[3, 1], [2]]


@pytest.mark.parametrize("call, kind, text", [
    (lambda: data.DataLoader(range(3), batch_size=0), ValueError, "DataLoader: batch_size is 0"),
    (lambda: data.DataLoader(range(3), batch_size=2.5), ValueError, "DataLoader: batch_size is 2.5"),
    (lambda: data.DataLoader(range(3), num_workers=-1), ValueError, "DataLoader: num_workers is -1"),
    (lambda: data.DataLoader(range(3), shuffle=True, sampler=[0]), ValueError, "DataLoader: shuffle and sampler are given"),
    (lambda: data.DataLoader(range(3), sampler=[0], batch_sampler=[[0]]), ValueError, "sampler and batch_sampler are given"),
    (lambda: data.DataLoader(range(3), batch_sampler=[[0]], drop_last=True), ValueError, "no choice to batch_size and drop_last"),
    (lambda: data.DataLoader(range(3), batch_size=None, drop_last=True), ValueError, "drop_last is True and batch_size None"),
    (lambda: data.DataLoader(range(3), prefetch_factor=2), ValueError, "DataLoader: prefetch_factor is given"),
    (lambda: data.DataLoader(Counting(3), shuffle=True), ValueError, "an IterableDataset has an order of its own"),
    (lambda: data.TensorDataset(), ValueError, "TensorDataset: one or more"),
    (lambda: data.TensorDataset(luge.ones(2), luge.ones(3)), ValueError, r"TensorDataset: the tensors have \[2, 3\] samples"),
    (lambda: data.StackDataset([1], [1, 2]), ValueError, r"StackDataset: the data sets have \[1, 2\] samples"),
    (lambda: data.StackDataset(), ValueError, "StackDataset: data sets are given"),
    (lambda: data.ConcatDataset([]), ValueError, "ConcatDataset: datasets is empty"),
    (lambda: data.ConcatDataset([Counting(1)]), ValueError, "ConcatDataset: an IterableDataset"),
    (lambda: data.ConcatDataset([[1]])[1], IndexError, r"ConcatDataset: index 1 is outside \[-1, 1\)"),
    (lambda: data.random_split(range(5), [2, 2]), ValueError, r"random_split: lengths is \[2, 2\]"),
    (lambda: data.random_split(range(5), [0.5, 0.6]), ValueError, "random_split: lengths"),
    (lambda: data.random_split(range(5), [7, -2]), ValueError, "random_split: lengths"),
    (lambda: data.RandomSampler(range(5), num_samples=0), ValueError, "RandomSampler: num_samples is 0"),
    (lambda: data.WeightedRandomSampler([1.0, -1.0], 1), ValueError, "WeightedRandomSampler: weights must be finite"),
    (lambda: data.WeightedRandomSampler([1.0, 0.0], 2, False), ValueError, "WeightedRandomSampler: 1 weights are above zero"),
    (lambda: data.BatchSampler(range(5), True, False), ValueError, "BatchSampler: batch_size is True"),
    (lambda: data.default_collate([object()]), TypeError, "default_collate: a sample holds an object of type object"),
    (lambda: data.default_collate([[1], [1, 2]]), ValueError, r"default_collate: samples have \[1, 2\] parts"),
    (lambda: data.default_collate([np.array(["a"])]), TypeError, "default_collate: a sample holds an array of dtype <U1"),
    (lambda: data.Dataset()[0], NotImplementedError, r"Dataset must define __getitem__"),
    (lambda: next(iter(data.Sampler())), NotImplementedError, r"Sampler must define __iter__"),
])  # fmt: skip
def test_errors(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
