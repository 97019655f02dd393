"""Arithmetic with keywords, aliases, and operations that are made of elementwise ones."""

from agreement import DTYPES, FLOATING, INTEGER, A, V, error, sample

INF, NAN = float("inf"), float("nan")


def layouts(name, *args, **kwargs):
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), *args, **kwargs)
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(name, A(shape), *args, **kwargs)


def wrong(name, *args):
    """Calls that nothing takes: a tensor and more of the arguments that are needed."""
    error(name)
    error(name, "text", *args)
    error(name, None, *args)
    error(name, A((2,)), *args, no_such=1)
    error(name, [1.0], *args)


# ---- aliases
ONE = {"absolute": {}, "negative": {}, "arctan": {}, "sgn": {}, "deg2rad": {}, "rad2deg": {}, "nan_to_num": {}, "clone": {},
       "detach": {}}  # fmt: skip
for name in ONE:
    for dtype in ("int8", "int16", "int32", "int64", *FLOATING):
        sample(name, A((2, 3), dtype), grad=name != "sgn")
    for dtype in ("uint8",) if name == "negative" else ("uint8", "bool") if name != "absolute" else ("uint8",):
        sample(name, A((2, 3), dtype))
    layouts(name, **({"grad": False} if name == "sgn" else {}))
    of_nan = {"differs": "the sign of NaN is NaN, as NumPy has it; PyTorch gives 0"} if name == "sgn" else {}
    sample(name, A((9,), special=True), grad=False, **of_nan)
    sample(name, A((9,), "float64", special=True), grad=False, **of_nan)
    sample(name, A((2, 3), "float64", "transposed"), sets=True, check=name not in ("absolute", "sgn"), grad=name != "sgn")
    sample(name, input=A((2, 3)), grad=name != "sgn")
    for shape in ((1, 1), (2, 1, 3), (37,), (0, 4)):
        sample(name, A(shape, "float64", seed=1), grad=name != "sgn", check=name not in ("absolute", "sgn"))
    wrong(name)
    error(name, A((2,)), 1, 2, 3, 4, 5)
for name in ("multiply", "subtract", "divide", "true_divide", "greater", "greater_equal", "less", "less_equal", "not_equal"):
    for dtype in INTEGER + FLOATING:
        sample(name, A((2, 3), dtype, low=1), A((2, 3), dtype, low=1, seed=1))
        sample(name, A((2, 3), dtype), 2.5)
    for a, b in (("int32", "float32"), ("uint8", "int8"), ("float16", "bfloat16")):
        sample(name, A((3,), a), A((2, 1), b, low=1))
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), A((4,), low=1))
    sample(name, A((9,), special=True), A((9,), special=True, seed=3), grad=False)
    sample(name, A(()), A((0,)))
    sample(name, input=A((2,)), other=A((2,)))
    error(name, A((2,)), A((3,)))
    error(name, A((2,)), "text")
    error(name, A((2,)))
    error(name, A((2,)), None)
    error(name, A((2,)), A((2,)), no_such=1)
for a, b in ((0.0, 1.0), (None, 0.5), (-1, None), (-0.5, 0.5)):
    for dtype in ("int32", "int64", *FLOATING):
        sample("clip", A((2, 3), dtype), a, b)
sample("clip", A((2, 3)), min=0.25)
sample("clip", A((2, 3)), A((3,), low=-3, high=0), A((3,), low=0.5, seed=2))
sample("clamp", A((2, 3)), V(0.0), 1.0)
sample("clamp", A((2, 3)), -1, V(0.5))
error("clip", A((2,)))
error("clip", A((2,)), "text")
error("clip", A((2,)), A((2,)), 1.0)
error("clip", A((2,)), 0, 1, 2, 3)
error("clip", A((2,)), A((3,)))
for dtype in INTEGER + FLOATING:
    sample("positive", A((2, 3), dtype))
    sample("Tensor.positive", A((2, 3), dtype, "transposed"))
