"""Every elementwise operation against its formula, evaluated by Python's math module."""

import builtins
import math

import pytest

import luge

POINTS = [-2.5, -1.0, -0.3, 0.0, 0.25, 0.5, 1.0, 3.0]
PARAMETERS = {"polygamma": {"n": 2}, "leaky_relu": {"negative_slope": 0.1}, "softplus": {"beta": 2.0}, "hardshrink": {"lambd": 0.35}, "clamp": {"min": -0.5, "max": 0.75}}
NAMES = {"clamp": {"low": -0.5, "high": 0.75}}  # where the formula's differ
ROWS = {name: (formula, dtypes) for name, formula, dtypes in luge._C._rows()}
ONE = [name for name, (formula, _) in ROWS.items() if "x" in compile(formula, name, "eval").co_names]
BITWISE = [name for name in ROWS if ROWS[name][1] == "integral"]
THREE = ["where", "lerp"]
TWO = [name for name in ROWS if name not in ONE and name not in THREE and name not in BITWISE]
TESTS = ("isnan", "isinf", "isposinf", "isneginf", "isfinite", "signbit")
FLOATING_RESULT = [name for name in ROWS if ROWS[name][1] in ("float", "numeric") and name not in TESTS + ("heaviside",)]


def operation(name):
    """The function, with the parameters behind the tensors."""
    return (lambda x, n=1: luge.polygamma(n, x)) if name == "polygamma" else getattr(luge, name)


def digamma(x):
    """By recurrence to a large argument, which has no sign to mind."""
    z = x + 50
    above = math.log(z) - 1 / (2 * z) - 1 / (12 * z**2) + 1 / (120 * z**4) - 1 / (252 * z**6)
    return above - math.fsum(1 / (x + i) for i in range(50))


def polygamma(n, x):
    """By recurrence to a large argument."""
    z = x + 60
    s = n + 1
    above = z**-n / n + z**-s / 2 + s * z ** -(s + 1) / 12 - s * (s + 1) * (s + 2) * z ** -(s + 3) / 720
    sign = 1 if n % 2 else -1
    return sign * math.factorial(n) * (above + math.fsum((x + i) ** -s for i in range(60)))


def erfinv(x):
    """By bisection."""
    if abs(x) > 1:
        raise ValueError
    low, high = -6.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return math.inf * x if abs(x) == 1 else (low + high) / 2


def reference(name, **values):
    """The formula's value; NaN where Python says that there is none."""
    scope = {**vars(math), **vars(builtins), **NAMES.get(name, PARAMETERS.get(name, {})), **values}
    scope.update(digamma=digamma, polygamma=polygamma, erfinv=erfinv)
    scope["sqrt"] = lambda x: math.sqrt(x) if x >= 0 else math.nan
    try:
        result = eval(ROWS[name][0], scope)  # noqa: S307
    except (ValueError, ZeroDivisionError):
        return None
    return None if isinstance(result, complex) else result


def close(found, wanted, tolerance=1e-14):
    if wanted is None or (isinstance(wanted, float) and math.isnan(wanted)):
        return True  # where formulas have no value PyTorch's meaning counts; see tests/ops/special_values_test.cpp
    return found == wanted or abs(found - wanted) <= tolerance * max(1, abs(wanted))


def test_every_row_is_here():
    assert len(ONE) == 51 and len(TWO) == 29 and len(BITWISE) == 5 and len(ROWS) == 87


@pytest.mark.parametrize("name", list(ROWS))
def test_function_and_method(name):
    assert callable(getattr(luge, name)) and callable(getattr(luge.Tensor, name))
    for text in (getattr(luge, name).__doc__, getattr(luge.Tensor, name).__doc__):
        assert name in text
    assert ROWS[name][0] in getattr(luge, name).__doc__


@pytest.mark.parametrize("name", ONE)
def test_one_input(name):
    x = luge.tensor(POINTS, dtype=luge.float64)
    found = operation(name)(x, **PARAMETERS.get(name, {})).tolist()
    for point, value in zip(POINTS, found):
        assert close(value, reference(name, x=point)), (name, point)
    assert str(getattr(x, name)(**PARAMETERS.get(name, {})).tolist()) == str(found)


