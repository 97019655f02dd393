"""Functions of two or three tensors, element by element."""

from agreement import DTYPES, FLOATING, INTEGER, A, V, error, sample

NUMBERS = {"uint8": 3, "int8": 3, "int16": 3, "int32": 3, "int64": 3}


def shapes(name, **options):
    for a, b in (((), ()), ((), (3,)), ((2, 3), ()), ((2, 1), (1, 3)), ((3,), (2, 2, 3)), ((0,), (1,)), ((2, 0), (2, 1)), ((1,), (4,))):
        sample(name, A(a, **options), A(b, **options))
    for a, b in (("transposed", "contiguous"), ("strided", "transposed"), ("expanded", "strided"), ("expanded", "expanded")):
        sample(name, A((3, 4), layout=a, **options), A((3, 4), layout=b, **options))
    sample(name, A((2, 3), "float64", **options), A((2, 3), "float64", "transposed", **options), sets=True)
    sample(name, A((2, 3), "float64", **options), A((3,), "float64", **options))
    sample(name, A((2, 3), **options), **{"exponent" if name == "pow" else "other": A((2, 3), **options)})


def errors(name):
    error(name, A((2, 3)), A((2, 4)))
    error(name, A((2,)), A((3,)))
    error(name, A((2,)), "text")
    error(name, A((2,)))
    error(name, A((2,)), A((2,)), no_such=1)
    error(name, A((2,)), None)


for name in ("add", "sub", "mul", "div", "maximum", "minimum"):
    for dtype in DTYPES:
        if name != "sub" or dtype != "bool":
            sample(name, A((2, 3), dtype, low=1), A((2, 3), dtype, low=1))
    for a, b in (("int32", "float32"), ("uint8", "int8"), ("bool", "int64"), ("float16", "bfloat16"), ("float32", "float64"),
                 ("int64", "float16"), ("bool", "float32"), ("int16", "uint8")):  # fmt: skip
        if name != "sub" or "bool" not in (a, b):
            sample(name, A((3,), a, low=1), A((2, 3), b, low=1))
    sample(name, A((3,), "float32"), A((), "float64"))
    sample(name, A((3,), "float16"), A((), "float32"), tol=1e5)  # whose gradient is summed in float16
    sample(name, A((3,), "int8"), A((), "int64"))
    for dtype in FLOATING:
        sample(name, A((9,), dtype, special=True), A((9,), dtype, special=True, seed=1), grad=False)
    shapes(name)
    errors(name)

