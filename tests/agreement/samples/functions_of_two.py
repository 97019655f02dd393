"""More functions of two tensors, element by element: those of the table that samples/arithmetic.py has not."""

from agreement import DTYPES, FLOATING, INTEGER, A, V, error, sample

PROMOTED = "PyTorch computes it with floating tensors only; luge takes integers as float32, as its other functions do"
FLOATS = ("atan2", "hypot", "copysign", "logaddexp", "logaddexp2", "xlogy")
#: PyTorch has no kernel for integers.
FLOATING_ONLY = ("hypot", "logaddexp", "logaddexp2")
NUMERIC = ("remainder", "fmod", "floor_divide", "fmax", "fmin")
#: A number may take the place of the second tensor, and of the first.
WITH_NUMBERS = ("remainder", "fmod", "floor_divide", "copysign", "xlogy")
NUMBERS_FIRST = ("remainder", "floor_divide", "xlogy")
#: Half of them has no whole quotient with the other half, where they would jump.
DRAWN = {"low": 1.0, "high": 6.0}


def shapes(name, **options):
    for a, b in (((), ()), ((), (3,)), ((2, 3), ()), ((2, 1), (1, 3)), ((3,), (2, 2, 3)), ((0,), (1,)), ((2, 0), (2, 1)), ((1,), (4,))):
        sample(name, A(a, **options), A(b, **options))
    for a, b in (("transposed", "contiguous"), ("strided", "transposed"), ("expanded", "strided"), ("expanded", "expanded")):
        sample(name, A((3, 4), layout=a, **options), A((3, 4), layout=b, **options))
    sample(name, A((2, 3), "float64", **options), A((2, 3), "float64", "transposed", **options), sets=True)
    sample(name, A((2, 3), "float64", **options), A((3,), "float64", **options))
    sample(name, A((2, 3), **options), other=A((2, 3), **options))


def errors(name):
    error(name, A((2, 3)), A((2, 4)))
    error(name, A((2,)), A((3,)))
    error(name, A((2,)), "text")
    error(name, A((2,)))
    error(name, A((2,)), A((2,)), no_such=1)
    error(name, A((2,)), None)


for name in FLOATS + NUMERIC:
    grad = {"grad": False} if name == "floor_divide" else {}
    for dtype in DTYPES:
        if dtype != "bool" or name in ("atan2", "copysign", "xlogy", "fmax", "fmin"):
            refused = name in FLOATING_ONLY and dtype not in FLOATING
            sample(name, A((2, 3), dtype, **DRAWN), A((2, 3), dtype, **DRAWN), differs=PROMOTED if refused else None, **grad)
    for a, b in (("int32", "float32"), ("uint8", "int8"), ("float16", "bfloat16"), ("float32", "float64"), ("int64", "float16"),
                 ("bool", "float32"), ("int16", "uint8")):  # fmt: skip
        refused = name in FLOATING_ONLY and a not in FLOATING and b not in FLOATING
        # PyTorch squares the float32 argument of atan2 before it converts.
        tol = 1e9 if (name, a, b) == ("atan2", "float32", "float64") else None
        sample(name, A((3,), a, **DRAWN), A((2, 3), b, **DRAWN), differs=PROMOTED if refused else None, tol=tol, **grad)
    sample(name, A((3,), "float32", **DRAWN), A((), "float64", **DRAWN), **grad)
    shapes(name, **DRAWN, **grad) if not grad else None
    errors(name)

for name in FLOATS + ("fmax", "fmin"):
    for dtype in FLOATING:
        if (name, dtype) == ("copysign", "bfloat16"):  # PyTorch's NaN of bfloat16 is negative
            continue
        sample(name, A((9,), dtype, special=True), A((9,), dtype, special=True, seed=1), grad=False)

for name in WITH_NUMBERS:
    grad = {"grad": False} if name == "floor_divide" else {}
    for dtype in DTYPES[1:]:
        sample(name, A((2, 3), dtype, **DRAWN), 3, **grad)
        sample(name, A((2, 3), dtype, **DRAWN), 2.3, **grad)
        if name in NUMBERS_FIRST:
            sample(name, 7, A((2, 3), dtype, **DRAWN), **grad)

for name in ("remainder", "fmod", "floor_divide"):
    for dtype in INTEGER:
        if dtype != "uint8":
            sample(name, V([7, -7, 7, -7, 6, -6, 0], dtype), V([2, 2, -2, -2, 3, -3, 5], dtype))
    for dtype in FLOATING:
        sample(name, V([7.0, -7.0, 7.0, -7.0, 6.0, -6.0, 0.0, -0.0], dtype), V([2.0, 2.0, -2.0, -2.0, 3.0, -3.0, 5.0, 5.0], dtype), grad=False)
    for dtype in ("float32", "float64"):
        sample(name, V([1.0, -1.0, 0.0, 5.0, float("inf"), 1.0, -1.0], dtype), V([0.0, 0.0, 0.0, float("inf"), 2.0, float("-inf"), float("inf")], dtype), grad=False)
        sample(name, V([1e6, -1e6, 123456.7], dtype), V([0.3, 0.3, -1.1], dtype), grad=False)
    sample(name, V([-(2**31), 2**31 - 1], "int32"), V([-1, -1], "int32"))
    sample(name, V([-(2**63), 2**63 - 1], "int64"), V([-1, -1], "int64"))
    error(name, V([1, 2], "int64"), 0)
    error(name, V([True, False], "bool"), V([True, True], "bool"))
    error(f"Tensor.{name}_", A((3,), "int32"), 2.5, starts=f"{name}_: ")

