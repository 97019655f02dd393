"""Data sets and samplers of luge.utils.data; beside PyTorch's where it is installed."""

import collections

import pytest

import luge
from luge.utils import data
from loader_samples import Counting, Numbers, Point, plain

np = pytest.importorskip("numpy")
torch_data = pytest.importorskip("torch.utils.data")


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