layouts("positive")
sample("positive", A((9,), special=True), grad=False)
sample("positive", A((9,), "float64", special=True), grad=False)
sample("positive", A((6,), "int8", special=True))
sample("positive", A((2, 3), "float64", "transposed"), sets=True)
sample("positive", input=A((2, 3)))
error("positive", A((2,), "bool"))
error("Tensor.positive", A((2,), "bool"), starts="positive: ")
error("Tensor.positive", A((2,)), 1, starts="positive: ")
wrong("positive")

# ---- alpha
for name in ("add", "sub", "subtract"):
    for dtype in INTEGER:
        sample(name, A((2, 3), dtype, low=0), A((2, 3), dtype, low=0), alpha=2)
        sample(name, A((2, 3), dtype, low=0), 3, alpha=2)
    for dtype in FLOATING:
        for alpha in (2, 0.3, -1.5, 0):
            sample(name, A((2, 3), dtype), A((3,), dtype, seed=1), alpha=alpha)
        sample(name, A((2, 3), dtype), 3, alpha=0.3)
    sample(name, A((2, 3), "int32"), A((2, 3)), alpha=0.5)
    sample(name, A((2, 3)), A((2, 3), "int32"), alpha=0.5)
    sample(name, A((2, 3), "float64"), A((2, 3), "float64", seed=1), alpha=0.5, sets=True)
    sample(name, A((3,), "int32"), A((), "int64"), alpha=2)
    sample(name, A((3,)), A((), "float64"), alpha=2)
    sample(f"Tensor.{name}_", A((2, 3)), A((3,), "int32"), alpha=0.5)
    sample(f"Tensor.{name}_", A((2, 3), "int16"), 2, alpha=3)
    error(name, A((2,), "int64"), A((2,), "int64"), alpha=2.5)
    error(name, A((2,), "int64"), 1, alpha=2.5)
    error(name, A((2,), "int64"), A((2,), "int64"), alpha=True)
    error(name, A((2,)), A((3,)), alpha=2)
    error(name, A((2,)), A((2,)), alpha="text")
    error(f"Tensor.{name}_", A((2,), "int64"), A((2,)), alpha=2, starts=f"{name}_: ")
sample("add", A((3,), "bool"), A((3,), "bool", seed=1), alpha=True)
sample("add", A((3,), "bool"), A((3,), "bool", seed=1), alpha=False)
error("sub", A((2,), "bool"), A((2,), "bool"), alpha=2)
for dtype in INTEGER + FLOATING:
    sample("rsub", A((2, 3), dtype, low=0), A((2, 3), dtype, low=0, seed=1))
    sample("rsub", A((2, 3), dtype, low=0), 3)
    sample("rsub", A((2, 3), dtype, low=0), A((3,), dtype, low=0, seed=1), alpha=2)
error("rsub", A((2,), "bool"), 3)
error("rsub", A((2,)), A((3,)))
error("rsub", A((2,), "int32"), 1, alpha=0.5)
error("rsub", A((2,)))
error("rsub", A((2,)), "text")
error("rsub", A((2,)), 1, no_such=2)

# ---- sums of products
for name in ("addcmul", "addcdiv"):
    for dtype in FLOATING:
        for value in ({}, {"value": 2}, {"value": -0.5}):
            sample(name, A((2, 3), dtype), A((2, 3), dtype, seed=1), A((2, 3), dtype, low=1, seed=2), **value)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), A((4,), seed=1), A((3, 1), low=1, seed=2))
    for shape in ((), (0,), (1,)):
        sample(name, A(shape), A(shape, seed=1), A(shape, low=1, seed=2))
    sample(name, A((2, 3), "float64"), A((2, 3), "float64", seed=1), A((2, 3), "float64", low=1, seed=2), value=0.5, sets=True)
    sample(name, A((2, 3)), A((3,), "int32", low=1), A((3,), low=1))
    sample(name, A((2, 3), "int32"), A((3,), low=1), A((3,), low=1))
    sample(name, input=A((2,)), tensor1=A((2,), seed=1), tensor2=A((2,), low=1))
    error(name, A((2,)), A((3,)), A((2,)))
    error(name, A((2,)), A((2,)))
    error(name, A((2,)), A((2,)), A((2,)), value="text")
    error(name, A((2,)), "text", A((2,)))
    error(name, A((2,)), A((2,)), A((2,)), no_such=1)
    error(f"Tensor.{name}_", A((2,), "int32"), A((2,)), A((2,)), starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,)), A((3, 2)), A((2,)), starts=f"{name}_: ")
