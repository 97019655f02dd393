"""Numbers of Python and NumPy on their way into tensors and out of them."""

import math

import pytest

import luge

numpy = pytest.importorskip("numpy")


@pytest.mark.parametrize("dtype", [luge.int32, luge.int64])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e30])
def test_what_no_integer_is(dtype, value):
    x, mask = luge.zeros(2, dtype=dtype), luge.tensor([True, False])
    refused = [
        lambda: luge.tensor([value], dtype=dtype),
        lambda: luge.tensor(value, dtype=dtype),
        lambda: luge.tensor(numpy.float64(value), dtype=dtype),
        lambda: luge.as_tensor([value], dtype=dtype),
        lambda: luge.full((1,), value, dtype=dtype),
        lambda: luge.full((0,), value, dtype=dtype),
        lambda: luge.full_like(x, value),
        lambda: x.fill_(value),
        lambda: x.copy_(value),
        lambda: x.__setitem__(0, value),
        lambda: x.__setitem__(slice(None), value),
    ]
    for number, call in enumerate(refused):
        with pytest.raises(ValueError, match="does not fit int"):
            call()
            pytest.fail(f"call {number}")
    assert x.tolist() == [0, 0] and x._version == 0
    assert luge.where(mask, x, value).dtype is luge.float32  # a float raises the kind instead


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**40])
def test_beyond_32_bits(value):
    x, mask = luge.ones(2, dtype=luge.int32), luge.tensor([True, False])
    refused = [
        lambda: luge.tensor([value], dtype=luge.int32),
        lambda: luge.tensor([[1], [value]], dtype=luge.int32),
        lambda: luge.full((1,), value, dtype=luge.int32),
        lambda: luge.arange(value, value + 2, dtype=luge.int32),
        lambda: x.fill_(value),
        lambda: x.add_(value),
        lambda: x.__setitem__(0, value),
        lambda: x.__iadd__(value),
        lambda: x + value,
        lambda: value - x,
        lambda: x * value,
        lambda: luge.maximum(x, value),
        lambda: luge.where(mask, x, value),
        lambda: luge.where(mask, value, x),
    ]
    for number, call in enumerate(refused):
        with pytest.raises(ValueError, match="does not fit int32"):
            call()
            pytest.fail(f"call {number}")
    assert x.tolist() == [1, 1] and x._version == 0
    # Comparisons have an answer.
    assert (x < value).all().item() is (value > 1) and not (x == value).any()
    assert luge.tensor([value]).item() == value
    assert (x.long() + value).tolist() == [1 + value] * 2


def test_floats():
    with pytest.raises(ValueError, match="does not fit float32"):
        luge.full((1,), 1e300)
    with pytest.raises(ValueError, match="does not fit float32"):
        luge.zeros(1)[0] = 1e300
    assert luge.tensor([1e300]).item() == math.inf and (luge.ones(1) * 1e300).item() == math.inf  # both round
    assert luge.full((1,), math.inf).item() == math.inf and luge.full((1,), 1e300, dtype=luge.float64).item() == 1e300


def test_python_numbers_out_of_tensors():
    with pytest.raises(ValueError):
        int(luge.tensor(math.nan))
    with pytest.raises(OverflowError):
        int(luge.tensor(math.inf))
    assert int(luge.tensor(1e30, dtype=luge.float64)) == int(1e30) and int(luge.tensor(-2.75)) == -2
    assert int(luge.tensor(True)) == 1 and type(int(luge.tensor(True))) is int


def test_beyond_64_bits():
    for call in (lambda: luge.tensor([2**63]), lambda: luge.ones(1) * 2**70, lambda: luge.full((1,), -(2**64))):
        with pytest.raises(ValueError, match="64 bits"):
            call()


# ---- NumPy's scalars and arrays


@pytest.mark.parametrize("left", [numpy.float64(2), numpy.float32(2), numpy.int64(2), numpy.int32(2), numpy.array(2.0)])
def test_numpy_numbers_on_the_left(left):
    t = luge.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for result, values in [(left * t, [2, 4, 6]), (left + t, [3, 4, 5]), (left - t, [1, 0, -1]), (left**t, [2, 4, 8])]:
        assert type(result) is luge.Tensor and result.dtype is luge.float32 and result.tolist() == values
    for result, values in [(left < t, [False, False, True]), (left == t, [False, True, False]),
                           (left >= t, [True, True, False]), (left != t, [True, False, True])]:
        assert type(result) is luge.Tensor and result.tolist() == values
    (left * t).sum().backward()
    assert t.grad.tolist() == [2, 2, 2]


def test_numpy_arrays_beside_tensors():
    array, t = numpy.array([1.0, 2.0, 3.0]), luge.ones(3)
    for result in (array * t, t * array, array + (t - 1)):
        assert type(result) is luge.Tensor and result.dtype is luge.float64 and result.tolist() == [1, 2, 3]
    assert type(array == t) is luge.Tensor and (array == t).tolist() == [True, False, False]
    assert type(array < t) is luge.Tensor and (t < array).tolist() == [False, True, True]
    assert (numpy.eye(3, dtype=numpy.float32) @ t).tolist() == [1, 1, 1] == (t @ numpy.eye(3, dtype=numpy.float32)).tolist()
    assert luge.add(array, t).tolist() == [2, 3, 4]


def test_in_place_with_an_array():
    t = luge.ones(3)
    same, address = t, t.data_ptr()
    t += numpy.ones(3)
    t *= numpy.full(3, 2, dtype=numpy.float32)
    t -= numpy.float64(1)
    assert t is same and t.data_ptr() == address and t.dtype is luge.float32 and t.tolist() == [3, 3, 3]
    with pytest.raises(luge.DTypeError):
        i = luge.ones(3, dtype=luge.int32)
        i += numpy.ones(3)


