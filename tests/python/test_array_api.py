"""luge.array_api against array-api-strict, value by value; the promotion table; special cases; other packages that use it."""

import inspect
import itertools
import math
import warnings

import numpy as np
import pytest

import luge
import luge.array_api as xp

strict = pytest.importorskip("array_api_strict")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    strict.set_array_api_strict_flags(api_version="2024.12")

SIGNED = ["int8", "int16", "int32", "int64"]
INTEGERS = [*SIGNED, "uint8"]
FLOATS = ["float32", "float64"]
NUMERIC = [*INTEGERS, *FLOATS]
ALL = ["bool", *NUMERIC]
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.0, -2.0, 3.0, -3.0, 1e-30, -1e30, 88.0]


def numbers(shape, dtype, low=-4, high=4, seed=0):
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return np.asarray(generator.integers(0, 2, shape)).astype(bool)
    if dtype in FLOATS:
        return np.asarray(low + (high - low) * generator.random(shape)).astype(dtype)
    return np.asarray(generator.integers(max(low, 0) if dtype == "uint8" else low, high, shape)).astype(dtype)


def given(library, value):
    """Arguments: NumPy's arrays as the library's, "dtype:float32" as its dtype."""
    if isinstance(value, np.ndarray):
        return library.asarray(value.copy())
    if isinstance(value, (tuple, list)):
        return type(value)(given(library, part) for part in value)
    if isinstance(value, str) and value.startswith("dtype:"):
        return getattr(library, value[6:])
    return value


def call(library, name, args, kwargs):
    function = library
    for part in name.split("."):
        function = getattr(function, part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*given(library, args), **{key: given(library, value) for key, value in kwargs.items()})


def plain(result):
    if isinstance(result, luge.Tensor):
        return result.numpy()
    if isinstance(result, strict._array_object.Array):
        return np.asarray(result._array)
    if isinstance(result, (tuple, list)):
        return [plain(part) for part in result]
    return result


def same(ours, theirs, exact=False, dtypes=True):
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b, exact, dtypes)
        return
    if not isinstance(theirs, np.ndarray):
        assert ours == theirs
        return
    assert ours.shape == theirs.shape
    if dtypes:
        wanted = "int64" if str(theirs.dtype) == "uint64" else str(theirs.dtype)  # sums of uint8: luge has no uint64
        assert str(ours.dtype) == wanted
    if ours.dtype.kind == "f":
        bound = 0 if exact else 30 * max(np.finfo(ours.dtype).eps, np.finfo(theirs.dtype).eps if theirs.dtype.kind == "f" else 0)
        np.testing.assert_allclose(ours, theirs, rtol=bound, atol=bound)
    else:
        np.testing.assert_array_equal(ours.astype("int64"), theirs.astype("int64"))


def check(name, *args, exact=False, dtypes=True, **kwargs):
    same(plain(call(xp, name, args, kwargs)), plain(call(strict, name, args, kwargs)), exact, dtypes)


# ---- what is there


def test_every_name_is_there():
    without = {"complex64", "complex128", "uint16", "uint32", "uint64", "imag", "isin", "broadcast_shapes", "Device", "ModuleType",
               "ArrayAPIStrictFlags"}  # fmt: skip
    names = {name for name in dir(strict) if not name.startswith("_") and "strict_flags" not in name} - without - {"fft"}
    assert not names - set(dir(xp))
    assert set(strict.linalg.__all__) <= set(dir(xp.linalg))
    assert xp.__array_api_version__ == "2024.12"


def functions():
    for owner, prefix in ((strict, ""), (strict.linalg, "linalg.")):
        for name in dir(owner):
            value = getattr(owner, name)
            ours = getattr(xp if not prefix else xp.linalg, name, None)
            if inspect.isfunction(value) and ours is not None and not name.startswith("_") and "strict" not in name:
                yield pytest.param(value, ours, id=prefix + name)


