#!/usr/bin/env python3
"""Every differentiable operation at special points: zeros of both signs, infinities, NaN, ties, bounds, subnormal and
largest numbers, rows that are empty or of one element. Written as two tables, with PyTorch's values where they are right:

    python3 special_points.py points > special_points.inc
    python3 special_points.py rows > special_rows.inc

A line of points is {name, dtype, inputs, {values}}: point after point the inputs, the result and the derivative by each
floating input. A line of rows is {name, dtype, {row}, {result}, {gradient}} of a row as a whole, its results weighted with
1, 2, 3, ... . tests/python/test_special_points.py compares luge with the PyTorch that is installed at the same points.
"""

import math
import sys

INF, NAN = math.inf, math.nan
DTYPES = ("float32", "float64")
LARGEST = {"float32": (2 - 2**-23) * 2.0**127, "float64": sys.float_info.max}
LEAST = {"float32": 2.0**-149, "float64": 5e-324}  # the least subnormal number
NORMAL = {"float32": 2.0**-126, "float64": sys.float_info.min}


class Library:
    """torch or luge: its functions, and those of nn.functional, by name."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        functional = self.module.nn.functional
        if name in ("leaky_relu", "softplus", "gelu", "silu", "hardshrink", "mse_loss", "cross_entropy") and hasattr(functional, name):
            return getattr(functional, name)
        return getattr(self.module, name)

    def quotient(self, a, b):
        """floor_divide; PyTorch has its derivative, 0, under another name."""
        torch = self.module.__name__ == "torch"
        return self.module.div(a, b, rounding_mode="floor") if torch else self.module.floor_divide(a, b)


def points(dtype):
    big, least, normal = LARGEST[dtype], LEAST[dtype], NORMAL[dtype]
    some = [0.0, least, normal, 2.0**-30, 0.25, 0.5, 1.0, 2.0, 3.0, 10.0, 100.0, 1000.0, big, INF]
    return [sign * x for x in some for sign in (1, -1)] + [NAN]


def pairs(dtype):
    some = [0.0, -0.0, 0.5, 1.0, -1.0, 2.0, -3.0, LARGEST[dtype], LEAST[dtype], INF, -INF, NAN]
    return [(a, b) for a in some for b in some]


# ---- element by element: name -> function of the library and the inputs

UNARY = {name: (lambda m, x, name=name: getattr(m, name)(x))
         for name in ("neg square abs sign floor ceil trunc round reciprocal sqrt rsqrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin "
                      "acos atan sinh cosh tanh asinh acosh atanh erf erfc erfinv lgamma digamma sigmoid relu gelu silu").split()}
UNARY.update({
    "leaky_relu": lambda m, x: m.leaky_relu(x, 0.25),
    "hardshrink": lambda m, x: m.hardshrink(x, 0.75),
    "softplus": lambda m, x: m.softplus(x, 2.0),
    "polygamma": lambda m, x: m.polygamma(2, x),
    "softplus(beta=1)": lambda m, x: m.softplus(x),
    "clamp": lambda m, x: m.clamp(x, -1.0, 1.0),
    "clamp(2, 1)": lambda m, x: m.clamp(x, 2.0, 1.0),
    "clamp(min=1)": lambda m, x: m.clamp(x, min=1.0),
    "clamp(max=-0.5)": lambda m, x: m.clamp(x, max=-0.5),
    "clamp(nan, 1)": lambda m, x: m.clamp(x, NAN, 1.0),
    "clamp(0, nan)": lambda m, x: m.clamp(x, 0.0, NAN),
})
for _power in (0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -2.0, INF, -INF, NAN):
    UNARY[f"x ** {_power}"] = lambda m, x, p=_power: x**p
    UNARY[f"{_power} ** x"] = lambda m, x, p=_power: p**x
BINARY = {name: (lambda m, a, b, name=name: getattr(m, name)(a, b))
          for name in ("add sub mul div pow remainder fmod maximum minimum fmax fmin atan2 hypot copysign nextafter logaddexp "
                       "logaddexp2 xlogy").split()}
BINARY["floor_divide"] = lambda m, a, b: m.quotient(a, b)
TERNARY = {
    "lerp": lambda m, a, b, c: m.lerp(a, b, c),
    "where": lambda m, c, a, b: m.where(c != 0, a, b),
    "clamp(tensors)": lambda m, x, low, high: m.clamp(x, low, high),
}


def triples(name, dtype):
    some = [0.0, -0.0, 1.0, -2.0, LARGEST[dtype], INF, -INF, NAN]
    return [(x, a, b) for x in ((0.0, 1.0) if name == "where" else some) for a in some for b in some]


# ---- row by row

def places(m, n):
    return m.tensor([n - 1 - i for i in range(n)])


ROWS = {
    "sum": lambda m, x: x.sum(0),
    "nansum": lambda m, x: x.nansum(0),
    "mean": lambda m, x: x.mean(0),
    "prod": lambda m, x: x.prod(0),
    "var": lambda m, x: x.var(0),
    "std": lambda m, x: x.std(0),
    "logsumexp": lambda m, x: m.logsumexp(x, 0),
    "softmax": lambda m, x: x.softmax(0),
    "log_softmax": lambda m, x: x.log_softmax(0),
    "amax": lambda m, x: m.amax(x, 0),
    "amin": lambda m, x: m.amin(x, 0),
    "max": lambda m, x: m.max(x, 0)[0],
    "min": lambda m, x: m.min(x, 0)[0],
    "max of all": lambda m, x: m.max(x),
    "min of all": lambda m, x: m.min(x),
    "sort": lambda m, x: m.sort(x, dim=0, stable=True)[0],
    "sort descending": lambda m, x: m.sort(x, dim=0, descending=True, stable=True)[0],
    "matmul": lambda m, x: m.matmul(x.reshape(1, -1), m.tensor([[1.0], [0.0], [-2.0], [1.0], [1.0]], dtype=x.dtype)[: x.shape[0]]),
    "mse_loss": lambda m, x: m.mse_loss(x, m.ones(x.shape[0], dtype=x.dtype)),
    "cross_entropy": lambda m, x: m.cross_entropy(x.reshape(1, -1), m.tensor([0])),
    "to": lambda m, x: x.to(m.float64 if x.dtype == m.float32 else m.float32),
    "clone": lambda m, x: x.clone(),
    "cat": lambda m, x: m.cat([x, x], 0),
    "stack": lambda m, x: m.stack([x, x], 0),
    "reshape": lambda m, x: x.reshape(-1, 1),
    "transpose": lambda m, x: x.reshape(1, -1).transpose(0, 1),
    "expand": lambda m, x: x.expand(3, x.shape[0]),
    "slice": lambda m, x: x[:-1],
    "index_select": lambda m, x: m.index_select(x, 0, places(m, x.shape[0])),
    "index_copy": lambda m, x: m.index_copy(x, 0, m.tensor([0]), m.ones(1, dtype=x.dtype)),
    "gather": lambda m, x: m.gather(x, 0, places(m, x.shape[0])),
}
TAKES_EMPTY = ("sum", "nansum", "mean", "prod", "logsumexp", "sort", "sort descending")


def rows(name, dtype):
    big, least = LARGEST[dtype], LEAST[dtype]
    some = [[x] for x in (1.0, 0.0, -0.0, INF, -INF, NAN, big, least)]
    some += [[1.0, 1.0], [0.0, -0.0], [-0.0, 0.0], [NAN, 1.0], [1.0, NAN], [NAN, NAN], [INF, 50.0], [INF, INF], [INF, -INF],
             [-INF, -INF], [-INF, 0.0], [big, big], [big, -big], [least, least], [0.0, 2.0, 3.0], [0.0, 0.0, 3.0],
             [NAN, 0.0, 3.0], [INF, 0.0, 3.0], [INF, 0.0, 0.0], [INF, 2.0, 3.0], [0.0, NAN, 0.0], [5.0, 5.0, 5.0, 5.0],
             [1000.0, 0.0, -1000.0], [1.0, 3.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0, 4.0, NAN]]
    if name in ("mean", "var", "std"):  # partial sums overflow on the CPU, in float32, and not on a GPU, in float64
        some = [row for row in some if row != [big, big]]
    if name == "cross_entropy":  # a sum of exponentials that is kept as one logarithm is lost beside such logits
        some = [row for row in some if len(row) != 2 or abs(row[1]) != big]
    return ([[]] if name in TAKES_EMPTY else []) + some


# ---- where PyTorch's value is not the right one: name -> (reason, right value or None where PyTorch's stands)

def sign_of_nan(dtype, x, y, dx):
    return (NAN, 0.0) if math.isnan(x) else None


def exact_log1p(dtype, x, y, dx):
    return (math.log1p(x), dx) if 0 < abs(x) <= NORMAL[dtype] or x == LARGEST[dtype] else None


def whole_gelu(dtype, x, y, dx):
    if math.isnan(x) or x == -INF or math.copysign(1, x) > 0 and x < 100:
        return None
    if x > 0:
        return x, 1.0 if x != INF else dx
    return 0.5 * x * math.erfc(-x * 0.5**0.5), 0.5 * math.erfc(-x * 0.5**0.5) + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def whole_sigmoid(dtype, x, y, dx):
    e = math.exp(x) if -200 < x < -50 else 0
    return (e, e) if e else None


def whole_silu(dtype, x, y, dx):
    e = math.exp(x) if -200 < x < -50 else 0
    return (x * e, e * (1 + x)) if e else None


def exact_fmod(dtype, a, b, y, da, db):
    return (math.fmod(a, b), da, db) if math.isfinite(a) and b and math.isfinite(b) else None


def exact_remainder(dtype, a, b, y, da, db):
    if not math.isfinite(a) or not b or not math.isfinite(b):
        return None
    y = math.fmod(a, b)
    return (y + b if y and (y < 0) != (b < 0) else y), da, db


def exact_atan2(dtype, a, b, y, da, db):
    most = max(abs(a), abs(b))
    if math.isnan(a + b) or not 0 < most < INF:
        return None
    part = 1 / (1 + (min(abs(a), abs(b)) / most) ** 2)
    return y, *(v if abs(v) <= LARGEST[dtype] else math.copysign(INF, v)
                for v in (part * (b / most) / most, -part * (a / most) / most))


def exact_logaddexp2(dtype, a, b, y, da, db):
    return (a + 1, da, db) if a == b and abs(a) < 10 else None


def polygamma_of_infinity(dtype, x, y, dx):
    return {INF: (-0.0, 0.0), -INF: (NAN, NAN)}.get(x)


def exact_trigamma(dtype, x, y, dx):
    if not math.isfinite(x):
        return None
    if x <= 0 and x == math.floor(x):
        return y, INF
    if abs(x) < 2.0**-26:
        return y, 1 / x / x if 1 / x / x <= LARGEST[dtype] else INF
    turns = (math.pi / math.sin(math.pi * (x - round(x)))) ** 2 if x < 0 else 0.0
    sign, x = (-1, 1 - x) if x < 0 else (1, x)
    below = math.fsum(1 / (x + i) / (x + i) for i in range(40))
    x += 40
    above = 1 / x + 1 / x / x / 2 + (1 / 6 - (1 / 30 - 1 / 42 / x / x) / x / x) / x / x / x
    return y, turns + sign * (below + above)


def one_is_exact(dtype, a, b, y, da, db):
    return (a, da, db) if b == 1 and a == LARGEST[dtype] else None


def nan_shares(dtype, x, y, dx):
    nans = sum(map(math.isnan, x))
    return (y, [1.0 / nans if math.isnan(e) else 0.0 for e in x]) if nans else None


def nothing_to_train(dtype, x, y, dx):
    return (y, [0.0 for _ in x]) if x and all(e == -INF for e in x) else None


def product_of_others(dtype, x, y, dx):
    return y, [math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]


def beside_infinity(dtype, x, y, dx):
    if INF not in x or any(map(math.isnan, x)):
        return None
    return y, [NAN if e == INF else -1.0 if i == 0 else 0.0 for i, e in enumerate(x)]


def beyond_the_start(dtype, a, b, c, y, da, db, dc):
    beyond = a + c * (b - a) if c < 0 else NAN
    return (beyond, da, db, dc) if math.isnan(y) and not math.isnan(beyond) else None


def which_bound(dtype, x, low, high, y, dx, dlow, dhigh):
    return (y, 0.0, 0.0, 0.0) if math.isnan(y) else None


CORRECTIONS = {
    "sign": ("the sign of NaN is NaN, not 0", sign_of_nan),
    "log1p": ("subnormal and largest float32 numbers have a log1p", exact_log1p),
    "gelu": ("the tails of gelu, sigmoid and silu are exact to the smallest numbers", whole_gelu),
    "sigmoid": ("the tails of gelu, sigmoid and silu are exact to the smallest numbers", whole_sigmoid),
    "silu": ("the tails of gelu, sigmoid and silu are exact to the smallest numbers", whole_silu),
    "fmod": ("fmod and remainder are exact however large the quotient is", exact_fmod),
    "remainder": ("fmod and remainder are exact however large the quotient is", exact_remainder),
    "atan2": ("the gradient of atan2 is exact where squares of its arguments are 0 or infinite", exact_atan2),
    "logaddexp2": ("logaddexp2 of two equal numbers is exact", exact_logaddexp2),
    "polygamma": ("polygamma is 0 at infinity and NaN at minus infinity", polygamma_of_infinity),
    "digamma": ("its slope at -1, -2, ... is infinite and elsewhere exact; PyTorch's is huge there and has 10 digits",
                exact_trigamma),
    "pow": ("the largest float64 to the power 1 is itself", one_is_exact),
    "amax": ("a NaN is the extreme; PyTorch divides by a count of no hits", nan_shares),
    "amin": ("a NaN is the extreme; PyTorch divides by a count of no hits", nan_shares),
    "logsumexp": ("where all is -inf the gradient is 0, not NaN", nothing_to_train),
    "prod": ("the gradient is the product of the others; PyTorch divides the product by the element", product_of_others),
    "cross_entropy": ("beside a logit of inf the gradient is 0, as in logsumexp", beside_infinity),
    "lerp": ("lerp goes on beyond its start, to infinity, too; PyTorch 2.15 counts back from the end, which is NaN there",
             beyond_the_start),
    "clamp(tensors)": ("of two tensors none of the three gets a gradient where the result is NaN", which_bound),
}


# ---- what a library gives

def run_points(module, dtype, function, inputs, differentiable):
    """[(inputs..., result, derivatives...)] of a function element by element."""
    kind = getattr(module, dtype)
    tensors = [module.tensor(list(column), dtype=kind, requires_grad=d) for column, d in zip(zip(*inputs), differentiable)]
    y = function(Library(module), *tensors)
    y.backward(module.ones(len(inputs), dtype=kind))
    columns = [y.tolist()] + [(t.grad if t.grad is not None else t.detach() * 0).tolist() for t, d in zip(tensors, differentiable) if d]
    return [tuple(point) + values for point, values in zip(inputs, zip(*columns))]


def run_row(module, dtype, function, row):
    """(result, gradient) of a row, both lists."""
    x = module.tensor(row, dtype=getattr(module, dtype), requires_grad=True)
    y = function(Library(module), x).reshape(-1)
    if y.shape[0]:
        y.backward(module.tensor([float(i + 1) for i in range(y.shape[0])], dtype=y.dtype))
    return y.tolist(), x.grad.tolist() if x.grad is not None else [0.0 for _ in row]


def all_points(dtype):
    """(name, function, inputs, which of them have a derivative)"""
    for name, function in UNARY.items():
        yield name, function, [(x,) for x in points(dtype)], (True,)
    for name, function in BINARY.items():
        yield name, function, pairs(dtype), (True, True)
    for name, function in TERNARY.items():
        yield name, function, triples(name, dtype), (name != "where", True, True)


def corrected_point(name, dtype, point):
    return point[: -len(right)] + right if name in CORRECTIONS and (right := CORRECTIONS[name][1](dtype, *point)) else point


def corrected_row(name, dtype, row, y, dx):
    return CORRECTIONS[name][1](dtype, row, y, dx) or (y, dx) if name in CORRECTIONS else (y, dx)


def braces(values):
    return "{" + ", ".join(repr(float(v)).replace("inf", "kInfinity").replace("nan", "kNan") for v in values) + "}"


def main():
    import torch

    print("// Written by special_points.py with PyTorch %s; do not edit." % torch.__version__)
    for dtype in DTYPES:
        if sys.argv[1] == "points":
            for name, function, inputs, differentiable in all_points(dtype):
                values = [corrected_point(name, dtype, p) for p in run_points(torch, dtype, function, inputs, differentiable)]
                if name in CORRECTIONS:
                    print("// %s: %s." % (name, CORRECTIONS[name][0]))
                print('{"%s", %s, %d, %s},' % (name, dtype, len(inputs[0]), braces(v for p in values for v in p)))
        else:
            for name, function in ROWS.items():
                if name in CORRECTIONS:
                    print("// %s: %s." % (name, CORRECTIONS[name][0]))
                for row in rows(name, dtype):
                    y, dx = corrected_row(name, dtype, row, *run_row(torch, dtype, function, row))
                    print('{"%s", %s, %s, %s, %s},' % (name, dtype, braces(row), braces(y), braces(dx)))


if __name__ == "__main__":
    main()
