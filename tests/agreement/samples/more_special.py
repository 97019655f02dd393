"""Bessel functions, the normal distribution's tails, the zeta function, and the parts of floating numbers."""

from agreement import A, V, error, sample

FLOATS = ("float16", "bfloat16", "float32", "float64")
LAYOUTS = ("transposed", "strided", "expanded")
INF, NAN = float("inf"), float("nan")
NUMBERS = [-700.0, -40.0, -8.0, -1.0, -0.0, 0.0, 1e-30, 0.25, 0.5, 1.0, 2.0, 5.0, 8.0, 30.0, 200.0]
#: By name: what their arguments are drawn from.
ONE = {"i0": (-9, 9), "special.i0": (-9, 9), "special.i0e": (-9, 9), "special.i1": (-9, 9), "special.i1e": (-9, 9),
       "special.erfcx": (-3, 9), "special.ndtri": (0.01, 0.99)}  # fmt: skip
HALVES = "PyTorch has no kernel for halves"
for name, (low, high) in ONE.items():
    has_halves = name.endswith("i0")
    for dtype in FLOATS:
        differs = None if has_halves or dtype in ("float32", "float64") else HALVES
        sample(name, A((3, 4), dtype, low=low, high=high), differs=differs)
    for dtype in ("bool", "int32", "int64", "uint8"):
        sample(name, V([[0, 1], [1, 0]], dtype), grad=False)
    for layout in LAYOUTS:
        sample(name, A((3, 4), layout=layout, low=low, high=high))
        sample(name, A((3, 4), "float64", layout, low=low, high=high))
    for shape in ((), (0,), (2, 0, 3), (1,)):
        sample(name, A(shape, low=low, high=high))
    for dtype in ("float32", "float64"):
        sample(name, V([0.0, -0.0, 1.0, INF, -INF, NAN], dtype), grad=False)
        for number in NUMBERS if dtype == "float64" else ():
            sample(name, V([number], dtype), grad=False)
    for number in (0.5, 0.25, 0.875):
        sample(name, V([number], "float64"))
    sample(name, input=A((3,), low=low, high=high))
    error(name)
    error(name, "text")
    error(name, None)
    error(name, A((2,)), no_such=1)
    error(name, A((2,)), 1, 2)
    error(name, [1.0])
for number in (-0.5, 1.5, 1e-300, 1e-20, 0.75, 1 - 2.0**-40):
    sample("special.ndtri", V([number], "float64"), grad=False)
for number in (-27.0, -26.5, 41.9, 42.1, 1e10):
    sample("special.erfcx", V([number], "float64"), grad=False)

for dtype in ("float32", "float64"):
    # PyTorch has no derivative by the first argument.
    sample("special.zeta", V([[1.5, 2.0, 3.5], [9.0, 20.0, 1.25]], dtype), A((3,), dtype, low=0.5, high=9), grad=False)
    sample("special.zeta", 2.5, A((3, 4), dtype, low=0.5, high=9))
    sample("special.zeta", A((3, 4), dtype, low=1.5, high=9), 1.5, grad=False)
    ends = V([1.0, 0.5, -1.0, NAN, 2.0, 2.0, 2.0], dtype)
    sample("special.zeta", ends, V([2.0, 2.0, 2.0, 2.0, 0.0, -3.0, NAN], dtype), grad=False)
    sample("special.zeta", V([INF], dtype), V([2.0], dtype), grad=False, differs="0, the limit; PyTorch gives NaN")
    sample("special.zeta", V([2.0, 3.0, 2.5, 4.0], dtype), V([-0.5, -2.25, -0.5, -7.5], dtype), grad=False)
for first in ("int32", "bool", "uint8"):
    sample("special.zeta", V([2, 3, 4] if first != "bool" else [1, 1, 1], first), A((3,), low=1, high=4), grad=False)
    sample("special.zeta", 3, V([1, 1, 1], first), grad=False)
for layout in LAYOUTS:
    sample("special.zeta", 3.0, A((3, 4), layout=layout, low=0.5, high=4))
    sample("special.zeta", A((3, 4), "float64", layout, low=1.5, high=4), A((4,), "float64", low=0.5, high=4), grad=False)
for shape in ((), (0,), (1,)):
    sample("special.zeta", A(shape, low=2, high=4), A(shape, low=1, high=4), grad=False)
sample("special.zeta", input=A((2,), low=2, high=4), other=A((2,), low=1, high=4), grad=False)
error("special.zeta", A((2,)))
error("special.zeta", A((2,)), A((3,)))
error("special.zeta", A((2,)), "text")
error("special.zeta", A((2,)), None)
error("special.zeta", A((2,)), A((2,)), no_such=1)

for dtype in FLOATS:
    sample("frexp", A((3, 4), dtype, low=-99, high=99))
    for layout in LAYOUTS:
        sample("frexp", A((3, 4), dtype, layout, low=-9, high=9))
    sample("frexp", V([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 0.75, 1e-4], dtype), grad=False)
for dtype in ("float32", "float64"):
    sample("frexp", V([INF, -INF, NAN], dtype), grad=False)
    sample("frexp", V([2.0**-149, 2.0**-127, 2.0**127, 1 - 2.0**-24, 1.5 * 2.0**-126, 3.0], dtype), grad=False)
sample("frexp", V([2.0**-1074, 2.0**-1022, 2.0**1023, 1 - 2.0**-53, 1.75 * 2.0**1023, 8 - 2.0**-50], "float64"), grad=False)
for shape in ((), (0,), (2, 0), (1,)):
    sample("frexp", A(shape))
sample("frexp", input=A((2,)))
error("frexp", A((2,), "int32"))
error("frexp", A((2,), "bool"))
error("frexp", "text")
error("frexp", None)
error("frexp", A((2,)), 1)
