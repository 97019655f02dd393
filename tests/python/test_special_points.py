"""Every differentiable operation at special points, against the PyTorch that is installed: no difference but those that
docs/python.md names. The points are those of the table in tests/ops/special_points.py."""

import importlib.util
import math
import pathlib

import pytest

import luge
import test_docs
from luge.nn import functional

SOURCES = pathlib.Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("special_points", SOURCES / "tests/ops/special_points.py")
table = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(table)

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
POINTWISE = {(dtype, name): rest for dtype in table.DTYPES for name, *rest in table.all_points(dtype)}

# What only hands elements on, or is an operation of the table under another name.
OTHER_NAMES = {
    "mm": "matmul", "bmm": "matmul", "contiguous": "clone", "cpu": "to", "cuda": "to", "double": "to", "float": "to",
    "half": "to", "bfloat16": "to",
    "type_as": "to", "flatten": "reshape", "view": "reshape", "squeeze": "reshape", "unsqueeze": "reshape",
    "expand_as": "expand", "narrow": "slice", "select": "slice", "permute": "transpose", "t": "transpose",
}  # fmt: skip


def agree(found, wanted, dtype, scale, signs):
    """Zeros, ones, infinities and NaN exactly, the rest within the tolerance of special_points_test.cpp."""
    if math.isnan(wanted) or math.isnan(found):
        return math.isnan(wanted) and math.isnan(found)
    if wanted == 0 and signs and math.copysign(1, wanted) != math.copysign(1, found):
        return False
    if wanted in (0, 1, -1, math.inf, -math.inf) or (abs(wanted) == 0.5 and scale == 0):
        return found == wanted
    return abs(found - wanted) <= 8 * EPS[dtype] * abs(wanted) + 2 * table.LEAST[dtype] + 16 * EPS[dtype] * scale


#: Operations whose gradients or values at these points PyTorch has changed since 1.13.
NEWER = ("atan2", "clamp", "clamp(max=-0.5)", "clamp(min=1)", "clamp(tensors)", "floor_divide", "fmax", "fmin", "logaddexp", "nextafter",
         "remainder", "tan")  # fmt: skip


def either_zero(name):
    return name.startswith(("max", "min", "amax", "amin", "clamp(tensors)", "lerp"))


@pytest.mark.parametrize(("dtype", "name"), list(POINTWISE))
def test_element_by_element(dtype, name):
    torch = pytest.importorskip("torch")
    function, inputs, differentiable = POINTWISE[dtype, name]
    if name in NEWER and int(torch.__version__.split(".")[0]) < 2:
        pytest.skip(f"{name} has other rules in the PyTorch at hand; tests/agreement has the results of a newer one")
    found = table.run_points(luge, dtype, function, inputs, differentiable)
    wanted = table.run_points(torch, dtype, function, inputs, differentiable)
    for f, w in zip(found, wanted):
        w = table.corrected_point(name, dtype, w)
        y = len(inputs[0])
        assert agree(f[y], w[y], dtype, 1 if name in ("gelu", "digamma") else 0, not either_zero(name)), (name, f, w)
        assert all(agree(a, b, dtype, 1, False) for a, b in zip(f[y + 1 :], w[y + 1 :])), (name, f, w)


@pytest.mark.parametrize("name", list(table.ROWS))
@pytest.mark.parametrize("dtype", table.DTYPES)
def test_row_by_row(dtype, name):
    torch = pytest.importorskip("torch")
    coarse = "float32" if name == "to" else dtype
    for row in table.rows(name, dtype):
        y, dx = table.run_row(luge, dtype, table.ROWS[name], row)
        right_y, right_dx = table.corrected_row(name, dtype, row, *table.run_row(torch, dtype, table.ROWS[name], row))
        scale = max([1] + [x * x for x in row if abs(x) < 1e6])
        assert len(y) == len(right_y) and len(dx) == len(right_dx)
        assert all(agree(a, b, coarse, scale, not either_zero(name)) for a, b in zip(y, right_y)), (name, row, y, right_y)
        assert all(agree(a, b, coarse, scale, False) for a, b in zip(dx, right_dx)), (name, row, dx, right_dx)


@pytest.mark.parametrize("name", list(table.CORRECTIONS))
def test_differences_are_documented(name):
    text = " ".join((SOURCES / "docs/python.md").read_text().split())
    assert table.CORRECTIONS[name][0] in text


def test_every_differentiable_operation_has_points():
    known = {name for _, name in POINTWISE} | set(table.ROWS) | set(OTHER_NAMES)
    known |= test_docs.sampled()  # at NaN and the infinities, too
    for name in dir(luge.Tensor):
        if name.startswith("_") or name.endswith("_") or name == "backward":
            continue
        for arguments in (lambda x: (), lambda x: (x,), lambda x: (0,), lambda x: (0, 1), lambda x: (0, 0, 1), lambda x: (x > 1, x)):
            x = luge.ones(2, 2, dtype=luge.float64, requires_grad=True)
            try:
                result = getattr(x, name)(*arguments(x))
            except Exception:
                continue
            if isinstance(result, luge.Tensor) and result.requires_grad:
                assert name in known, f"{name} has a gradient, but no points in tests/ops/special_points.py"


