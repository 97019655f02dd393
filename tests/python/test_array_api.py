"""luge.array_api against array-api-strict, value by value; the promotion table; special cases; other packages that use it."""

import inspect
import itertools
import math

import numpy as np
import pytest

import luge
import luge.array_api as xp
from array_api_calls import ALL, FLOATS, INTEGERS, NUMERIC, SIGNED, SPECIAL, call, check, given, numbers, plain, strict

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
