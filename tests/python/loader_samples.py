"""Data sets of known samples, and what the tests of loaders read from their batches."""

import collections

import pytest

import luge
from luge.utils import data

np = pytest.importorskip("numpy")

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


def generator_of(seed):
    return luge.Generator().manual_seed(seed)


def labels_of(loader):
    """The labels of an epoch: a list for each set."""
    return luge.cat([labels for *_, labels in loader], 1).tolist()