@pytest.mark.parametrize("name", TWO)
def test_two_inputs(name):
    a = luge.tensor(POINTS, dtype=luge.float64).reshape(-1, 1)
    b = luge.tensor(POINTS, dtype=luge.float64)
    found = getattr(luge, name)(a, b).tolist()
    for i, left in enumerate(POINTS):
        for j, right in enumerate(POINTS):
            assert close(found[i][j], reference(name, a=left, b=right)), (name, left, right)


@pytest.mark.parametrize("name", TWO)
def test_two_inputs_with_numbers(name):
    a = luge.tensor(POINTS, dtype=luge.float64)
    operation = getattr(luge, name)
    b = luge.full((len(POINTS),), 0.5, dtype=luge.float64)
    assert str(operation(a, 0.5).tolist()) == str(operation(a, b).tolist())
    assert str(getattr(a, name)(0.5).tolist()) == str(operation(a, b).tolist())
    assert str(operation(0.5, a).tolist()) == str(operation(b, a).tolist())


@pytest.mark.parametrize("dtype", [luge.bool, luge.int32, luge.int64])
@pytest.mark.parametrize("name", BITWISE)
def test_bits(name, dtype):
    shifts = "shift" in name
    if shifts and dtype is luge.bool:
        with pytest.raises(luge.DTypeError, match=f"{name}: the dtype is bool"):
            getattr(luge, name)(luge.tensor([True]), luge.tensor([True]))
        return
    numbers = [0, 1] if dtype is luge.bool else [0, 1, 6, 5] if shifts else [-(2**31), -7, -1, 0, 1, 6, 2**31 - 1]
    a, b = luge.tensor(numbers, dtype=dtype).reshape(-1, 1), luge.tensor(numbers, dtype=dtype)
    found = getattr(luge, name)(a, b)
    assert found.dtype is dtype
    assert found.tolist() == [[reference(name, a=left, b=right) for right in numbers] for left in numbers]
    if shifts:
        return
    symbol = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}[name]
    assert eval(f"a {symbol} b").equal(found) and getattr(a, name)(b).equal(found)
    scope = {"x": b.clone(), "b": b}
    same = scope["x"]
    exec(f"x {symbol}= b", scope)
    assert scope["x"] is same and same.equal(getattr(luge, name)(b, b))
    assert (~b).tolist() == luge.bitwise_not(b).tolist() == [not n if dtype is luge.bool else ~n for n in numbers]
    for operation in (lambda: getattr(luge, name)(b, 0.5), lambda: getattr(luge, name)(luge.ones(1), b)):
        with pytest.raises(luge.DTypeError, match=f"{name}: the dtype is float32; allowed are bool and the integer dtypes"):
            operation()


@pytest.mark.parametrize("condition", [True, False])
def test_where(condition):
    c = luge.tensor([condition, not condition])
    assert luge.where(c, 1.0, luge.tensor([5.0, 6.0])).tolist() == [reference("where", c=condition, a=1.0, b=5.0),
                                                                     reference("where", c=not condition, a=1.0, b=6.0)]
    assert luge.tensor([1.0, 1.0]).where(c, luge.tensor([5.0, 6.0])).equal(luge.where(c, 1.0, luge.tensor([5.0, 6.0])))


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("dtype", [luge.int64, luge.int32, luge.bool])
def test_integers(name, dtype):
    values = [0, 1] if dtype is luge.bool else [0, 1, 2, 7]
    if name in ("log", "log2", "log10", "rsqrt", "reciprocal", "lgamma", "digamma", "polygamma"):
        values = values[1:]
    x = luge.tensor(values, dtype=dtype)
    if dtype is luge.bool and name in ("neg", "abs", "relu", "floor", "ceil", "trunc", "round"):
        with pytest.raises(luge.DTypeError, match=f"{name}: bool has no such operation"):
            getattr(luge, name)(x)
        return
    result = operation(name)(x, **PARAMETERS.get(name, {}))
    kind = ROWS[name][1]
    if result.dtype is not luge.bool:
        expected = luge.float32 if kind == "float" else luge.int64 if dtype is luge.bool else dtype
        assert result.dtype is expected
    if name == "clamp":
        return  # bounds are rounded to integers
    for value, found in zip(values, result.tolist()):
        assert close(found, reference(name, x=value), 1e-6), (name, value)


