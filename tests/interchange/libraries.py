"""Arrays of each library for the cases of docs/interchange.md, and how the values of each are read and written."""

import importlib
import importlib.metadata

import numpy

import luge

DTYPES = ("float32", "float64", "float16", "bfloat16", "bool", "int64")
CASES = (*DTYPES, "transposed", "every second", "read-only", "0-d", "empty", "negative stride", "needs gradient",
         "address 4 mod 64", "lazy negation")  # fmt: skip


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


def dtype_called(name):
    """NumPy's, or the one that ml_dtypes gives to it."""
    return numpy.dtype(importlib.import_module("ml_dtypes").bfloat16 if name == "bfloat16" else name)


def numpy_array(case, otherwise="float32"):
    """An array of NumPy for a case, of the dtype `otherwise` where the case names none."""
    if case in ("needs gradient", "lazy negation"):
        raise Missing
    dtype = dtype_called(case if case in DTYPES else otherwise)
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


def luge_tensor(case, otherwise="float32"):
    if case in ("read-only", "negative stride", "lazy negation"):
        raise Missing
    dtype = getattr(luge, case if case in DTYPES else otherwise)
    if case == "needs gradient":
        return luge.ones(3, 4, dtype=dtype).requires_grad_()
    if case == "address 4 mod 64":
        skipped = 4 // dtype.itemsize
        x = luge.arange(12 + skipped).to(dtype)[skipped:]
        assert x.data_ptr() % 64 == 4
        return x
    if case == "empty":
        return luge.zeros(0, 3, dtype=dtype)
    if case == "0-d":
        return luge.zeros((), dtype=dtype)
    if case == "every second":
        return luge.arange(24).to(dtype).reshape(3, 8)[:, ::2]
    x = luge.arange(12).reshape(3, 4).to(dtype).clone()
    assert x.data_ptr() % 64 == 0
    return x.t() if case == "transposed" else x


def write_luge(x):
    first = x[(0,) * x.ndim] if x.ndim else x
    first.copy_(luge.tensor(1 - int(first.item()), dtype=x.dtype))


def only(dtypes, make):
    """`make` for these dtypes; the other ones are in the rows of another library."""

    def chosen(case):
        if case in DTYPES and case not in dtypes:
            raise Missing
        return make(case, dtypes[0])

    return chosen


# ---- each library's array for a case


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
        values = numpy_array("float32" if dtype == "bfloat16" else case)
        result = mx.array(values, dtype=getattr(mx, "bool_" if dtype == "bool" else dtype))
    mx.eval(result)
    return result


def tinygrad_array(case):
    # It makes a bfloat16 by compiling a kernel, for which not every compiler and machine will do.
    if case in ("needs gradient", "address 4 mod 64", "read-only", "lazy negation", "bfloat16"):
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
    if case == "bfloat16":
        return torch.from_numpy(numpy_array("float32")).to(torch.bfloat16)
    return torch.from_numpy(numpy_array(case))


def numpy_of(array):
    """The values as they are now, copied; bfloat16 as float32, which holds the same."""
    if hasattr(array, "detach"):  # luge's and PyTorch's
        array = array.detach()
        array = array.resolve_neg() if hasattr(array, "resolve_neg") else array
        return numpy.array((array.float() if "bfloat16" in str(array.dtype) else array).numpy())
    package = type(array).__module__.partition(".")[0]
    if package in ("jax", "jaxlib"):
        import jax

        array = jax.numpy.array(array, copy=True)  # the array itself keeps what NumPy got of it the first time
    if package == "mlx" and "bfloat16" in str(array.dtype):
        import mlx.core as mx

        array = array.astype(mx.float32)
    if package == "tinygrad":
        array = array.numpy()
    return numpy.array(array, numpy.float32 if "bfloat16" in str(array.dtype) else None)


def dtype_of(array):
    """Its name, which is one for all libraries."""
    name = str(array.dtype).rpartition(".")[2]
    return {"half": "float16", "float": "float32", "double": "float64", "long": "int64"}.get(name, name)


def address_of(array):
    """Of the first element, where the library tells."""
    if hasattr(array, "data_ptr"):  # luge's and PyTorch's
        return array.data_ptr()
    if isinstance(array, numpy.ndarray):
        return array.ctypes.data
    return array.unsafe_buffer_pointer() if hasattr(array, "unsafe_buffer_pointer") else None