for dtype in INTEGER:
    sample("addcmul", A((2, 3), dtype, low=0), A((2, 3), dtype, low=0, seed=1), A((2, 3), dtype, low=0, seed=2), value=2)
error("addcmul", A((2,), "bool"), A((2,), "bool"), A((2,), "bool"))
error("addcdiv", A((2,)), A((2,), "int32"), A((2,), "int32", low=1))
error("addcdiv", A((2,), "int32"), A((2,), "int32"), A((2,), "int32", low=1))

for dtype in INTEGER + FLOATING:
    sample("float_power", A((2, 3), dtype, low=1), A((2, 3), dtype, low=0, seed=1))
    sample("float_power", A((2, 3), dtype, low=1), 2)
    sample("float_power", 2, A((2, 3), dtype))
    sample("ldexp", A((2, 3), dtype), A((2, 3), "int32", seed=1))
for name in ("float_power", "ldexp"):
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout, low=1), A((4,), seed=1))
    for shape in ((), (0,), (1,)):
        sample(name, A(shape, low=1), A(shape, seed=1))
    error(name, A((2,)), A((3,)))
    error(name, A((2,)))
    error(name, A((2,)), "text")
    error(name, A((2,)), A((2,)), no_such=1)
    error(name, "text", A((2,)))
sample("ldexp", A((2, 3), "float64"), A((2, 3), "int64", seed=1))
sample("ldexp", A((3,)), A((3,)))
sample("ldexp", A((3,), "float16"), A((3,)))
for a, b in (((2, 1), (1, 3)), ((3,), (2, 2, 3)), ((), (3,)), ((2, 0), (2, 1)), ((2, 3), ())):
    sample("ldexp", A(a, "float64"), A(b, "int32", low=-3, high=3))
    sample("ldexp", A(a), A(b, "int64", "strided" if b else "contiguous", low=-3, high=3))
sample("ldexp", V([1.0, -0.0, INF, -INF, NAN]), V([3, 5, -2, 1, 0], "int32"), grad=False)
sample("ldexp", A((3,), "bool"), A((3,), "int8"))
sample("ldexp", A((3,), "int16"), A((3,), "uint8", low=0))
sample("ldexp", input=A((3,)), other=A((3,), "int32"))
error("ldexp", A((2,)), None)
error("ldexp", A((2, 3)), A((2, 4), "int32"))
error("ldexp", A((2,)), [1, 2])
error("float_power", A((2,)), None)
error("float_power", A((2, 3)), A((2, 4)))
error("float_power", A((2,)), [1.0, 2.0])
sample("Tensor.float_power_", A((3,), "float64", low=1), 2)
error("Tensor.float_power_", A((3,)), 2, starts="float_power_: ")

# ---- values in place of others
MASK = V([[True, False, True], [False, False, True]], "bool")
for dtype in DTYPES:
    for value in (0, 2, 1.0):
        sample("masked_fill", A((2, 3), dtype), MASK, value)
    sample("masked_fill", A((2, 3), dtype), MASK, V(2.0))
for dtype in FLOATING:
    for value in (-INF, NAN, 2.5, True):
        sample("masked_fill", A((2, 3), dtype), MASK, value, check=value == value and value != -INF)
