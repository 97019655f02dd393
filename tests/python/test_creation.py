"""Making tensors."""

import math

import pytest

import luge

DTYPES = [luge.bool, luge.uint8, luge.int8, luge.int16, luge.int32, luge.int64, luge.float16, luge.bfloat16, luge.float32,
          luge.float64]


@pytest.mark.parametrize("data, shape, dtype", [
    (3, (), luge.int64), (3.5, (), luge.float32), (True, (), luge.bool), ([1, 2], (2,), luge.int64),
    ([[1, 2.5], [3, 4]], (2, 2), luge.float32), ([True, 2], (2,), luge.int64), ((1, (2,)[0]), (2,), luge.int64),
    ([], (0,), luge.float32), ([[], []], (2, 0), luge.float32), ([[[1]]], (1, 1, 1), luge.int64),
])  # fmt: skip
def test_tensor(data, shape, dtype):
    x = luge.tensor(data)
    assert x.shape == shape and x.dtype is dtype and x.device == luge.device("cpu")
    plain = x.tolist()
    assert plain == (list(data) if isinstance(data, tuple) else data)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    assert luge.tensor([0, 1, 1], dtype=dtype).dtype is dtype
    assert luge.tensor([0, 1, 1], dtype=dtype).tolist() == [0, 1, 1]
    for make in (luge.zeros, luge.ones, luge.empty):
        assert make(2, 3, dtype=dtype).dtype is dtype
    assert luge.full((2,), 1, dtype=dtype).tolist() == [1, 1]
    assert luge.zeros_like(luge.ones(2, dtype=dtype)).dtype is dtype
    assert repr(dtype) == f"luge.{str(dtype).split('.')[1]}" and hash(dtype) == hash(luge.zeros(1, dtype=dtype).dtype)


@pytest.mark.parametrize("data, message", [
    ([[1, 2], [3]], "1 elements"), ([[1], 2], "number stands"), ([1, [2]], "list of 1 stands"),
])  # fmt: skip
def test_ragged(data, message):
    with pytest.raises(luge.ShapeError, match=message):
        luge.tensor(data)


@pytest.mark.parametrize("data", ["text", [1, "two"], [None], {1: 2}, [object()], b"bytes"])
def test_what_is_no_number(data):
    with pytest.raises(TypeError):
        luge.tensor(data)


def test_numbers_that_do_not_fit():
    with pytest.raises(ValueError, match="64 bits"):
        luge.tensor(2**64)
    with pytest.raises(ValueError, match="64 bits"):
        luge.zeros(2**70)
    assert luge.tensor([2**62]).item() == 2**62
    assert math.isinf(luge.tensor(math.inf).item()) and math.isnan(luge.tensor(math.nan).item())


def test_tensor_copies_and_as_tensor_shares():
    x = luge.tensor([1.0, 2.0])
    copy, same = luge.tensor(x), luge.as_tensor(x)
    x[0] = 9
    assert copy.tolist() == [1, 2] and same.tolist() == [9, 2]
    assert luge.as_tensor(x, dtype=luge.float64).dtype is luge.float64
    assert luge.as_tensor([1, 2]).tolist() == [1, 2]


@pytest.mark.parametrize("size", [(2, 3), ((2, 3),), ([2, 3],)])
@pytest.mark.parametrize("make", [luge.zeros, luge.ones, luge.empty, luge.rand, luge.randn])
def test_sizes(make, size):
    assert make(*size).shape == (2, 3)
    assert make(*size, requires_grad=True).requires_grad
    assert make(()).shape == ()


@pytest.mark.parametrize("size", [(-1,), ("a",), (1.5,), ((2, "a"),), (1,) * 9])
def test_bad_sizes(size):
    with pytest.raises((ValueError, TypeError)):
        luge.zeros(*size)


@pytest.mark.parametrize("like", [luge.zeros_like, luge.ones_like, luge.empty_like, luge.rand_like, luge.randn_like])
def test_like(like):
    x = luge.zeros(2, 3, dtype=luge.float64)
    assert like(x).shape == (2, 3) and like(x).dtype is luge.float64
    assert like(x, dtype=luge.float32).dtype is luge.float32
    assert like(x, requires_grad=True).requires_grad
    assert luge.full_like(x, 2).tolist() == [[2, 2, 2], [2, 2, 2]]


@pytest.mark.parametrize("arguments", [(5,), (2, 7), (2, 9, 3), (9, 2, -2), (0,), (3, 3)])
def test_arange(arguments):
    assert luge.arange(*arguments).tolist() == list(range(*arguments))
    assert luge.arange(*arguments).dtype is luge.int64


def test_arange_of_floats():
    assert luge.arange(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert luge.arange(0, 1, 0.25).dtype is luge.float32
    assert luge.arange(3, dtype=luge.float64).dtype is luge.float64
    for step in (0, -1):
        with pytest.raises(ValueError, match="step"):
            luge.arange(0, 5, step)


def test_linspace_and_eye():
    assert luge.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert luge.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError):
        luge.linspace(0, 1, -1)


def test_random_numbers():
    x = luge.rand(10000)
    assert 0 <= float(x.min()) and float(x.max()) < 1 and abs(float(x.mean()) - 0.5) < 0.02
    y = luge.randn(10000)
    assert abs(float(y.mean())) < 0.05 and abs(float(y.std()) - 1) < 0.05
    z = luge.randint(-3, 4, (10000,))
    assert int(z.min()) == -3 and int(z.max()) == 3
    assert luge.randint(5, (3,)).dtype is luge.int64
    assert sorted(luge.randperm(100).tolist()) == list(range(100))
    assert not luge.rand(5).equal(luge.rand(5))


