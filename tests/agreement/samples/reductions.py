"""Sums, means, extremes and their kin."""

from agreement import DTYPES, FLOATING, A, V, error, sample

#: By name: the dtypes.
DIMS = {
    "sum": DTYPES, "nansum": DTYPES, "mean": FLOATING, "amax": DTYPES, "amin": DTYPES, "logsumexp": FLOATING, "var": FLOATING,
    "std": FLOATING,
}  # fmt: skip


def errors(name, *rest):
    error(name, A((2, 3)), *(rest or (2,)))
    error(name, A((2, 3)), *(rest or (-3,)))
    error(name, A((2, 3)), dim="text")
    error(name, A((2, 3)), dim=1.5)
    error(name, "text")
    error(name, A((2, 3)), no_such=1)


for name, dtypes in DIMS.items():
    needs_dim = name == "logsumexp"
    for dtype in dtypes:
        sample(name, A((3, 4), dtype), *((0,) if needs_dim else ()))
        sample(name, A((3, 4), dtype), dim=1)
        sample(name, A((3, 4), dtype), dim=-2, keepdim=True)
    for dim in (0, 1, 2, -1, -3, (0, 1), (0, 2), (-1, 0), (0, 1, 2), [1, 2]):
        sample(name, A((2, 3, 4)), dim=dim)
        sample(name, A((2, 3, 4)), dim, keepdim=True)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), dim=0)
        sample(name, A((3, 4), layout=layout), dim=1)
    sample(name, A((2, 3), "float64"), dim=-1, sets=True)
    sample(name, A((2, 3, 2), "float64", "transposed"), dim=(-1, -2), sets=True)
    sample(name, A(()), dim=0)
    sample(name, A(()), dim=-1, keepdim=True)
    sample(name, A((2, 0)), dim=0)
    if name not in ("amax", "amin"):
        sample(name, A((2, 0)), dim=1, check=False)
    sample(name, A((40,), special=True), dim=0, grad=False)
    sample(name, A((4, 40), "float64", low=-1e8, high=1e8), dim=1, check=False)
    sample(name, input=A((2, 3)), dim=(0,), keepdim=True)
    error(name, A((2, 3)), 2)
    error(name, A((2, 3)), -3)
    error(name, A((2, 3)), (0, 0))
    error(name, A((2, 3)), (0, -2))
    error(name, A((2, 3)), "text")
    error(name, "text", 0)
    error(name, A((2, 3)), dim=1.5)
    error(name, A((2, 3)), no_such=1)

for name in ("sum", "nansum", "mean", "amax", "amin", "var", "std"):
    sample(name, A((2, 3, 4)))
    sample(name, A((2, 3), "float64", "transposed"))
    sample(name, A(()), check=False)
    if name not in ("amax", "amin"):
        sample(name, A((0,)), check=False)
    else:
        error(name, A((0,)))
        error(name, A((2, 0)), 1)
for name in ("sum", "mean", "var", "std", "nansum"):
    sample(name, A((2, 3)), dim=None)
sample("logsumexp", A((3, 4), "int32"), dim=0)
for name in ("mean", "var", "std"):
    error(name, A((2, 3), "int32"))
    error(name, A((2, 3), "bool"), 0)
for name in ("var", "std"):
    for correction in (0, 1, 2, 0.5):
        sample(name, A((3, 4)), dim=1, correction=correction)
        sample(name, A((3, 4), "float64"), dim=(0, 1), correction=correction, keepdim=True)
        sample(name, A((5,)), correction=correction)
    sample(name, A((3, 1)), dim=1, check=False, grad=False)
    for unbiased in (True, False):
        sample(name, A((3, 4)), unbiased=unbiased)
        sample(name, A((3, 4)), 1, unbiased)
        sample(name, A((3, 4)), (0, 1), unbiased, True)
        sample(name, A((3, 4)), unbiased)