sample("masked_fill", A((2, 3), "int32"), MASK, 2.75)
sample("masked_fill", A((3,)), MASK, 1)
sample("masked_fill", A(()), MASK, 1)
sample("masked_fill", A((2, 3), "float64", "transposed"), MASK, V(1.5, "float64"), sets=False)
for layout in ("transposed", "strided", "expanded"):
    sample("masked_fill", A((2, 3), layout=layout), MASK, -1)
sample("masked_fill", A((2, 3)), A((3,), "bool"), 1)
sample("masked_fill", A((0, 3)), A((3,), "bool"), 1)
sample("masked_fill", input=A((2, 3)), mask=MASK, value=3)
error("masked_fill", A((2, 3)), MASK, V([1.0]))
error("masked_fill", A((2, 3)), A((2, 3), "int32"), 1)
error("masked_fill", A((2, 3)), A((2, 3)), 1)
error("masked_fill", A((2, 3), "uint8"), MASK, 300)
error("masked_fill", A((2, 3), "float16"), MASK, 1e6)
error("masked_fill", A((2, 4)), MASK, 1)
error("masked_fill", A((2, 3)), MASK)
error("Tensor.masked_fill_", A((3,)), MASK, 1, starts="masked_fill_: ")

for dtype in FLOATING:
    for keywords in ({"nan": 1.5}, {"posinf": 2}, {"neginf": -3.0}, {"nan": 1, "posinf": 2.0, "neginf": 3}):
        sample("nan_to_num", A((9,), dtype, special=True), **keywords, grad=False)
sample("nan_to_num", V([NAN, INF, -INF, 1.0], "float64"))
sample("nan_to_num", A((3,)), 1.0, 2.0, 3.0)
error("nan_to_num", A((3,)), "text")
error("nan_to_num", A((3,)), posinf="text")
error("nan_to_num", A((3,)), 0.0, [1.0])
error("nan_to_num", A((3,)), neginf=A((2,)))

for name, argument in (("clamp_min", "min"), ("clamp_max", "max")):
    for dtype in INTEGER + FLOATING:
        sample(name, A((2, 3), dtype), 1)
        sample(name, A((2, 3), dtype, low=0), 0.5)
        sample(name, A((2, 3), dtype), A((3,), dtype, seed=1))
    sample(name, A((2, 3)), A((2, 1), "float64", seed=1))
    sample(name, A((2, 3)), NAN, grad=False)
    sample(name, A((9,), special=True), 0.5, grad=False)
    sample(name, A((2, 3)), V(0.5))
    layouts(name, 0.25)
    sample(name, A((2, 3), "float64"), A((3,), "float64", seed=1), sets=False)
    sample(name, A((2, 3)), **{argument: 0.5})
    error(name, A((2,)))
    error(name, A((2,)), None)
    error(name, A((2,)), "text")
    error(name, A((2,)), A((3,)))
    error(name, A((2,)), 1, no_such=1)
    error(f"Tensor.{name}_", A((2,), "int32"), A((2,)), starts=f"{name}_: ")

# ---- closeness
for dtype in DTYPES:
    sample("isclose", A((2, 3), dtype), A((2, 3), dtype))
    sample("isclose", A((2, 3), dtype), A((3,), dtype, seed=1), rtol=0.5, atol=0.25)
for keywords in ({}, {"equal_nan": True}, {"rtol": 0}, {"rtol": 0, "atol": 0}, {"atol": 10.0}):
    sample("isclose", V([1.0, NAN, INF, -INF, 1e-9]), V([1.00001, NAN, INF, INF, 0.0]), **keywords)
    sample("isclose", V([1, 5, -3], "int64"), V([2, 5, -4], "int64"), **keywords)
    sample("allclose", V([1.0, NAN]), V([1.0, NAN]), **keywords, capture=False)
    sample("allclose", V([1.0, 2.0]), V([1.0, 2.0]), **keywords, capture=False)
    sample("allclose", V([1, 2], "int32"), V([1, 3], "int32"), **keywords, capture=False)
    sample("allclose", V([INF, 2.0], "float64"), V([INF, 2.0], "float64"), **keywords, capture=False)