@pytest.mark.parametrize("theirs, ours", functions())
def test_signatures(theirs, ours):
    """Names, order, kinds and whether there is a default, as in the standard."""
    kinds = {}
    for function in (theirs, ours):
        kinds[function] = [(p.name, p.kind, p.default is p.empty) for p in inspect.signature(function).parameters.values()]
    if theirs.__name__ == "expand_dims":  # axis has a default since 2025.12
        return
    shared = {name for name, _, _ in kinds[theirs]}
    younger = [one for one in kinds[ours] if one[0] not in shared]
    assert not [one for one in younger if one[2]], "an argument that the standard does not know"
    missing = [one for one in kinds[theirs] if one[0] not in {name for name, _, _ in kinds[ours]}]
    assert not missing
    for (name, kind, needed), (own_name, own_kind, own_needed) in zip(kinds[theirs], kinds[ours]):
        if kind is inspect.Parameter.POSITIONAL_ONLY:
            assert own_kind is kind
        else:
            assert (name, needed) == (own_name, own_needed) and kind in (own_kind, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def test_information():
    info = xp.__array_namespace_info__()
    assert info.dtypes()["float32"] == luge.float32 and "uint64" not in info.dtypes()
    assert set(info.dtypes(kind="integral")) == {"int8", "int16", "int32", "int64", "uint8"}
    assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
    assert info.dtypes(kind="complex floating") == {}
    assert info.default_dtypes()["indexing"] == luge.int64 and info.default_device() in info.devices()
    assert info.capabilities()["boolean indexing"] and info.capabilities()["data-dependent shapes"]
    with pytest.raises(ValueError, match="dtypes: kind is 'other'"):
        info.dtypes(kind="other")


def test_tensors_name_their_namespace():
    x = luge.ones(2)
    assert xp.newaxis is None
    assert x.__array_namespace__() is xp and x.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match="__array_namespace__: api_version is '2099.12'"):
        x.__array_namespace__(api_version="2099.12")
    assert x.to_device("cpu").device == x.device
    with pytest.raises(ValueError, match="to_device: stream must be None"):
        x.to_device("cpu", stream=1)


# ---- dtypes


@pytest.mark.parametrize("a, b", itertools.product(ALL, ALL))
def test_promotion_table(a, b):
    """Of the pairs that the standard defines; 0-d arrays count as others do."""
    try:
        wanted = str(strict.result_type(getattr(strict, a), getattr(strict, b))).rpartition(".")[2]
    except TypeError:
        return
    found = xp.result_type(getattr(xp, a), getattr(xp, b))
    assert found == getattr(luge, wanted if wanted != "bool" else "bool_")
    if "bool" in (a, b):
        return
    for shapes in (((2,), (2,)), ((2,), ()), ((), (2,))):
        x, y = (numbers(shape, dtype, 1) for shape, dtype in zip(shapes, (a, b)))
        check("add", x, y)
        check("where", np.ones(shapes[0], bool), x, y)
    check("concat", [numbers((2,), a), numbers((3,), b)])
    check("stack", [numbers((2,), a), numbers((2,), b)])


@pytest.mark.parametrize("dtype", ALL)
def test_dtype_functions(dtype):
    for kind in ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric"):
        assert xp.isdtype(getattr(xp, dtype), kind) == strict.isdtype(getattr(strict, dtype), kind)
    for other in ALL:
        check("astype", numbers((5,), dtype, 0), f"dtype:{other}")
        assert xp.isdtype(getattr(xp, dtype), getattr(xp, other)) == (dtype == other)
        defined = dtype == other or {dtype, other} <= set(INTEGERS) or {dtype, other} <= set(FLOATS)
        assert xp.can_cast(getattr(xp, dtype), getattr(xp, other)) == (
            defined and strict.can_cast(getattr(strict, dtype), getattr(strict, other)))  # fmt: skip
    if dtype in FLOATS:
        ours, theirs = xp.finfo(getattr(xp, dtype)), strict.finfo(getattr(strict, dtype))
        for name in ("bits", "eps", "max", "min", "smallest_normal"):
            assert getattr(ours, name) == getattr(theirs, name)
    if dtype in INTEGERS:
        ours, theirs = xp.iinfo(getattr(xp, dtype)), strict.iinfo(getattr(strict, dtype))
        assert (ours.bits, ours.max, ours.min) == (theirs.bits, theirs.max, theirs.min)