def test_masks_of_arrays_are_not_dropped():
    masked = numpy.ma.masked_array([1.0, 2.0], mask=[True, False])
    for call in (lambda: luge.ones(2) * masked, lambda: masked * luge.ones(2)):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("scalar, dtype", [(numpy.float64(2.5), luge.float64), (numpy.float32(2.5), luge.float32),
                                           (numpy.int32(3), luge.int32), (numpy.int64(3), luge.int64),
                                           (numpy.bool_(True), luge.bool), (numpy.float16(2.5), luge.float16),
                                           (numpy.uint8(3), luge.uint8), (numpy.uint16(3), luge.int64), (numpy.longdouble(2.5), None)])
def test_numpy_scalars_keep_their_dtype(scalar, dtype):
    if dtype is None:  # it says of itself no number of Python's
        with pytest.raises(TypeError):
            luge.tensor(scalar)
        return
    for made in (luge.tensor(scalar), luge.as_tensor(scalar), luge.tensor([scalar])[0]):
        assert made.dtype is dtype and made.item() == scalar
    assert luge.tensor([scalar, scalar]).shape == (2,)


def test_lists_of_numpy_scalars_promote():
    assert luge.tensor([numpy.int32(1), numpy.int32(2)]).dtype is luge.int32
    assert luge.tensor([numpy.int32(1), 2]).dtype is luge.int64
    assert luge.tensor([numpy.float32(1), 2.0]).dtype is luge.float32
    assert luge.tensor([numpy.float64(1), 2.0]).dtype is luge.float64
    assert luge.tensor([numpy.float64(1), luge.tensor(1)]).dtype is luge.float64
    assert luge.tensor([luge.tensor(1.0, dtype=luge.float64), 1]).dtype is luge.float64


# ---- comparison with anything


@pytest.mark.parametrize("value", [luge.float32, luge.device("cpu")])
def test_dtypes_and_devices_compare_with_anything(value):
    for other in (None, 1, "float32", "cpu", [], object(), luge.float64, luge.device("cuda"), numpy.float32):
        assert (value == other) is False and (value != other) is True and (other == value) is False
    assert value not in (None, 1) and value in (None, value) and hash(value) == hash(value)
    assert {value: 1}[value] == 1


# ---- bools are no ints


BOOLS = {
    "std": lambda x: x.std((0, True)),
    "var": lambda x: luge.var(x, True, True),
    "sum": lambda x: x.sum(True),
    "sum of a tuple": lambda x: x.sum((0, True)),
    "mean": lambda x: luge.mean(x, True),
    "amax": lambda x: x.amax(True),
    "max": lambda x: x.max(True),
    "argmax": lambda x: x.argmax(False),
    "logsumexp": lambda x: x.logsumexp(True),
    "softmax": lambda x: x.softmax(True),
    "log_softmax": lambda x: luge.log_softmax(x, True),
    "zeros": lambda x: luge.zeros(True),
    "zeros 2": lambda x: luge.zeros(2, True),
    "zeros of a tuple": lambda x: luge.zeros((2, True)),
    "full": lambda x: luge.full((True,), 1),
    "eye": lambda x: luge.eye(True),
    "linspace": lambda x: luge.linspace(0, 1, True),
    "randint": lambda x: luge.randint(True, (2,)),
    "randint high": lambda x: luge.randint(0, True, (2,)),
    "randperm": lambda x: luge.randperm(True),
    "view": lambda x: x.view(True, 6),
    "reshape": lambda x: x.reshape(True, 6),
    "expand": lambda x: x[0].expand(True, 3),
    "permute": lambda x: x.permute(True, False),
    "transpose": lambda x: x.transpose(False, True),
    "squeeze": lambda x: x.squeeze(False),
    "unsqueeze": lambda x: x.unsqueeze(False),
    "flatten": lambda x: x.flatten(False),
    "select": lambda x: x.select(True, 0),
    "select index": lambda x: x.select(0, True),
    "narrow": lambda x: x.narrow(0, False, True),
    "size": lambda x: x.size(False),
    "stride": lambda x: x.stride(True),
    "cat": lambda x: luge.cat([x, x], True),
    "stack": lambda x: luge.stack([x, x], dim=True),
    "gather": lambda x: x.gather(True, luge.zeros(2, 3, dtype=luge.int64)),
    "index_select": lambda x: x.index_select(True, luge.tensor([0])),
    "sort": lambda x: x.sort(True),
    "argsort": lambda x: luge.argsort(x, dim=True),
    "topk": lambda x: x.topk(True),
    "topk dim": lambda x: luge.topk(x, 1, True),
}


@pytest.mark.parametrize("name", list(BOOLS))
def test_a_bool_is_no_int(name):
    with pytest.raises(TypeError):
        BOOLS[name](luge.ones(2, 3))


# ---- ranks


def test_ranks():
    vector, matrix, batch = luge.ones(2), luge.ones(2, 2), luge.ones(2, 2, 2)
    for a, b in [(batch, batch), (vector, matrix), (matrix, vector), (matrix, batch)]:
        for call in (lambda: luge.mm(a, b), lambda: a.mm(b)):
            with pytest.raises(luge.ShapeError, match=r"^mm: .*2-d"):
                call()
    for a, b in [(matrix, matrix), (vector, vector), (batch, matrix), (matrix, batch), (batch, batch[:1])]:
        for call in (lambda: luge.bmm(a, b), lambda: a.bmm(b)):
            with pytest.raises(luge.ShapeError, match=r"^bmm: "):
                call()
    assert luge.mm(matrix, matrix).shape == (2, 2) and luge.bmm(batch, batch).shape == (2, 2, 2)
    with pytest.raises(luge.ShapeError, match="t: "):
        batch.t()