for layout in ("transposed", "strided", "expanded"):
    sample("isclose", A((3, 4), layout=layout), A((4,), seed=1))
for shape in ((), (0,), (1,)):
    sample("isclose", A(shape), A(shape))
    sample("allclose", A(shape), A(shape), capture=False)
for name in ("isclose", "allclose"):
    sample(name, A((2,)), A((2,)), 1e-3, 1e-3, True, capture=name != "allclose")
    error(name, A((2,), "int32"), A((2,)))
    error(name, A((2,)), A((2,), "float64"))
    error(name, A((2,)), A((2,)), rtol=-1)
    error(name, A((2,)), A((2,)), atol=-1)
    error(name, A((2,)), A((3,)))
    error(name, A((2,)), 1.0)
    error(name, A((2,)))

# ---- quotients and digits
for name in ("div", "divide"):
    for mode in ("floor", "trunc", None):
        for dtype in INTEGER + FLOATING:
            sample(name, A((3, 4), dtype, low=-9 if dtype != "uint8" else 0, high=9), A((4,), dtype, low=1, high=4, seed=1), rounding_mode=mode)
            sample(name, A((3, 4), dtype, low=-9 if dtype != "uint8" else 0, high=9), 2, rounding_mode=mode)
        for layout in ("transposed", "strided", "expanded"):
            sample(name, A((3, 4), layout=layout, low=-9, high=9), A((4,), low=1, seed=1), rounding_mode=mode)
        sample(name, A((3, 4), "int32", low=-9, high=9), 2.5, rounding_mode=mode)
        sample(name, 7, A((3,), "int64", low=1, high=4), rounding_mode=mode)
        sample(name, A((9,), special=True), A((9,), special=True, seed=1), rounding_mode=mode, grad=False)
        sample(name, A((3,), "int32"), A((3,), low=1), rounding_mode=mode)
    error(name, A((2,)), 2, rounding_mode="ceil")
    error(name, A((2,)), 2, rounding_mode=1)
    error(name, A((2,), "bool"), A((2,), "bool"), rounding_mode="trunc")
    error(name, A((2,), "bool"), A((2,), "bool"), rounding_mode="floor")
    error(f"Tensor.{name}_", A((2,), "int32"), 2, starts=f"{name}_: ")
    error(f"Tensor.{name}_", A((2,), "int32"), 2.5, rounding_mode="floor", starts=f"{name}_: ")
for mode in ("floor", "trunc"):
    sample("div", V([1.0, -1.0, 0.0, INF, -INF, NAN]), V(0.0), rounding_mode=mode, grad=False)
    sample("div", V([-7, 7, -8, 8], "int64"), V([2, -2, 3, -3], "int64"), rounding_mode=mode)
for dtype in FLOATING:
    for decimals in (0, 1, 2, -1):
        sample("round", A((3, 4), dtype, low=-30, high=30), decimals=decimals)
    sample("frac", A((3, 4), dtype, low=-30, high=30), check=False)
for dtype in INTEGER:
    sample("round", A((2, 3), dtype))
    sample("round", A((2, 3), dtype, "transposed"))
sample("round", V([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, -0.0]))
for name in ("round", "frac"):
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), check=False)
        sample(name, A((3, 4), "float64", layout), check=False)
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(name, A(shape))
        sample(name, A(shape, "float64"), check=False)
    sample(name, A((9,), special=True), grad=False)
    sample(name, A((9,), "float64", special=True), grad=False)
    sample(name, input=A((3,)))
    wrong(name)
    error(name, A((2,)), 1)
