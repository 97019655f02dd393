"""Memory shared with NumPy, PyTorch and whoever speaks DLPack; pickle."""

import copy
import ctypes
import gc
import pickle
import subprocess
import sys
import threading
import warnings
import weakref

import pytest

import luge

np = pytest.importorskip("numpy")

DTYPES = ["bool", "int32", "int64", "float32", "float64"]
ROWS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]

#: Views of a 3 x 4 matrix that are the same for luge and NumPy.
VIEWS = {
    "whole": lambda x: x,
    "transposed": lambda x: x.T,
    "sliced": lambda x: x[1:, ::2],
    "column": lambda x: x[:, 2],
    "one": lambda x: x[1, 3],
    "one row": lambda x: x[1:2],
    "empty": lambda x: x[:, 4:],
}
BROADCAST = {
    "rows": lambda x: x[0].expand(3, 4),
    "number": lambda x: x[1, 1].expand(2, 5),
}

needs_gpu = pytest.mark.skipif(not luge.cuda.is_available(), reason=f"no GPU: {luge.cuda.why_not()}")


def matrix(dtype="float32"):
    return luge.tensor(ROWS, dtype=getattr(luge, dtype))


def values(view):
    """What a view shows, as NumPy knows it."""
    return VIEWS[view](np.array(ROWS))


def address(array):
    return array.__array_interface__["data"][0]


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
    assert address(x.__array__()) == address(x.__array__(None, copy=False)) == address(x.__array__(np.float32)) == x.data_ptr()
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


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "complex64", "U3", "datetime64[s]", "object"])
@pytest.mark.parametrize("function", ["from_numpy", "tensor", "as_tensor"])
def test_dtypes_that_luge_lacks_are_named(function, dtype):
    array = np.zeros(2, dtype=dtype)
    with pytest.raises(luge.DTypeError) as caught:
        getattr(luge, function)(array)
    assert isinstance(caught.value, TypeError)
    assert "tensor: " in str(caught.value) or f"{function}: the array's dtype is " in str(caught.value)
    assert "allowed are bool, int32, int64, float32 and float64" in str(caught.value)
    assert str(array.dtype) in str(caught.value)