for name in ("fmax", "fmin"):
    for dtype in FLOATING:
        sample(name, V([float("nan"), 1.0, float("nan"), 2.0, 2.0], dtype), V([1.0, float("nan"), float("nan"), 2.0, 3.0], dtype), check=False)
for dtype in ("float32", "float64"):
    sample("atan2", V([0.0, -0.0, 0.0, -0.0, 1.0], dtype), V([1.0, 1.0, -1.0, -1.0, 0.0], dtype), check=False)
    sample("atan2", V([0.0], dtype), V([0.0], dtype), check=False)
    sample("hypot", V([3.0, 1e30, 1e-30], dtype), V([4.0, 1e30, 1e-30], dtype))
    sample("copysign", V([1.0, -2.0, 0.0, 3.0], dtype), V([-1.0, 1.0, -1.0, -0.0], dtype), check=False)
    sample("logaddexp", V([float("inf"), float("-inf"), 1000.0, -1000.0], dtype), V([float("inf"), float("-inf"), 999.0, 0.0], dtype), grad=False)
    sample("logaddexp2", V([float("inf"), float("-inf"), 1000.0, -1000.0], dtype), V([float("inf"), float("-inf"), 999.0, 0.0], dtype), grad=False)
    sample("xlogy", V([0.0, 0.0, 0.0, 2.0], dtype), V([2.0, -1.0, 0.5, 3.0], dtype), check=False)
    sample("xlogy", V([0.0, 0.0], dtype), V([0.0, float("nan")], dtype), grad=False)

for dtype in DTYPES:
    sample("heaviside", A((2, 3), dtype), A((2, 3), dtype), grad=False)
    sample("heaviside", A((6,), dtype, special=True), A((6,), dtype, seed=1), grad=False)
sample("heaviside", V([0.0, -0.0, 1.0, -1.0, float("nan")]), V(0.5), grad=False)
sample("heaviside", A((3, 4), layout="transposed"), A((4,)), grad=False)
sample("heaviside", A((0,)), A((1,)), grad=False)
errors("heaviside")

for dtype in ("float32", "float64"):
    sample("nextafter", V([1.0, -1.0, 0.0, 0.0, 3.0, 5.0, float("inf")], dtype), V([2.0, -2.0, 1.0, -1.0, 3.0, float("inf"), 0.0], dtype), grad=False)
    sample("nextafter", A((9,), dtype, special=True), A((9,), dtype, special=True, seed=1), grad=False)
    for a, b in (((2, 1), (1, 3)), ((), (3,)), ((0,), (1,)), ((3,), (2, 3)), ((2, 3), ()), ((4,), (4,)), ((2, 2), (2, 2))):
        sample("nextafter", A(a, dtype), A(b, dtype), grad=False)
    sample("nextafter", A((3, 4), dtype, "transposed"), A((3, 4), dtype, "strided"), grad=False)
sample("nextafter", A((2,), "int32"), A((2,), "float64"), grad=False)
errors("nextafter")

for name in ("bitwise_left_shift", "bitwise_right_shift"):
    for dtype in INTEGER:
        sample(name, A((2, 3), dtype, low=0, high=9), A((2, 3), dtype, low=0, high=5))
        sample(name, A((2, 3), dtype, low=0, high=9), 2)
        sample(name, 5, A((2, 3), dtype, low=0, high=5))
        sample(name, A((6,), dtype, special=True), V([0, 1, 2, 3, 4, 5], dtype))
    sample(name, V([-8, 8, 5, -1, 1], "int64"), V([64, 70, -1, 63, 62], "int64"))
    sample(name, V([-8, 8, 5, -1, 1], "int32"), V([32, 70, -1, 31, 30], "int32"))
    sample(name, A((3, 4), "int32", "transposed", low=0, high=9), A((4,), "int64", low=0, high=5))
    sample(name, A((2,), "uint8", low=0, high=9), A((2,), "int16", low=0, high=5))
    sample(name, A((), "int32", low=0, high=9), A((3,), "int32", low=0, high=5))
    sample(name, A((2, 1), "int64", low=0, high=9), A((1, 3), "int64", low=0, high=5), sets=True)
    error(name, A((2,)), A((2,)))
    error(name, A((2,), "int32"), 1.5)
    error(name, A((2,), "bool"), A((2,), "bool"))
    error(name, A((2,), "int32"), A((3,), "int32"))
    error(name, A((2,), "int32"), "text")
    error(name, A((2,), "int32"))
