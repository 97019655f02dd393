"""Indexing against NumPy."""

import pytest

import luge

numpy = pytest.importorskip("numpy")

KEYS = [
    "0", "-1", "1, 2", "1, 2, 3", "-1, -1, -1", "1:", ":2", "::2", "1:3:2", ":, 1", ":, 1:3", "..., 0", "0, ...", "..., 1:, :2",
    "None", ":, None", "None, ..., None", "1:1", "5:", "-2:", ":, -1:, ::3", "...", "()", "0, None, 1:",
    "[0, 2, 1]", "[0, 2], :, [1, 3]", "[0, 2], [1, 0]", ":, [1, 0, 1]", "..., [3, 0]", "[[0, 1], [2, 0]]", ":, [0, 1], [1, 2]",
    "[0, 2], None, [1, 0]", "1, [0, 2]", "[0], :, [1]", "numpy.array([2, 0])", "numpy.array([[1], [2]]), numpy.array([0, 1])",
    "x > 0", "x[:, :, 0] > 0", "x[:, 0, 0] > 0", ":, x[0] > 0", "[True, False, True]", "[-1, -3]", "True", "False", "[]",
    "[1, 2], 0, [3, 0]", "None, [0, 1]", "0:2, [2, 1], 1",
]  # fmt: skip


def arrays():
    values = numpy.random.RandomState(0).randn(3, 4, 5)
    return values, luge.tensor(values)


def keys(text):
    """The same key for NumPy and for luge."""
    x, t = arrays()
    wanted = eval(f"_[{text}]", {"_": _Key(), "numpy": numpy, "x": x})
    given = eval(f"_[{text}]", {"_": _Key(), "numpy": numpy, "x": t})
    return wanted, given


class _Key:
    def __getitem__(self, key):
        return key


@pytest.mark.parametrize("text", KEYS)
def test_get(text):
    x, t = arrays()
    wanted, given = keys(text)
    expected = x[wanted] if text != "[]" else x[numpy.array([], dtype=int)]
    found = t[given]
    assert found.shape == expected.shape
    assert numpy.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("text", KEYS)
def test_set_to_a_number(text):
    x, t = arrays()
    wanted, given = keys(text)
    x[wanted if text != "[]" else numpy.array([], dtype=int)] = 7
    t[given] = 7
    assert numpy.array_equal(t.numpy(), x)


@pytest.mark.parametrize("text", KEYS)
def test_set_to_a_tensor(text):
    x, t = arrays()
    wanted, given = keys(text)
    if text == "[]":
        wanted = numpy.array([], dtype=int)
    values = numpy.asarray(numpy.random.RandomState(1).randn(*x[wanted].shape))
    x[wanted] = values
    t[given] = luge.tensor(values)
    assert numpy.array_equal(t.numpy(), x)


@pytest.mark.parametrize("text", ["0", "1:", "[0, 2, 1]", "x > 0", ":, [1, 0, 1]", "..., None", "[0, 2], [1, 0]"])
def test_gradients(text):
    x, t = arrays()
    wanted, given = keys(text)
    t.requires_grad_()
    (t[given] * 3).sum().backward()
    expected = numpy.zeros_like(x)
    numpy.add.at(expected, wanted, 3)
    assert numpy.array_equal(t.grad.numpy(), expected)


def test_an_integer_is_not_an_array():
    """As in PyTorch; NumPy would bring the picked dimension to the front."""
    x, t = arrays()
    assert numpy.array_equal(t[1, :, [2, 2]].numpy(), x[1][:, [2, 2]])


def test_views_share_memory():
    t = luge.zeros(3, 4)
    t[1][2] = 5
    t[:, 0] = 1
    assert t.tolist() == [[1, 0, 0, 0], [1, 0, 5, 0], [1, 0, 0, 0]]
    copy = t[[0, 1]]
    copy[0, 0] = 9
    assert t[0, 0].item() == 1


@pytest.mark.parametrize("key, error", [
    ((0, 0, 0, 0), IndexError), (3, IndexError), (-4, IndexError), ((0, 4), IndexError), ("a", TypeError), (1.5, TypeError),
    ((..., ...), IndexError), (slice(None, None, -1), ValueError), (slice(0, 2, 0), ValueError), ([0, 3], IndexError),
    ([0.5], IndexError), (slice("a", None), TypeError), ({}, TypeError), (2**70, ValueError),
])  # fmt: skip
def test_bad_keys(key, error):
    t = luge.zeros(3, 4, 5)
    for action in (lambda: t[key], lambda: t.__setitem__(key, 1)):
        with pytest.raises(error):
            action()
    assert float(abs(t).sum()) == 0


def test_masks_must_fit():
    with pytest.raises(IndexError, match="mask"):
        luge.zeros(3)[luge.tensor([True, False])]


def test_bad_values():
    t = luge.zeros(3, 4)
    for value in (luge.ones(5), "text", [1, "a"]):
        with pytest.raises((ValueError, TypeError)):
            t[0] = value
    leaf = luge.zeros(3, requires_grad=True)
    with pytest.raises(luge.AutogradError):
        leaf[0] = 1
    assert float(t.sum()) == 0


def test_sequences():
    t = luge.arange(6).view(3, 2)
    assert len(t) == 3 and [row.tolist() for row in t] == [[0, 1], [2, 3], [4, 5]]
    assert 3 in t and 7 not in t and luge.tensor(5) in t
    assert list(range(10))[luge.tensor(4)] == 4
    for action in (lambda: len(luge.tensor(1)), lambda: list(luge.tensor(1)), lambda: [0][luge.tensor(0.0)]):
        with pytest.raises(TypeError):
            action()
    a, b, c = t
    assert c.tolist() == [4, 5]
    first, *_ = t.T
    assert first.tolist() == [0, 2, 4]
