"""Which dtype an operation gives, over the full matrix of operands, held against PyTorch."""

import itertools
import operator

import pytest

import luge

torch = pytest.importorskip("torch")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
TENSORS = [(dtype, shape) for dtype in DTYPES for shape in [(2,), ()]]
NUMBERS = [(kind, None) for kind in (bool, int, float)]
BINARY = ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "lt", "ge", "logical_and", "logical_xor",
          "bitwise_and", "bitwise_or", "bitwise_xor"]
UNARY = ["neg", "abs", "sign", "square", "relu", "exp", "sqrt", "sigmoid", "logical_not", "bitwise_not", "isnan", "isfinite"]
IN_PLACE = ["add_", "sub_", "mul_", "div_", "bitwise_and_", "bitwise_or_", "bitwise_xor_"]
SYMBOLS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
           "==": operator.eq, "<": operator.lt, "&": operator.and_, "|": operator.or_, "^": operator.xor}


class Anything:
    def __eq__(self, other):
        return other is not None


ANY = Anything()


def make(library, operand):
    """One everywhere, so that each operation has a value."""
    dtype, shape = operand
    return dtype(1) if shape is None else library.ones(shape, dtype=getattr(library, dtype))


def outcome(library, function, *operands):
    """The dtype's name and the values, or None for an error; ANY where PyTorch has no kernel for half types."""
    try:
        result = function(*[make(library, operand) for operand in operands])
    except (TypeError, RuntimeError) as error:
        lacks = library is torch and "Half'" in str(error) and "bitwise" not in str(error)
        return ANY if lacks else None
    return str(result.dtype).split(".")[1], result.tolist()


def newer(name, a, b):
    """Whether PyTorch has another rule since 1.13: a mask to the power of a bool."""
    return name in ("pow", "**") and a[0] == "bool" and b == (bool, None) and int(torch.__version__.split(".")[0]) < 2


def pairs():
    for a, b in itertools.product(TENSORS + NUMBERS, repeat=2):
        if a[1] is not None or b[1] is not None:
            yield a, b


@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name):
    for a, b in pairs():
        if name in ("maximum", "minimum", "logical_and", "logical_xor") and None in (a[1], b[1]):
            continue  # PyTorch takes tensors only
        if name in ("eq", "lt", "ge", "pow") and a[1] is None and b[1] is not None and name != "pow":
            continue
        if newer(name, a, b):
            continue
        ours = outcome(luge, lambda x, y: getattr(luge, name)(x, y), a, b)
        assert ours == outcome(torch, lambda x, y: getattr(torch, name)(x, y), a, b), (name, a, b)


def test_powers_of_a_mask():
    mask = luge.tensor([True, False])
    assert (mask**True).tolist() == [True, False] and luge.pow(mask, False).tolist() == [True, True]
    assert (mask**True).dtype == luge.bool and (mask**2).dtype == luge.int64


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_operators(symbol):
    for a, b in pairs():
        if newer(symbol, a, b):
            continue
        assert outcome(luge, SYMBOLS[symbol], a, b) == outcome(torch, SYMBOLS[symbol], a, b), (symbol, a, b)


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    for x in TENSORS:
        ours, theirs = outcome(luge, getattr(luge, name), x), outcome(torch, getattr(torch, name), x)
        assert ours == theirs or (ours and ours[0] == theirs[0] and ours[1] == pytest.approx(theirs[1], rel=1e-6)), (name, x)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name):
    for a, b in itertools.product(TENSORS, TENSORS + NUMBERS):
        if a[1] == () and b[1] == (2,):
            continue  # does not broadcast
        ours = outcome(luge, lambda x, y: getattr(x, name)(y), a, b)
        assert ours == outcome(torch, lambda x, y: getattr(x, name)(y), a, b), (name, a, b)


def test_where():
    for a, b in itertools.product(TENSORS + NUMBERS, repeat=2):
        for shape in ((2,), ()):
            def chosen(library, x, y, shape=shape):
                return library.where(library.ones(shape, dtype=library.bool), x, y)
            ours = outcome(luge, lambda x, y: chosen(luge, x, y), a, b)
            assert ours == outcome(torch, lambda x, y: chosen(torch, x, y), a, b), (a, b, shape)


@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_where_takes_a_bool_condition(dtype):
    condition = luge.ones(2, dtype=getattr(luge, dtype))
    for arguments in [(luge.ones(2), luge.ones(2)), (1, luge.ones(2)), (luge.ones(2), 1), (1, 0)]:
        with pytest.raises(luge.DTypeError, match="where: the condition is"):
            luge.where(condition, *arguments)


def test_an_error_changes_nothing():
    x = luge.tensor([1, 2], dtype=luge.int32)
    for other in (luge.tensor([0.5, 0.5]), 0.5, 2**40):
        with pytest.raises((luge.DTypeError, ValueError)):
            x += other
    assert x.tolist() == [1, 2] and x._version == 0
