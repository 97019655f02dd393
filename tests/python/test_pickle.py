"""Tensors as bytes."""

import copy
import pickle

import pytest

import luge
from matrices import BROADCAST, DTYPES, VIEWS, matrix, needs_gpu

np = pytest.importorskip("numpy")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_keeps_values_dtype_and_shape(dtype, protocol):
    x = matrix(dtype)
    y = pickle.loads(pickle.dumps(x, protocol))
    assert type(y) is luge.Tensor and y.dtype is x.dtype and y.shape == x.shape and y.tolist() == x.tolist()
    assert y.data_ptr() != x.data_ptr() and not y.requires_grad


@pytest.mark.parametrize("view", [*VIEWS, *BROADCAST])
def test_views_are_pickled_without_gaps(view):
    x = (VIEWS | BROADCAST)[view](matrix())
    y = pickle.loads(pickle.dumps(x))
    assert y.shape == x.shape and y.tolist() == x.tolist() and y.is_contiguous()


def test_pickle_does_not_store_what_a_view_leaves_out():
    assert len(pickle.dumps(luge.zeros(10_000)[:2])) < 1000


def test_pickle_keeps_numbers_exactly():
    x = luge.tensor([float("inf"), -0.0, 1e-45, 3.4e38, 0.1])
    assert x.numpy().tobytes() == pickle.loads(pickle.dumps(x)).numpy().tobytes()


def test_pickle_keeps_whether_a_leaf_requires_a_gradient():
    x = luge.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = pickle.loads(pickle.dumps({"weights": x}))["weights"]
    assert y.requires_grad and y.is_leaf and y.grad is None
    with pytest.raises(luge.AutogradError, match=r"pickle: .*call detach\(\) first"):
        pickle.dumps(x * 2)


def test_copies_are_of_their_own():
    x = luge.ones(2)
    y = copy.deepcopy([x, x])
    y[0].zero_()
    assert x.tolist() == [1, 1]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((b"123", "float32", (1,), "cpu", False), ValueError, "3 bytes.* float32 of shape .1,. has 1 elements of 4"),
        ((b"1234", "float32", (2,), "cpu", False), ValueError, "4 bytes"),
        ((b"", "float32", (1 << 40, 1 << 40), "cpu", False), luge.ShapeError, "more than"),
        ((b"", "float32", (1 << 50,), "cpu", False), ValueError, "0 bytes"),
        ((b"1234", "float31", (1,), "cpu", False), ValueError, 'no dtype "float31"'),
        ((b"1234", "float32", (-1,), "cpu", False), luge.ShapeError, "-1"),
        ((b"1234", "float32", (1,), "tpu", False), ValueError, "tpu"),
        ((b"1234", "float32", (1,), "cuda:99", False), luge.DeviceError, "unpickle: the tensor was on cuda:99"),
        ((b"1234", "int32", (1,), "cpu", True), luge.DTypeError, "int32"),
        (("1234", "float32", (1,), "cpu", False), TypeError, "bytes"),
        ((b"1234", "float32", (1,), "cpu", True, True, 2), ValueError, "no 2 sets along its first axis"),
        ((b"1234", "float32", (), "cpu", True, True, 1), ValueError, "no 1 sets"),
        ((b"", "float32", (0,), "cpu", True, True, 0), ValueError, "no 0 sets"),
        ((b"1234", "float32", (1,), "cpu", False, False, 1), ValueError, "no 1 sets"),
        ((b"1234", "float32", (1,), "cpu", True, True, "1"), TypeError, "unpickle: sets"),
        ((), TypeError, "_rebuild_tensor"),
    ],
)
def test_broken_pickles_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        luge._C._rebuild_tensor(*arguments)


def test_bools_of_broken_pickles_are_bools():
    x = luge._C._rebuild_tensor(b"\x00\x01\x02\xff", "bool", (4,), "cpu", False)
    assert x.numpy().view(np.uint8).tolist() == [0, 1, 1, 1]


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_keeps_the_device(dtype):
    x = matrix(dtype).cuda()
    y = pickle.loads(pickle.dumps(x.T))
    assert y.device == x.device and y.dtype is x.dtype and y.tolist() == x.T.tolist()
