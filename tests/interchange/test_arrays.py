"""What is shared, copied or refused between luge and other libraries: the tables of docs/interchange.md.

Run as a program it prints the rows of the libraries that are installed.
"""

import functools
import importlib
import importlib.metadata
import pathlib
import warnings

import numpy
import pytest

import luge

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "interchange.md"
DTYPES = ("float32", "float64", "bool", "int64")
CASES = (*DTYPES, "transposed", "every second", "read-only", "0-d", "empty", "negative stride", "needs gradient",
         "address 4 mod 64", "lazy negation")  # fmt: skip
LIBRARIES = {"numpy": "numpy", "jax": "jax", "mlx": "mlx.core", "tinygrad": "tinygrad", "torch": "torch",
             "safetensors": "safetensors"}  # fmt: skip


class Missing(Exception):
    """The case does not exist in this library."""


def version(library):
    return f"{library} {importlib.metadata.version(library).partition('+')[0]}"


def have(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def aligned(count, dtype, offset=0):
    """A NumPy array that begins `offset` bytes after a multiple of 64."""
    raw = numpy.zeros(count * numpy.dtype(dtype).itemsize + 128, numpy.uint8)
    start = -raw.ctypes.data % 64 + offset
    result = raw[start : start + count * numpy.dtype(dtype).itemsize].view(dtype)
    assert result.ctypes.data % 64 == offset
    result[:] = numpy.arange(count)
    return result


def numpy_array(case):
    if case in ("needs gradient", "lazy negation"):
        raise Missing
    dtype = case if case in DTYPES else "float32"
    if case == "empty":
        return numpy.zeros((0, 3), dtype)
    if case == "0-d":
        return aligned(1, dtype).reshape(())
    if case == "address 4 mod 64":
        return aligned(12, dtype, 4).reshape(3, 4)
    if case == "every second":
        return aligned(24, dtype).reshape(3, 8)[:, ::2]
    array = aligned(12, dtype).reshape(3, 4)
    if case == "transposed":
        return array.T
    if case == "negative stride":
        return array[::-1]
    if case == "read-only":
        array.flags.writeable = False
    return array


def luge_tensor(case):
    if case in ("read-only", "negative stride", "lazy negation"):
        raise Missing
    if case == "needs gradient":
        return luge.ones(3, 4).requires_grad_()
    if case == "address 4 mod 64":
        x = luge.arange(13).to(luge.float32)[1:]
        assert x.data_ptr() % 64 == 4
        return x
    if case == "empty":
        return luge.zeros(0, 3)
    if case == "0-d":
        return luge.zeros(())
    if case == "every second":
        return luge.arange(24).to(luge.float32).reshape(3, 8)[:, ::2]
    x = luge.arange(12).reshape(3, 4).to(getattr(luge, case if case in DTYPES else "float32")).clone()
    assert x.data_ptr() % 64 == 0
    return x.t() if case == "transposed" else x


# ---- each library's array for a case


def write_luge(x):
    first = x[(0,) * x.ndim] if x.ndim else x
    first.copy_(luge.tensor(1 - int(first.item()), dtype=x.dtype))


def jax_array(case):
    if case not in (*DTYPES, "0-d", "empty"):
        raise Missing  # JAX has no strides, no leaves, chooses its addresses, and all of its arrays are read-only
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax.numpy.array(numpy_array(case))


def mlx_array(case):
    if case in ("needs gradient", "address 4 mod 64", "read-only", "lazy negation"):
        raise Missing
    import mlx.core as mx

    if case in ("transposed", "every second", "negative stride"):
        base = mx.array(numpy_array("float32"))
        view = {"transposed": lambda: base.T, "every second": lambda: base[:, ::2],
                "negative stride": lambda: base[::-1]}  # fmt: skip
        result = view[case]()
    else:
        dtype = case if case in DTYPES else "float32"
        result = mx.array(numpy_array(case), dtype=getattr(mx, "bool_" if dtype == "bool" else dtype))
    mx.eval(result)
    return result


def tinygrad_array(case):
    if case in ("needs gradient", "address 4 mod 64", "read-only", "lazy negation"):
        raise Missing
    from tinygrad import Tensor

    return Tensor(numpy_array(case)).realize()


def torch_array(case):
    import torch

    if case in ("read-only", "negative stride"):
        raise Missing
    if case == "needs gradient":
        return torch.ones(3, 4, requires_grad=True)
    if case == "lazy negation":
        return torch.complex(torch.ones(3), torch.ones(3)).conj().imag
    return torch.from_numpy(numpy_array(case))


def numpy_of(array):
    """The values as they are now, copied."""
    if isinstance(array, luge.Tensor):
        return numpy.array(array.detach().numpy())
    if hasattr(array, "resolve_neg"):  # PyTorch's
        array = array.detach().resolve_neg()
    if type(array).__module__.startswith("jax"):
        import jax

        array = jax.numpy.array(array, copy=True)  # the array itself keeps what NumPy got of it the first time
    if type(array).__module__.startswith("tinygrad"):
        return numpy.array(array.numpy())
    return numpy.array(array)


def address_of(array):
    """Of the first element, where the library tells."""
    if hasattr(array, "data_ptr"):  # luge's and PyTorch's
        return array.data_ptr()
    if isinstance(array, numpy.ndarray):
        return array.ctypes.data
    return array.unsafe_buffer_pointer() if hasattr(array, "unsafe_buffer_pointer") else None


def outcome(make, way, writes):
    """'shared', 'copied', 'taken' without elements, the error, 'WRONG VALUES', or '' for no such case."""
    try:
        source = make()
    except Missing:
        return ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = way(source)
        except Exception as error:  # the table says which
            return type(error).__name__
    before = numpy_of(source)
    if not numpy.array_equal(numpy_of(result), before):
        return "WRONG VALUES"
    if before.size == 0:
        return "taken"
    writes(source, result)
    same = numpy.array_equal(numpy_of(source), numpy_of(result))
    changed = not (numpy.array_equal(numpy_of(source), before) and numpy.array_equal(numpy_of(result), before))
    assert changed, "nothing was written"
    addresses = [address_of(source), address_of(result)]
    assert None in addresses or (addresses[0] == addresses[1]) == same
    told = ", warns" if any(issubclass(w.category, UserWarning) for w in warned) else ""
    return ("shared" if same else "copied") + told


def into_luge(source, result):
    write_luge(result.detach())


def from_luge(source, result):
    write_luge(source.detach())


def ways():
    """(environment's library, direction, heading, make, way, writes) of all that is installed here."""
    found = []

    def to(library, heading, make, way):
        found.append((library, "to luge", heading, make, way, into_luge))

    def out(library, heading, way):
        found.append((library, "from luge", heading, luge_tensor, way, from_luge))

    to("numpy", "`luge.from_numpy(a)`", numpy_array, luge.from_numpy)
    to("numpy", "`luge.as_tensor(a)`", numpy_array, luge.as_tensor)
    to("numpy", "`luge.tensor(a)`", numpy_array, luge.tensor)
    to("numpy", "`luge.from_dlpack(a)`", numpy_array, luge.from_dlpack)
    out("numpy", "`x.numpy()`", lambda x: x.numpy())
    out("numpy", "`np.asarray(x)`", numpy.asarray)
    out("numpy", "`np.from_dlpack(x)`", numpy.from_dlpack)
    if have("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        to("jax", "`luge.as_tensor(a)`", jax_array, luge.as_tensor)
        to("jax", "`luge.tensor(a)`", jax_array, luge.tensor)
        to("jax", "`luge.from_dlpack(a)`", jax_array, luge.from_dlpack)
        to("jax", "`luge.from_dlpack(a, copy=False)`", jax_array, functools.partial(luge.from_dlpack, copy=False))
        to("jax", "`luge.from_dlpack(a.__dlpack__())`", jax_array, lambda a: luge.from_dlpack(a.__dlpack__()))
        to("jax", "`luge.from_numpy(np.asarray(a))`", jax_array, lambda a: luge.from_numpy(numpy.asarray(a)))
        out("jax", "`jax.dlpack.from_dlpack(x)`", jax.dlpack.from_dlpack)
        out("jax", "`jax.numpy.asarray(x)`", jax.numpy.asarray)
    if have("mlx.core"):
        import mlx.core as mx

        to("mlx", "`luge.as_tensor(a)`", mlx_array, luge.as_tensor)
        to("mlx", "`luge.tensor(a)`", mlx_array, luge.tensor)
        to("mlx", "`luge.from_dlpack(a)`", mlx_array, luge.from_dlpack)
        to("mlx", "`luge.from_numpy(np.asarray(a))`", mlx_array, lambda a: luge.from_numpy(numpy.asarray(a)))
        out("mlx", "`mlx.core.array(x)`", lambda x: evaluated(mx.array(x)))
        out("mlx", "`mlx.core.array(x.numpy())`", lambda x: evaluated(mx.array(x.numpy())))
    if have("tinygrad"):
        from tinygrad import Tensor

        to("tinygrad", "`luge.as_tensor(a)`", tinygrad_array, luge.as_tensor)
        to("tinygrad", "`luge.from_numpy(a.numpy())`", tinygrad_array, lambda a: luge.from_numpy(a.numpy()))
        out("tinygrad", "`tinygrad.Tensor(x)`", lambda x: Tensor(x).realize())
        out("tinygrad", "`tinygrad.Tensor(x.numpy())`", lambda x: Tensor(x.numpy()).realize())
    if have("torch"):
        import torch

        to("torch", "`luge.as_tensor(a)`", torch_array, luge.as_tensor)
        to("torch", "`luge.tensor(a)`", torch_array, luge.tensor)
        to("torch", "`luge.from_dlpack(a)`", torch_array, luge.from_dlpack)
        out("torch", "`torch.from_dlpack(x)`", torch.from_dlpack)
        to("torch", "`luge.from_numpy(a.numpy())`", torch_array, lambda a: luge.from_numpy(a.numpy()))
        out("torch", "`torch.as_tensor(x.numpy())`", lambda x: torch.as_tensor(x.numpy()))
    if have("safetensors"):
        from safetensors.numpy import load, save

        out("safetensors", "`save({\"w\": x.numpy()})`, `load(b)`", lambda x: load(save({"w": x.numpy()}))["w"])
    return found


def evaluated(array):
    import mlx.core as mx

    mx.eval(array)
    return array


def measure(way, case):
    return outcome(functools.partial(way[3], case), way[4], way[5])


def row(way):
    cells = [measure(way, case) or "–" for case in CASES]
    return f"| {version(way[0])} | {way[2]} | {' | '.join(cells)} |"


def documented():
    """The cells of the document by (direction, version, way, case)."""
    cells, head = {}, None
    for line in DOCUMENT.read_text().splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if not line.startswith("| "):
            head = None
        elif head is None:
            head = parts
        elif parts[0] != "---":
            for case, cell in zip(head[2:], parts[2:]):
                cells[head[0], parts[0], parts[1], case] = cell
    return cells


WAYS = ways()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", WAYS, ids=[f"{way[0]} {way[1]} {way[2]}" for way in WAYS])
def test_cell(way, case):
    assert (measure(way, case) or "–") == documented()[way[1], version(way[0]), way[2], case]


def test_no_row_is_left_over():
    """Of the versions that are installed here."""
    here = {(way[1], version(way[0]), way[2]) for way in WAYS}
    versions = {key[1] for key in here}
    assert {key[:3] for key in documented() if key[1] in versions} == here


# ---- what the document warns of


def test_mlx_expressions_read_what_luge_writes():
    mx = pytest.importorskip("mlx.core")
    a = mx.array(numpy.ones(4, numpy.float32))
    later = a * 2
    luge.as_tensor(a).zero_()
    assert numpy.array(later).tolist() == [0, 0, 0, 0]
    a = mx.array(numpy.ones(4, numpy.float32))
    later = a * 2
    luge.tensor(a).zero_()
    assert numpy.array(later).tolist() == [2, 2, 2, 2]


def test_jax_sees_what_luge_writes_later():
    jax = pytest.importorskip("jax")
    x = luge.ones(4)
    shared, copied = jax.dlpack.from_dlpack(x), jax.numpy.asarray(x)
    x.zero_()
    assert shared.tolist() == [0, 0, 0, 0] and copied.tolist() == [1, 1, 1, 1]


def test_resolve_neg_keeps_the_sign():
    pytest.importorskip("torch")
    a = torch_array("lazy negation")
    assert a.tolist() == [-1, -1, -1] and luge.as_tensor(a.resolve_neg()).tolist() == [-1, -1, -1]


def test_contiguous_saves_transposed_tensors():
    files = pytest.importorskip("safetensors.numpy")
    x = luge_tensor("transposed")
    assert numpy.array_equal(files.load(files.save({"w": x.contiguous().numpy()}))["w"], x.numpy())


if __name__ == "__main__":
    for way in WAYS:
        print(way[1], row(way), sep="\t")