@pytest.mark.parametrize("action", [
    lambda: xp.finfo(xp.int32), lambda: xp.iinfo(xp.float32), lambda: xp.result_type("text"), lambda: xp.asarray(1j),
])  # fmt: skip
def test_wrong_types(action):
    with pytest.raises(TypeError):
        action()


@pytest.mark.parametrize("action", [
    lambda: xp.isdtype(xp.int8, "other"), lambda: xp.result_type(), lambda: xp.asarray([1], copy=False), lambda: xp.stack([]),
    lambda: xp.concat([]), lambda: xp.squeeze(xp.ones((2, 1)), 0), lambda: xp.take(xp.ones((2, 2)), xp.asarray([0])),
    lambda: xp.matmul(xp.ones((2, 3)), xp.ones((2, 3))), lambda: xp.tensordot(xp.ones((2, 3)), xp.ones((2, 3)), axes=1),
    lambda: xp.vecdot(xp.ones(3), xp.ones(3), axis=0), lambda: xp.nonzero(xp.asarray(1)), lambda: xp.arange(0, 1, 0),
    lambda: xp.cumulative_sum(xp.ones((2, 2))), lambda: xp.broadcast_arrays(xp.ones(2), xp.ones(3)), lambda: xp.tril(xp.ones(2)),
    lambda: xp.meshgrid(xp.ones(2), indexing="other"), lambda: xp.flip(xp.ones((2, 2)), axis=(0, 0)), lambda: xp.diff(xp.ones(2), n=-1),
    lambda: xp.reshape(xp.ones((2, 3)).T, (6,), copy=False), lambda: xp.searchsorted(xp.ones(2), xp.ones(2), side="other"),
])  # fmt: skip
def test_wrong_values(action):
    with pytest.raises(ValueError):
        action()


def test_wrong_axes():
    for name in ("sum", "max", "flip", "sort", "argmax", "diff"):
        with pytest.raises(IndexError, match=f"{name}: axis is 2"):
            getattr(xp, name)(xp.ones((2, 3)), axis=2)


# ---- element by element

DOMAINS = {"acos": (-1, 1), "asin": (-1, 1), "atanh": (-0.9, 0.9), "acosh": (1, 9), "log": (0.1, 9), "log1p": (-0.9, 9), "log2": (0.1, 9),
           "log10": (0.1, 9), "sqrt": (0, 9), "reciprocal": (0.5, 4)}  # fmt: skip
OF_FLOATS = ["acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "expm1", "log", "log1p", "log2", "log10",
             "reciprocal", "sin", "sinh", "sqrt", "tan", "tanh", "signbit"]  # fmt: skip
OF_NUMBERS = ["abs", "ceil", "floor", "isfinite", "isinf", "isnan", "negative", "positive", "round", "sign", "square", "trunc"]


@pytest.mark.parametrize("name", [*OF_FLOATS, *OF_NUMBERS, "bitwise_invert", "logical_not"])
def test_one_array(name):
    dtypes = FLOATS if name in OF_FLOATS else NUMERIC if name in OF_NUMBERS else ["bool"] if name == "logical_not" else ["bool", *INTEGERS]
    for dtype in dtypes:
        for shape in ((), (0,), (7,), (2, 3)):
            check(name, numbers(shape, dtype, *DOMAINS.get(name, (-4, 4))))
        if dtype in FLOATS:
            check(name, np.array(SPECIAL, dtype))


TWO = {
    "add": NUMERIC, "atan2": FLOATS, "bitwise_and": ["bool", *INTEGERS], "bitwise_left_shift": INTEGERS, "bitwise_or": ["bool", *INTEGERS],
    "bitwise_right_shift": INTEGERS, "bitwise_xor": ["bool", *INTEGERS], "copysign": FLOATS, "divide": FLOATS, "equal": ALL,
    "floor_divide": NUMERIC, "greater": NUMERIC, "greater_equal": NUMERIC, "hypot": FLOATS, "less": NUMERIC, "less_equal": NUMERIC,
    "logaddexp": FLOATS, "logical_and": ["bool"], "logical_or": ["bool"], "logical_xor": ["bool"], "maximum": NUMERIC,
    "minimum": NUMERIC, "multiply": NUMERIC, "nextafter": FLOATS, "not_equal": ALL, "pow": NUMERIC, "remainder": NUMERIC,
    "subtract": NUMERIC,
}  # fmt: skip


