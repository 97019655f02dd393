"""What is shared, copied or refused between luge and other libraries: the tables of docs/interchange.md.

Run as a program it prints the rows of the libraries that are installed.
"""

import functools
import pathlib
import tempfile
import warnings

import numpy
import pytest

import luge
from libraries import (CASES, DTYPES, Missing, address_of, dtype_of, have, jax_array, luge_tensor, mlx_array, numpy_array,
                       numpy_of, only, tinygrad_array, torch_array, version, write_luge)  # fmt: skip

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "interchange.md"


def outcome(make, way, writes):
    """'shared' or 'copied' with what else is seen, 'taken' without elements, the error, 'WRONG VALUES', '' for no case."""
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
    if dtype_of(result) != dtype_of(source):
        told += f", as {dtype_of(result)}"
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

    def out(library, heading, make, way):
        found.append((library, "from luge", heading, make, way, from_luge))

    share = functools.partial(luge.from_dlpack, copy=False)

    for library, dtypes in (("numpy", [d for d in DTYPES if d != "bfloat16"]), ("ml_dtypes", ["bfloat16"])):
        if not have(library):
            continue
        make, give = only(dtypes, numpy_array), only(dtypes, luge_tensor)
        to(library, "`luge.from_numpy(a)`", make, luge.from_numpy)
        to(library, "`luge.as_tensor(a)`", make, luge.as_tensor)
        to(library, "`luge.tensor(a)`", make, luge.tensor)
        to(library, "`luge.from_dlpack(a)`", make, luge.from_dlpack)
        to(library, "`luge.from_dlpack(a, copy=False)`", make, share)
        out(library, "`x.numpy()`", give, lambda x: x.numpy())
        out(library, "`np.asarray(x)`", give, numpy.asarray)
        out(library, "`np.from_dlpack(x)`", give, numpy.from_dlpack)
    if have("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        to("jax", "`luge.as_tensor(a)`", jax_array, luge.as_tensor)
        to("jax", "`luge.tensor(a)`", jax_array, luge.tensor)
        to("jax", "`luge.from_dlpack(a)`", jax_array, luge.from_dlpack)
        to("jax", "`luge.from_dlpack(a, copy=False)`", jax_array, share)
        to("jax", "`luge.from_dlpack(a.__dlpack__())`", jax_array, lambda a: luge.from_dlpack(a.__dlpack__()))
        to("jax", "`luge.from_numpy(np.asarray(a))`", jax_array, lambda a: luge.from_numpy(numpy.asarray(a)))
        out("jax", "`jax.dlpack.from_dlpack(x)`", luge_tensor, jax.dlpack.from_dlpack)
        out("jax", "`jax.numpy.asarray(x)`", luge_tensor, jax.numpy.asarray)
    if have("mlx.core"):
        import mlx.core as mx

        to("mlx", "`luge.as_tensor(a)`", mlx_array, luge.as_tensor)
        to("mlx", "`luge.tensor(a)`", mlx_array, luge.tensor)
        to("mlx", "`luge.from_dlpack(a)`", mlx_array, luge.from_dlpack)
        to("mlx", "`luge.from_dlpack(a, copy=False)`", mlx_array, share)
        to("mlx", "`luge.from_dlpack(a.__dlpack__())`", mlx_array, lambda a: luge.from_dlpack(a.__dlpack__()))
        to("mlx", "`luge.from_numpy(np.asarray(a))`", mlx_array, lambda a: luge.from_numpy(numpy.asarray(a)))
        out("mlx", "`mlx.core.array(x)`", luge_tensor, lambda x: evaluated(mx.array(x)))
        out("mlx", "`mlx.core.array(x.numpy())`", luge_tensor, lambda x: evaluated(mx.array(x.numpy())))
    if have("tinygrad"):
        from tinygrad import Tensor

        to("tinygrad", "`luge.as_tensor(a)`", tinygrad_array, luge.as_tensor)
        to("tinygrad", "`luge.from_numpy(a.numpy())`", tinygrad_array, lambda a: luge.from_numpy(a.numpy()))
        out("tinygrad", "`tinygrad.Tensor(x)`", luge_tensor, lambda x: Tensor(x).realize())
        out("tinygrad", "`tinygrad.Tensor(x.numpy())`", luge_tensor, lambda x: Tensor(x.numpy()).realize())
    if have("torch"):
        import torch

        to("torch", "`luge.as_tensor(a)`", torch_array, luge.as_tensor)
        to("torch", "`luge.tensor(a)`", torch_array, luge.tensor)
        to("torch", "`luge.from_dlpack(a)`", torch_array, luge.from_dlpack)
        to("torch", "`luge.from_dlpack(a, copy=False)`", torch_array, share)
        to("torch", "`luge.from_dlpack(a.__dlpack__())`", torch_array, lambda a: luge.from_dlpack(a.__dlpack__()))
        to("torch", "`luge.from_numpy(a.numpy())`", torch_array, lambda a: luge.from_numpy(a.numpy()))
        out("torch", "`torch.from_dlpack(x)`", luge_tensor, torch.from_dlpack)
        out("torch", "`torch.as_tensor(x.numpy())`", luge_tensor, lambda x: torch.as_tensor(x.numpy()))
    if have("safetensors"):
        import safetensors.numpy

        files = safetensors.numpy
        to("safetensors", "`safetensors.numpy.save_file`, `luge.load_file`", numpy_array,
           by_file(files.save_file, luge.load_file))  # fmt: skip
        out("safetensors", "`safetensors.numpy.save_file({name: x.numpy()}, path)`, `load_file`", luge_tensor,
            by_file(lambda x, path: files.save_file({"w": x["w"].numpy()}, path), files.load_file))  # fmt: skip
        out("safetensors", "`luge.save_file`, `safetensors.numpy.load_file`", luge_tensor,
            by_file(luge.save_file, files.load_file))  # fmt: skip
    if have("safetensors") and have("torch"):
        import safetensors.torch
        import torch

        torch_files = safetensors.torch
        to("torch", "`safetensors.torch.save_file`, `luge.load_file`", torch_array,
           by_file(torch_files.save_file, luge.load_file))  # fmt: skip
        out("torch", "`safetensors.torch.save_file({name: torch.from_dlpack(x)}, path)`, `load_file`", luge_tensor,
            by_file(lambda x, path: torch_files.save_file({"w": torch.from_dlpack(x["w"])}, path),
                    torch_files.load_file))  # fmt: skip
        out("torch", "`luge.save_file`, `safetensors.torch.load_file`", luge_tensor,
            by_file(luge.save_file, torch_files.load_file))  # fmt: skip
    return found


def by_file(save, load):
    """What `load` reads of the file that `save` writes."""

    def copied(array):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "w.safetensors"
            save({"w": array}, path)
            return load(path)["w"]

    return copied


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
    """The cells of the document by (direction, version, way) and case; a case without a column is missing."""
    cells, head = {}, None
    for line in DOCUMENT.read_text().splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if not line.startswith("| "):
            head = None
        elif head is None:
            head = parts
        elif parts[0] != "---":
            cells[head[0], parts[0], parts[1]] = dict(zip(head[2:], parts[2:], strict=True))
    return cells


WAYS = ways()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", WAYS, ids=[f"{way[0]} {way[1]} {way[2]}" for way in WAYS])
def test_cell(way, case):
    cells = documented()[way[1], version(way[0]), way[2]]
    assert (measure(way, case) or "–") == cells.get(case, "–")


def test_no_row_is_left_over():
    """Of the versions that are installed here."""
    here = {(way[1], version(way[0]), way[2]) for way in WAYS}
    versions = {key[1] for key in here}
    assert {key for key in documented() if key[1] in versions} == here


# ---- what the document warns of


def test_mlx_expressions_keep_their_values_unless_sharing_is_asked_for():
    mx = pytest.importorskip("mlx.core")
    share = functools.partial(luge.from_dlpack, copy=False)
    for take, values in ((luge.as_tensor, 2), (luge.tensor, 2), (luge.from_dlpack, 2), (share, 0)):
        for dtype in (mx.float32, mx.bfloat16):
            a = mx.ones(4, dtype=dtype)
            later = a * 2
            take(a).zero_()
            assert later.tolist() == [values] * 4


def test_mlx_keeps_float64_where_it_is_asked_to():
    mx = pytest.importorskip("mlx.core")
    x = luge.tensor([1 + 1e-12], dtype=luge.float64)
    assert mx.array(x, dtype=mx.float64).item() == x.item() and mx.array(x).item() == 1


def test_jax_arrays_keep_their_values():
    jax = pytest.importorskip("jax")
    for take in (luge.as_tensor, luge.tensor, luge.from_dlpack):
        a = jax.numpy.ones(4)
        take(a).zero_()
        assert a.tolist() == [1, 1, 1, 1]


def test_capsules_of_jax_and_mlx_do_not_say_that_they_are_constant():
    """Once they do, luge copies them, and the document can say so."""
    for name in ("jax.numpy", "mlx.core"):
        make = have(name)
        if make:
            a = make.ones(4)
            luge.from_dlpack(a.__dlpack__(max_version=(1, 0))).zero_()
            assert numpy_of(a).tolist() == [0, 0, 0, 0]


def test_jax_sees_what_luge_writes_later():
    jax = pytest.importorskip("jax")
    x = luge.ones(4)
    shared, copied = jax.dlpack.from_dlpack(x), jax.numpy.asarray(x)
    x.zero_()
    assert shared.tolist() == [0, 0, 0, 0] and copied.tolist() == [1, 1, 1, 1]


def test_pytorchs_derivatives_read_what_luge_writes():
    torch = pytest.importorskip("torch")
    x, w = torch.ones(3), torch.ones(3, requires_grad=True)
    loss = (w * x).sum()
    luge.as_tensor(x).zero_()
    loss.backward()
    assert w.grad.tolist() == [0, 0, 0]


def test_what_pytorch_negates_late_has_its_values():
    torch = pytest.importorskip("torch")
    z = torch.complex(torch.arange(6.0), torch.arange(6.0)).reshape(2, 3).conj()
    for part in (z.imag, z.imag.t(), z[1].imag, z[1, 2].imag, torch._neg_view(torch.arange(3.0))):
        for take in (luge.as_tensor, luge.tensor, luge.from_dlpack):
            assert take(part).tolist() == part.tolist()


@pytest.mark.parametrize("name", ["complex64", "uint16", "uint64"])
def test_dtypes_that_luge_lacks_are_refused_by_name(name):
    with pytest.raises(luge.DTypeError, match=f"dtype is {name}; allowed are bool, "):
        luge.as_tensor(numpy.ones(3, name))
    for library in ("jax.numpy", "mlx.core"):
        make = have(library)
        if make:
            with pytest.raises(luge.DTypeError, match=f"dtype is {name}; allowed are bool, "):
                luge.as_tensor(make.ones(3, dtype=getattr(make, name)))


def test_float8_of_ml_dtypes_is_refused():
    types = pytest.importorskip("ml_dtypes")
    with pytest.raises(luge.DTypeError, match="dtype is float8_e4m3fn"):
        luge.as_tensor(numpy.ones(3).astype(types.float8_e4m3fn))


def test_contiguous_saves_transposed_tensors():
    files = pytest.importorskip("safetensors.numpy")
    x = luge_tensor("transposed")
    assert numpy.array_equal(files.load(files.save({"w": x.contiguous().numpy()}))["w"], x.numpy())


if __name__ == "__main__":
    for way in WAYS:
        print(way[1], row(way), sep="\t")