@pytest.mark.parametrize("name", [name for name in ONE if name in FLOATING_RESULT])
def test_gradients_of_one(name):
    x = luge.tensor([-1.7, -0.4, 0.3, 1.2], dtype=luge.float64)
    if name in ("log", "log2", "log10", "sqrt", "rsqrt", "log1p", "polygamma"):
        x = x + 2
    elif name == "acosh":
        x = x + 3
    elif name in ("asin", "acos", "atanh", "erfinv"):
        x = x / 2
    x.requires_grad_()
    assert luge.autograd.gradcheck(lambda t: operation(name)(t, **PARAMETERS.get(name, {})), x)


@pytest.mark.parametrize("name", [name for name in TWO if name in FLOATING_RESULT])
def test_gradients_of_two(name):
    a = luge.tensor([[0.7], [1.4]], dtype=luge.float64, requires_grad=True)
    b = luge.tensor([0.5, 1.1, 2.0], dtype=luge.float64, requires_grad=True)
    assert luge.autograd.gradcheck(getattr(luge, name), [a, b])


@pytest.mark.parametrize("name", list(ROWS))
def test_empty_and_0d(name):
    arguments = 3 if name in THREE else 1 if name in ONE else 2
    for shape in ((0, 3), ()):
        dtypes = [luge.int32 if name in BITWISE else luge.float32] * arguments
        if name == "where":
            dtypes[0] = luge.bool
        tensors = [luge.ones(shape, dtype=dtype) for dtype in dtypes]
        assert operation(name)(*tensors, **PARAMETERS.get(name, {})).shape == shape


@pytest.mark.parametrize("name", TWO)
def test_what_is_no_operand(name):
    with pytest.raises(TypeError, match=name):
        getattr(luge, name)(luge.ones(2), "text")
    with pytest.raises(TypeError, match=name):
        getattr(luge, name)(1.0, 2.0)
    with pytest.raises(luge.ShapeError, match=name):
        getattr(luge, name)(luge.ones(2), luge.ones(3))


OPERATORS = {
    "a + b": "add", "a - b": "sub", "a * b": "mul", "a / b": "div", "a ** b": "pow", "a == b": "eq", "a != b": "ne",
    "a < b": "lt", "a <= b": "le", "a > b": "gt", "a >= b": "ge",
}  # fmt: skip


@pytest.mark.parametrize("expression", list(OPERATORS))
def test_operators(expression):
    a, b = luge.tensor([1.0, 2.0, 3.0]), luge.tensor([3.0, 2.0, 1.0])
    function = getattr(luge, OPERATORS[expression])
    assert eval(expression).equal(function(a, b))
    assert eval(expression, {"a": a, "b": 2}).equal(function(a, 2))
    assert eval(expression, {"a": 2, "b": b}).equal(function(2, b))
    with pytest.raises(TypeError) if OPERATORS[expression] not in ("eq", "ne") else no_error():
        eval(expression, {"a": a, "b": "text"})