for name in ("add", "sub", "mul", "div"):
    for dtype in DTYPES[1:]:
        sample(name, A((2, 3), dtype), 3)
        sample(name, A((2, 3), dtype), 2.5)
    if name != "sub":
        sample(name, A((3,), "bool"), 2.5)
    sample(f"Tensor.{name}_", A((2, 3)), A((3,), "int32"))
    sample(f"Tensor.{name}_", A((2, 3), "float64"), A((), "float32"))
    sample(f"Tensor.{name}_", A((3, 4), layout="transposed"), 2)
    error(f"Tensor.{name}_", A((3,)), A((2, 3)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((3,), "int32"), 2.5, starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((3,), "int32"), A((3,)), starts=f"{name}_: ")
error("sub", A((3,), "bool"), A((3,), "bool"))
error("sub", A((3,), "bool"), True)

for dtype in FLOATING:
    sample("pow", A((2, 3), dtype, low=0.5), A((2, 3), dtype))
    for exponent in (0, 1, 2, 3, -1, 0.5, -0.5, 2.5):
        sample("pow", A((2, 3), dtype, low=0.5), exponent)
    sample("pow", 2, A((2, 3), dtype))
    sample("pow", 2.5, A((2, 3), dtype))
for dtype in INTEGER:
    sample("pow", A((2, 3), dtype), A((2, 3), dtype, low=0))
    sample("pow", A((2, 3), dtype), 2)
    sample("pow", A((2, 3), dtype), 0.5)
    sample("pow", 2, A((2, 3), dtype, low=0))
sample("pow", A((2, 3), "bool"), A((2, 3), "int32", low=0))
shapes("pow", low=0.5)
errors("pow")
error("pow", A((2,), "int32"), -2, forms=False)
error("Tensor.pow_", A((2,), "int32"), -1, starts="pow_: ")
error("Tensor.pow_", A((2,), "int32"), 0.5, starts="pow_: ")
for base in (0.0, 1.0, -1.0, -2.0, float("inf"), float("-inf"), float("nan")):
    sample("pow", V([base] * 9), V([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, float("inf"), float("-inf"), float("nan")]), grad=False)

for dtype in FLOATING:
    sample("lerp", A((2, 3), dtype), A((2, 3), dtype), 0.25)
    sample("lerp", A((2, 3), dtype), A((2, 3), dtype), 0.75)
    sample("lerp", A((2, 3), dtype), A((2, 3), dtype), A((2, 3), dtype, low=0, high=1))
for shape in ((), (0,), (2, 0), (1, 3)):
    sample("lerp", A(shape), A(shape), 0.5)
    sample("lerp", A(shape), A(shape), A(shape))
for layout in ("transposed", "strided", "expanded"):
    sample("lerp", A((3, 4), layout=layout), A((3, 4)), A((3, 4), layout=layout))
sample("lerp", A((2, 1), "float64"), A((3,), "float64"), A((2, 3), "float64"))
sample("lerp", A((2, 3), "float64"), A((2, 3), "float64"), A((2, 3), "float64"), sets=True)
sample("lerp", input=A((2,)), end=A((2,)), weight=0.5)
sample("lerp", A((2,)), A((2,)), 2)
error("lerp", A((2,)), A((3,)), 0.5)
error("lerp", A((2,)), A((2,)))
error("lerp", A((2,)), A((2,)), "text")
error("lerp", A((2,)), A((2,)), None)
error("lerp", A((2,)), 1.0, 0.5)

for dtype in DTYPES[1:]:
    sample("clamp", A((2, 4), dtype), 1 if dtype == "uint8" else -1, 2)
    sample("clamp", A((2, 4), dtype), 0)
    sample("clamp", A((2, 4), dtype), max=1)
    sample("clamp", A((2, 4), dtype), -1.5, 1.5)
    sample("clamp", A((2, 4), dtype), A((2, 4), dtype, low=-2, high=0), A((4,), dtype, low=0, high=2))
    sample("clamp", A((2, 4), dtype), min=A((4,), dtype))
    sample("clamp", A((2, 4), dtype), max=A((), dtype))
for shape in ((), (0,), (3, 0), (1,)):
    sample("clamp", A(shape), -1, 1)
    sample("clamp", A(shape), A(shape), None)
for layout in ("transposed", "strided", "expanded"):
    sample("clamp", A((3, 4), layout=layout), min=-1.0, max=1.0)
sample("clamp", A((8,), special=True), -1, 1, grad=False)
sample("clamp", A((8,), "float64", special=True), A((8,), "float64"), None, grad=False)
sample("clamp", A((4,)), 2, -2)
sample("clamp", A((4,)), float("nan"), 1, grad=False)
sample("clamp", A((4,)), None, float("inf"))
sample("clamp", A((2, 3), "float64"), -1, 1, sets=True)
sample("clamp", A((4,), "int32"), A((4,), "float32"))
error("clamp", A((4,)))
error("clamp", A((4,)), None, None)
error("clamp", A((4,)), A((3,)))
error("clamp", A((4,)), "text")
error("clamp", "text", 1)
error("clamp", A((4,)), A((4,)), 1.0)

for dtype in DTYPES:
    sample("where", A((2, 3), "bool"), A((2, 3), dtype), A((2, 3), dtype))
    sample("where", A((2, 3), "bool"), A((3,), dtype), A((2, 1), dtype))
    sample("where", A((2, 1), "bool"), A((2, 3), dtype), 1)
    sample("where", A((2, 1), "bool"), 1, A((2, 3), dtype))
for a, b in (("int32", "float32"), ("uint8", "int8"), ("bool", "int64"), ("float16", "float32"), ("float32", "float64")):
    sample("where", A((3,), "bool"), A((3,), a), A((3,), b))
    sample("where", A((3,), "bool"), A((), a), A((3,), b))
for layout in ("transposed", "strided", "expanded"):
    sample("where", A((3, 4), "bool", layout), A((3, 4), layout=layout), A((3, 4)))
for shape in ((), (0,), (2, 0)):
    sample("where", A(shape, "bool"), A(shape), A(shape))
sample("where", A((3,), "bool"), 1.5, A((3,), "int32"))
sample("where", A((3,), "bool"), A((3,), special=True), A((3,)))
sample("where", A((2, 3), "bool"), A((2, 3), "float64"), A((2, 3), "float64"), sets=True)
sample("where", A((3,), "bool"), 1.5, 2)
sample("where", condition=A((3,), "bool"), input=A((3,)), other=A((3,)))
for dtype in DTYPES:
    sample("Tensor.where", A((2, 3), dtype), A((3,), "bool"), A((2, 1), dtype))
    sample("Tensor.where", A((3,), dtype), A((3,), "bool"), 0)
error("Tensor.where", A((3,)), A((3,)), A((3,)))
error("Tensor.where", A((3,)), A((3,), "bool"), "text")
error("Tensor.where", A((3,)), A((3,), "bool"), A((2,)))
error("Tensor.where", A((3,)), 1, A((3,)))
sample("Tensor.where", A((3,)), A((3,), "bool"), A((3,)))
sample("Tensor.where", A((3,)), A((2, 1), "bool"), 2)
error("where", A((3,), "bool"), A((2,)), A((3,)))
error("where", A((2,), "bool"), A((3,)), A((3,)))
error("where", A((3,)), A((3,)), A((3,)))
error("where", A((3,), "bool"), A((3,)))
error("where", A((3,), "bool"), "text", A((3,)))
error("Tensor.where", A((3,)), A((2,), "bool"), A((3,)))

# Comparisons, logic and bits.

for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    for dtype in DTYPES:
        sample(name, A((3, 4), dtype, low=-1, high=1), A((3, 4), dtype, low=-1, high=1))
        sample(name, A((6,), dtype), 1)
    for dtype in FLOATING:
        sample(name, A((9,), dtype, special=True), A((9,), dtype, special=True))
    for a, b in (("int32", "float32"), ("uint8", "int8"), ("bool", "int64"), ("float16", "bfloat16")):
        sample(name, A((3,), a), A((2, 3), b))
    sample(name, A((6,), "int32", low=-3), 1.5)
    sample(name, A((6,), "uint8"), 300)
    sample(name, A((6,), "int8"), 2.5)
    shapes(name)
    errors(name)

for name in ("logical_and", "logical_or", "logical_xor"):
    for dtype in DTYPES:
        sample(name, A((3, 4), dtype, low=-1, high=1), A((3, 4), dtype, low=-1, high=1))
    sample(name, A((3,), "bool"), A((2, 3), "float32"))
    sample(name, A((3,), "uint8"), A((2, 3), "int64"))
    sample(name, A((9,), special=True), A((9,), special=True))
    shapes(name)
    errors(name)

for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    for dtype in ("bool", *INTEGER):
        sample(name, A((3, 4), dtype, low=-9, high=9), A((3, 4), dtype, low=-9, high=9))
        sample(name, A((4,), dtype, low=-9, high=9), True if dtype == "bool" else 5)
        sample(name, A((6,), dtype, special=True), A((6,), dtype))
    sample(name, 6, A((3,), "int32"))
    for a, b in (("int8", "int32"), ("bool", "int64"), ("uint8", "int8")):
        sample(name, A((3,), a), A((2, 3), b))
    shapes_of = (((), ()), ((2, 1), (1, 3)), ((0,), (1,)))
    for a, b in shapes_of:
        sample(name, A(a, "int32"), A(b, "int32"))
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), "int16", layout), A((3, 4), "int16"))
    sample(name, A((2, 3), "int64"), A((2, 3), "int64"), sets=True)
    error(name, A((3,)), A((3,)))
    error(name, A((3,), "int32"), A((3,)))
    error(name, A((3,), "int32"), A((2,), "int32"))
    error(name, A((3,), "int32"), 1.5)
    error(name, A((3,), "int32"), "text")
    error(name, A((3,), "int32"))

for dtype in ("bool", *INTEGER):
    sample("bitwise_not", A((3, 4), dtype, low=-9, high=9))
    sample("bitwise_not", A((6,), dtype, special=True))
    sample("bitwise_not", A((2, 3), dtype, "transposed"), sets=True)
for layout in ("strided", "expanded"):
    sample("bitwise_not", A((3, 4), "int32", layout))
for shape in ((), (0,), (2, 0, 3)):
    sample("bitwise_not", A(shape, "int64"))
error("bitwise_not", A((3,)))
error("bitwise_not", A((3,), "float64"))
error("bitwise_not", A((3,), "float16"))
error("bitwise_not", 1)
error("bitwise_not", A((3,), "int32"), A((3,), "int32"))
error("bitwise_not")
