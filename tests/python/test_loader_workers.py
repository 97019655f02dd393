"""The workers of luge.utils.data.DataLoader: threads that end with their epoch, whatever happens."""

import gc
import subprocess
import sys
import threading

import pytest

import luge
from luge.utils import data
from loader_samples import plain


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
