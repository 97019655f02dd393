"""Memory shared with NumPy and PyTorch, and by the array interfaces."""

import gc
import pickle
import subprocess
import sys
import threading
import warnings
import weakref

import pytest

import luge
from matrices import BROADCAST, DTYPES, ROWS, VIEWS, address, matrix, needs_gpu

np = pytest.importorskip("numpy")


def values(view):
    """What a view shows, as NumPy knows it."""
    return VIEWS[view](np.array(ROWS))


# ---- to NumPy


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_shares_memory_dtype_and_strides(dtype, view):
    x = VIEWS[view](matrix(dtype))
    array = x.numpy()
    assert type(array) is np.ndarray and array.dtype == np.dtype(dtype)
    assert array.shape == x.shape and array.tolist() == values(view).astype(dtype).tolist()
    if x.numel() > 0:
        assert address(array) == x.data_ptr()
        assert array.strides == tuple(s * array.itemsize for s in x.stride())


@pytest.mark.parametrize("view", [v for v in VIEWS if v != "empty"])
def test_writes_show_in_both_directions_through_numpy(view):
    x = matrix()
    array = VIEWS[view](x).numpy()
    array[...] = -1
    assert int((x == -1).int().sum()) == array.size
    x.fill_(7)
    assert (array == 7).all()


@pytest.mark.parametrize("view", BROADCAST)
def test_broadcast_tensors_keep_their_zero_strides(view):
    x = BROADCAST[view](matrix())
    array = x.numpy()
    assert array.strides == tuple(4 * s for s in x.stride()) and 0 in array.strides
    assert array.tolist() == x.tolist()
    again = luge.from_numpy(array)
    assert again.stride() == x.stride() and again.tolist() == x.tolist()


def test_an_array_outlives_its_tensor():
    x = luge.full((1000,), 3.0)
    array = x.numpy()[10:20]
    gone = weakref.ref(x)
    del x
    gc.collect()
    assert gone() is None
    other = luge.zeros(1000)  # would get the memory if it had been given back
    assert array.tolist() == [3.0] * 10 and other.data_ptr() != address(array) - 40


def test_an_array_gives_the_memory_back_with_the_last_of_both():
    def held():
        return luge._C.memory_stats(luge.device("cpu")).allocated

    before = held()
    array = luge.zeros(1 << 16).numpy()
    assert held() > before
    view = array[5:]
    del array
    assert held() > before
    del view
    assert held() == before


def test_an_array_stays_valid_when_an_optimizer_moves_the_tensor():
    x = luge.full((1 << 12,), 3.0, requires_grad=True)
    array = x.detach().numpy()
    capsule = x.detach().__dlpack__()
    optimizer = luge.optim.SGD([x], lr=0.5)
    others = [luge.full((1 << 12,), 9.0) for _ in range(8)]  # would get the memory if it had been given back
    (2 * x).sum().backward()
    optimizer.step()
    assert array.tolist() == [3.0] * (1 << 12)
    assert luge.from_dlpack(capsule).tolist() == [3.0] * (1 << 12)
    assert x.tolist() == [2.0] * (1 << 12) and len(others) == 8