STRANGE = {
    "negative stride": (lambda: np.arange(6)[::-1], "stride -1 in dimension 0; strides must not be negative"),
    "negative inner stride": (lambda: np.zeros((2, 3))[:, ::-1], "stride -1 in dimension 1"),
    "byte order": (lambda: np.arange(3.0).astype(np.dtype("f8").newbyteorder()), "byte order of another machine"),
    "stride of a record": (lambda: np.zeros(3, [("a", "f4"), ("b", "i1")])["a"], "stride of 5 bytes.* 4 bytes of an element"),
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
    with pytest.raises(TypeError, match=f"from_numpy: the object is of type {type(given).__name__}; it must be a numpy.ndarray"):
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


# ---- DLPack: tensors that are lent


def capsule_name(capsule):
    function = ctypes.pythonapi.PyCapsule_GetName
    function.argtypes, function.restype = [ctypes.py_object], ctypes.c_char_p
    return function(capsule).decode()


@pytest.mark.parametrize("view", [*VIEWS, *BROADCAST])
@pytest.mark.parametrize("max_version", [None, (0, 8), (1, 0), (1, 7), (2, 0)])
def test_capsules_of_both_kinds_share_memory(max_version, view):
    x = (VIEWS | BROADCAST)[view](matrix())
    capsule = x.__dlpack__(max_version=max_version)
    modern = max_version is not None and max_version >= (1, 0)
    assert capsule_name(capsule) == ("dltensor_versioned" if modern else "dltensor")
    y = luge.from_dlpack(capsule)
    assert capsule_name(capsule) == ("used_dltensor_versioned" if modern else "used_dltensor")
    assert y.shape == x.shape and y.dtype is x.dtype and y.tolist() == x.tolist()
    if x.numel() > 0:
        assert y.data_ptr() == x.data_ptr() and y.stride() == x.stride()
    if x.numel() > 0 and 0 not in x.stride():
        y.fill_(-5)
        assert (x == -5).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_goes_through_a_capsule(dtype):
    x = matrix(dtype)
    y = luge.from_dlpack(x)
    assert y.dtype is x.dtype and y.tolist() == x.tolist() and y.data_ptr() == x.data_ptr()


@pytest.mark.parametrize("max_version", [None, (1, 0)])
def test_a_capsule_keeps_the_memory_until_it_is_used_or_dropped(max_version):
    array = np.zeros(10)
    before = sys.getrefcount(array)
    dropped = luge.from_numpy(array).__dlpack__(max_version=max_version)
    used = luge.from_numpy(array).__dlpack__(max_version=max_version)
    assert sys.getrefcount(array) == before + 2
    del dropped
    assert sys.getrefcount(array) == before + 1
    x = luge.from_dlpack(used)
    del used
    assert sys.getrefcount(array) == before + 1
    del x
    assert sys.getrefcount(array) == before


def test_dlpack_device_of_the_cpu():
    assert luge.ones(2).__dlpack_device__() == (1, 0)


def test_copy_of_what_is_lent():
    x = luge.ones(2)
    assert luge.from_dlpack(x.__dlpack__(copy=True)).data_ptr() != x.data_ptr()
    assert luge.from_dlpack(x.__dlpack__(copy=False)).data_ptr() == x.data_ptr()
    assert luge.from_dlpack(x.__dlpack__(dl_device=(1, 0))).data_ptr() == x.data_ptr()
    assert managed(x.__dlpack__(copy=True, max_version=(1, 0))).flags == IS_COPIED
    assert managed(x.__dlpack__(max_version=(1, 0))).flags == 0


@pytest.mark.parametrize(
    "keywords, error, message",
    [
        ({"stream": 1}, ValueError, "stream is 1; on the CPU it must be None"),
        ({"stream": "a"}, TypeError, "stream is of type str"),
        ({"max_version": 1}, TypeError, "max_version is 1; it must be a tuple of two ints"),
        ({"max_version": (1, 0, 0)}, TypeError, "max_version"),
        ({"dl_device": (2, 0)}, BufferError, r"dl_device is \(2, 0\) and the tensor is on cpu"),
        ({"dl_device": (10, 0)}, BufferError, r"allowed are \(1, 0\)"),
        ({"dl_device": 1}, TypeError, "dl_device is 1"),
        ({"nonsense": 1}, TypeError, "nonsense"),
    ],
)
def test_arguments_of_dlpack_are_checked(keywords, error, message):
    with pytest.raises(error, match=message):
        luge.ones(2).__dlpack__(**keywords)


def test_dlpack_takes_no_positional_arguments():
    with pytest.raises(TypeError):
        luge.ones(2).__dlpack__(None)


# ---- DLPack: arrays that are borrowed


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class DataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Array(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", DataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = [("array", Array), ("context", ctypes.c_void_p), ("deleter", Deleter)]


class ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", Deleter),
        ("flags", ctypes.c_uint64),
        ("array", Array),
    ]


READ_ONLY, IS_COPIED = 1, 2


def managed(capsule):
    """What a versioned capsule holds."""
    function = ctypes.pythonapi.PyCapsule_GetPointer
    function.argtypes, function.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    return ManagedVersioned.from_address(function(capsule, b"dltensor_versioned"))


class Producer:
    """A library of our own, which lends float32 numbers 0, 1, 2, ... and counts what it gets back."""

    Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)

    def __init__(
        self, shape=(2, 3), strides=None, versioned=False, device=(1, 0), dtype=(2, 32, 1), offset=0, flags=0, version=(1, 0),
        name=None, deleter=True, data=True,
    ):
        self.deleted, self.requests = 0, []
        self.where, self.versioned = device, versioned
        self.numbers = (ctypes.c_float * 64)(*range(64))
        self.dims = (ctypes.c_int64 * max(1, len(shape)))(*shape)
        self.steps = (ctypes.c_int64 * max(1, len(shape)))(*strides) if strides else None
        self.struct = ManagedVersioned() if versioned else Managed()
        if versioned:
            self.struct.major, self.struct.minor = version
            self.struct.flags = flags
        self.struct.array = Array(
            ctypes.addressof(self.numbers) if data else None, Device(*device), len(shape), DataType(*dtype), self.dims,
            self.steps, offset,
        )
        self.delete = Deleter(self.count)
        if deleter:
            self.struct.deleter = self.delete
        self.name = (name or ("dltensor_versioned" if versioned else "dltensor")).encode()
        self.destroy = self.Destructor(self.unused)

    def count(self, pointer):
        assert pointer == ctypes.addressof(self.struct)
        self.deleted += 1

    def unused(self, capsule):
        is_valid = ctypes.pythonapi.PyCapsule_IsValid
        is_valid.argtypes, is_valid.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_int
        if is_valid(capsule, self.name) and self.struct.deleter:
            self.struct.deleter(ctypes.addressof(self.struct))

    def capsule(self):
        make = ctypes.pythonapi.PyCapsule_New
        make.argtypes, make.restype = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p], ctypes.py_object
        return make(ctypes.addressof(self.struct), self.name, ctypes.cast(self.destroy, ctypes.c_void_p))

    def __dlpack_device__(self):
        return self.where

    def __dlpack__(self, **keywords):
        self.requests.append(keywords)
        if not self.versioned and not keywords.keys() <= {"stream"}:
            raise TypeError("an old library knows no other arguments")
        return self.capsule()


