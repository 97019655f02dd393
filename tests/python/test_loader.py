"""luge.utils.data.DataLoader: its batches with and without workers; beside PyTorch's where it is installed."""

import pytest

import luge
from luge.utils import data
from loader_samples import Counting, Numbers, Point, plain
from matrices import needs_gpu

np = pytest.importorskip("numpy")
torch_data = pytest.importorskip("torch.utils.data")


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


@needs_gpu
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("options", [{"shuffle": True}, {"sets": 3, "bootstrap": True, "shuffle": True}, {}])
@pytest.mark.parametrize("there", [False, True], ids=["brought", "there"])
def test_batches_of_a_gpu_are_those_of_the_cpu(workers, options, there):
    tensors = luge.arange(600.0).reshape(100, 6), luge.arange(100)

    def batches(samples, device, **more):
        loader = data.DataLoader(samples, 8, generator=luge.Generator().manual_seed(3), **options, **more)
        found = [batch for _ in range(2) for batch in loader]
        assert {part.device.type for batch in found for part in batch} == {device}
        return plain(found)

    expected = batches(data.TensorDataset(*tensors), "cpu")
    if there:
        on_gpu = data.TensorDataset(*(tensor.to("cuda") for tensor in tensors))
        assert batches(on_gpu, "cuda", num_workers=workers) == expected
    else:
        assert batches(data.TensorDataset(*tensors), "cuda", num_workers=workers, device="cuda") == expected


@pytest.mark.parametrize("call, kind, text", [
    (lambda: data.DataLoader(range(3), batch_size=0), ValueError, "DataLoader: batch_size is 0"),
    (lambda: data.DataLoader(range(3), batch_size=2.5), ValueError, "DataLoader: batch_size is 2.5"),
    (lambda: data.DataLoader(range(3), num_workers=-1), ValueError, "DataLoader: num_workers is -1"),
    (lambda: data.DataLoader(range(3), shuffle=True, sampler=[0]), ValueError, "DataLoader: shuffle and sampler are given"),
    (lambda: data.DataLoader(range(3), sampler=[0], batch_sampler=[[0]]), ValueError, "sampler and batch_sampler are given"),
    (lambda: data.DataLoader(range(3), batch_sampler=[[0]], drop_last=True), ValueError, "no choice to batch_size and drop_last"),
    (lambda: data.DataLoader(range(3), batch_size=None, drop_last=True), ValueError, "drop_last is True and batch_size None"),
    (lambda: data.DataLoader(range(3), prefetch_factor=2), ValueError, "DataLoader: prefetch_factor is given"),
    (lambda: data.DataLoader(range(3), timeout=-1), ValueError, "DataLoader: timeout is -1; it must be a number of seconds"),
    (lambda: data.DataLoader(range(3), persistent_workers=True), ValueError, "DataLoader: persistent_workers is True and num_workers is 0"),
    (lambda: data.DataLoader(range(3), sets=0, shuffle=True), ValueError, "DataLoader: sets is 0; it must be an int of 1 or more"),
    (lambda: data.DataLoader(range(3), sets=2), ValueError, "all sets would get the same samples"),
    (lambda: data.DataLoader(range(3), bootstrap=True), ValueError, "DataLoader: bootstrap is given and sets is not"),
    (lambda: data.DataLoader(range(3), first_set=1), ValueError, "DataLoader: first_set is given and sets is not"),
    (lambda: data.DataLoader(range(3), sets=2, first_set=-1, shuffle=True), ValueError, "DataLoader: first_set is -1"),
    (lambda: data.DataLoader(range(3), sets=2, sampler=[0]), ValueError, "DataLoader: sets and a sampler are given"),
    (lambda: data.DataLoader(range(3), sets=2, batch_sampler=[[0]]), ValueError, "DataLoader: sets and a sampler are given"),
    (lambda: data.DataLoader(range(3), None, sets=2, shuffle=True), ValueError, "DataLoader: sets is given and batch_size is None"),
    (lambda: data.DataLoader(Counting(3), sets=2), ValueError, "DataLoader: sets is given, and an IterableDataset has one order"),
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