def test_an_array_stays_valid_when_parameters_grow():
    params = luge.Parameters()
    first = params.add("a", (64,), luge.init.constant(3))
    array = first.detach().numpy()
    for i in range(20):
        params.add(f"more{i}", (1 << (i // 2),), luge.init.constant(9))
    assert array.tolist() == [3.0] * 64 and first.tolist() == [3.0] * 64


def test_a_foreign_array_may_be_adopted_by_an_optimizer():
    array = np.full(100, 3.0, np.float32)
    x = luge.from_numpy(array).requires_grad_()
    optimizer = luge.optim.SGD([x], lr=0.5)
    (2 * x).sum().backward()
    optimizer.step()
    assert x.tolist() == [2.0] * 100 and array.tolist() == [3.0] * 100
    assert sys.getrefcount(array) == 2


def test_a_tensor_that_requires_a_gradient_is_refused():
    x = luge.ones(2, requires_grad=True)
    for bring in (x.numpy, lambda: np.asarray(x), lambda: (x * 2).numpy()):
        with pytest.raises(luge.AutogradError, match=r"call detach\(\) first"):
            bring()
    with pytest.raises(BufferError, match=r"call detach\(\) first"):
        x.__dlpack__()
    assert x.detach().numpy().tolist() == [1, 1]


def test_force_detaches():
    x = luge.ones(2, requires_grad=True)
    array = x.numpy(force=True)
    assert array.tolist() == [1, 1] and address(array) == x.data_ptr()
    with pytest.raises(TypeError):
        x.numpy(True)


def test_asarray_shares_and_converts():
    x = matrix()
    assert address(np.asarray(x)) == x.data_ptr()
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert address(np.array(x, copy=True)) != x.data_ptr()
    assert np.add(x.T, 1).tolist() == (np.array(ROWS).T + 1).tolist()


def test_array_method_honours_copy():
    x = matrix()
    for array in (x.__array__(), x.__array__(None, copy=False), x.__array__(np.float32)):
        assert address(array) == x.data_ptr()
    assert address(x.__array__(copy=True)) != x.data_ptr()
    with pytest.raises(ValueError, match="float32.*float64.*copy is False"):
        x.__array__(np.float64, copy=False)


def test_numpy_is_needed_only_where_it_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="numpy: NumPy is not installed"):
        luge.ones(2).numpy()
    with pytest.raises(ImportError, match="from_numpy: NumPy is not installed"):
        luge.from_numpy([1])


def test_luge_imports_without_numpy():
    program = "import sys; sys.modules['numpy'] = None; import luge; print(luge.ones(2).tolist())"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "[1.0, 1.0]", result.stderr


# ---- from NumPy


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_from_numpy_shares_memory_dtype_and_strides(dtype, view):
    array = VIEWS[view](np.array(ROWS, dtype=dtype))
    array = np.asarray(array) if array.shape else np.array(ROWS, dtype=dtype)[1:2, 3].reshape(())
    x = luge.from_numpy(array)
    assert x.dtype is getattr(luge, dtype) and x.shape == array.shape and x.tolist() == array.tolist()
    if array.size > 0:
        assert x.data_ptr() == address(array)
        assert tuple(s * array.itemsize for s in x.stride()) == array.strides


def test_writes_show_in_both_directions_from_numpy():
    array = np.array(ROWS, dtype=np.float32)
    x = luge.from_numpy(array[:, 1::2])
    x.mul_(10)
    assert array[:, 1].tolist() == [10, 50, 90] and array[:, 0].tolist() == [0, 4, 8]
    array[2, 3] = -1
    assert x[2, 1].item() == -1


def test_a_tensor_outlives_its_array_and_lets_go_of_it():
    array = np.arange(1000.0)
    gone = weakref.ref(array)
    x = luge.from_numpy(array)[10:]
    y = x[5:].view(-1)
    del array, x
    gc.collect()
    assert gone() is not None and y[0].item() == 15
    del y
    gc.collect()
    assert gone() is None


def test_an_array_is_let_go_of_once_for_all_views():
    array = np.zeros(10)
    before = sys.getrefcount(array)
    x = luge.from_numpy(array)
    assert sys.getrefcount(array) == before + 1
    views = [x[i:] for i in range(5)] + [x.detach(), luge.from_dlpack(x)]
    assert sys.getrefcount(array) == before + 1
    del x, views
    gc.collect()
    assert sys.getrefcount(array) == before


def test_an_array_is_let_go_of_on_another_thread():
    array = np.zeros(10)
    before = sys.getrefcount(array)
    tensors = [luge.from_numpy(array) for _ in range(50)]
    thread = threading.Thread(target=tensors.clear)
    thread.start()
    thread.join()
    assert sys.getrefcount(array) == before


def test_an_array_is_let_go_of_where_the_lock_is_not_held():
    array = np.ones(1 << 14, dtype=np.float32)
    before = sys.getrefcount(array)
    x = luge.from_numpy(array)
    w = luge.ones(1 << 14, requires_grad=True)
    loss = (w * x).sum()
    del x
    assert sys.getrefcount(array) == before + 1  # saved for the backward pass
    loss.backward()
    del loss
    gc.collect()
    assert sys.getrefcount(array) == before and w.grad[0].item() == 1


def test_round_trips_end_at_the_same_memory():
    array = np.arange(6.0).reshape(2, 3)
    assert address(luge.from_numpy(array).T.numpy()) == address(array)
    x = matrix()
    assert luge.from_numpy(x.numpy()).data_ptr() == x.data_ptr()


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "complex64", "U3", "datetime64[s]", "object"])
@pytest.mark.parametrize("function", ["from_numpy", "tensor", "as_tensor"])
def test_dtypes_that_luge_lacks_are_named(function, dtype):
    array = np.zeros(2, dtype=dtype)
    with pytest.raises(luge.DTypeError) as caught:
        getattr(luge, function)(array)
    assert isinstance(caught.value, TypeError)
    assert "tensor: " in str(caught.value) or f"{function}: the array's dtype is " in str(caught.value)
    assert "allowed are bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32 and float64" in str(caught.value)
    assert str(array.dtype) in str(caught.value)