@pytest.fixture
def producers():
    """Makes producers that live as long as the test, and looks whether each got its memory back once."""
    made = []

    def make(**arguments):
        made.append(Producer(**arguments))
        return made[-1]

    yield make
    gc.collect()
    assert [p.deleted for p in made if p.struct.deleter] == [1 for p in made if p.struct.deleter]


@pytest.mark.parametrize("versioned", [False, True])
def test_borrowed_memory_is_shared_and_given_back_once(producers, versioned):
    producer = producers(versioned=versioned)
    x = luge.from_dlpack(producer)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]] and x.data_ptr() == ctypes.addressof(producer.numbers)
    producer.numbers[4] = -1
    x[0, 0] = 9
    assert x[1, 1].item() == -1 and producer.numbers[0] == 9
    view = x[1]
    del x
    assert producer.deleted == 0
    del view
    assert producer.deleted == 1


@pytest.mark.parametrize("versioned", [False, True])
def test_bare_capsules_are_taken_once(producers, versioned):
    producer = producers(versioned=versioned)
    capsule = producer.capsule()
    x = luge.from_dlpack(capsule)
    with pytest.raises(ValueError, match="from_dlpack: the capsule has been used"):
        luge.from_dlpack(capsule)
    del capsule
    assert producer.deleted == 0 and x[1, 2].item() == 5


@pytest.mark.parametrize(
    "shape, strides, offset, expected",
    [
        ((), None, 0, 0),
        ((), None, 12, 3),
        ((4,), None, 8, [2, 3, 4, 5]),
        ((2, 3), (1, 2), 0, [[0, 2, 4], [1, 3, 5]]),
        ((2, 3), (10, 3), 4, [[1, 4, 7], [11, 14, 17]]),
        ((2, 3), (0, 1), 0, [[0, 1, 2], [0, 1, 2]]),
        ((2, 1), (3, -7), 0, [[0], [3]]),
        ((2, 0), None, 0, [[], []]),
        ((0, 2), (-1, -1), 0, []),
        ((0, 1 << 40, 1 << 40), None, 0, []),
        ((1,) * 8, None, 0, [[[[[[[[0]]]]]]]]),
    ],
)
def test_strides_and_offsets_are_honoured(producers, shape, strides, offset, expected):
    for versioned in (False, True):
        x = luge.from_dlpack(producers(shape=shape, strides=strides, offset=offset, versioned=versioned))
        assert x.shape == shape and x.tolist() == expected


def test_empty_arrays_need_no_memory(producers):
    assert luge.from_dlpack(producers(shape=(0, 3), data=False)).shape == (0, 3)


