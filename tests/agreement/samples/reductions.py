"""Sums, means, extremes and their kin."""

from agreement import DTYPES, FLOATING, A, V, error, sample

NAN = float("nan")

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
        sample(name, A((3, 4), dtype, low=-1, high=1))
        sample(name, A((3, 4), dtype, low=-1, high=1), 0)
        sample(name, A((3, 4), dtype, low=-1, high=1), dim=-1, keepdim=True)
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
            grad = target in FLOATING  # PyTorch's results in integers claim to require gradients
            tol = 2.0**30 if (dtype, target) == ("float64", "float32") else None  # gradients come through float32
            sample(name, A((3, 4), dtype, low=-2, high=2), dtype=f"dtype:{target}", grad=grad, tol=tol)
            sample(name, A((3, 4), dtype, low=-2, high=2), dim=0, keepdim=True, dtype=f"dtype:{target}", grad=grad, tol=tol)
error("mean", A((3,)), dtype="dtype:int32")
error("sum", A((3,)), dtype="text")

# ---- out= of pairs, other=

for name in ("max", "min"):
    sample(name, A((2, 3)), other=A((3,), "int64"))
    sample(name, A((2, 3)), A((2, 3), "float64"))
    sample(name, input=A((2, 3)), dim=1, keepdim=True)

# ---- moments with their means

for name in ("var_mean", "std_mean"):
    for dtype in FLOATING:
        sample(name, A((3, 4), dtype))
        sample(name, A((3, 4), dtype), 1)
        sample(name, A((3, 4), dtype), dim=(0, 1), keepdim=True)
    for correction in (0, 1, 2, 0.5):
        sample(name, A((3, 4)), dim=1, correction=correction)
        sample(name, A((5,)), correction=correction)
    for unbiased in (True, False):
        sample(name, A((3, 4)), unbiased)
        sample(name, A((3, 4)), unbiased=unbiased)
        sample(name, A((3, 4)), -1, unbiased)
        sample(name, A((3, 4)), (0, 1), unbiased, True)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout), dim=0)
        sample(name, A((3, 4), layout=layout), dim=1)
    sample(name, A((2, 3), "float64"), dim=-1, sets=True)
    sample(name, A(()), check=False, grad=False)
    sample(name, A((0,)), check=False, grad=False)
    sample(name, A((9,), special=True), grad=False)
    sample(name, A((2, 3, 4), "float64"), dim=None)
    error(name, A((2, 3), "int32"))
    error(name, A((2, 3)), 2)
    error(name, A((2, 3)), (0, 0))
    error(name, A((2, 3)), "text")
    error(name, A((2, 3)), 0, unbiased=True, correction=1)
    error(name, "text")
    error(name, A((2, 3)), no_such=1)

# ---- counts and bounds

for dtype in DTYPES:
    sample("count_nonzero", A((3, 4), dtype, low=-1, high=1))
    sample("count_nonzero", A((3, 4), dtype, low=-1, high=1), 0)
    sample("count_nonzero", A((3, 4), dtype, low=-1, high=1), dim=-1)
for dim in (0, 1, -1, (0, 1), (0, -1), (0, 1, 2), [1, 2], None, ()):
    sample("count_nonzero", A((2, 3, 4), "int32", low=0, high=1), dim=dim)
for layout in ("transposed", "strided", "expanded"):
    sample("count_nonzero", A((3, 4), "int64", layout, low=0, high=1), 0)
for shape in ((), (0,), (2, 0), (0, 2)):
    sample("count_nonzero", A(shape))
sample("count_nonzero", A((2, 0)), 1)
sample("count_nonzero", A((9,), special=True))
error("count_nonzero", A((2, 3)), 2)
error("count_nonzero", A((2, 3)), (0, 0))
error("count_nonzero", A((2, 3)), "text")
error("count_nonzero", A((2, 3)), 0.5)
error("count_nonzero", A((2, 3)), (0, "text"))
error("count_nonzero", "text")
error("count_nonzero", A((2, 3)), no_such=1)

for dtype in DTYPES:
    sample("aminmax", A((3, 4), dtype))
    sample("aminmax", A((3, 4), dtype), dim=0)
    sample("aminmax", A((3, 4), dtype), dim=-1, keepdim=True)
for layout in ("transposed", "strided", "expanded"):
    sample("aminmax", A((3, 4), layout=layout), dim=0)
for shape in ((), (1,), (2, 3, 2)):
    sample("aminmax", A(shape))
