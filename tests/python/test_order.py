"""Order: what tests/agreement/samples/order.py cannot show. There are the values, the dtypes and the gradients."""

import math
import sys

import numpy
import pytest

import luge


def test_pairs_have_names():
    x = luge.tensor([[3.0, 1.0, 2.0], [9.0, 8.0, 7.0]])
    for name, args in (("kthvalue", (2,)), ("median", (1,)), ("nanmedian", (1,)), ("mode", ())):
        for found in (getattr(luge, name)(x, *args), getattr(x, name)(*args)):
            assert type(found).__name__ == name and found._fields == ("values", "indices")
            assert found.values is found[0] and found.indices.dtype is luge.int64
    found = luge.histogram(x, 3)
    assert found._fields == ("hist", "bin_edges") and found.hist.shape == (3,) and found.bin_edges.shape == (4,)


def test_pairs_are_written_whole_or_not_at_all():
    x = luge.tensor([3.0, 1.0, 2.0])
    values, indices = luge.zeros(3), luge.zeros(3, dtype=luge.int64)
    found = luge.sort(x, out=(values, indices))
    assert found.values is values and found.indices is indices
    assert values.tolist() == [1, 2, 3] and indices.tolist() == [1, 2, 0]
    for out, error in (((values, luge.zeros(2, dtype=luge.int64)), luge.ShapeError), ((values, luge.zeros(3, dtype=luge.bool)), luge.DTypeError),
                       ((values,), TypeError), (values, TypeError), ((values, 3), TypeError)):
        with pytest.raises(error, match="^sort: "):
            luge.sort(-x, out=out)
        assert values.tolist() == [1, 2, 3]


def test_many_elements():
    random = numpy.random.default_rng(5)
    a = random.integers(-500, 500, 20000)
    x = luge.tensor(a)
    values, inverse, counts = luge.unique(x, return_inverse=True, return_counts=True)
    expected = numpy.unique(a, return_inverse=True, return_counts=True)
    for ours, theirs in zip((values, inverse, counts), expected):
        assert numpy.array_equal(ours.numpy(), theirs)
    assert numpy.array_equal(values[inverse].numpy(), a)
    assert numpy.array_equal(luge.bincount(x + 500).numpy(), numpy.bincount(a + 500))
    f = random.normal(size=20000).astype(numpy.float32)
    y = luge.tensor(f)
    edges = numpy.sort(random.normal(size=999)).astype(numpy.float32)
    for side in ("left", "right"):
        assert numpy.array_equal(luge.searchsorted(luge.tensor(edges), y, side=side).numpy(), numpy.searchsorted(edges, f, side))
    assert numpy.array_equal(luge.isin(x, luge.tensor(a[:100])).numpy(), numpy.isin(a, a[:100]))
    assert luge.median(y).item() == numpy.sort(f)[9999] and luge.kthvalue(y, 77).values.item() == numpy.sort(f)[76]
    assert luge.quantile(y, 0.3).item() == pytest.approx(numpy.quantile(f, 0.3), rel=1e-6)
    rows = random.integers(0, 3, (3000, 4))
    found, inverse, counts = luge.unique(luge.tensor(rows), dim=0, return_inverse=True, return_counts=True)
    expected = numpy.unique(rows, axis=0, return_inverse=True, return_counts=True)
    assert numpy.array_equal(found.numpy(), expected[0]) and numpy.array_equal(inverse.numpy(), expected[1].reshape(-1))
    assert numpy.array_equal(counts.numpy(), expected[2])


def test_mode_of_many():
    random = numpy.random.default_rng(6)
    a = random.integers(0, 40, (50, 300))
    values, indices = luge.mode(luge.tensor(a))
    for row, value, place in zip(a, values.tolist(), indices.tolist()):
        assert value == numpy.bincount(row).argmax() and place == numpy.flatnonzero(row == value)[-1]


def test_host_readers_refuse_capture():
    x, n = luge.tensor([3.0, 1.0]), luge.tensor([3, 1])
    for name, call in (("unique", lambda: luge.unique(x)), ("unique", lambda: x.unique(dim=0)), ("bincount", lambda: n.bincount()),
                       ("unique_consecutive", lambda: luge.unique_consecutive(x)), ("histc", lambda: x.histc(3)),
                       ("histogram", lambda: x.histogram(3))):
        with pytest.raises(luge.CaptureError, match=f"{name}.*reads a value on the host"):
            luge.capture(call)()


def test_captured_quantiles_follow_their_q():
    x, q = luge.tensor([1.0, 2.0, 3.0]), luge.tensor([0.0, 0.5])
    step = luge.capture(lambda: x.quantile(q))
    assert step().tolist() == [1, 2]
    q.copy_(luge.tensor([1.0, 0.25]))
    assert step().tolist() == [3, 1.5]


def test_infinities():
    x = luge.tensor([0.0, 1.0, math.inf], requires_grad=True)
    q = luge.tensor([0.25, 0.5, 1.0], requires_grad=True)
    found = x.quantile(q)
    assert found.tolist() == [0.5, 1, math.inf]
    found[0].backward()
    assert x.grad.tolist() == [0.5, 0.5, 0] and q.grad.tolist() == [2, 0, 0]


def test_ties_keep_their_order():
    x = luge.tensor([2.0, 1.0, 2.0, 1.0, 2.0])
    assert [x.kthvalue(k).indices.item() for k in range(1, 6)] == [1, 3, 0, 2, 4]
    assert x.median(0).indices.item() == 0 and x.mode().indices.item() == 4


def test_references():
    x = luge.ones(3)
    before = sys.getrefcount(x)
    for _ in range(100):
        x.median(), x.mode(), x.kthvalue(1), x.unique(), luge.searchsorted(x, x), luge.bucketize(x, x), luge.isin(x, x)
        x.nanquantile(0.5), x.nanmedian(), x.msort(), x.histogram(3), x.unique_consecutive(return_inverse=True)
    assert sys.getrefcount(x) == before