for name in ("amax", "amin"):
    sample(name, V([1.0, 3.0, 3.0, 1.0, 1.0]))
    sample(name, V([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), dim=1)

for dtype in DTYPES:
    sample("prod", A((3, 4), dtype, low=-2, high=2))
    sample("prod", A((3, 4), dtype, low=-2, high=2), 0)
    sample("prod", A((3, 4), dtype, low=-2, high=2), dim=-1, keepdim=True)
for shape in ((), (0,), (1,), (2, 3, 2)):
    sample("prod", A(shape))
sample("prod", A((2, 0)), 0)
sample("prod", A((2, 0)), 1)
for layout in ("transposed", "strided", "expanded"):
    sample("prod", A((3, 4), layout=layout))
    sample("prod", A((3, 4), layout=layout), dim=1)
sample("prod", A((2, 3), "float64"), dim=-1, sets=True)
sample("prod", V([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0], [1.0, 2.0, 3.0]]), dim=1)
sample("prod", V([0.0, 2.0, 3.0], "float64"))
sample("prod", A((8,), special=True), grad=False)
sample("prod", input=A((2, 3)), dim=1)
errors("prod")

for name in ("max", "min"):
    for dtype in DTYPES:
        sample(name, A((3, 4), dtype))
        sample(name, A((3, 4), dtype), 0)
        sample(name, A((3, 4), dtype), dim=-1, keepdim=True)
        sample(name, A((3, 4), dtype), A((3, 4), dtype))
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout))
        sample(name, A((3, 4), layout=layout), dim=1)
    sample(name, A(()))
    sample(name, A(()), 0)
    sample(name, A((0, 2)), 1)
    sample(name, A((2, 1)), A((3,)))
    sample(name, A((2, 3), "float64"), dim=-1, sets=True)
    sample(name, V([1.0, 3.0, 3.0, 1.0, 1.0]))
    sample(name, V([1.0, 3.0, 3.0, 1.0, 1.0]), 0)
    sample(name, A((9,), special=True), grad=False)
    sample(name, A((9,), special=True), 0, grad=False)
    sample(name, A((3,)), other=A((3,)))
    errors(name)
    error(name, A((0,)))
    error(name, A((2, 0)), 1)
    error(name, A((2, 3)), (0, 1))
    error(name, A((2, 3)), A((2, 4)))

for name in ("argmax", "argmin"):
    for dtype in DTYPES[1:]:
        sample(name, A((3, 4), dtype))
        sample(name, A((3, 4), dtype), 0)
        sample(name, A((3, 4), dtype), dim=-1, keepdim=True)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout))
        sample(name, A((3, 4), layout=layout), dim=1)
    sample(name, A(()))
    sample(name, A(()), 0)
    sample(name, A((0, 2)), 1)
    sample(name, A((2, 3, 2)), dim=None)
    sample(name, A((2, 3, 2)), dim=None, keepdim=True)
    sample(name, A((2, 3), "float64"), dim=-1, sets=True)
    sample(name, V([1.0, 3.0, 3.0, 1.0, 1.0]))
    sample(name, A((9,), special=True))
    errors(name)
    error(name, A((0,)))
    error(name, A((2, 0)), 1)

for name in ("all", "any"):
    for dtype in DTYPES:
        differs = "the result for uint8 is bool, as for every other dtype" if dtype == "uint8" else None
        sample(name, A((3, 4), dtype, low=-1, high=1), differs=differs)
        sample(name, A((3, 4), dtype, low=-1, high=1), 0, differs=differs)
        sample(name, A((3, 4), dtype, low=-1, high=1), dim=-1, keepdim=True, differs=differs)
    for shape in ((), (0,), (2, 0), (0, 2)):
        sample(name, A(shape, "bool"))
    sample(name, A((2, 0), "bool"), 1)
    sample(name, A((2, 0), "bool"), 0)
    sample(name, A((), "bool"), 0)
    sample(name, A((2, 3, 4), "bool"), (0, 2))
    sample(name, A((2, 3, 4), "bool"), (0, -1), True)
    sample(name, A((2, 3, 4), "bool"), dim=None)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), "bool", layout), dim=0)
    sample(name, A((2, 3), "bool"), dim=-1, sets=True)
    sample(name, A((9,), special=True))
    errors(name)
    error(name, A((2, 3)), (0, 0))

for name in ("sum", "nansum", "mean", "prod"):
    for dtype in DTYPES:
        for target in ("float64", "float32", "int32") if name != "mean" else ("float64", "float32"):
            if name == "nansum" and target == "int32" and dtype in FLOATING:
                continue
            sample(name, A((3, 4), dtype, low=-2, high=2), dtype=f"dtype:{target}")
            sample(name, A((3, 4), dtype, low=-2, high=2), dim=0, keepdim=True, dtype=f"dtype:{target}")
error("mean", A((3,)), dtype="dtype:int32")
error("sum", A((3,)), dtype="text")