def test_the_seed_decides():
    luge.manual_seed(7)
    first = luge.rand(5)
    luge.manual_seed(7)
    assert luge.rand(5).equal(first)
    luge.manual_seed(8)
    assert not luge.rand(5).equal(first)


def test_devices():
    assert luge.device("cpu") == luge.device("cpu", 0) and str(luge.device("cuda", 1)) == "cuda:1"
    assert luge.device("cuda:1").index == 1 and luge.device("cuda").type == "cuda" and luge.device("cpu").index is None
    assert repr(luge.device("cpu")) == "device(type='cpu')" and repr(luge.device("cuda:1")) == "device(type='cuda', index=1)"
    assert luge.zeros(2, device="cpu").device == luge.zeros(2, device=luge.device("cpu")).device
    assert len({luge.device("cpu"), luge.device("cpu"), luge.device("cuda")}) == 2
    for bad in ("gpu", "cuda:x", "cpu:1", ""):
        with pytest.raises(ValueError):
            luge.device(bad)
    with pytest.raises(ValueError):
        luge.device("cuda:0", 1)
    assert luge.device("cpu") != "cpu"
    for bad in ("gpu", "", "cuda:-1", "\0"):
        with pytest.raises(ValueError, match="device"):
            luge.zeros(2, device=bad)
    for bad in (3, 1.5, []):
        with pytest.raises(TypeError):
            luge.zeros(2, device=bad)


@pytest.mark.parametrize("dtype", DTYPES)
def test_new(dtype):
    x = luge.zeros(2, 3, dtype=dtype)
    for made, values in ((x.new_zeros(2), [0, 0]), (x.new_ones(2), [1, 1]), (x.new_full((2,), 1), [1, 1]), (x.new_tensor([1, 0]), [1, 0]),
                         (x.new_tensor(luge.tensor([0.0, 1.0])), [0, 1])):
        assert made.dtype is dtype and made.device == x.device and made.tolist() == values
    assert x.new_empty(4, 1).shape == x.new_empty((4, 1)).shape == x.new_empty(size=[4, 1]).shape == (4, 1) and x.new_empty(0).dtype is dtype
    for make in (x.new_zeros, x.new_ones, x.new_empty):
        assert make(()).shape == make(size=()).shape == ()
        with pytest.raises(TypeError, match=f"^{make.__name__}: size is missing"):
            make()
        with pytest.raises(TypeError, match=f"^{make.__name__}: size is given twice"):
            make(2, size=2)
    for make in (lambda **options: x.new_zeros(2, **options), lambda **options: x.new_ones((2,), **options), lambda **options: x.new_empty(2, **options),
                 lambda **options: x.new_full([2], 3, **options), lambda **options: x.new_tensor([1, 2], **options)):
        made = make(dtype=luge.float64, device="cpu", requires_grad=True)
        assert made.dtype is luge.float64 and made.shape == (2,) and made.requires_grad and made.is_leaf


def test_new_tensor_copies_in_the_dtype_asked_for():
    x = luge.tensor([1.0, 2.0])
    copy = x.new_tensor(x)
    assert copy.tolist() == [1, 2] and copy.data_ptr() != x.data_ptr() and not x.requires_grad_().new_tensor(x).requires_grad
    assert luge.zeros(1, dtype=luge.float64).new_tensor([0.1]).item() == 0.1
    integers = luge.zeros(1, dtype=luge.int8)
    assert integers.new_tensor([2.5, -2.5]).tolist() == [2, -2] and integers.new_tensor(7).shape == ()
    with pytest.raises(ValueError, match="^new_tensor: the number 300 does not fit int8"):
        integers.new_tensor([300])
    with pytest.raises(luge.ShapeError, match="^new_tensor: "):
        integers.new_tensor([[1], 2])
    for bad in ("text", None, [None]):
        with pytest.raises(TypeError, match="^new_tensor: "):
            integers.new_tensor(bad)


def test_logspace():
    assert luge.logspace(0, 3, 4).tolist() == [1, 10, 100, 1000] and luge.logspace(-1, 2, 4, base=2).tolist() == [0.5, 1, 2, 4]
    assert luge.logspace(3, 0, 4, 2, dtype=luge.int64).tolist() == [8, 4, 2, 1] and luge.logspace(2, 9, 1).tolist() == [100]
    assert luge.logspace(0, 1, 0).shape == (0,) and luge.logspace(0, 1, 2).dtype is luge.float32
    assert luge.logspace(luge.tensor(0.0), luge.tensor(2), 3, dtype=luge.float64, requires_grad=True).requires_grad
    out = luge.zeros(2)
    assert luge.logspace(0, 1, 2, out=out) is out and out.tolist() == [1, 10]
    with pytest.raises(ValueError, match="^logspace: steps is -1"):
        luge.logspace(0, 1, -1)
    with pytest.raises(luge.DTypeError, match="^logspace: dtype is bool"):
        luge.logspace(0, 1, 3, dtype=luge.bool)
    with pytest.raises(TypeError, match="^new_full: size is a number"):
        out.new_full(2, 1)
    with pytest.raises(TypeError, match="^logspace: end"):
        luge.logspace(0, "text", 2)


def test_only_floating_dtypes_require_gradients():
    with pytest.raises(luge.DTypeError):
        luge.tensor([1, 2], requires_grad=True)
    assert luge.tensor([1.0], requires_grad=True).requires_grad


def test_out_of_memory():
    with pytest.raises(luge.OutOfMemoryError):
        luge.zeros(2**45)
    with pytest.raises(MemoryError):
        luge.empty(2**50, dtype=luge.float64)
    assert luge.zeros(3).tolist() == [0, 0, 0]