error("frac", A((2,), "int32"))
error("round", A((2,), "int32"), decimals=1)
error("round", A((2,)), decimals="text")
for name in ("gcd", "lcm"):
    for dtype in INTEGER:
        low = 0 if dtype == "uint8" else -40
        sample(name, A((3, 4), dtype, low=low, high=40), A((4,), dtype, low=low, high=40, seed=1))
        sample(name, A((3, 4), dtype, low=0, high=3), A((3, 4), dtype, low=0, high=3, seed=1))
        sample(name, A((3, 4), dtype, "transposed", low=0, high=60), A((3, 4), dtype, low=0, high=60, seed=1))
    sample(name, A((3,), "int32", high=9), A((2, 1), "int64", high=9))
    sample(name, A((3,), "uint8", low=0, high=9), A((3,), "int8", high=9))
    for shape in ((), (0,), (1,)):
        sample(name, A(shape, "int64"), A(shape, "int64", seed=1))
    sample(name, V([2**62, 2880067194370816120], "int64"), V([2**40, 4660046610375530309], "int64"))
    sample(name, input=A((3,), "int32"), other=A((3,), "int32"))
    error(name, A((2,)), A((2,)))
    error(name, A((2,), "bool"), A((2,), "bool"))
    error(name, A((2,), "int32"), 2)
    error(name, A((2,), "int32"), A((3,), "int32"))
    error(name, A((2,), "int32"))
    error(f"Tensor.{name}_", A((2,), "int32"), A((2, 2), "int32"), starts=f"{name}_: ")

# ---- operators
for name in ("floordiv", "mod", "lshift", "rshift", "pow", "add", "sub", "mul", "truediv"):
    for full in (f"operator.{name}", f"operator.i{name}"):
        shifts = "shift" in name
        for dtype in INTEGER if shifts else ("int32", "int64", "float32", "float64"):
            sample(full, A((3, 4), dtype, low=1, high=9), A((4,), dtype, low=1, high=3, seed=1), grad=False) if full != "operator.itruediv" or (
                "float" in dtype) else None  # fmt: skip
            sample(full, A((3, 4), dtype, low=1, high=9), 2, grad=False) if full != "operator.itruediv" or "float" in dtype else None
        if "operator.i" not in full:
            sample(full, 7, A((3,), "int64", low=1, high=3))

# ---- aliases of functions that are not defined everywhere
for name, (low, high) in {"arccos": (-0.9, 0.9), "arcsin": (-0.9, 0.9), "arctanh": (-0.9, 0.9), "arccosh": (1.1, 4), "arcsinh": (-3, 3),
                          "fix": (-9, 9)}.items():  # fmt: skip
    for dtype in FLOATING:
        sample(name, A((2, 3), dtype, low=low, high=high), check=name != "fix")
        sample(name, A((4,), dtype, "strided", low=low, high=high), check=name != "fix")
    for layout in ("transposed", "expanded"):
        sample(name, A((3, 4), layout=layout, low=low, high=high))
        sample(name, A((3, 4), "float64", layout, low=low, high=high), check=name != "fix")
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(name, A(shape, low=low, high=high))
    sample(name, A((9,), special=True), grad=False)
    sample(name, A((9,), "float64", special=True), grad=False)
    sample(name, V([1, 1], "int32") if name != "arctanh" else V([0, 0], "int32"), grad=False)
    sample(name, input=A((3,), low=low, high=high))
    for shape in ((1, 1), (2, 1, 3), (37,), (0, 4)):
        sample(name, A(shape, "float64", low=low, high=high), check=name != "fix")
    wrong(name)
    error(name, A((2,)), 1, 2)
for dtype in FLOATING:
    sample("arctan2", A((2, 3), dtype), A((3,), dtype, seed=1))
    sample("arctan2", A((2, 3), dtype, "transposed"), A((2, 3), dtype, low=0.5, seed=1))
    for layout in ("transposed", "strided", "expanded"):
        sample("arctan2", A((3, 4), dtype, layout), A((4,), dtype, seed=1))
sample("arctan2", A((3,), "int32"), A((3,), "int32", low=1))
error("arctan2", A((2,)), A((3,)))
error("arctan2", A((2,)))
error("arctan2", A((2,)), "text")
error("arctan2", A((2,)), None)
error("arctan2", A((2,)), A((2,)), no_such=1)
