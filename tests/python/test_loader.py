"""luge.utils.data: data sets, samplers, and the loader with and without workers; beside PyTorch's where it is installed."""

import collections
import copy
import gc
import json
import pathlib
import pickle
import re
import subprocess
import sys
import threading

import pytest

import luge
from luge.utils import data
from matrices import needs_gpu

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


def threads():
    """Names of the loaders' threads that are there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("luge-loader")]


@pytest.mark.parametrize("of_tensors", [False, True])
@pytest.mark.parametrize("given", [False, True], ids=["global", "generator"])
def test_the_order_is_the_same_with_any_number_of_workers(of_tensors, given):
    samples = data.TensorDataset(luge.arange(50)) if of_tensors else [(i,) for i in range(50)]

    def epochs(workers, **options):
        luge.manual_seed(3)
        generator = luge.Generator().manual_seed(4) if given else None
        loader = data.DataLoader(samples, batch_size=7, shuffle=True, num_workers=workers, generator=generator, **options)
        return [plain(list(loader)) for _ in range(3)], luge.rand(2).tolist()

    alone = epochs(0)
    assert alone == epochs(1) == epochs(3) == epochs(2, prefetch_factor=5) == epochs(20)
    assert len({str(epoch) for epoch in alone[0]}) == 3


def test_workers_have_other_seeds_in_every_epoch():
    class Seeds(data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return data.get_worker_info().seed

    for generator in (None, luge.Generator().manual_seed(1)):
        loader = data.DataLoader(Seeds(), batch_size=None, num_workers=2, generator=generator)
        first, second = list(loader), list(loader)
        assert first[:2] == first[2:] and first[1] == first[0] + 1 and not set(first) & set(second)


def test_tensors_are_picked_by_the_workers():
    names = []

    class Telling(data.DataLoader):
        def _finished(self, batch):
            names.append(threading.current_thread().name)
            return batch

    samples = data.TensorDataset(luge.arange(12))
    assert plain(list(Telling(samples, batch_size=3, num_workers=2))) == plain(list(data.DataLoader(samples, batch_size=3)))
    assert sorted(names) == ["luge-loader-0"] * 2 + ["luge-loader-1"] * 2


def test_batches_are_made_while_the_step_runs():
    made = threading.Semaphore(0)
    seen = []

    class Samples(data.Dataset):
        def __len__(self):
            return 100

        def __getitem__(self, index):
            seen.append(index)
            made.release()
            return index

    batches = iter(data.DataLoader(Samples(), batch_size=2, num_workers=1, prefetch_factor=3))
    assert next(batches).tolist() == [0, 1]
    for _ in range(6):  # nobody asks for the next two batches, and they are made
        assert made.acquire(timeout=60)
    assert seen == list(range(6))
    batches.close()
    assert seen == list(range(6)) and threads() == []


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("of_tensors", [False, True])
def test_leaving_early_ends_the_workers(workers, of_tensors):
    samples = data.TensorDataset(luge.arange(60)) if of_tensors else range(60)
    loader = data.DataLoader(samples, batch_size=2, num_workers=workers)
    for _ in loader:
        assert len(threads()) == workers
        break
    assert threads() == []
    with pytest.raises(luge.ShapeError):
        for _ in loader:
            luge.ones(2) + luge.ones(3)
    gc.collect()  # the error held the frame that held the iterator
    assert threads() == []
    assert len(list(loader)) == 30 and threads() == []


class Refusing(data.Dataset):
    """Samples of different shapes."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return luge.ones(index)


def refuse(*args):
    raise luge.DTypeError("refused")


@pytest.mark.parametrize("options, kind, text", [
    ({}, luge.ShapeError, "stack"),
    ({"collate_fn": refuse}, luge.DTypeError, "refused"),
    ({"sampler": (refuse() if i == 5 else 0 for i in range(8))}, luge.DTypeError, "refused"),
    ({"worker_init_fn": refuse}, luge.DTypeError, "refused"),
    ({"collate_fn": lambda samples: next(iter(()))}, RuntimeError, "StopIteration"),
])  # fmt: skip
def test_errors_of_workers_keep_their_type_and_end_them(options, kind, text):
    loader = data.DataLoader(Refusing(), batch_size=2, num_workers=2, **options)
    with pytest.raises(kind, match=text) as error:
        list(loader)
    assert threads() == [] and error.traceback[-1].name != "result"  # it shows where the worker was