def test_host_memory_of_cuda_is_the_cpus(producers):
    assert luge.from_dlpack(producers(device=(3, 0))).device == luge.device("cpu")


def test_a_missing_deleter_is_allowed(producers):
    for versioned in (False, True):
        assert luge.from_dlpack(producers(versioned=versioned, deleter=False)).numel() == 6


HOSTILE = {
    "another major version": ({"versioned": True, "version": (2, 0)}, BufferError, r"version 2\.0 of DLPack; allowed are 1\.x"),
    "major version 0": ({"versioned": True, "version": (0, 9)}, BufferError, "version 0"),
    "uint8": ({"dtype": (1, 8, 1)}, luge.DTypeError, "uint8; allowed are bool"),
    "float16": ({"dtype": (2, 16, 1)}, luge.DTypeError, "float16"),
    "bfloat16": ({"dtype": (4, 16, 1)}, luge.DTypeError, "bfloat16"),
    "complex64": ({"dtype": (5, 64, 1)}, luge.DTypeError, "complex64"),
    "bits of a bool": ({"dtype": (6, 1, 1)}, luge.DTypeError, "bool1"),
    "lanes": ({"dtype": (2, 32, 4)}, luge.DTypeError, "float32 with 4 lanes"),
    "no lanes": ({"dtype": (2, 32, 0)}, luge.DTypeError, "0 lanes"),
    "unknown dtype": ({"dtype": (99, 32, 1)}, luge.DTypeError, "number 99 of DLPack"),
    "Metal": ({"device": (8, 0)}, luge.DeviceError, "device type 8; allowed are the CPU"),
    "ROCm": ({"device": (10, 0)}, luge.DeviceError, "device type 10"),
    "no such GPU": ({"device": (2, 99)}, luge.DeviceError, "cuda"),
    "negative stride": ({"strides": (3, -1)}, ValueError, "strides must not be negative"),
    "negative size": ({"shape": (2, -3)}, luge.ShapeError, "-3"),
    "endless": ({"shape": (1 << 40, 1 << 40)}, luge.ShapeError, "more than"),
    "nine dimensions": ({"shape": (1,) * 9}, luge.ShapeError, "at most 8"),
    "alignment": ({"offset": 2}, ValueError, "no multiple of the 4 bytes of float32"),
    "no memory": ({"data": False}, ValueError, "no memory"),
    "wrong name": ({"name": "something"}, ValueError, 'named "something"; it must be "dltensor" or "dltensor_versioned"'),
    "used": ({"name": "used_dltensor"}, ValueError, "has been used"),
}


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_capsules_are_refused_and_given_back_once(producers, what, bare):
    arguments, error, message = HOSTILE[what]
    producer = producers(**arguments)
    given = producer.capsule() if bare else producer
    with pytest.raises(error, match=message):
        luge.from_dlpack(given)


def test_an_unknown_capsule_is_left_alone(producers):
    producer = producers(name="something")
    capsule = producer.capsule()
    with pytest.raises(ValueError):
        luge.from_dlpack(capsule)
    assert producer.deleted == 0 and capsule_name(capsule) == "something"


def test_read_only_arrays_are_copied_unless_that_is_forbidden(producers):
    producer = producers(versioned=True, flags=READ_ONLY)
    x = luge.from_dlpack(producer)
    assert x.data_ptr() != ctypes.addressof(producer.numbers) and x[1].tolist() == [3, 4, 5]
    with pytest.raises(BufferError, match="read-only and copy is False"):
        luge.from_dlpack(producers(versioned=True, flags=READ_ONLY), copy=False)


def test_copy_of_what_is_borrowed(producers):
    for versioned in (False, True):
        producer = producers(versioned=versioned)
        x = luge.from_dlpack(producer, copy=True)
        assert x.data_ptr() != ctypes.addressof(producer.numbers) and producer.deleted == 1
        producer = producers(versioned=versioned)
        assert luge.from_dlpack(producer, copy=False).data_ptr() == ctypes.addressof(producer.numbers)


