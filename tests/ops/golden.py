#!/usr/bin/env python3
"""Writes golden.inc: what every elementwise row gives, computed with mpmath from the mathematical
definition to 160 digits and rounded once. Run it again after adding a row:

    python3 golden.py > golden.inc

Each line is {name, kind, inputs, {parameters}, {values}}; the values are, point after point, the inputs,
the result and (kind float, differentiable rows) the derivative by each floating input. Inputs are exact in
float32, so one table serves both floating dtypes.
"""

import math
import struct

import mpmath as mp

mp.mp.dps = 160
HALF = mp.mpf(1) / 2


def single(x):
    """The nearest float32, exactly."""
    return struct.unpack("f", struct.pack("f", x))[0]


def points(low, high, count=23, avoid=()):
    """Uneven points between low and high."""
    result = []
    for i in range(count):
        x = single(low + (high - low) * ((i + 0.37 * ((i * 7) % 5) / 5) / (count - 0.7)))
        if all(abs(x - a) > 0.01 for a in avoid):
            result.append(x)
    return result


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def softplus(x):
    return mp.log(1 + mp.exp(2 * x)) / 2


def fmod(a, b):
    return a - b * mp.sign(a / b) * mp.floor(abs(a / b))


def choose(condition, yes, no):
    return yes if condition else no


WIDE = points(-3, 3) + [single(x) for x in (-30, -12.5, -8, 8, 12.5, 30, 1e-4, -1e-4, 1e-20, -1e-20)]
SMOOTH = WIDE + [0.0]
INSIDE = points(-0.9, 0.9) + [single(x) for x in (-0.999, 0.99, 1e-4, -1e-20, 0)]
POSITIVE = points(0.1, 3) + [single(x) for x in (1e-30, 1e-6, 0.9999, 1, 1.0001, 50, 1e6, 1e30)]