@pytest.mark.parametrize("name", TWO)
def test_two_arrays(name):
    low = 1 if name in ("floor_divide", "remainder", "pow", "divide") or "shift" in name else -4
    for dtype in TWO[name]:
        for a, b in (((), ()), ((3,), (2, 3)), ((2, 1), (1, 3)), ((0,), (1,))):
            check(name, numbers(a, dtype, -4 if low == 1 and name != "pow" else low), numbers(b, dtype, low, seed=1))
        number = True if dtype == "bool" else 2 if dtype in INTEGERS else 1.5
        check(name, numbers((3,), dtype, low), number)
        check(name, number, numbers((3,), dtype, low))
        if dtype in SIGNED:
            if name in ("floor_divide", "remainder"):
                check(name, numbers((9,), dtype, -9, 9), np.array([-2, 3, -1, 2, 5, -5, 7, 1, -3], dtype))
        if dtype in FLOATS:
            pairs = np.array(list(itertools.product(SPECIAL, SPECIAL)), dtype)
            check(name, pairs[:, 0], pairs[:, 1])


@pytest.mark.parametrize("name", ["copysign", "multiply", "divide", "atan2", "floor_divide", "remainder", "pow"])
def test_signs_of_zeros(name):
    values = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf]
    pairs = np.array(list(itertools.product(values, values)))
    ours, theirs = (plain(call(library, name, (pairs[:, 0], pairs[:, 1]), {})) for library in (xp, strict))
    zeros = theirs == 0
    np.testing.assert_array_equal(np.signbit(ours)[zeros], np.signbit(theirs)[zeros])


@pytest.mark.parametrize("dtype", FLOATS)
def test_neighbours(dtype):
    limits = np.finfo(dtype)
    edges = [0.0, -0.0, limits.smallest_subnormal, limits.tiny, limits.tiny * 2, limits.max, 1.0, 2.0, 1 / 3, math.inf]
    values = np.array([*edges, *(-np.array(edges))], dtype)
    for towards in (math.inf, -math.inf, 0.0):
        check("nextafter", values, np.full_like(values, towards), exact=True)


@pytest.mark.parametrize("dtype", NUMERIC)
def test_clip(dtype):
    x = numbers((2, 5), dtype, -9, 9)
    check("clip", x, 1, 3)
    check("clip", x, min=1)
    check("clip", x, max=3)
    check("clip", x)
    check("clip", x, numbers((5,), dtype, 0, 2), numbers((2, 1), dtype, 2, 5))
    if dtype in FLOATS:
        check("clip", np.array(SPECIAL, dtype), -1.0, 1.0)


# ---- creation


def test_creation():
    for args in ((5,), (2, 7), (7, 2), (0, 10, 3), (5, 0, -2), (0,), (3, 3)):
        check("arange", *args)
        check("arange", *args, dtype="dtype:float64")
    check("arange", 0.0, 1.0, 0.25, dtypes=False)
    for num, endpoint in itertools.product((0, 1, 2, 7), (True, False)):
        check("linspace", 0.0, 3.0, num, endpoint=endpoint, dtype="dtype:float64")
        check("linspace", 5, -2, num, endpoint=endpoint, dtype="dtype:float32")
    for k in (-3, -1, 0, 1, 4):
        check("eye", 3, k=k, dtype="dtype:float32")
        check("eye", 2, 4, k=k, dtype="dtype:int32")
        for name in ("tril", "triu"):
            check(name, numbers((3, 4), "float32"), k=k)
            check(name, numbers((2, 3, 3), "int64"), k=k)
    for dtype in ALL:
        for shape in ((), 3, (2, 3), (0, 2)):
            check("zeros", shape, dtype=f"dtype:{dtype}")
            check("ones", shape, dtype=f"dtype:{dtype}")
            check("full", shape, True if dtype == "bool" else 3 if dtype in INTEGERS else 1.5, dtype=f"dtype:{dtype}")
            assert xp.empty(shape, dtype=getattr(xp, dtype)).dtype == getattr(xp, dtype)
        x = numbers((2, 3), dtype)
        for name in ("zeros_like", "ones_like"):
            check(name, x)
            check(name, x, dtype="dtype:int16")
        check("full_like", x, True if dtype == "bool" else 1)
        assert xp.empty_like(given(xp, x)).shape == (2, 3)
    for value in (True, 3):
        check("full", (2,), value)
        check("asarray", value)
        check("asarray", [[value, value]])
    for indexing, count in itertools.product(("xy", "ij"), (1, 2, 3)):
        check("meshgrid", *[numbers((size,), "float64") for size in (2, 3, 4)[:count]], indexing=indexing)