STRANGE = {
    "negative stride": (lambda: np.arange(6)[::-1], "stride -1 in dimension 0; strides must not be negative"),
    "negative inner stride": (lambda: np.zeros((2, 3))[:, ::-1], "stride -1 in dimension 1"),
    "byte order": (lambda: np.arange(3.0).astype(np.dtype("f8").newbyteorder()), "byte order of another machine"),
    "stride of a record": (
        lambda: np.zeros(3, [("a", "f4"), ("b", "i1")])["a"],
        "stride of 5 bytes.* 4 bytes of an element",
    ),
    "alignment": (lambda: np.frombuffer(bytearray(9), np.float64, offset=1), "no multiple of the 8 bytes of float64"),
}


@pytest.mark.parametrize("function", ["from_numpy", "as_tensor"])
@pytest.mark.parametrize("what", STRANGE)
def test_memory_that_no_tensor_can_have_is_refused(what, function):
    make, message = STRANGE[what]
    array = make()
    before = sys.getrefcount(array)
    with pytest.raises(ValueError, match=f"(tensor|{function}): .*{message}"):
        getattr(luge, function)(array)
    gc.collect()
    assert sys.getrefcount(array) == before


def test_strides_that_are_never_used_do_not_matter():
    assert luge.from_numpy(np.arange(3)[2:1:-1]).tolist() == [2]
    assert luge.from_numpy(np.zeros((0, 3))[::-1]).shape == (0, 3)


def test_too_many_dimensions_are_refused():
    with pytest.raises(luge.ShapeError, match="at most 8"):
        luge.from_numpy(np.zeros((1,) * 9))


@pytest.mark.parametrize("given", [[1, 2], 3.0, "text", None])
def test_from_numpy_takes_arrays_only(given):
    kind = type(given).__name__
    with pytest.raises(TypeError, match=f"from_numpy: the object is of type {kind}; it must be a numpy.ndarray"):
        luge.from_numpy(given)


def test_read_only_arrays_give_a_warning_and_share():
    array = np.arange(3.0)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="from_numpy: the array is read-only"):
        x = luge.from_numpy(array)
    assert x.data_ptr() == address(array)
    before = sys.getrefcount(array)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            luge.from_numpy(array)
    assert sys.getrefcount(array) == before


def test_read_only_arrays_are_copied_elsewhere():
    array = np.arange(3.0)
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, y = luge.as_tensor(array), luge.tensor(array)
    assert x.data_ptr() != address(array) and y.data_ptr() != address(array)
    x.zero_()
    assert array.tolist() == y.tolist() == [0, 1, 2]


def test_arrays_over_bytes_are_copied():
    held = bytes(24)
    x = luge.as_tensor(np.frombuffer(held))
    x.fill_(7)
    assert x.tolist() == [7, 7, 7] and held == bytes(24)


class Immutable:
    """As JAX has it: the capsule is of the old kind, without flags, and NumPy gets the array read-only."""

    def __init__(self, values):
        self.values = np.array(values)

    def __dlpack__(self, stream=None):
        return self.values.__dlpack__()

    def __dlpack_device__(self):
        return (1, 0)

    def __array__(self, dtype=None, copy=None):
        view = self.values.view()
        view.flags.writeable = False
        return view


