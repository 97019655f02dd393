"""Functions of one tensor, element by element."""

from agreement import DTYPES, FLOATING, A, V, error, sample

#: Where they are smooth; integers are drawn from there, too.
DOMAINS = {
    "exp": (-3, 3), "expm1": (-3, 3), "log": (1, 6), "log1p": (0, 6), "sin": (-6, 6), "cos": (-6, 6), "atan": (-6, 6),
    "tanh": (-3, 3), "erf": (-2, 2), "lgamma": (1, 8), "digamma": (1, 8), "sigmoid": (-6, 6), "sqrt": (1, 9), "rsqrt": (1, 9),
}  # fmt: skip
#: Exact ones, of these dtypes.
EXACT = {
    "abs": DTYPES[1:], "neg": DTYPES[1:], "sign": DTYPES, "square": DTYPES, "floor": DTYPES[1:], "relu": DTYPES[1:],
    "isnan": DTYPES, "isfinite": DTYPES, "logical_not": DTYPES,
}  # fmt: skip
#: PyTorch gives another value, or no other library does the same: see docs/python.md.
AT_SPECIAL_POINTS = {"sign": "the sign of NaN is NaN, not 0"}
#: PyTorch's derivative has ten digits.
TOLERANCES = {"digamma": 1e6}


def layouts(name, low, high, dtype="float32"):
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), dtype, layout, low=low, high=high))
    for shape in ((), (0,), (2, 0, 3), (1,), (2, 1, 3)):
        sample(name, A(shape, dtype, low=low, high=high))
    sample(name, A((2, 3), "float64", "transposed", low=low, high=high), sets=True, tol=TOLERANCES.get(name))
    sample(name, A((37,), low=low, high=high), sets=True)
    sample(name, input=A((2, 3), dtype, low=low, high=high))


def errors(name):
    error(name, "text")
    error(name, None)
    error(name, [1.0, 2.0])
    error(name, A((2,)), A((2,)))
    error(name, A((2,)), no_such=1)
    error(name)


for name, (low, high) in DOMAINS.items():
    for dtype in DTYPES:
        sample(name, A((2, 3), dtype, low=low, high=high), tol=TOLERANCES.get(name))
    for dtype in FLOATING:
        sample(name, A((7,), dtype, special=True), grad=False)
    layouts(name, low, high)
    errors(name)

for name, dtypes in EXACT.items():
    for dtype in dtypes:
        sample(name, A((2, 3), dtype, low=-5, high=5))
        sample(name, A((6,), dtype, special=True), grad=False, differs=AT_SPECIAL_POINTS.get(name) if dtype in FLOATING else None)
    layouts(name, -5, 5)
    errors(name)

for name in ("abs", "neg", "floor", "relu"):
    if name != "floor":
        error(name, A((2,), "bool"))
error("floor", A((2,), "bool"))
for name in ("exp", "sqrt", "log"):
    error(f"Tensor.{name}_", A((2,), "int32"))
    error(f"Tensor.{name}_", A((3, 2), layout="expanded"))

# Ties and the ends of domains, whose values have one right answer.
for dtype in ("float32", "float64"):
    sample("relu", V([0.0, -0.0, 1.0], dtype))
    sample("abs", V([0.0, -0.0, 1.0], dtype))
    sample("sqrt", V([0.0, -1.0, 4.0], dtype), grad=False)
    sample("rsqrt", V([0.0, -1.0, 4.0], dtype), grad=False)
    sample("log", V([0.0, -1.0, 1.0], dtype), grad=False)
    sample("log1p", V([-1.0, -2.0, 0.0], dtype), grad=False)
    sample("floor", V([0.5, -0.5, 2.0, -2.0, 1e9], dtype))
    sample("lgamma", V([0.0, -1.0, 0.5, -1.5, 100.0], dtype), grad=False)
    sample("digamma", V([0.0, -1.0, 0.5, -1.5, 100.0], dtype), grad=False)
    sample("sigmoid", V([-200.0, 200.0, -30.0, 0.0], dtype))
    sample("expm1", V([1e-7, -1e-7, 80.0, -80.0], dtype), tol=64)