def test_std_of_equal_values():
    x = luge.ones(3, requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_extremes_along_a_dimension():
    x = luge.tensor([[1.0, 5.0, 5.0], [2.0, 2.0, 0.0]], requires_grad=True)
    values, indices = x.max(dim=1)
    assert values.tolist() == [5, 2] and indices.tolist() == [1, 0]
    values.backward(luge.tensor([1.0, 2.0]))
    assert x.grad.tolist() == [[0, 1, 0], [2, 0, 0]]
    x.grad = None
    values, indices = luge.min(x, 0, keepdim=True)
    assert values.shape == (1, 3) and indices.tolist() == [[0, 1, 1]]
    (values * 2).sum().backward()
    assert x.grad.tolist() == [[2, 0, 0], [0, 2, 2]]
    scalar = luge.tensor(3.0, requires_grad=True)
    values, index = scalar.max(0)
    values.backward()
    assert scalar.grad.item() == 1 and index.item() == 0 and index.shape == ()


def test_clamp():
    assert luge.clamp(luge.tensor([0.0, 1.5, 3.0]), 2, 1).tolist() == [1, 1, 1]
    assert luge.tensor([1, 2, 3]).clamp(min=2.5).tolist() == [2.5, 2.5, 3.0]
    big = 2**53
    x = luge.tensor([big - 1, big + 3], dtype=luge.int64)
    assert x.clamp(min=big + 1).tolist() == [big + 1, big + 3] and x.clamp(max=big + 1).tolist() == [big - 1, big + 1]
    assert x.clamp(big + 1, big + 2).dtype == luge.int64
    with pytest.raises(TypeError, match="clamp: one of min and max is a tensor"):
        luge.ones(2).clamp(luge.ones(2), 3)
    with pytest.raises(ValueError, match="clamp: .*(2,) and (3,)".replace("(", r"\(").replace(")", r"\)")):
        luge.ones(2).clamp(luge.ones(3))
    low = luge.tensor([0.0, 1.0], requires_grad=True)
    x = luge.tensor([[-1.0, 1.0], [0.5, 0.5]], requires_grad=True)
    x.clamp(min=low).sum().backward()
    assert x.grad.tolist() == [[0, 0.5], [1, 0]] and low.grad.tolist() == [1, 1.5]
    assert luge.tensor([1, 5]).clamp(luge.tensor([2, 2]), luge.tensor([3, 3])).tolist() == [2, 3]


def gradients(function, *values):
    """Of a function of numbers, by each of them."""
    leaves = [luge.tensor(value, dtype=luge.float64, requires_grad=True) for value in values]
    function(*leaves).backward()
    return [0.0 if leaf.grad is None else leaf.grad.item() for leaf in leaves]


def test_gradients_at_a_bound():
    """The numbers of PyTorch 2.15; 1.13 hands the whole gradient on at every bound."""
    for function, x, wanted in [
        (lambda x: x.clamp(-1, 1), 1.0, 0), (lambda x: x.clamp(-1, 1), -1.0, 0), (lambda x: x.clamp(min=0), 0.0, 0),
        (lambda x: x.clamp(max=0), -math.inf, 1), (lambda x: x.clamp(min=0), math.inf, 1), (lambda x: x.clamp(min=0), math.nan, 0),
        (lambda x: x.clamp_min(1), 1.0, 0), (lambda x: x.clamp_max(1), 1.0, 0), (lambda x: x.clamp(2, 1), 1.5, 0),
        (lambda x: functional.hinge_embedding_loss(x, -luge.ones_like(x)), 1.0, 0),
        (lambda x: functional.margin_ranking_loss(x, luge.zeros_like(x), -luge.ones_like(x), margin=1.0), -1.0, 0),
        (functional.hardswish, math.inf, 1), (functional.hardswish, -math.inf, 0),
    ]:  # fmt: skip
        assert gradients(function, x) == [wanted], (x, wanted)
    for values, wanted in [
        ((1, 0, 2), (1, 0, 0)), ((0, 1, 2), (0, 1, 0)), ((2, 0, 1), (0, 0, 1)), ((1, 1, 2), (0.5, 0.5, 0)), ((2, 1, 2), (0.5, 0, 0.5)),
        ((1, 1, 1), (1, 0, 0)), ((0, 1, 1), (0, 1, 0)), ((2, 1, 1), (0, 0, 1)), ((1, 2, 1), (0, 0, 1)), ((1, 1, 0), (0, 0, 1)),
        ((math.nan, 1, 2), (0, 0, 0)), ((0, 1, math.nan), (0, 0, 0)),
    ]:  # fmt: skip
        assert gradients(luge.clamp, *map(float, values)) == list(wanted), values
    assert gradients(lambda x, low: luge.clamp(x, min=low), 1.0, 1.0) == [0.5, 0.5]
    assert gradients(lambda x, high: luge.clamp(x, max=high), 1.0, 1.0) == [0.5, 0.5]