@pytest.mark.parametrize("borrow", [luge.as_tensor, luge.from_dlpack, luge.tensor])
def test_immutable_exporters_are_copied(borrow):
    array = Immutable([1.0, 2.0])
    x = borrow(array)
    x.fill_(7)
    assert x.tolist() == [7, 7] and array.values.tolist() == [1, 2]
    with pytest.raises(BufferError, match="read-only and copy is False"):
        luge.from_dlpack(array, copy=False)


def test_jax_arrays_are_copied():
    jnp = pytest.importorskip("jax.numpy")
    array = jnp.arange(3.0)
    x = luge.as_tensor(array)
    x.fill_(7)
    assert x.tolist() == [7, 7, 7] and array.tolist() == [0, 1, 2]


def test_tensor_copies_and_as_tensor_shares():
    array = np.array(ROWS, dtype=np.float32)
    assert luge.tensor(array).data_ptr() != address(array)
    assert luge.as_tensor(array).data_ptr() == address(array)
    assert luge.as_tensor(array.T, dtype=luge.float64).tolist() == array.T.tolist()
    assert luge.tensor(array > 4).tolist() == (array > 4).tolist()


class Interface:
    """An object with nothing but __array_interface__."""

    def __init__(self, array, **changes):
        self.array, self.shape = array, array.shape
        self.__array_interface__ = {**array.__array_interface__, **changes}


def test_any_object_with_an_array_interface_is_taken():
    array = np.array(ROWS, dtype=np.int32)
    given = Interface(array[:, ::2])
    gone = weakref.ref(given)
    x = luge.as_tensor(given)
    assert x.data_ptr() == address(array) and x.tolist() == array[:, ::2].tolist()
    del given
    assert gone() is not None
    del x
    assert gone() is None


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"data": None}, 'must have a "typestr"'),
        ({"data": (0, False)}, "and no memory"),
        ({"shape": [3, 4]}, 'must have a "typestr"'),
        ({"shape": (-3, 4)}, "shape"),
        ({"strides": (4,)}, "shape .3, 4. and 1 strides"),
        ({"typestr": ""}, "dtype"),
        ({"typestr": 5}, 'must have a "typestr"'),
        ({"mask": object()}, "mask"),
    ],
)
def test_broken_array_interfaces_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        luge.as_tensor(Interface(np.zeros((3, 4)), **changes))


# ---- PyTorch


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def torch_with_numpy(torch):
    """PyTorch before 2.0 lends no bools by DLPack: luge asks for them by way of NumPy then."""
    try:
        torch.zeros(1).numpy()
    except RuntimeError:
        pytest.skip("this PyTorch does not work with this NumPy")
    return torch


@pytest.mark.parametrize("view", [v for v in VIEWS if v != "one"])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_pytorch_takes_tensors(torch, dtype, view):
    x = VIEWS[view](matrix(dtype))
    y = torch.from_dlpack(x)
    assert y.dtype is getattr(torch, dtype) and tuple(y.shape) == x.shape and y.tolist() == x.tolist()
    if x.numel() > 0:
        assert y.data_ptr() == x.data_ptr()
        y.fill_(6)
        assert (x == 6).all()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_of_pytorch_are_taken(request, torch, dtype, view):
    if dtype == "bool":
        request.getfixturevalue("torch_with_numpy")
    y = VIEWS[view](torch.tensor(ROWS, dtype=getattr(torch, dtype)))
    x = luge.as_tensor(y)
    assert x.dtype is getattr(luge, dtype) and x.shape == tuple(y.shape) and x.tolist() == y.tolist()
    if x.numel() > 0:
        assert x.data_ptr() == y.data_ptr()
        assert [s for s, n in zip(x.stride(), x.shape) if n > 1] == [s for s, n in zip(y.stride(), y.shape) if n > 1]
        x.fill_(0)
        assert (y == 0).all()
    assert luge.tensor(y).tolist() == y.tolist()


