"""More functions of one tensor, element by element: those of the table that samples/unary.py has not."""

from agreement import DTYPES, FLOATING, A, V, error, sample

#: Where they are smooth; integers are drawn from there, too.
DOMAINS = {
    "reciprocal": (1, 5), "exp2": (-3, 3), "log2": (1, 6), "log10": (1, 6), "tan": (-1, 1), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9),
    "sinh": (-3, 3), "cosh": (-3, 3), "asinh": (-3, 3), "acosh": (2, 9), "atanh": (-0.9, 0.9), "erfc": (-2, 2), "erfinv": (-0.9, 0.9),
}  # fmt: skip
#: Exact ones, of these dtypes.
EXACT = {
    "ceil": DTYPES[1:], "trunc": DTYPES[1:], "round": DTYPES[1:],
    "isinf": DTYPES, "isposinf": DTYPES, "isneginf": DTYPES, "signbit": DTYPES,
}  # fmt: skip


def layouts(name, low, high):
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout, low=low, high=high))
    for shape in ((), (0,), (2, 0, 3), (1,), (2, 1, 3)):
        sample(name, A(shape, low=low, high=high))
    sample(name, A((2, 3), "float64", "transposed", low=low, high=high), sets=True)
    sample(name, A((37,), low=low, high=high), sets=True)
    sample(name, input=A((2, 3), low=low, high=high))


def errors(name):
    error(name, "text")
    error(name, None)
    error(name, [1.0, 2.0])
    error(name, A((2,)), A((2,)))
    error(name, A((2,)), no_such=1)
    error(name)


for name, (low, high) in DOMAINS.items():
    for dtype in DTYPES:
        sample(name, A((2, 3), dtype, low=low, high=high))
    for dtype in FLOATING:
        sample(name, A((7,), dtype, special=True), grad=False)
    layouts(name, low, high)
    errors(name)
    error(f"Tensor.{name}_", A((2,), "int32"))
    error(f"Tensor.{name}_", A((3, 2), layout="expanded"))

for name, dtypes in EXACT.items():
    for dtype in dtypes:
        sample(name, A((2, 3), dtype, low=-5, high=5))
        if (name, dtype) != ("signbit", "bfloat16"):  # PyTorch's NaN of bfloat16 is negative
            sample(name, A((6,), dtype, special=True), grad=False)
    layouts(name, -5, 5)
    errors(name)
    if dtypes is not DTYPES:
        error(name, A((2,), "bool"))

# Ties and the ends of domains, whose values have one right answer.
for dtype in ("float32", "float64"):
    sample("round", V([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 8388609.0, -0.0], dtype))
    sample("ceil", V([0.5, -0.5, 2.0, -2.0, 1e9, -0.0], dtype))
    sample("trunc", V([0.5, -0.5, 2.7, -2.7, 1e9, -0.0], dtype))
    sample("reciprocal", V([0.0, -0.0, 2.0, -4.0], dtype), grad=False)
    sample("log2", V([0.0, -1.0, 1.0, 8.0], dtype), grad=False)
    sample("log10", V([0.0, -1.0, 1.0, 1000.0], dtype), grad=False)
    sample("exp2", V([0.0, -3.0, 10.0, 2000.0, -2000.0], dtype), grad=False)
    sample("asin", V([1.0, -1.0, 1.5, 0.0], dtype), grad=False)
    sample("acos", V([1.0, -1.0, 1.5, 0.0], dtype), grad=False)
    sample("atanh", V([1.0, -1.0, 1.5, 0.0], dtype), grad=False)
    sample("acosh", V([1.0, 0.5, 2.0], dtype), grad=False)
    sample("erfinv", V([1.0, -1.0, 1.5, 0.0, -0.0, 0.999999], dtype), grad=False)
    sample("erfc", V([0.0, -6.0, 5.0, 9.0, 30.0], dtype), grad=False)
    sample("asinh", V([1e30, -1e30, 1e-30, -0.0], dtype), grad=False)
    sample("signbit", V([0.0, -0.0, 1.0, -1.0], dtype))

for n in (0, 1, 2, 3, 7):
    for dtype in FLOATING:
        sample("polygamma", n, A((2, 3), dtype, low=1, high=8), tol=1e7 if dtype in ("float32", "float64") else None)
    sample("Tensor.polygamma", A((4,), "float64", low=1, high=8), n, tol=1e7)
for dtype in DTYPES[1:6]:
    sample("polygamma", 2, A((4,), dtype, low=1, high=8), tol=1e7)
sample("polygamma", n=1, input=A((3, 2), layout="transposed", low=1, high=8), tol=1e7)
sample("Tensor.polygamma_", A((3,), low=1, high=8), 1, tol=1e7)
error("polygamma", -1, A((2,)))
error("polygamma", 1.5, A((2,)))
error("polygamma", A((2,)), A((2,)))
error("polygamma", 1)
error("polygamma", 1, None)
error("polygamma", 1, A((2,)), no_such=1)
for method in ("Tensor.polygamma", "Tensor.polygamma_"):
    for n in (0, 1, 2, 3, 4):
        for dtype in FLOATING:
            sample(method, A((2, 2), dtype, low=1, high=8), n, tol=1e7 if dtype in ("float32", "float64") else None)
    for wrong in (-1, 1.5, "text", None):
        error(method, A((2,)), wrong)
    error(method, A((2,)))
    error(method, A((2,)), 1, no_such=1)