def test_what_is_asked_of_a_producer(producers):
    modern, old = producers(versioned=True), producers()
    luge.from_dlpack(modern, copy=False)
    assert modern.requests == [{"max_version": (1, 0), "copy": False}]
    luge.from_dlpack(old, device="cpu")
    assert old.requests == [{"max_version": (1, 0)}, {}]


def test_arrays_out_of_reach_are_asked_for_on_the_cpu(producers):
    producer = producers(versioned=True)
    producer.where = (8, 0)  # and what it lends is on the CPU
    assert luge.from_dlpack(producer, device="cpu").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert producer.requests == [{"max_version": (1, 0), "dl_device": (1, 0)}]


@pytest.mark.skipif(luge.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_missing(producers):
    with pytest.raises(luge.DeviceError, match="cuda"):
        luge.from_dlpack(producers(), device="cuda")
    with pytest.raises(BufferError, match="the array is on cpu, device is cuda:0 and copy is False"):
        luge.from_dlpack(producers(), device="cuda", copy=False)


@pytest.mark.parametrize("given", [[1, 2], 3, None])
def test_from_dlpack_takes_only_what_speaks_it(given):
    with pytest.raises(AttributeError, match=f"of type {type(given).__name__}; it must have __dlpack__ and __dlpack_device__"):
        luge.from_dlpack(given)


class Liar:
    def __init__(self, device, capsule):
        self.device, self.result = device, capsule

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **keywords):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    "device, capsule, error, message",
    [
        (5, None, TypeError, "__dlpack_device__ of Liar returned 5"),
        ((1,), None, TypeError, "__dlpack_device__ of Liar returned"),
        (("a", 0), None, TypeError, "the device type is of type str"),
        ((1, 0), "text", TypeError, "__dlpack__ of Liar returned an object of type str"),
        ((1, 0), BufferError("cannot be lent"), BufferError, "cannot be lent"),
        ((1, 0), KeyError("broken"), KeyError, "broken"),
    ],
)
def test_producers_that_break_the_rules(device, capsule, error, message):
    with pytest.raises(error, match=message):
        luge.from_dlpack(Liar(device, capsule))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
def test_numpy_by_dlpack(dtype):
    array = np.array(ROWS, dtype=dtype)
    x = luge.from_dlpack(array.T)
    assert x.data_ptr() == address(array) and x.tolist() == array.T.tolist()
    back = np.from_dlpack(x)
    assert back.dtype == array.dtype and address(back) == address(array) and back.strides == array.T.strides
    x.fill_(1)
    assert (back == 1).all()


def test_numpy_by_dlpack_keeps_the_memory():
    back = np.from_dlpack(luge.full((1000,), 3.0))
    other = luge.zeros(1000)
    assert back.tolist() == [3.0] * 1000 and other.numel() == 1000


def test_an_object_that_speaks_nothing_is_refused():
    class Nothing:
        shape = (2,)
        __array_interface__ = 5

    with pytest.raises(TypeError, match="tensor: __array_interface__ of Nothing is of type int; it must be a dict"):
        luge.as_tensor(Nothing())


# ---- PyTorch


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


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
def test_tensors_of_pytorch_are_taken(torch, dtype, view):
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
    with pytest.raises(luge.DTypeError, match="from_dlpack: the array's dtype is float16"):
        luge.from_dlpack(torch.zeros(2, dtype=torch.float16))
    with pytest.raises(luge.DTypeError, match="tensor: the array's dtype is uint8"):
        luge.as_tensor(torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match="detach"):
        luge.as_tensor(torch.ones(2, requires_grad=True))


# ---- pickle


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
        ((b"123", "float32", (1,), "cpu", False), ValueError, "3 bytes of values; float32 of shape .1,. has 1 elements of 4"),
        ((b"1234", "float32", (2,), "cpu", False), ValueError, "4 bytes"),
        ((b"", "float32", (1 << 40, 1 << 40), "cpu", False), luge.ShapeError, "more than"),
        ((b"", "float32", (1 << 50,), "cpu", False), ValueError, "0 bytes"),
        ((b"1234", "float31", (1,), "cpu", False), ValueError, 'no dtype "float31"'),
        ((b"1234", "float32", (-1,), "cpu", False), luge.ShapeError, "-1"),
        ((b"1234", "float32", (1,), "tpu", False), ValueError, "tpu"),
        ((b"1234", "float32", (1,), "cuda:99", False), luge.DeviceError, "unpickle: the tensor was on cuda:99"),
        ((b"1234", "int32", (1,), "cpu", True), luge.DTypeError, "int32"),
        (("1234", "float32", (1,), "cpu", False), TypeError, "bytes"),
        ((), TypeError, "_rebuild_tensor"),
    ],
)
def test_broken_pickles_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        luge._C._rebuild_tensor(*arguments)


