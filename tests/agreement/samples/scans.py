"""Scans, and differences."""

from agreement import DTYPES, FLOATING, INTEGER, A, V, error, sample

NAN, INF = float("nan"), float("inf")


def errors(name, *rest):
    error(name, A((2, 3)), 2, *rest)
    error(name, A((2, 3)), -3, *rest)
    error(name, A(()), 1, *rest)
    error(name, A((2, 3)), "text", *rest)
    error(name, A((2, 3)), 1.5, *rest)
    error(name, A((2, 3)), None)
    error(name, "text", 0)
    error(name, A((2, 3)))
    error(name, A((2, 3)), 0, no_such=1)


for name in ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"):
    for dtype in FLOATING if name == "logcumsumexp" else DTYPES:
        sample(name, A((3, 4), dtype, low=-2, high=2), 0)
        sample(name, A((3, 4), dtype, low=-2, high=2), dim=-1)
        sample(name, A((2, 5, 3), dtype, low=-2, high=2), 1)
    for shape in ((), (1,), (0,), (0, 3), (3, 0), (9,), (130,), (2, 3, 4)):
        for dim in {0, len(shape) // 2, -1}:
            if shape or dim < 1:
                sample(name, A(shape, low=-2, high=2), dim)
    for layout in ("transposed", "strided", "expanded"):
        for dim in (0, 1):
            sample(name, A((3, 4), "float64", layout), dim, check=layout != "expanded")
            sample(name, A((3, 4), "float32", layout, special=True), dim, grad=False)
    sample(name, A((2, 3), "float64"), -1, sets=True)
    sample(name, A((2, 3, 4), "float64"), -2, sets=True)
    sample(name, A((40,), special=True), 0, grad=False)
    sample(name, A((5, 8), "float64", special=True), 0, grad=False)
    sample(name, V([-INF, -INF, 1.0, -INF, 2.0]), 0, grad=False)
    sample(name, V([1.0, INF, 2.0, -INF, 3.0]), 0, grad=False)
    sample(name, V([1.0, NAN, 2.0, NAN, INF]), 0, grad=False)
    sample(name, V([0.0, -0.0, 0.0, -0.0, 1.0]), 0)
    sample(name, A((3000,), "float64", low=-1, high=1), 0, check=False, grad=name != "cumprod")
    sample(name, A((300, 5), "float32", low=-1, high=1), 0, check=False, grad=name != "cumprod")
    sample(name, input=A((2, 3)), dim=1)
    errors(name)

for name in ("cumsum", "cumprod"):
    for dtype in DTYPES:
        for target in ("float64", "float32", "float16", "int64", "int32", "int8"):
            # PyTorch's results in integers claim to require gradients.
            grad = target in FLOATING
            # Gradients are made of results in the narrower type.
            tol = {("float32", "float16"): 2.0**14, ("float64", "float16"): 2.0**43, ("float64", "float32"): 2.0**30}.get((dtype, target))
            sample(name, A((3, 4), dtype, low=-2, high=2), 1, dtype=f"dtype:{target}", grad=grad, tol=tol)
    sample(name, V([120, 10, -3, 7], "int8"), 0)
    sample(name, V([120, 10, -3, 7], "int8"), 0, dtype="dtype:int8")
    sample(name, V([2**62, 2**62, 2**62, 3], "int64"), 0)
    sample(name, V([2000000000, 2000000000], "int32"), 0)
    for dtype in ("float32", "float64", "int64", "int32", "uint8"):
        sample(f"Tensor.{name}_", A((3, 4), dtype, low=-2, high=2), 0)
        sample(f"Tensor.{name}_", A((3, 4), dtype, "transposed", low=-2, high=2), dim=-1)
    for shape in ((), (0,), (1,), (7,), (2, 3, 4)):
        sample(f"Tensor.{name}_", A(shape), -1, grad=len(shape) > 1)
    for dim in (0, 1, 2, -2):
        sample(f"Tensor.{name}_", A((2, 3, 2), "float64"), dim)
    sample(f"Tensor.{name}_", A((9,), special=True), 0, grad=False)
    error(f"Tensor.{name}_", A((2, 3)), 2)
    error(f"Tensor.{name}_", A((2, 3)), "text")
    error(f"Tensor.{name}_", A((2, 3)))
    error(f"Tensor.{name}_", A((2, 3)), -3)
    error(f"Tensor.{name}_", A((2, 3)), 0, no_such=1)
    error(name, A((2, 3)), 0, dtype="text")
    error(name, A((2, 3)), 0, out=3)
for values in ([0.0, 2.0, 3.0], [2.0, 0.0, 3.0], [2.0, 3.0, 0.0], [0.0, 0.0, 3.0], [0.0, 3.0, 0.0, 2.0, 0.0], [1.5, -2.0, 0.5]):
    sample("cumprod", V(values, "float64"), 0)
    sample("cumprod", V([values, values]), 1)
    sample("cumprod", V([values, values]), 0)
for name in ("cummax", "cummin"):
    for dtype in INTEGER:
        sample(name, A((20,), dtype, low=0, high=3), 0)
        sample(name, A((9,), dtype, special=True), 0)
    sample(name, V([1.0, 3.0, 3.0, 2.0, 3.0]), 0)
    sample(name, V([1.0, 1.0, 1.0]), 0)
    sample(name, V([[3, 1], [3, 2], [1, 2]], "int64"), 0)
sample("logcumsumexp", V([1000.0, 1000.0, -1000.0]), 0)
sample("logcumsumexp", A((6,), "float64", low=-800, high=800), 0, check=False)
sample("logcumsumexp", A((4, 6), low=-90, high=90), 1, check=False)
error("logcumsumexp", A((3,), "int32"), 0)
error("logcumsumexp", A((3,), "bool"), 0)

# ---- differences and integrals

for dtype in DTYPES:
    sample("diff", A((5,), dtype))
    sample("diff", A((3, 4), dtype), dim=0)
    sample("diff", A((3, 4), dtype), 2)
for n in (0, 1, 2, 3, 4, 5, 9):
    sample("diff", A((4,)), n)
    sample("diff", A((4,), "bool"), n=n)
for dim in (0, 1, 2, -1, -3):
    sample("diff", A((2, 3, 4), "float64"), 1, dim)
for layout in ("transposed", "strided", "expanded"):
    sample("diff", A((3, 4), layout=layout))
for shape in ((0,), (1,), (0, 3), (3, 0), (3, 1)):
    sample("diff", A(shape))
sample("diff", A((2, 3)), prepend=A((2, 1)))
sample("diff", A((2, 3)), append=A((2, 2)))
sample("diff", A((2, 3), "float64"), 2, 0, A((1, 3), "float64"), A((2, 3), "float64"))
sample("diff", A((3,), "int32"), prepend=V([1.5]))
sample("diff", A((2, 3), "float64"), sets=True)
sample("diff", A((9,), special=True), grad=False)
error("diff", A(()))
error("diff", A((2, 3)), -1)
error("diff", A((2, 3)), 1, 2)
error("diff", A((2, 3)), prepend=A((1, 3)))
error("diff", A((2, 3)), prepend=A((2,)))
error("diff", A((2, 3)), n="text")
error("diff", A((2, 3)), no_such=1)

for name in ("cumulative_trapezoid", "trapezoid", "trapz"):
    for dtype in DTYPES[1:]:
        sample(name, A((3, 4), dtype))
        sample(name, A((3, 4), dtype), dim=0)
    for shape in ((1,), (2,), (7,), (2, 3, 4), (3, 1), (0,), (3, 0)):
        sample(name, A(shape))
    for dim in (0, 1, 2, -2):
        sample(name, A((2, 3, 4), "float64"), dim=dim)
        sample(name, A((2, 3, 4), "float64"), A((2, 3, 4), "float64"), dim=dim)
    if name != "trapz":
        for dx in (1, 0.5, -2.0, 3):
            sample(name, A((3, 4)), dx=dx)
            sample(name, A((3, 4)), dx=dx, dim=0)
    sample(name, A((3, 4)), A((4,)))
    sample(name, A((3, 4)), A((3,)), dim=0)
    sample(name, A((3, 4)), x=A((1, 4)), dim=1)
    sample(name, A((4,)), A((4,), "int32"))
    sample(name, A((4,), "int64"), A((4,), "int64"))
    sample(name, A((3, 4), "float64", "transposed"), dim=-1)
    sample(name, A((9,), special=True), grad=False)
    error(name, A((3, 4)), A((5,)))
    error(name, A((3, 4)), dim=2)
    error(name, A((3, 4)), "text")
    error(name, A((3, 4)), A((4,)), dx=1)
    error(name, A((3, 4)), dim="text")
    error(name, "text")