def test_lifetimes_with_pytorch(torch):
    array = np.zeros(10, dtype=np.float32)
    before = sys.getrefcount(array)
    y = torch.from_dlpack(luge.from_numpy(array))
    x = luge.from_dlpack(y[2:])
    assert sys.getrefcount(array) == before + 1
    del y
    assert sys.getrefcount(array) == before + 1 and x.data_ptr() == address(array) + 8
    del x
    assert sys.getrefcount(array) == before


def test_pytorchs_own_dtypes_and_gradients_are_refused(torch):
    with pytest.raises(luge.DTypeError, match="from_dlpack: the array's dtype is complex64"):
        luge.from_dlpack(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(luge.DTypeError, match="tensor: the array's dtype is complex128"):
        luge.as_tensor(torch.zeros(2, dtype=torch.complex128))


def test_tensors_of_pytorch_that_require_gradients_are_refused(torch_with_numpy):
    with pytest.raises(RuntimeError, match="detach"):
        luge.as_tensor(torch_with_numpy.ones(2, requires_grad=True))


# ---- captured steps


@pytest.mark.parametrize(
    "name, use",
    [
        ("numpy", lambda x: x.numpy()),
        ("__array__", lambda x: np.asarray(x)),
        ("__dlpack__", lambda x: x.__dlpack__()),
        ("pickle", lambda x: pickle.dumps(x)),
        ("from_numpy", lambda x: luge.from_numpy(np.zeros(2, np.float32))),
        ("from_dlpack", lambda x: luge.from_dlpack(np.zeros(2, np.float32))),
        ("as_tensor", lambda x: luge.as_tensor(np.zeros(2, np.float32))),
        ("unpickle", lambda x: luge._C._rebuild_tensor(b"1234", "float32", (1,), "cpu", False)),
    ],
)
def test_a_captured_step_neither_reads_nor_takes_host_memory(name, use):
    x = luge.zeros(2)

    def step():
        x.add_(1)
        use(x)

    line = use.__code__.co_firstlineno
    with pytest.raises(luge.CaptureError, match=rf": {name} \(test_interchange.py:{line}\)"):
        luge.capture(step)()
    assert x.tolist() == [0, 0]


# ---- a GPU


def test_tensors_on_the_cpu_have_no_cuda_array_interface():
    assert not hasattr(luge.ones(2), "__cuda_array_interface__")
    with pytest.raises(AttributeError, match="the tensor is on the CPU"):
        luge.ones(2).__cuda_array_interface__


@needs_gpu
def test_numpy_refuses_the_gpu():
    x = luge.ones(2, device="cuda")
    for bring in (x.numpy, lambda: np.asarray(x)):
        with pytest.raises(TypeError, match=r"on cuda:0, whose memory NumPy cannot read; copy it with \.cpu\(\) first"):
            bring()
    assert x.requires_grad_().numpy(force=True).tolist() == [1, 1]


class OnGpu:
    """An object whose memory must be looked for on the GPU."""

    __array_interface__ = "on the CPU there is none"

    def __init__(self, tensor):
        self.tensor, self.shape = tensor, tensor.shape
        self.__cuda_array_interface__ = tensor.__cuda_array_interface__


@needs_gpu
@pytest.mark.parametrize("view", [*VIEWS, *BROADCAST])
def test_cuda_array_interface_both_ways(view):
    x = (VIEWS | BROADCAST)[view](matrix().cuda())
    interface = x.__cuda_array_interface__
    assert interface["version"] == 3 and interface["shape"] == x.shape and interface["typestr"] == "<f4"
    assert interface["data"] == (x.data_ptr() if x.numel() else 0, False) and interface["stream"] is None
    assert interface["strides"] == (None if x.is_contiguous() else tuple(4 * s for s in x.stride()))
    if x.ndim == 0:
        return  # as_tensor() takes what has no dimensions for a number
    given = OnGpu(x)
    gone = weakref.ref(given)
    y = luge.as_tensor(given)
    assert y.device == x.device and y.tolist() == x.tolist()
    del given
    assert gone() is not None
    del y
    assert gone() is None


@needs_gpu
def test_cuda_array_interface_refuses_gradients():
    with pytest.raises(luge.AutogradError, match=r"call detach\(\) first"):
        luge.ones(2, device="cuda", requires_grad=True).__cuda_array_interface__