def test_asarray():
    x = luge.ones(3)
    assert xp.asarray(x) is x or xp.asarray(x).data_ptr() == x.data_ptr()
    assert xp.asarray(x, copy=True).data_ptr() != x.data_ptr() and xp.asarray(x, copy=False).data_ptr() == x.data_ptr()
    assert xp.asarray(x, dtype=xp.float64).dtype == xp.float64 and xp.asarray([x[0], 2.0]).tolist() == [1, 2]
    assert xp.asarray(np.ones(2)).dtype == xp.float64 and xp.asarray([1.5]).dtype == xp.float32
    assert xp.from_dlpack(x).data_ptr() == x.data_ptr() and xp.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()
    with pytest.raises(ValueError, match="asarray: copy is False"):
        xp.asarray(x, dtype=xp.float64, copy=False)


# ---- manipulation


def test_manipulation():
    x = numbers((2, 3, 4), "float32")
    check("broadcast_arrays", numbers((2, 1), "int32"), numbers((3,), "float32"))
    check("broadcast_to", numbers((2, 1), "int32"), (3, 2, 4))
    for axis in (0, 1, -1, None):
        check("concat", [x, x], axis=axis)
        check("flip", x, axis=axis)
        check("repeat", x, 2, axis=axis)
        check("roll", x, 2, axis=axis)
    for axis in (0, 2, -1, -3):
        check("stack", [x, x], axis=axis)
        check("expand_dims", x, axis=axis)
        check("unstack", x, axis=axis)
        check("take", x, np.array([1, 0, 1]), axis=axis)
        check("take_along_axis", x, np.argsort(x, axis=axis), axis=axis)
    check("flip", x, axis=(0, -1))
    check("flip", numbers((), "int64"))
    check("roll", x, (1, -2), axis=(0, 2))
    check("roll", numbers((0,), "int64"), 3)
    check("roll", x, -5, axis=1)
    check("repeat", numbers((3,), "int64"), np.array([0, 2, 1]))
    check("repeat", x, np.array([1, 2]), axis=0)
    for source, destination in ((0, 2), (-1, 0), ((0, 1), (1, 2)), ((2, 0), (0, 1))):
        check("moveaxis", x, source, destination)
    check("permute_dims", x, (2, 0, 1))
    check("reshape", x, (4, 6))
    check("reshape", x, (-1, 2), copy=True)
    check("reshape", numbers((), "int64"), (1, 1))
    check("squeeze", numbers((1, 2, 1), "int64"), 0)
    check("squeeze", numbers((1, 2, 1), "int64"), (0, -1))
    for repetitions in ((2,), (2, 3), (1, 2, 1, 2), (0, 1, 1), ()):
        check("tile", x, repetitions)
    check("take", numbers((5,), "int64"), np.array([4, 0]))
    for dtype in ALL:
        check("flip", numbers((3, 2), dtype))
        check("tile", numbers((2,), dtype), (2,))


# ---- reductions

ARGUMENTS = [{}, {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}, {"axis": (2, 0)}, {"axis": ()}, {"axis": 1, "keepdims": True},
             {"keepdims": True}, {"axis": (0, -1), "keepdims": True}]  # fmt: skip


