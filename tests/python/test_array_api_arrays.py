"""luge.array_api against array-api-strict: manipulation, reductions, order, products, gradients; other packages that use it."""

import itertools
import math

import numpy as np
import pytest

import luge
import luge.array_api as xp
from array_api_calls import ALL, FLOATS, NUMERIC, SPECIAL, check, given, numbers, plain, strict

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