def test_a_worker_that_is_late():
    go_on = threading.Event()

    class Slow(data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            if index == 2:
                assert go_on.wait(60)
            return index

    batches = iter(data.DataLoader(Slow(), batch_size=2, num_workers=1, timeout=0.05))
    try:
        assert next(batches).tolist() == [0, 1]
        with pytest.raises(RuntimeError, match="DataLoader: timed out after 0.05 seconds of waiting for a worker"):
            next(batches)
    finally:
        late = [thread for thread in threading.enumerate() if thread.name == "luge-loader-0"]
        go_on.set()
    for thread in late:
        thread.join(60)
    assert len(late) == 1 and threads() == []


def test_a_program_ends_in_the_middle_of_an_epoch():
    program = """
import luge
samples = luge.utils.data.TensorDataset(luge.ones(4096, 4096))
batches = iter(luge.utils.data.DataLoader(samples, batch_size=1024, shuffle=True, num_workers=2))
print(next(batches)[0].shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(1024, 4096)\n", "")


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


# ---- places


def generator_of(seed):
    return luge.Generator().manual_seed(seed)


def loaders():
    samples, listed = data.TensorDataset(luge.arange(23)), [(i,) for i in range(23)]
    for workers in (0, 2):
        options = {"batch_size": 4, "num_workers": workers}
        yield lambda o=options: data.DataLoader(samples, shuffle=True, generator=generator_of(1), **o)
        yield lambda o=options: data.DataLoader(listed, shuffle=True, generator=generator_of(1), drop_last=True, **o)
        yield lambda o=options: data.DataLoader(samples, **o)
        yield lambda o=options: data.DataLoader(samples, shuffle=True, sets=3, generator=generator_of(1), **o)
        yield lambda o=options: data.DataLoader(listed, shuffle=True, bootstrap=True, sets=3, **o)
        yield lambda o=options: data.DataLoader(samples, sampler=data.RandomSampler(samples, generator=generator_of(1)), **o)
        batches = data.BatchSampler(data.SubsetRandomSampler([5, 1, 9, 2, 7], generator_of(2)), 2, False)
        yield lambda w=workers, b=batches: data.DataLoader(listed, batch_sampler=copy.deepcopy(b), num_workers=w)


@pytest.mark.parametrize("make", list(loaders()))
def test_a_loader_is_taken_up_in_the_middle_of_an_epoch(make):
    luge.manual_seed(4)
    loader = make()
    whole = [plain(batch) for _ in range(3) for batch in loader]
    drawn = luge.rand(2).tolist()
    each = len(loader)
    for taken in (0, 1, each, each + 2, 2 * each - 1, 3 * each):
        luge.manual_seed(4)
        loader, seen, state = make(), [], None
        for epoch in range(3):
            for batch in loader:
                seen.append(plain(batch))
                if len(seen) == taken and taken % each:
                    state = loader.state_dict()
                    break
            if len(seen) == taken or taken == 0:
                break
        state = state or loader.state_dict()  # between two epochs
        assert state["batches"] == taken % each
        luge.manual_seed(5)
        other = make()
        other.load_state_dict(json.loads(json.dumps(state)))
        assert other.state_dict() == state
        while len(seen) < 3 * each:
            seen.extend(plain(list(other)))
        assert seen == whole
    luge.manual_seed(4)
    loader = make()
    for _ in range(3):
        list(loader)
    assert luge.rand(2).tolist() == drawn


def test_a_training_by_a_loader_goes_on_from_a_checkpoint(tmp_path):
    x = luge.linspace(-1, 1, 40).view(20, 2)

    class Training:
        def __init__(self):
            luge.manual_seed(8)
            self.model = luge.nn.Sequential(luge.nn.Linear(2, 8), luge.nn.Dropout(0.5), luge.nn.Linear(8, 1))
            self.optimizer = luge.optim.Adam(self.model.parameters(), lr=0.01)
            self.loader = data.DataLoader(
                data.TensorDataset(x, x.sum(1, keepdim=True)), 6, shuffle=True, generator=generator_of(1), num_workers=1
            )
            self.parts = {"params": self.model, "optimizer": self.optimizer, "loader": self.loader}
            self.losses = []

        def run(self, steps, path=None):
            while True:
                for inputs, targets in self.loader:
                    self.optimizer.zero_grad()
                    loss = luge.nn.functional.mse_loss(self.model(inputs), targets)
                    loss.backward()
                    self.optimizer.step()
                    self.losses.append(loss.item())
                    if len(self.losses) == steps:
                        if path is not None:
                            luge.checkpoint.save(path, step=steps, **self.parts)
                        return self.losses

    whole = Training().run(11)
    begun = Training().run(5, tmp_path / "x")
    luge.manual_seed(77)
    other = Training()
    assert luge.checkpoint.load(tmp_path / "x", **other.parts).step == 5
    assert begun + other.run(6) == whole


def test_places_that_cannot_be_gone_back_to():
    samples = data.TensorDataset(luge.arange(5))
    for loader, text in [
        (data.DataLoader(Counting(3)), "an IterableDataset cannot be taken up"),
        (data.DataLoader(samples, shuffle=True), "give generator="),
        (data.DataLoader(samples, sampler=data.RandomSampler(samples), generator=generator_of(1)), "give generator="),
        (data.DataLoader(samples, batch_sampler=data.BatchSampler(data.RandomSampler(samples), 2, True)), "give generator="),
    ]:
        with pytest.raises(ValueError, match=f"^DataLoader.state_dict: .*{text}"):
            loader.state_dict()
    with pytest.raises(ValueError, match="^DataLoader.load_state_dict: the state is of a loader with other orders"):
        data.DataLoader(samples).load_state_dict(data.DataLoader(samples, shuffle=True, generator=generator_of(1)).state_dict())
    with pytest.raises(KeyError, match="batches"):
        data.DataLoader(samples).load_state_dict({"epochs": 1})


# ---- batches of sets


WAYS = [{"shuffle": True}, {"bootstrap": True}, {"shuffle": True, "bootstrap": True}]
ways = pytest.mark.parametrize("way", WAYS, ids=["orders", "samples", "orders of samples"])


@ways
@pytest.mark.parametrize("workers", [0, 2])
def test_a_set_alone_gets_what_it_gets_among_others(way, workers):
    samples = data.TensorDataset(luge.arange(22.0).reshape(11, 2), luge.arange(11))

    def epochs(sets, first_set):
        loader = data.DataLoader(
            samples, 4, sets=sets, first_set=first_set, num_workers=workers, generator=generator_of(9), **way
        )
        assert len(loader) == 3
        return [list(loader) for _ in range(3)]

    together = epochs(5, 0)
    assert [tuple(x.shape) for x, _ in together[0]] == [(5, 4, 2), (5, 4, 2), (5, 3, 2)]
    for number in range(5):
        for ours, alone in zip(together, epochs(1, number)):
            for (x, y), (own_x, own_y) in zip(ours, alone):
                assert x[number].equal(own_x[0]) and y[number].equal(own_y[0])
                assert x[number, :, 0].tolist() == [2 * label for label in y[number].tolist()]


def labels_of(loader):
    """The labels of an epoch: a list for each set."""
    return luge.cat([labels for *_, labels in loader], 1).tolist()


def test_each_set_has_an_order_of_its_own():
    samples, generator = data.TensorDataset(luge.arange(30)), generator_of(2)
    loader = data.DataLoader(samples, 7, shuffle=True, sets=4, generator=generator)
    first, second = labels_of(loader), labels_of(loader)
    assert all(sorted(order) == list(range(30)) for order in first + second)
    assert len({tuple(order) for order in first + second}) == 8
    alone = data.DataLoader(samples, 7, shuffle=True, generator=generator_of(2))
    for epoch in (first, second):  # set 0 goes as a loader without sets does
        assert [number for (labels,) in alone for number in labels.tolist()] == epoch[0]
    left_out = data.DataLoader(samples, 7, shuffle=True, sets=4, generator=generator_of(2), drop_last=True)
    assert labels_of(left_out) == [order[:28] for order in first] and len(left_out) == 4


def test_a_bootstrap_sample_stays():
    samples = data.TensorDataset(luge.arange(20))
    still = data.DataLoader(samples, 8, bootstrap=True, sets=3, generator=generator_of(7))
    drawn = luge.data.bootstrap(20, 3, seed=7)
    assert labels_of(still) == labels_of(still) == drawn.tolist()
    moving = data.DataLoader(samples, 8, shuffle=True, bootstrap=True, sets=3, generator=generator_of(7))
    first, second = labels_of(moving), labels_of(moving)
    assert first != second and first != drawn.tolist()
    for epoch in (first, second):
        assert [sorted(order) for order in epoch] == [sorted(order) for order in drawn.tolist()]
    orders = luge.data.shuffled(20, 3, 7, step=0)
    assert first == drawn.gather(1, orders).tolist()


@ways
def test_sets_without_a_generator_follow_the_global_seed(way):
    samples = data.TensorDataset(luge.arange(20))

    def epochs(seed):
        luge.manual_seed(seed)
        loader = data.DataLoader(samples, 6, sets=2, **way)
        return [labels_of(loader), labels_of(loader)]

    assert epochs(1) == epochs(1) != epochs(2)


@pytest.mark.parametrize("workers", [0, 2])
def test_sets_of_samples_of_any_structure(workers):
    options = {"shuffle": True, "sets": 2, "num_workers": workers}
    for batch in data.DataLoader(Numbers(6), 3, generator=generator_of(1), **options):
        labels = batch["label"]
        assert labels.shape == batch["x"].shape == (2, 3) and batch["x"].tolist() == labels.tolist()
        assert isinstance(batch["pair"], Point) and batch["pair"].y.squeeze(-1).equal(labels)
        assert batch["name"] == [[str(label) for label in row] for row in labels.tolist()]
    numbers = data.TensorDataset(luge.arange(10))
    part = data.Subset(numbers, [7, 3, 5, 9])
    orders = luge.data.shuffled(4, 2, 1, step=0)
    expected = luge.tensor([7, 3, 5, 9])[orders].tolist()
    by_hand = data.Subset([(i,) for i in range(10)], [7, 3, 5, 9])
    for samples in (part, by_hand, data.Subset(data.Subset(numbers, list(range(10))), [7, 3, 5, 9])):
        assert labels_of(data.DataLoader(samples, 3, generator=generator_of(1), **options)) == expected
    assert list(data.DataLoader(data.Subset(numbers, []), 3, **options)) == []
    with pytest.raises(TypeError, match="with sets collate_fn must return tensors, .* it returned int"):
        list(data.DataLoader(numbers, 3, collate_fn=len, **options))


def test_a_loader_is_copied():
    samples = data.TensorDataset(luge.arange(12))
    for options in ({}, {"sets": 2, "bootstrap": True}):
        loader = data.DataLoader(samples, 5, shuffle=True, generator=generator_of(3), num_workers=1, **options)
        first = plain(list(loader))
        for copied in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
            assert plain(list(copied)) == plain(list(data.DataLoader(samples, 5, shuffle=True, generator=seen_once(12), **options)))
        assert plain(list(loader)) != first


def seen_once(points):
    """A generator that one epoch was drawn from."""
    generator = generator_of(3)
    luge.randperm(points, generator=generator)
    return generator


def test_an_ensemble_on_bootstraps_trains_as_each_network_alone():
    x = luge.linspace(-1, 1, 24, dtype=luge.float64).unsqueeze(1)
    samples = data.TensorDataset(x, luge.sin(3 * x))

    def trained(sets, first_set):
        params = luge.Parameters(sets, seed=3, first_set=first_set, dtype=luge.float64)
        model = luge.nn.Sequential(
            luge.nn.Linear(1, 8, params=params, name="a"), luge.nn.Tanh(), luge.nn.Linear(8, 1, params=params, name="b")
        )
        optimizer = luge.optim.Adam(params, lr=0.05)
        loader = data.DataLoader(
            samples, 8, shuffle=True, bootstrap=True, sets=sets, first_set=first_set, generator=generator_of(5), num_workers=1
        )

        @luge.capture
        def step(inputs, targets):
            optimizer.zero_grad()
            loss = luge.nn.functional.mse_loss(model(inputs), targets, reduction="per_set")
            loss.sum().backward()
            optimizer.step()
            return loss

        return [step(*batch).tolist() for _ in range(30) for batch in loader]

    together = trained(3, 0)
    assert sum(map(sum, together[-3:])) < 0.1 * sum(map(sum, together[:3]))
    for number in range(3):
        assert [losses[number] for losses in together] == [loss for (loss,) in trained(1, number)]


def test_the_example_of_the_page():
    """What docs/python.md shows runs and learns."""
    page = (pathlib.Path(__file__).parents[2] / "docs/python.md").read_text()
    program = re.search(r"An ensemble on bootstraps:\n\n```python\n(.*?)```", page, re.S).group(1)
    names = {"luge": luge}
    exec(compile(program, "docs/python.md", "exec"), names)
    truth = luge.sin(4 * names["x"])
    assert (names["mean"] - truth).square().mean().sqrt().item() < 0.06
    assert 0 < names["deviation"].mean().item() < 0.1
    seen = luge.cat([targets for _, targets in names["bags"]], 1).squeeze(-1)
    for number in range(20):
        left_out = names["y"].squeeze(-1)[names["out_of_bag"][number]]
        assert 50 < len(left_out) < 100 and not set(left_out.tolist()) & set(seen[number].tolist())


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