@pytest.mark.parametrize("name", ["all", "any", "count_nonzero", "max", "mean", "min", "prod", "std", "sum", "var"])
def test_reductions(name):
    dtypes = ALL if name in ("all", "any", "count_nonzero") else FLOATS if name in ("mean", "std", "var") else NUMERIC
    for dtype, arguments in itertools.product(dtypes, ARGUMENTS):
        check(name, numbers((2, 3, 4), dtype, -2, 2), **arguments)
    check(name, numbers((), dtypes[-1]))
    if name not in ("max", "min"):
        check(name, numbers((0, 2), dtypes[-1]), axis=0)
    check(name, np.array(SPECIAL), axis=0)
    if name in ("std", "var"):
        for correction in (0, 1, 0.5):
            check(name, numbers((2, 5), "float64"), axis=1, correction=correction)
    if name in ("sum", "prod"):
        for dtype in ("int8", "int32", "float32", "float64"):
            check(name, numbers((2, 3), "int32"), dtype=f"dtype:{dtype}")


def test_positions():
    for name, dtype in itertools.product(("argmax", "argmin"), NUMERIC):
        for arguments in ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"keepdims": True}):
            check(name, numbers((3, 4), dtype), **arguments)
    check("argmax", np.array([1.0, math.nan, 3.0]))


def test_running_sums():
    for name, dtype in itertools.product(("cumulative_sum", "cumulative_prod"), NUMERIC):
        for first in (False, True):
            check(name, numbers((5,), dtype, -2, 2), include_initial=first)
            check(name, numbers((2, 3), dtype, -2, 2), axis=-1, include_initial=first)
            check(name, numbers((2, 3), dtype, -2, 2), axis=0, dtype="dtype:float64", include_initial=first)
    for dtype in NUMERIC:
        for n in (0, 1, 2, 5):
            check("diff", numbers((2, 4), dtype, 0), n=n)
        check("diff", numbers((3, 4), dtype, 0), axis=0, prepend=numbers((1, 4), dtype), append=numbers((2, 4), dtype))


# ---- order and search


@pytest.mark.parametrize("dtype", NUMERIC)
def test_order(dtype):
    x = numbers((3, 7), dtype)
    for name, axis, descending in itertools.product(("sort", "argsort"), (0, 1, -1), (False, True)):
        check(name, x, axis=axis, descending=descending)
    edges = numbers((4,), dtype, 0)
    for side in ("left", "right"):
        check("searchsorted", np.sort(edges), numbers((2, 3), dtype, 0, seed=2), side=side)
        check("searchsorted", edges, numbers((2, 3), dtype, 0, seed=2), side=side, sorter=np.argsort(edges))
    check("nonzero", x)
    check("nonzero", numbers((2, 0), dtype))
    check("where", numbers((3, 1), "bool"), x, x[0])
    check("where", numbers((3, 7), "bool"), x, 1)
    for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values"):
        check(name, x)
        check(name, numbers((0,), dtype))


def test_unique_nans():
    found = xp.unique_all(xp.asarray([math.nan, 1.0, math.nan, 0.0, -0.0]))
    assert found.counts.tolist() == [2, 1, 1, 1] and found.inverse_indices.tolist() == [2, 1, 3, 0, 0]


# ---- products


@pytest.mark.parametrize("dtype", NUMERIC)
def test_products(dtype):
    def make(*shape):
        return numbers(shape, dtype, -3, 3, seed=len(shape))

    for a, b in (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 1, 2, 3), (4, 3, 2)), ((0, 3), (3, 2))):
        check("matmul", make(*a), make(*b))
    check("matrix_transpose", make(2, 3, 4))
    for axes in (0, 1, 2, ((0,), (1,)), ((1, 0), (0, 1))):
        check("tensordot", make(3, 3), make(3, 3), axes=axes)
    for axis in (-1, -2):
        check("vecdot", make(2, 3), make(2, 3), axis=axis)
    check("vecdot", make(2, 3), make(3))


