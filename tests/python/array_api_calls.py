"""What the tests of luge.array_api share: calls of it and of array-api-strict, compared value by value."""

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