# name: (function, points, parameters)
UNARY = {
    "neg": (lambda x: -x, SMOOTH, ()),
    "square": (lambda x: x * x, SMOOTH, ()),
    "abs": (mp.fabs, WIDE, ()),
    "sign": (mp.sign, WIDE, ()),
    "floor": (mp.floor, [x for x in WIDE if abs(x - round(x)) > 1e-12], ()),
    "ceil": (mp.ceil, [x for x in WIDE if abs(x - round(x)) > 1e-12], ()),
    "trunc": (lambda x: mp.sign(x) * mp.floor(abs(x)), [x for x in WIDE if abs(x - round(x)) > 1e-12], ()),
    "round": (mp.nint, [x for x in WIDE if abs(x - math.floor(x) - 0.5) > 1e-12], ()),
    "reciprocal": (lambda x: 1 / x, [x for x in WIDE if abs(x) > 1e-10], ()),
    "sqrt": (mp.sqrt, POSITIVE, ()),
    "rsqrt": (lambda x: 1 / mp.sqrt(x), POSITIVE, ()),
    "exp": (mp.exp, SMOOTH + [single(-80), single(80)], ()),
    "exp2": (lambda x: mp.power(2, x), SMOOTH + [single(-100.3), single(100.7)], ()),
    "expm1": (mp.expm1, SMOOTH, ()),
    "log": (mp.log, POSITIVE, ()),
    "log2": (lambda x: mp.log(x) / mp.log(2), POSITIVE, ()),
    "log10": (lambda x: mp.log(x) / mp.log(10), POSITIVE, ()),
    "log1p": (lambda x: mp.log(1 + x), points(-0.8, 3) + [single(x) for x in (-0.999, 1e-7, -1e-7, 0, 50, 1e20)], ()),
    "sin": (mp.sin, SMOOTH + [single(100), single(-5000)], ()),
    "cos": (mp.cos, SMOOTH + [single(100), single(-5000)], ()),
    "tan": (mp.tan, points(-1.5, 1.5) + [single(x) for x in (1e-20, 100, -5000)], ()),
    "asin": (mp.asin, INSIDE, ()),
    "acos": (mp.acos, INSIDE, ()),
    "atan": (mp.atan, SMOOTH, ()),
    "sinh": (mp.sinh, SMOOTH + [single(-80), single(80)], ()),
    "cosh": (mp.cosh, SMOOTH + [single(-80), single(80)], ()),
    "asinh": (mp.asinh, SMOOTH, ()),
    "acosh": (mp.acosh, points(1.1, 4) + [single(x) for x in (1.0001, 50, 1e6)], ()),
    "atanh": (mp.atanh, INSIDE, ()),
    "erf": (mp.erf, SMOOTH, ()),
    "erfc": (mp.erfc, SMOOTH + [single(x) for x in (5, 7.5, 9)], ()),
    "erfinv": (mp.erfinv, INSIDE, ()),
    "lgamma": (lambda x: mp.log(mp.gamma(x)) if x < 1e4 else mp.loggamma(x), POSITIVE + [2.0, 11.5, 400.0], ()),
    "digamma": (lambda x: mp.psi(0, x), POSITIVE + [2.0, 11.5, 400.0], ()),
    "polygamma": (lambda x: mp.psi(2, x), points(0.1, 3) + [2.0, 11.5, 40.0], (2.0,)),
    "tanh": (mp.tanh, SMOOTH, ()),
    "sigmoid": (sigmoid, SMOOTH, ()),
    "relu": (lambda x: choose(x > 0, x, mp.mpf(0)), WIDE, ()),
    "gelu": (lambda x: x * mp.ncdf(x), SMOOTH, ()),
    "silu": (lambda x: x * sigmoid(x), SMOOTH, ()),
    "leaky_relu": (lambda x: choose(x > 0, x, x / 4), WIDE, (0.25,)),
    "hardshrink": (lambda x: choose(abs(x) > 0.75, x, mp.mpf(0)), WIDE, (0.75,)),
    "softplus": (softplus, SMOOTH, (2.0,)),
    "clamp": (lambda x: min(max(x, mp.mpf(-1)), mp.mpf(1)), WIDE, (-1.0, 1.0)),
}
TESTS = {
    "logical_not": None,
    "isnan": lambda x: 0,
    "isinf": lambda x: 0,
    "isposinf": lambda x: 0,
    "isneginf": lambda x: 0,
    "isfinite": lambda x: 1,
    "signbit": lambda x: x < 0,
}
BINARY = {
    "add": (lambda a, b: a + b, -3),
    "sub": (lambda a, b: a - b, -3),
    "mul": (lambda a, b: a * b, -3),
    "div": (lambda a, b: a / b, 0.5),
    "pow": (lambda a, b: mp.power(a, b), 0.25),
    "maximum": (max, -3),
    "minimum": (min, -3),
    "floor_divide": (lambda a, b: mp.floor(a / b), -3),
    "remainder": (lambda a, b: a - b * mp.floor(a / b), -3),
    "fmod": (fmod, -3),
    "fmax": (max, -3),
    "fmin": (min, -3),
    "atan2": (mp.atan2, -3),
    "hypot": (mp.hypot, -3),
    "copysign": (lambda a, b: abs(a) if b > 0 else -abs(a), -3),
    "nextafter": (lambda a, b: a, -3),  # to a unit in the last place of either dtype
    "heaviside": (lambda a, b: b if a == 0 else mp.mpf(a > 0), -3),
    "logaddexp": (lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), -3),
    "logaddexp2": (lambda a, b: mp.log(mp.power(2, a) + mp.power(2, b)) / mp.log(2), -3),
    "xlogy": (lambda a, b: a * mp.log(b), 0.25),
}
COMPARE = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
LOGIC = {
    "logical_and": lambda a, b: a and b,
    "logical_or": lambda a, b: a or b,
    "logical_xor": lambda a, b: a != b,
}
# Whole numbers with the arithmetic of the integers.
INTEGER_UNARY = {
    "neg": lambda x: -x,
    "square": lambda x: x * x,
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "relu": lambda x: max(x, 0),
    "floor": lambda x: x,
    "ceil": lambda x: x,
    "trunc": lambda x: x,
    "round": lambda x: x,
}
INTEGER_BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "pow": None,
    "maximum": max,
    "minimum": min,
    "floor_divide": lambda a, b: a // b if b else 0,
    "remainder": lambda a, b: a % b if b else 0,
    "fmod": lambda a, b: (abs(a) % abs(b)) * (1 if a > 0 else -1) if b else 0,
    "fmax": max,
    "fmin": min,
    "heaviside": lambda a, b: b if a == 0 else int(a > 0),
}
BITWISE = {
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "bitwise_left_shift": lambda a, b: a << b if b >= 0 else 0,
    "bitwise_right_shift": lambda a, b: a >> b if b >= 0 else a >> 31,
}
# Two inputs form a grid: a along its rows, b along its columns.
GRID_A = [-2.75, -1.5, -0.3, 0.0, 0.7, 1.0, 1.9, 2.6]
# The same away from quotients that are whole numbers, where some functions jump.
GRID_UNEVEN = [-2.75, -1.5, -0.3, 0.43, 0.7, 1.05, 1.9, 2.65]
JUMPS = ("floor_divide", "remainder", "fmod", "atan2")
GRID_B = [-2.5, -1.0, -0.45, 0.2, 0.9, 1.3, 2.1, 2.9]


