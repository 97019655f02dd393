"""sort, argsort and topk, against NumPy's stable sort and the PyTorch that is installed."""

import math
import sys

import pytest

import luge

numpy = pytest.importorskip("numpy")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
SIZES = [0, 1, 2, 15, 16, 17, 127, 128, 129, 1000, 4095, 4096, 4097, 100000]


def elements(dtype, *shape):
    """With ties, and where there are any NaN, infinities and zeros of both signs."""
    random = numpy.random.RandomState(sum(shape))
    x = random.randint(-50, 50, shape).astype(numpy.int64)
    if not dtype.startswith("float"):
        return x.astype(dtype) if dtype != "bool" else x > 0
    x = (x / 4).astype(dtype)
    for special in (math.nan, math.inf, -math.inf, -0.0):
        x[random.rand(*shape) < 0.02] = special
    return x


def order(x, axis, descending):
    """NumPy sorts NaN to the end, too; descending and stable is ascending from the other end."""
    if not descending:
        return numpy.argsort(x, axis=axis, kind="stable")
    found = numpy.argsort(numpy.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - numpy.flip(found, axis)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("descending", [False, True])
def test_against_numpy(dtype, descending):
    for size in SIZES:
        x = elements(dtype, size)
        t, right = luge.tensor(x), order(x, 0, descending)
        found = luge.sort(t, descending=descending)
        assert found.values.dtype is t.dtype and found.indices.dtype is luge.int64
        assert numpy.array_equal(found.indices.numpy(), right), size
        assert found.values.numpy().tobytes() == x[right].tobytes()
        assert luge.argsort(t, 0, descending).equal(found.indices)
        for k in {0, min(1, size), size // 20, size // 2, size}:
            some = luge.topk(t, k, largest=descending)
            assert numpy.array_equal(some.indices.numpy(), right[:k])
            assert some.values.numpy().tobytes() == x[right[:k]].tobytes()


@pytest.mark.parametrize("dim", [-3, -2, -1, 0, 1, 2])
@pytest.mark.parametrize("descending", [False, True])
def test_along_every_dimension(dim, descending):
    x = elements("float64", 6, 7, 8)
    for a, t in [(x, luge.tensor(x)), (x.transpose(2, 0, 1), luge.tensor(x).permute(2, 0, 1)), (x[1:, ::2], luge.tensor(x)[1:, ::2])]:
        right = order(a, dim, descending)
        values, indices = t.sort(dim, descending)
        assert numpy.array_equal(indices.numpy(), right)
        assert numpy.array_equal(values.numpy(), numpy.take_along_axis(a, right, dim), equal_nan=True)
        assert t.argsort(dim, descending).equal(indices)
        some = t.topk(2, dim, descending)
        assert some.indices.equal(indices.narrow(dim, 0, 2)) and some.values.shape == some.indices.shape


def test_bfloat16():
    x = luge.tensor([1.5, -2.0, math.nan, 0.25, 1.5], dtype=luge.bfloat16)
    found = x.sort(descending=True)
    assert found.values.dtype is luge.bfloat16 and found.indices.tolist() == [2, 0, 4, 3, 1]
    assert found.values[1:].tolist() == [1.5, 1.5, 0.25, -2.0]


def test_against_pytorch():
    torch = pytest.importorskip("torch")
    x = elements("float32", 40, 300)
    for dim in (0, 1):
        for descending in (False, True):
            ours = luge.sort(luge.tensor(x), dim, descending, stable=True)
            theirs = torch.sort(torch.tensor(x), stable=True, dim=dim, descending=descending)
            assert numpy.array_equal(ours.indices.numpy(), theirs.indices.numpy())
            assert numpy.array_equal(ours.values.numpy(), theirs.values.numpy(), equal_nan=True)
            some = torch.topk(torch.tensor(x), 7, dim, descending)
            assert numpy.array_equal(luge.topk(luge.tensor(x), 7, dim, descending).values.numpy(), some.values.numpy(), equal_nan=True)


def test_results_have_names():
    x = luge.tensor([[3, 1, 2], [9, 8, 7]])
    for found in (luge.sort(x), x.sort(), x.sort(dim=1, stable=True), luge.topk(x, 3, largest=False), x.topk(3, 1, False, sorted=False)):
        values, indices = found
        assert found._fields == ("values", "indices") and found.values is values and found[1] is indices
        assert values.tolist() == [[1, 2, 3], [7, 8, 9]] and indices.tolist() == [[1, 2, 0], [2, 1, 0]]


def test_no_dimensions():
    for found in (luge.tensor(3.0).sort(), luge.tensor(3.0).topk(1)):
        assert found.values.shape == () and found.values.item() == 3 and found.indices.shape == () and found.indices.item() == 0
    assert luge.tensor(True).argsort().item() == 0


def test_gradients():
    x = luge.tensor([[3.0, 1.0, 2.0], [7.0, 9.0, 8.0]], dtype=luge.float64, requires_grad=True)
    (x.sort(1).values * luge.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [[100, 1, 10], [1, 100, 10]]
    weight = luge.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=luge.float64)
    for function in (lambda t: t.sort(0).values * weight, lambda t: (t * t).sort(1, True).values * weight, lambda t: t.exp().topk(2).values):
        luge.autograd.gradcheck(function, [x])
        luge.autograd.gradgradcheck(function, [x])
    assert not x.sort().indices.requires_grad and not x.argsort().requires_grad


def test_captured():
    x = luge.tensor(elements("float32", 30, 40))

    @luge.capture
    def step():
        found = x.sort(0)
        return [found.values, found.indices, x.topk(3).values, x.argsort(descending=True)]

    for _ in range(3):
        captured = step()
        eager = [x.sort(0).values, x.sort(0).indices, x.topk(3).values, x.argsort(descending=True)]
        assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in zip(captured, eager))
        x.mul_(-1)


def test_errors():
    x = luge.zeros(2, 3)
    with pytest.raises(IndexError, match="^sort: dim 2 is out of range; a 2-d tensor allows -2 to 1"):
        x.sort(2)
    with pytest.raises(IndexError, match="^argsort: dim -3 is out of range"):
        luge.argsort(x, -3)
    with pytest.raises(ValueError, match=r"^topk: k is 4; dim -1 of a tensor of shape \(2, 3\) allows 0 to 3"):
        x.topk(4)
    with pytest.raises(ValueError, match=r"^topk: k is -1; dim 0 of a tensor of shape \(2, 3\) allows 0 to 2"):
        luge.topk(x, -1, 0)
    with pytest.raises(TypeError):
        x.topk(1.5)
    with pytest.raises(TypeError):
        luge.topk(x)


def test_references():
    x = luge.ones(3)
    before = sys.getrefcount(x)
    for _ in range(100):
        x.sort(), x.topk(1), x.argsort()
    assert sys.getrefcount(x) == before