sample("aminmax", A((2, 3)), keepdim=True)
sample("aminmax", A(()), dim=0)
sample("aminmax", A((0, 2)), dim=1)
sample("aminmax", A((9,), special=True), grad=False)
sample("aminmax", V([1.0, 3.0, 3.0, 1.0, 1.0]))
sample("aminmax", V([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), dim=1)
sample("aminmax", A((2, 3), "float64"), dim=-1, sets=True)
error("aminmax", A((0,)))
error("aminmax", A((2, 0)), dim=1)
error("aminmax", A((2, 3)), dim=2)
error("aminmax", A((2, 3)), dim=(0, 1))
error("aminmax", A((2, 3)), 0)
error("aminmax", A((2, 3)), dim="text")
error("aminmax", "text")

for dtype in FLOATING:
    sample("nanmean", A((3, 4), dtype))
    sample("nanmean", A((3, 4), dtype, special=True), 0, grad=False)
    sample("nanmean", A((3, 4), dtype), dim=-1, keepdim=True)
for dim in (0, 1, (0, 2), (0, 1, 2), None, [1, 2]):
    sample("nanmean", A((2, 3, 4), "float64"), dim=dim)
for layout in ("transposed", "strided", "expanded"):
    sample("nanmean", A((3, 4), layout=layout), dim=0)
for shape in ((), (0,), (2, 0)):
    sample("nanmean", A(shape), check=False)
for values in ([NAN, 1.0, 2.0], [NAN, float("inf"), 1.0], [1.0]):
    sample("nanmean", V(values, "float64"))
NO_GRADIENT = "the gradient of a NaN is 0 where there is nothing else, too; PyTorch's is NaN there"
sample("nanmean", V([NAN, NAN], "float64"), differs=NO_GRADIENT)
sample("nanmean", A((3,)), dtype="dtype:float64")
sample("nanmean", V([[NAN, 1.0], [NAN, NAN]]), 1, differs=NO_GRADIENT)
sample("nanmean", A((2, 3), "float64"), dim=-1, sets=True)
error("nanmean", A((3,), "int32"))
error("nanmean", A((2, 3)), 2)
error("nanmean", A((2, 3)), (0, 0))
error("nanmean", A((2, 3)), "text")
error("nanmean", "text")
error("nanmean", A((3,)), no_such=1)

# ---- covariances

for dtype in DTYPES[1:]:
    for name in ("cov", "corrcoef"):
        sample(name, A((3, 5), dtype), grad=dtype not in ("float16", "bfloat16"), tol=64)
for name in ("cov", "corrcoef"):
    for shape in ((), (4,), (1, 4), (2, 3), (3, 2)):
        # At a correlation of 1 rounding decides on which side of the bound it lies, and so on the gradient.
        sample(name, A(shape), check=False, grad=shape != () and (name == "cov" or shape != (3, 2)))
    for layout in ("transposed", "strided"):
        sample(name, A((3, 4), "float64", layout), check=name == "cov")
    sample(name, A((3, 9), special=True), grad=False)
    sample(name, A((3, 20), "float64", low=99, high=101), tol=2000, check=False)
    sample(name, A((2, 5), "float64"), sets=False)
    sample(name, A((2, 4), "float64", seed=1), check=name == "cov")
    sample(name, A((3, 6), layout="expanded"), grad=False)
    sample(name, input=A((2, 6), "float64"))
    error(name, A((2, 3, 4)))
    error(name, "text")
    error(name, A((2, 3)), 1)
    error(name, A((2, 3)), no_such=1)
    error(name)
for correction in (0, 1, 2, 3):
    sample("cov", A((2, 5), "float64"), correction=correction)
sample("cov", A((2, 5)), fweights=V([1, 2, 0, 3, 1], "int64"))
sample("cov", A((2, 5), "float64"), fweights=V([1, 2, 0, 3, 1], "int32"), correction=0)
sample("cov", A((2, 5), "float64"), aweights=V([1.0, 2.0, 0.5, 0.25, 1.0], "float64"))
sample("cov", A((2, 5), "float64"), aweights=V([1.0, 2.0, 0.5, 0.25, 1.0], "float64"), correction=0)
sample("cov", A((2, 5), "float64"), fweights=V([1, 2, 0, 3, 1], "int64"), aweights=V([1.0, 2.0, 0.5, 0.25, 1.0], "float64"))
sample("cov", A((5,), "float64"), fweights=V([1, 2, 0, 3, 1], "int64"))
error("cov", A((2, 5)), fweights=V([1.0, 2.0, 0.0, 3.0, 1.0]))
error("cov", A((2, 5)), fweights=V([1, 2], "int64"))
error("cov", A((2, 5)), fweights=V([1, 2, -1, 3, 1], "int64"))
error("cov", A((2, 5)), aweights=V([1.0, 2.0, -1.0, 3.0, 1.0]))
error("cov", A((2, 5)), aweights=V([1, 2, 0, 3, 1], "int64"))
error("cov", A((2, 5)), correction=0.5)
for name in ("cov", "corrcoef"):
    error(name, A((2, 5), "bool"))

# ---- norms

ORDERS = (0, 1, 2, 3, 0.5, 1.5, -1, -2, -0.5, float("inf"), float("-inf"))
for name, order in (("norm", "p"), ("linalg.vector_norm", "ord")):
    for dtype in FLOATING:
        sample(name, A((3, 4), dtype))
        for p in (0, 1, 2, 3, float("inf")):
            sample(name, A((3, 4), dtype), p, 1, tol=16)
    for p in ORDERS:
        sample(name, A((7,), "float64"), p, grad=p != 0)
        sample(name, A((3, 4), "float64"), **{order: p}, dim=0, keepdim=True, grad=p != 0)
        sample(name, A((2, 3, 4)), p, (0, 2), grad=p != 0)
        sample(name, V([0.0, 1.0, -2.0], "float64"), p, grad=p > 0)
        sample(name, V([0.0, 0.0]), p, grad=p > 0)
        sample(name, A((9,), special=True), p, grad=False)
        if p >= 0 and p != float("inf"):
            sample(name, A((0,)), p, check=False, grad=False)
            sample(name, A((2, 0)), p, 1, check=False, grad=False)
        else:
            error(name, A((0,)), p)
    for layout in ("transposed", "strided", "expanded"):
        sample(name, A((3, 4), layout=layout))
        sample(name, A((3, 4), layout=layout), 2, 1)
    for shape in ((), (1,), (2, 3, 2)):
        sample(name, A(shape))
    sample(name, A((3, 4)), dtype="dtype:float64")
    sample(name, A((3, 4), "float16"), 2, 1, dtype="dtype:float32")
    sample(name, A((3, 4)), dim=None)
    sample(name, A((2, 3, 4)), dim=(-1, -2))
    sample(name, A((100000,), low=-1, high=1), check=False)
    error(name, A((2, 3)), 2, 2)
    error(name, A((2, 3)), 2, (0, 0))
    error(name, A((3,), "int32"))
    error(name, A((2, 3)), "text")
    error(name, A((2, 3)), 2, "text")
    error(name, "text")
    error(name, A((3,)), dtype="dtype:int32")
    error(name, A((3,), "float64"), dtype="dtype:float32")
sample("norm", A((3, 4)), "fro")
sample("norm", A((3, 4)), "fro", 1)
sample("norm", A((2, 3, 4)), p="fro", dim=(1, 2), keepdim=True)
sample("norm", A((3, 4), "float64"), "nuc")
sample("norm", A((2, 3, 4), "float64"), p="nuc", dim=(1, 2))
error("norm", A((3,)), "nuc")
error("norm", A((3, 4)), "none")

for dtype in ("float32", "float64"):
    for order in (None, "fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")):
        sample("linalg.norm", A((3, 4), dtype), order, tol=64)
        sample("linalg.norm", A((2, 3, 4), dtype), order, (0, 2), True, tol=64)
for order in (None, 0, 1, 2, 3, -1, float("inf")):
    sample("linalg.norm", A((5,), "float64"), order, grad=order != 0)
    sample("linalg.norm", A((2, 3, 4), "float64"), order, dim=1, grad=order != 0)
sample("linalg.norm", A((2, 3, 4)))
sample("linalg.norm", A((2, 3, 4)), keepdim=True)
sample("linalg.norm", A((2, 3)), dtype="dtype:float64")
error("linalg.norm", A((2, 3, 4)), 2)
error("linalg.norm", A((3, 4)), 3)
error("linalg.norm", A((3,)), "fro")
error("linalg.norm", A((3, 4)), "none")
error("linalg.norm", A((3, 4)), 2, (0, 0))
error("linalg.norm", A((3, 4), "int32"))
error("linalg.norm", "text")