def test_bools_of_broken_pickles_are_bools():
    x = luge._C._rebuild_tensor(b"\x00\x01\x02\xff", "bool", (4,), "cpu", False)
    assert x.numpy().view(np.uint8).tolist() == [0, 1, 1, 1]


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
        ("tensor", lambda x: luge.as_tensor(np.zeros(2, np.float32))),
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


@needs_gpu
@pytest.mark.parametrize("view", [*VIEWS, *BROADCAST])
@pytest.mark.parametrize("stream", [None, -1, 1, 2, 4096])
def test_capsules_of_the_gpu(stream, view):
    x = (VIEWS | BROADCAST)[view](matrix().cuda())
    assert x.__dlpack_device__() == (2, 0)
    y = luge.from_dlpack(x.__dlpack__(stream=stream))
    assert y.device == x.device and y.tolist() == x.tolist()
    if x.numel() > 0:
        assert y.data_ptr() == x.data_ptr() and y.stride() == x.stride()
    if x.numel() > 0 and 0 not in x.stride():
        y.fill_(3)
        del y
        assert (x == 3).all()


@needs_gpu
def test_streams_are_checked_and_devices_changed():
    x = matrix().cuda()
    for stream in (0, -2):
        with pytest.raises(ValueError, match=f"stream is {stream}; allowed are None, -1, 1, 2"):
            x.__dlpack__(stream=stream)
    y = luge.from_dlpack(x.__dlpack__(dl_device=(1, 0)))
    assert y.device == luge.device("cpu") and y.tolist() == ROWS
    with pytest.raises(ValueError, match="on the CPU it must be None"):
        x.__dlpack__(dl_device=(1, 0), stream=1)
    with pytest.raises(BufferError, match="on cuda:0 and must be copied to get to the CPU, but copy is False"):
        x.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(BufferError, match=r"allowed are \(2, 0\) and \(1, 0\)"):
        x.__dlpack__(dl_device=(2, 1))
    assert luge.from_dlpack(x, device="cpu").device == luge.device("cpu")
    assert luge.from_dlpack(luge.ones(2), device="cuda").tolist() == [1, 1]
    with pytest.raises(BufferError, match="the array is on cuda:0, device is cpu and copy is False"):
        luge.from_dlpack(x, device="cpu", copy=False)


class OnGpu:
    """An object with nothing but __cuda_array_interface__ and what luge looks for first."""

    def __init__(self, tensor):
        self.tensor, self.shape = tensor, tensor.shape
        self.__cuda_array_interface__ = tensor.__cuda_array_interface__

    @property
    def __array_interface__(self):
        raise AssertionError("the memory is on the GPU")


@needs_gpu
@pytest.mark.parametrize("view", [*VIEWS, *BROADCAST])
def test_cuda_array_interface_both_ways(view):
    x = (VIEWS | BROADCAST)[view](matrix().cuda())
    interface = x.__cuda_array_interface__
    assert interface["version"] == 3 and interface["shape"] == x.shape and interface["typestr"] == "<f4"
    assert interface["data"] == (x.data_ptr() if x.numel() else 0, False) and interface["stream"] is None
    assert interface["strides"] == (None if x.is_contiguous() else tuple(4 * s for s in x.stride()))
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


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_keeps_the_device(dtype):
    x = matrix(dtype).cuda()
    y = pickle.loads(pickle.dumps(x.T))
    assert y.device == x.device and y.dtype is x.dtype and y.tolist() == x.T.tolist()
