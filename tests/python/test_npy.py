"""NumPy's files: what luge writes, NumPy reads, and the other way round, and the bytes are the same."""

import io
import os
import random
import struct
import threading
import zipfile

import pytest

import luge

np = pytest.importorskip("numpy")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
SHAPES = [(), (0,), (1,), (7,), (3, 4), (1, 5), (5, 1), (1, 1), (2, 0, 3), (2, 3, 4), (1, 2, 1, 2, 1, 2, 1, 2), (100000,)]


def array(shape, dtype="float32"):
    return np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 100, dtype)


def arrays():
    """Arrays in C order, Fortran order and neither, of every dtype."""
    for dtype in DTYPES:
        for shape in SHAPES:
            yield array(shape, dtype)
            yield np.asfortranarray(array(shape, dtype))
            if len(shape) > 1:
                yield array(shape, dtype)[..., ::2]
                yield array(shape, dtype).swapaxes(0, 1)


def same(tensor, expected):
    found = tensor.numpy()
    assert found.dtype == expected.dtype.newbyteorder("=") and found.shape == expected.shape
    assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")
    return True


def saved(value, version=None):
    """The bytes of an npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(value), version=version, allow_pickle=True)
    return file.getvalue()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.npy"


# ---- npy


def test_bytes_are_those_of_numpy(path, tmp_path):
    for expected in arrays():
        luge.save_npy(path, luge.from_numpy(expected))
        np.save(tmp_path / "numpy.npy", expected)
        assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes(), (expected.dtype, expected.shape, expected.strides)
        assert same(luge.from_numpy(np.load(path)), expected)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", ["<", ">", "="])
@pytest.mark.parametrize("mmap", [False, True])
def test_reads_what_numpy_writes(path, version, order, mmap):
    for value in arrays():
        value = value.astype(value.dtype.newbyteorder(order))
        path.write_bytes(saved(value, version))
        if mmap and (value.dtype == bool or not value.dtype.isnative):
            with pytest.raises(luge.IoError, match="cannot be mapped"):
                luge.load_npy(path, mmap=True)
            continue
        loaded = luge.load_npy(path, mmap=mmap)
        assert same(loaded, value)
        read = np.load(path)
        assert loaded.numpy().flags.c_contiguous == read.flags.c_contiguous
        assert loaded.numpy().flags.f_contiguous == read.flags.f_contiguous


def test_special_numbers_keep_their_bits(path):
    for dtype, bits in (("float16", "uint16"), ("float32", "uint32"), ("float64", "uint64")):
        value = np.random.default_rng(0).integers(0, np.iinfo(bits).max, 1000, dtype=bits, endpoint=True).view(dtype)
        luge.save_npy(path, luge.from_numpy(value))
        assert np.array_equal(np.load(path).view(bits), value.view(bits))
        assert np.array_equal(luge.load_npy(path).numpy().view(bits), value.view(bits))


def test_paths(tmp_path):
    x = luge.arange(3)
    for path in (str(tmp_path / "größe"), tmp_path / "b"):  # nothing is added
        luge.save_npy(path, x)
        assert os.path.exists(path) and same(luge.load_npy(path), np.arange(3))
    for wrong in (3, None):
        with pytest.raises(TypeError, match="^load_npy: path is .*; it must be str or PathLike"):
            luge.load_npy(wrong)
    with pytest.raises(ValueError, match=r"^load_npy: the path 'a.x00b' names no file: it holds a zero byte"):
        luge.load_npy("a\0b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "größe"]


def test_mapping_is_private(path):
    luge.save_npy(path, luge.arange(1000, dtype=luge.float32))
    before = path.read_bytes()
    x = luge.load_npy(path, mmap=True)
    x += 1
    shared = x.numpy()
    shared[0] = -5
    assert x[0].item() == -5 and path.read_bytes() == before
    path.unlink()
    del x
    assert shared[999] == 1000


def test_objects_are_refused(path):
    path.write_bytes(saved(np.array([{"a": 1}, os.system], dtype=object)))
    with pytest.raises(luge.DTypeError, match=r"^load_npy: '.*x.npy': the array is of dtype '\|O', whose objects are pickles"):
        luge.load_npy(path)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64", "complex64", "complex128", "S3", "U3", "M8[s]", "m8[ms]", "V5",
                                   "longdouble", [("a", "f4"), ("b", "i2")], ("f4", (2,))])  # fmt: skip
def test_other_dtypes_are_refused(path, dtype):
    value = np.zeros(3, dtype)
    path.write_bytes(saved(value) if not isinstance(dtype, tuple) else saved(value).replace(b"'<f4'", b"('<f4', (2,))"))
    with pytest.raises(luge.DTypeError, match="the array is of dtype .*; allowed are bool"):
        luge.load_npy(path)


def test_bfloat16_is_refused(path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    path.write_bytes(saved(np.zeros(3, ml_dtypes.bfloat16)))
    with pytest.raises(luge.DTypeError, match="ml_dtypes writes bfloat16"):
        luge.load_npy(path)
    before = path.read_bytes()
    with pytest.raises(luge.DTypeError, match=r"^save_npy: tensor is bfloat16.*safetensors"):
        luge.save_npy(path, luge.ones(3, dtype=luge.bfloat16))
    assert path.read_bytes() == before


def test_errors(path, tmp_path):
    x = luge.ones(2)
    assert issubclass(luge.IoError, OSError)
    with pytest.raises(luge.IoError, match="^load_npy: cannot read '.*x.npy': No such file"):
        luge.load_npy(path)
    with pytest.raises(luge.IoError, match="^save_npy: cannot write '.*none/x'"):
        luge.save_npy(tmp_path / "none" / "x", x)
    with pytest.raises(TypeError, match="^save_npy: "):
        luge.save_npy(path, [1, 2])
    path.write_bytes(saved(np.zeros((1,) * 9)))
    with pytest.raises(luge.ShapeError, match="^load_npy: '.*': the array has more than 8 dimensions"):
        luge.load_npy(path)
    two = io.BytesIO(saved(np.zeros(2)) + saved(np.zeros(2)))
    path.write_bytes(two.getvalue())  # NumPy would read the first
    with pytest.raises(luge.IoError, match="asks for 16 bytes from offset 128; there are 160, something else follows"):
        luge.load_npy(path)
    luge.save_npy(path, x)
    with pytest.raises(luge.DeviceError, match="^load_npy: mmap is for the memory of the CPU; device is cuda:0"):
        luge.load_npy(path, device="cuda", mmap=True)
    with pytest.raises(ValueError, match="^load_npy: "):
        luge.load_npy(path, device="nowhere")

    @luge.capture
    def step():
        luge.save_npy(path, x * 2)
        return x * 2

    with pytest.raises(luge.CaptureError, match="save_npy"):
        step()


def test_reads_nothing_that_numpy_would_not():
    """Headers that were changed at random."""
    draw = random.Random(0)
    file = os.memfd_create("header")  # thousands of files in a folder take long
    path = f"/proc/self/fd/{file}"
    known = ["'descr'", "'fortran_order'", "'shape'", "'|i1'", "'<i2'", "'>i2'", "'=i2'", "True", "False", "(6,)", "(2, 3)", "(3,)", "(6L,)", "()",
             "(", ")", "{", "}", ":", ",", " ", "\n", "\t", "\f", "\r", "L", "0", "1", "-", "'", '"', "#", "\\", "_", "None", "0x6", "06"]  # fmt: skip
    accepted = 0
    for _ in range(20000):
        pieces = ["{", "'descr'", ":", draw.choice(["'|i1'", "'<i2'", "'>i2'"]), ",", " ", "'fortran_order'", ":", " ",
                  draw.choice(["True", "False"]), ",", "'shape'", ":", draw.choice(["(6,)", "(2, 3)", "(3,)", "(1, 3)"]), ",", " ", "}", " ", "\n"]  # fmt: skip
        for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
            at = draw.randrange(len(pieces))
            pieces[at : at + draw.randrange(2)] = draw.choices(known, k=draw.randrange(3))
        header = "".join(pieces).encode()
        version = draw.choice([1, 2, 3])
        length = struct.pack("<H" if version == 1 else "<I", len(header))
        os.ftruncate(file, 0)
        os.pwrite(file, b"\x93NUMPY" + bytes([version, 0]) + length + header + b"\1\2\3\4\5\6", 0)
        try:
            loaded = luge.load_npy(path)
        except (luge.IoError, luge.DTypeError):
            continue
        assert same(loaded, np.load(path)), header
        accepted += 1
    os.close(file)
    assert accepted > 1000


# ---- npz


@pytest.mark.parametrize("compressed", [False, True])
def test_archives(tmp_path, compressed):
    path = tmp_path / "x.npz"
    values = {f"{dtype} {number}": value for number, dtype in enumerate(DTYPES)
              for value in (array((3, 4), dtype), np.asfortranarray(array((3, 4), dtype)))}  # fmt: skip
    values.update({"größe": array((2,)), "a/b": array(()), "x.npy": array((0, 2)), "": array((1,)), "long" * 1000: array((3,))})
    luge.save_npz(path, {name: luge.from_numpy(value) for name, value in values.items()}, compressed=compressed)
    with np.load(path) as archive:
        assert {name.removesuffix(".npy") if name == "x.npy.npy" else name for name in archive.files} == set(values)
        for member in archive.zip.infolist():
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert member.compress_type == (zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
            assert archive.zip.read(member) == saved(values[member.filename.removesuffix(".npy")])
        assert archive.zip.testzip() is None
    loaded = luge.load_npz(path)
    assert list(loaded) == sorted(values) and all(same(loaded[name], value) for name, value in values.items())

    del values["x.npy"]  # np.savez would call two arrays the same
    save = np.savez_compressed if compressed else np.savez
    save(path, array((4,)), **values)
    loaded = luge.load_npz(path)
    assert loaded.keys() == values.keys() | {"arr_0"} and all(same(loaded[name], value) for name, value in values.items())


def test_same_tensors_make_the_same_bytes(tmp_path):
    x, y = luge.ones(3), luge.zeros(2, 2)
    luge.save_npz(tmp_path / "a", {"x": x, "y": y}, compressed=True)
    luge.save_npz(tmp_path / "b", {"y": y, "x": x}, compressed=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_archive_of_nothing(tmp_path):
    luge.save_npz(tmp_path / "a", {})
    with np.load(tmp_path / "a") as archive:
        assert archive.files == []
    np.savez(tmp_path / "b.npz")
    assert luge.load_npz(tmp_path / "a") == luge.load_npz(tmp_path / "b.npz") == {}


def test_archives_that_others_write(tmp_path):
    path = tmp_path / "x.npz"
    value = array((3, 4))

    class Unseekable(io.RawIOBase):  # sizes stand behind the data then
        def __init__(self):
            self.bytes = b""

        def writable(self):
            return True

        def write(self, data):
            self.bytes += bytes(data)
            return len(data)

    file = Unseekable()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", saved(value))
        archive.writestr("y.npy", saved(value.T))
    for data in (file.bytes, b"something before" * 100 + file.bytes, file.bytes[:-2] + b"\x05\0hello"):
        path.write_bytes(data)
        if data.startswith(b"s"):
            continue  # Python's zipfile looks behind it, libzip does not
        loaded = luge.load_npz(path)
        assert same(loaded["x"], value) and same(loaded["y"], value.T)


def test_headers_may_differ_in_what_does_not_matter(tmp_path):
    path = tmp_path / "x.npz"
    members(path, ("x.npy", saved(array((3,)))), ("y.npy", saved(array((4,)))))
    data = bytearray(path.read_bytes())
    for at in (data.index(b"PK\1\2"), data.rindex(b"PK\1\2")):
        data[at + 6] = 10  # the version needed, as zip -fd writes it: less than the member's own header says
        data[at + 12] ^= 1  # the time
    path.write_bytes(data)
    assert sorted(luge.load_npz(path)) == ["x", "y"] == sorted(np.load(path).files)


def members(path, *names_and_data, **options):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in names_and_data:
            archive.writestr(name, data, **options)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    good = saved(array((3,)))

    def refused(error, text):
        with pytest.raises(error, match=text):
            luge.load_npz(path)

    members(path, ("x.npy", good), ("x.npy", good))
    refused(luge.IoError, "^load_npz: '.*x.npz': member 'x.npy': two members have this name")
    members(path, ("x.npy", good), ("readme.txt", b"hello"))
    refused(luge.IoError, "member 'readme.txt': it is no array")
    members(path, ("folder/", b""))
    refused(luge.IoError, "member 'folder/': it is no array")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        members(path, ("x.npy", good), compress_type=method)
        refused(luge.IoError, f"member 'x.npy': it is compressed by method {method}; allowed are 0 .* and 8")
    members(path, ("x.npy", saved(np.array([None]))))
    refused(luge.DTypeError, "^load_npz: '.*x.npz': member 'x.npy': the array is of dtype '.O', whose objects are pickles")
    members(path, ("x.npy", good + b"0"))
    refused(luge.IoError, "member 'x.npy': the shape .* asks for 12 bytes from offset 128; there are 13")
    members(path, ("x.npy", good))
    data = bytearray(path.read_bytes())
    data[data.index(good) + 130] ^= 1
    path.write_bytes(data)
    refused(luge.IoError, "member 'x.npy': offset 140: cannot read: CRC error")
    encrypted = bytearray(data)
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(encrypted)
    refused(luge.IoError, "member 'x.npy': it is encrypted")


def test_overlapping_members_are_refused(tmp_path):
    """Many names for the same compressed data make a small file large."""
    path = tmp_path / "x.npz"
    members(path, ("0.npy", saved(np.zeros(100000))), compress_type=zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    directory, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry, count = data[directory:end], 50
    entries = b"".join(entry.replace(b"0.npy", chr(48 + i).encode() + b".npy") for i in range(count))
    path.write_bytes(data[:directory] + entries + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(entries), directory, 0))
    with pytest.raises(luge.IoError, match="member '.*': it has .* bytes in the archive and those before it .*; the file has"):
        luge.load_npz(path)


def test_arguments_of_save_npz(tmp_path):
    path = tmp_path / "x.npz"
    x = luge.ones(2)
    for tensors, text in (({1: x}, "tensors has a key of type int; names must be str"), ({"a": [1.0]}, r"tensors\['a'\] is of type list; it must be a tensor"),
                          ([x], "tensors is list; it must be a dict of names and tensors")):  # fmt: skip
        with pytest.raises(TypeError, match=f"^save_npz: .*{text}"):
            luge.save_npz(path, tensors)
    with pytest.raises(ValueError, match="^save_npz: a name of 3 bytes; a name has no zero bytes"):
        luge.save_npz(path, {"a\0b": x})
    with pytest.raises(luge.DTypeError, match=r"^save_npz: tensors\['b'\] is bfloat16"):
        luge.save_npz(path, {"a": x, "b": x.to(luge.bfloat16)})
    assert not path.exists()


def test_threads_read_and_write_at_once(tmp_path):
    def work(number):
        x = luge.full((50000,), number)
        for _ in range(10):
            luge.save_npz(tmp_path / f"{number}.npz", {"x": x}, compressed=True)
            luge.save_npy(tmp_path / "same.npy", x)
            results.append(same(luge.load_npz(tmp_path / f"{number}.npz")["x"], x.numpy()))
            read = luge.load_npy(tmp_path / "same.npy").numpy()  # one of them, as a whole
            results.append(read.min() == read.max())

    results = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 80 and all(results)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.npz", "1.npz", "2.npz", "3.npz", "same.npy"]
