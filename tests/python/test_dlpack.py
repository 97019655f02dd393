"""Tensors lent to others by DLPack, and arrays borrowed from them: by a library of our own, NumPy and PyTorch."""

import ctypes
import gc
import sys

import pytest

import luge
from matrices import BROADCAST, DTYPES, ROWS, VIEWS, address, matrix, needs_gpu

np = pytest.importorskip("numpy")

# ---- tensors that are lent


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


# ---- arrays that are borrowed


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
        self,
        shape=(2, 3),
        strides=None,
        versioned=False,
        device=(1, 0),
        dtype=(2, 32, 1),
        offset=0,
        flags=0,
        version=(1, 0),
        name=None,
        deleter=True,
        data=True,
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
                ((1,) * 8, None, 0, [[[[[[[[0]]]]]]]]),
    ],
)
def test_strides_and_offsets_are_honoured(producers, shape, strides, offset, expected):
    for versioned in (False, True):
        x = luge.from_dlpack(producers(shape=shape, strides=strides, offset=offset, versioned=versioned))
        assert x.shape == shape and x.tolist() == expected


def test_empty_arrays_need_no_memory(producers):
    assert luge.from_dlpack(producers(shape=(0, 1 << 40, 1 << 40), data=False)).shape == (0, 1 << 40, 1 << 40)
    assert luge.from_dlpack(producers(shape=(0, 3), data=False)).shape == (0, 3)


def test_host_memory_of_cuda_is_the_cpus(producers):
    assert luge.from_dlpack(producers(device=(3, 0))).device == luge.device("cpu")


def test_a_missing_deleter_is_allowed(producers):
    for versioned in (False, True):
        assert luge.from_dlpack(producers(versioned=versioned, deleter=False)).numel() == 6


HOSTILE = {
    "major version 2": ({"versioned": True, "version": (2, 0)}, BufferError, r"version 2\.0 of DLPack; allowed are 1"),
    "major version 0": ({"versioned": True, "version": (0, 9)}, BufferError, "version 0"),
    "uint16": ({"dtype": (1, 16, 1)}, luge.DTypeError, "uint16; allowed are bool"),
    "float8": ({"dtype": (2, 8, 1)}, luge.DTypeError, "float8"),
    "bfloat32": ({"dtype": (4, 32, 1)}, luge.DTypeError, "bfloat32"),
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
    "wrong name": ({"name": "something"}, ValueError, 'named "something"; it must be "dltensor" or'),
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
    kind = type(given).__name__
    with pytest.raises(AttributeError, match=f"of type {kind}; it must have __dlpack__ and __dlpack_device__"):
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


# ---- on a GPU


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