def integer_power(a, b):
    if b >= 0:
        return a**b
    return {1: 1, -1: 1 if b % 2 == 0 else -1}.get(a, 0)


def derivative(function, arguments, which):
    """Central difference of fourth order: exact to far beyond float64."""
    step = mp.mpf(10) ** -13 * (abs(arguments[which]) or 1)

    def at(offset):
        moved = list(arguments)
        moved[which] += offset
        return function(*moved)

    slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    return slope if abs(slope) > mp.mpf(10) ** -120 else mp.mpf(0)  # what is left of 0 after rounding


def write(name, kind, inputs, parameters, values):
    numbers = ", ".join(repr(float(v)).replace("inf", "kInfinity") if kind == "float" else str(int(v)) for v in values)
    print('{"%s", Kind::%s, %d, {%s}, {%s}},' % (name, kind.capitalize(), inputs, ", ".join(map(repr, parameters)), numbers))


def write_float(name, function, arguments, parameters=(), differentiable=True):
    values = []
    for point in arguments:
        exact = [mp.mpf(x) for x in point]
        values += list(point) + [function(*exact)]
        if differentiable:
            values += [derivative(function, exact, i) for i in range(len(point))]
    write(name, "float", len(arguments[0]), parameters, values)


def main():
    print("// Written by golden.py; do not edit.")
    for name, (function, at, parameters) in UNARY.items():
        write_float(name, function, [(x,) for x in at], parameters)
    for name, function in TESTS.items():
        if function:
            write_float(name, function, [(x,) for x in SMOOTH], (), False)
        else:
            write(name, "bool", 1, (), [0, 1, 1, 0])
    grids = {name: ([single(max(a, low) if a > low else low + 0.11 * i)
                     for i, a in enumerate(GRID_UNEVEN if name in JUMPS else GRID_A)],
                    [single(max(b, low) if b > low else low + 0.07 * i + 0.03) for i, b in enumerate(GRID_B)])
             for name, (_, low) in BINARY.items()}
    for name, (function, _) in BINARY.items():
        rows, columns = grids[name]
        write_float(name, function, [(a, b) for a in rows for b in columns], (), name != "heaviside")
    # From two starts: ends along the rows, weights along the columns.
    write_float("lerp", lambda a, b, c: a + c * (b - a),
                [(a, single(b), single(c)) for a in (-1.5, 0.75) for b in GRID_A for c in (-0.5, 0.0, 0.2, 0.5, 0.9, 1.0, 2.5)])
    whole = [-7, -3, -2, -1, 0, 1, 2, 5]
    for name, function in INTEGER_UNARY.items():
        values = [(x, function(x)) for x in whole + [46340, -46340, 12345]]
        write(name, "integer", 1, UNARY[name][2], [v for pair in values for v in pair])
    for name, function in BITWISE.items():
        write(name, "integer", 2, (), [v for a in whole for b in whole for v in (a, b, function(a, b))])
    for name, function in INTEGER_BINARY.items():
        function = function or integer_power
        write(name, "integer", 2, (), [v for a in whole for b in [-3, -2, -1, 0, 1, 2, 3, 9] for v in (a, b, function(a, b))])
    ties = [-2.5, -1.0, 0.0, 0.75, 1.0, 2.0, 3.0, 100.0]
    for name, function in COMPARE.items():
        write_float(name, function, [(a, b) for a in ties for b in ties], (), False)
        write(name, "integer", 2, (), [v for a in whole for b in whole for v in (a, b, function(a, b))])
        write(name, "bool", 2, (), [v for a in (0, 1) for b in (0, 1) for v in (a, b, function(a, b))])
    for name, function in LOGIC.items():
        write(name, "bool", 2, (), [v for a in (0, 1) for b in (0, 1) for v in (a, b, function(a, b))])
    pairs = [(a, b) for a in GRID_A[:4] for b in GRID_B[:4]]
    values = []
    for condition in (0, 1):
        for a, b in pairs:
            values += [condition, single(a), single(b), single(a if condition else b), condition, 1 - condition]
    write("where", "float", 3, (), values)
    for kind, numbers in (("integer", whole), ("bool", [0, 1])):
        write("where", kind, 3, (), [v for c in (0, 1) for a in numbers for b in numbers for v in (c, a, b, a if c else b)])


if __name__ == "__main__":
    main()