class no_error:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_one_sided_operators():
    x, mask = luge.tensor([-1.0, 2.0]), luge.tensor([True, False])
    assert (-x).tolist() == [1, -2] and (+x) is x and abs(x).tolist() == [1, 2]
    assert (~mask).tolist() == [False, True]
    assert (mask & luge.tensor([True, True])).tolist() == [True, False]
    assert (mask | luge.tensor([False, True])).tolist() == [True, True]
    assert (mask ^ True).tolist() == [False, True]
    for operation in (lambda: ~x, lambda: x & x, lambda: mask | x, lambda: x ^ True):
        with pytest.raises(luge.DTypeError, match="bool"):
            operation()


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/="])
def test_in_place_operators(operator):
    x = luge.tensor([2.0, 4.0])
    same, expected = x, eval(f"x {operator[0]} 2")
    scope = {"x": x}
    exec(f"x {operator} 2", scope)
    assert scope["x"] is same and x.equal(expected)
    exec(f"x {operator} y", {"x": x, "y": luge.tensor([1.0, 2.0])})
    leaf = luge.ones(2, requires_grad=True)
    with pytest.raises(luge.AutogradError):
        exec(f"x {operator} 2", {"x": leaf})
    with luge.no_grad():
        exec(f"x {operator} 2", {"x": leaf})


@pytest.mark.parametrize("x, other, dtype", [
    ("float32", 1, "float32"), ("float32", 1.5, "float32"), ("int64", 1.5, "float32"), ("int32", 2, "int32"),
    ("bool", 1, "int64"), ("float64", True, "float64"), ("int32", "int64", "int64"), ("int64", "float32", "float32"),
    ("float32", "float64", "float64"), ("bool", "int32", "int32"),
])  # fmt: skip
def test_promotion(x, other, dtype):
    a = luge.ones(2, dtype=getattr(luge, x))
    b = luge.ones(2, dtype=getattr(luge, other)) if isinstance(other, str) else other
    assert (a + b).dtype is getattr(luge, dtype)
    assert (b + a).dtype is getattr(luge, dtype)


def test_numpy_scalars_are_numbers():
    numpy = pytest.importorskip("numpy")
    x = luge.ones(2)
    assert (x * numpy.float64(2)).tolist() == [2, 2]
    assert (x * numpy.float32(2)).dtype is luge.float32
    assert (x + numpy.int64(1)).tolist() == [2, 2]
    assert luge.full((2,), numpy.int32(3)).dtype is luge.int64


@pytest.mark.parametrize("dtype", [luge.float32, luge.float64])
def test_lerp(dtype):
    a, b = luge.tensor([0.5, -2.0, 3.0], dtype=dtype), luge.tensor([1.5, 4.0, -1.0], dtype=dtype)
    for weight in (0.0, 0.25, 0.75, 1.0, luge.tensor([0.0, 0.5, 1.0], dtype=dtype)):
        found = luge.lerp(a, b, weight)
        assert found.dtype is dtype and found.tolist() == pytest.approx((a + weight * (b - a)).tolist())
        assert a.lerp(b, weight).equal(found) and luge.lerp(input=a, end=b, weight=weight).equal(found)
        same = a.clone()
        assert same.lerp_(b, weight) is same and same.equal(found)
    assert luge.lerp(a, b, 1.0).equal(b) and luge.lerp(a, b, 0.0).equal(a)
    with pytest.raises(TypeError, match="lerp: weight"):
        luge.lerp(a, b, "half")


@pytest.mark.parametrize("operator", ["pow_", "maximum_", "minimum_"])
def test_more_in_place(operator):
    x = luge.tensor([1.0, 2.0, 3.0])
    expected = getattr(luge, operator[:-1])(x, luge.tensor([2.0, 2.0, 1.0]))
    assert getattr(x, operator)(luge.tensor([2.0, 2.0, 1.0])) is x and x.equal(expected)


@pytest.mark.parametrize("name, arguments", [("leaky_relu_", (0.2,)), ("softplus_", (2.0,)), ("hardshrink_", (0.25,)),
                                             ("hardshrink_", ()), ("floor_", ()), ("atan_", ()), ("erf_", ()),
                                             ("lgamma_", ()), ("digamma_", ())])
def test_in_place_with_parameters(name, arguments):
    x = luge.tensor([-1.5, -0.3, 0.3, 2.5])
    expected = getattr(luge, name[:-1])(x, *arguments)
    assert getattr(x, name)(*arguments) is x and x.equal(expected)
    with pytest.raises(luge.DTypeError, match=f"{name}: "):
        getattr(luge.tensor([True]), name)(*arguments)