@pytest.mark.parametrize("dtype", FLOATS)
def test_linear_algebra(dtype):
    batch = numbers((2, 3, 3), dtype) + 5 * np.eye(3, dtype=dtype)
    symmetric = batch + np.swapaxes(batch, -1, -2)
    for name in ("det", "inv", "slogdet", "svdvals", "matrix_rank", "pinv"):
        check(f"linalg.{name}", batch)
    for name in ("eigvalsh", "cholesky"):
        check(f"linalg.{name}", symmetric + 10 * np.eye(3, dtype=dtype))
    check("linalg.cholesky", symmetric + 10 * np.eye(3, dtype=dtype), upper=True)
    check("linalg.solve", batch, numbers((2, 3, 2), dtype))
    check("linalg.solve", batch, numbers((3,), dtype))
    check("linalg.solve", batch, numbers((3, 2), dtype))
    for n in (0, 1, 3, -2):
        check("linalg.matrix_power", batch / 5, n)
    for offset in (-1, 0, 2):
        check("linalg.diagonal", numbers((2, 3, 4), dtype), offset=offset)
        check("linalg.trace", numbers((2, 3, 4), dtype), offset=offset)
    check("linalg.trace", numbers((3, 3), "int8"))
    check("linalg.cross", numbers((2, 3), dtype), numbers((2, 3), dtype, seed=1))
    check("linalg.cross", numbers((3, 2), dtype), numbers((3, 2), dtype, seed=1), axis=-2)
    check("linalg.outer", numbers((2,), dtype), numbers((3,), dtype))
    for order, keepdims in itertools.product(("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf), (False, True)):
        check("linalg.matrix_norm", numbers((2, 3, 4), dtype), ord=order, keepdims=keepdims)
    for order, keepdims in itertools.product((0, 1, 2, 3, -1, 0.5, math.inf, -math.inf), (False, True)):
        check("linalg.vector_norm", numbers((2, 3, 4), dtype), ord=order, keepdims=keepdims)
        check("linalg.vector_norm", numbers((2, 3, 4), dtype), axis=1, ord=order, keepdims=keepdims)
        check("linalg.vector_norm", numbers((2, 3, 4), dtype), axis=(0, 2), ord=order, keepdims=keepdims)
    for x in (batch, numbers((2, 4, 3), dtype), numbers((3, 4), dtype)):
        for mode in ("reduced", "complete"):
            q, r = (plain(part) for part in xp.linalg.qr(given(xp, x), mode=mode))
            wanted = strict.linalg.qr(given(strict, x), mode=mode)
            assert q.shape == wanted.Q.shape and r.shape == wanted.R.shape
            np.testing.assert_allclose(q @ r, x, atol=1e-5)
        for full in (True, False):
            u, s, vh = (plain(part) for part in xp.linalg.svd(given(xp, x), full_matrices=full))
            wanted = strict.linalg.svd(given(strict, x), full_matrices=full)
            assert u.shape == wanted.U.shape and vh.shape == wanted.Vh.shape
            np.testing.assert_allclose((u[..., : s.shape[-1]] * s[..., None, :]) @ vh[..., : s.shape[-1], :], x, atol=1e-5)
    values, vectors = (plain(part) for part in xp.linalg.eigh(given(xp, symmetric)))
    np.testing.assert_allclose(vectors * values[..., None, :] @ np.swapaxes(vectors, -1, -2), symmetric, atol=1e-4)


# ---- gradients, capture, others


def test_gradients_and_capture():
    x = luge.tensor([1.0, 2.0, 3.0], requires_grad=True)
    xp.sum(xp.multiply(x, xp.flip(x))).backward()
    assert x.grad.tolist() == [6, 4, 2]
    y = luge.tensor([1.0, 2.0])
    step = luge.capture(lambda: xp.mean(xp.square(y)))
    assert step().item() == step().item() == 2.5


def test_array_api_compat():
    compat = pytest.importorskip("array_api_compat")
    x = luge.ones(2, 3)
    assert compat.array_namespace(x, luge.ones(1)) is xp and compat.is_array_api_obj(x)
    assert compat.device(x) == x.device and compat.to_device(x, "cpu").equal(x)
