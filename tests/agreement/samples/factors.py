"""Linear algebra: orthogonal factors, norms, ranks and functions of matrices."""

from agreement import A, V, error, sample
from sampled_matrices import (
    BATCHES,
    DTYPES,
    NOT_FINITE,
    REMOVED,
    SINGULAR,
    ZEROS,
    definite,
    diagonal,
    near_unit,
    square_errors,
)

# ---- orthogonal factors

SIZES = ((1, 1), (2, 2), (3, 3), (2, 3), (3, 2), (1, 4), (4, 1))

for dtype in DTYPES:
    for m, n in SIZES:
        for mode in ("reduced", "complete", "r"):
            grad = mode == "reduced" or (mode == "complete" and m <= n)
            sample("linalg.qr", A((m, n), dtype), mode, grad=grad, tol=4096)
            sample("linalg.qr", A((2, m, n), dtype, seed=1), mode=mode, grad=grad, tol=4096)
        sample("qr", A((m, n), dtype), tol=4096, differs=REMOVED)
        sample("qr", A((2, m, n), dtype, seed=1), some=False, grad=m <= n, tol=4096, differs=REMOVED)
        sample("made.svd", A((m, n), dtype), tol=8192)
        sample("made.old_svd", A((2, m, n), dtype), tol=8192)
        sample("made.full_svd", A((m, n), dtype), grad=False)
        sample("linalg.svdvals", A((m, n), dtype), tol=1024)
        sample("linalg.svdvals", A((2, m, n), dtype, seed=1), tol=1024)
    for batch in BATCHES:
        for mode in ("reduced", "complete", "r"):
            sample("linalg.qr", A((*batch, 0, 0), dtype), mode, grad=False)
            sample("linalg.qr", A((*batch, 3, 0), dtype), mode, grad=False)
            sample("linalg.qr", A((*batch, 0, 2), dtype), mode, grad=False)
        for full in (False, True):
            sample("linalg.svd", A((*batch, 0, 0), dtype), full, grad=False)
            sample("linalg.svd", A((*batch, 3, 0), dtype), full_matrices=full, grad=False)
            sample("linalg.svd", A((*batch, 0, 2), dtype), full_matrices=full, grad=False)
        sample("svd", A((*batch, 0, 2), dtype), grad=False)
        sample("svd", A((*batch, 3, 2), dtype), compute_uv=False, grad=False)
        sample("linalg.svdvals", A((*batch, 0, 2), dtype), grad=False)
        sample("linalg.eigh", A((*batch, 0, 0), dtype), grad=False)
        sample("linalg.eigvalsh", A((*batch, 0, 0), dtype), grad=False)
    for n in (1, 2, 3):
        for uplo in ("L", "U"):
            sample("made.eigh", A((n, n), dtype), uplo, tol=4096)
            sample("made.eigh", A((2, n, n), dtype), uplo, tol=4096)
            sample("made.eigvalsh", A((n, n), dtype), uplo, tol=1024)
            sample("linalg.eigvalsh", A((n, n), dtype), uplo, tol=1024, check=False)  # of one triangle
            sample("linalg.eigvalsh", A((2, n, n), dtype), UPLO=uplo.lower(), tol=1024, check=False)
        sample("linalg.eigvalsh", diagonal(*range(n), dtype=dtype))
    for rows, columns in ((3, 3), (3, 2), (4, 1), (2, 2)):
        sample("linalg.householder_product", A((rows, columns), dtype), A((columns,), dtype), tol=1024)
        sample("linalg.householder_product", A((2, rows, columns), dtype), A((2, columns), dtype), tol=1024)
        sample("linalg.householder_product", A((rows, columns), dtype), A((columns - 1,), dtype), tol=1024)
        sample("orgqr", A((rows, columns), dtype), A((columns,), dtype), tol=1024)
        sample("orgqr", A((2, 2, rows, columns), dtype), A((2, 2, columns), dtype), tol=1024)
        sample("orgqr", A((rows, columns), dtype), A((0,), dtype), tol=1024)
for layout in ("transposed", "strided", "expanded"):
    sample("linalg.qr", A((2, 3, 2), "float64", layout), tol=4096)
    sample("made.svd", A((2, 2, 3), "float64", layout), tol=8192)
    sample("made.eigh", A((2, 3, 3), "float64", layout), tol=4096)
sample("linalg.svd", V([[3.0]]), grad=False)
for dtype in DTYPES:
    for uplo in ("L", "U"):
        for value in (2.0, -3.0, 0.0):
            sample("linalg.eigh", V([[value]], dtype), uplo, grad=False)
sample("made.svd", A((2, 2), "float64"), full_matrices=True, tol=8192)
sample("linalg.svdvals", SINGULAR, grad=False)
sample("linalg.svdvals", ZEROS, grad=False)
sample("linalg.eigvalsh", V([[1.0, 99.0], [2.0, 1.0]]), grad=False)
for name in ("linalg.qr", "qr", "linalg.svd", "svd", "linalg.svdvals"):
    for bad in (A((3,)), A(()), A((2, 2), "int64"), A((2, 2), "float16"), A((2, 2), "bool")):
        error(name, bad)
error("linalg.qr", A((2, 2)), "full")
error("linalg.qr", A((2, 2)), mode="")
for name in ("linalg.eigh", "linalg.eigvalsh"):
    square_errors(name)
    error(name, A((2, 2)), "X")
    error(name, NOT_FINITE, differs="PyTorch 2.15 gives finite numbers")
error("linalg.svd", NOT_FINITE)
error("linalg.svdvals", NOT_FINITE)
for a, tau in ((A((2, 3)), A((2,))), (A((3,)), A((1,))), (A((3, 2)), A((3,))), (A((3, 2)), A((2,), "float64")), (A((2, 3, 2)), A((2,))),
               (A((3, 2), "int64"), A((2,), "int64"))):  # fmt: skip
    error("linalg.householder_product", a, tau)
    error("orgqr", a, tau)

# ---- norms, ranks, pseudoinverses

ORDERS = ("fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf"))
for dtype in DTYPES:
    for order in ORDERS:
        for shape in ((2, 3), (3, 2), (1, 1)):
            sample("linalg.matrix_norm", A(shape, dtype), order, tol=1024)
        sample("linalg.matrix_norm", A((2, 3, 2), dtype), order, keepdim=True, tol=1024)
        sample("linalg.matrix_norm", A((2, 3, 2), dtype), ord=order, dim=(0, 2), tol=1024)
        sample("linalg.matrix_norm", A((2, 3, 2), dtype), order, (2, 0), True, tol=1024)
        # PyTorch 2.15 cannot differentiate all of them: it changes an inverse in place that it has saved.
        sample("linalg.cond", A((3, 3), dtype), order, tol=8192, grad=order in (2, -2))
        sample("linalg.cond", A((2, 2, 2), dtype), p=order, tol=8192, grad=order in (2, -2))
    sample("linalg.cond", A((3, 3), dtype), tol=8192)
    sample("linalg.cond", A((2, 3, 2), dtype), tol=8192)
    sample("linalg.cond", A((3, 2), dtype), -2, tol=8192)
    sample("linalg.matrix_norm", V([[0.0, 0.0], [0.0, 0.0]], dtype))
    for m, n in ((1, 1), (2, 2), (2, 3), (3, 2), (4, 1)):
        sample("linalg.pinv", A((m, n), dtype), tol=8192)
        sample("linalg.pinv", A((2, m, n), dtype), tol=8192)
        sample("pinverse", A((m, n), dtype), tol=8192)
        sample("pinverse", A((2, m, n), dtype), 1e-4, tol=8192)
        sample("linalg.matrix_rank", A((m, n), dtype))
        sample("linalg.matrix_rank", A((2, m, n), dtype), 2.0)
        sample("linalg.matrix_rank", A((2, m, n), dtype), atol=1.0, rtol=0.3)
        for k in (1, 2):
            sample("linalg.lstsq", A((m, n), dtype), A((m, k), dtype), tol=8192, capture=False)
            sample("linalg.lstsq", A((2, m, n), dtype), A((2, m, k), dtype), tol=8192, capture=False)
            sample("linalg.lstsq", A((m, n), dtype), A((m, k), dtype), driver="gelsd", tol=8192, capture=False)
    sample("linalg.pinv", definite(3, 3, dtype=dtype), hermitian=True, tol=1024)
    sample("linalg.pinv", A((3, 2), dtype), 0.5, tol=8192, grad=False)
    sample("linalg.pinv", A((3, 2), dtype), atol=2.0, tol=8192, grad=False)
    sample("linalg.pinv", A((3, 2), dtype), rtol=0.9, tol=8192, grad=False)
    sample("linalg.matrix_rank", definite(3, 3, dtype=dtype), hermitian=True)
    sample("linalg.matrix_rank", V([[1.0, 2.0], [2.0, 4.0]], dtype))
    sample("linalg.matrix_rank", V([[1.0, 2.0], [2.0, 4.0]], dtype), hermitian=True)
    sample("linalg.matrix_rank", V([[0.0]], dtype))
    for batch in BATCHES:
        sample("linalg.pinv", A((*batch, 3, 0), dtype))
        sample("linalg.matrix_rank", A((*batch, 0, 3), dtype))
        sample("linalg.matrix_norm", A((*batch, 2, 2), dtype))
sample("linalg.pinv", SINGULAR, grad=False)
sample("linalg.pinv", ZEROS, grad=False)
sample("linalg.cond", SINGULAR, "fro", grad=False, tol=1e6)
sample("linalg.matrix_norm", A((2, 2)), dtype="dtype:float64")
for name in ("linalg.matrix_norm", "linalg.cond", "linalg.matrix_rank", "linalg.pinv", "pinverse"):
    for bad in (A((3,)), A(()), A((2, 2), "int64"), A((2, 2), "bool")):
        error(name, bad)
for order in ("frob", 3, 0, -3):
    error("linalg.matrix_norm", A((2, 2)), order)
    error("linalg.cond", A((2, 2)), order)
error("linalg.matrix_norm", A((2, 2)), dim=(0, 0))
error("linalg.matrix_norm", A((2, 2)), dim=(0,))
error("linalg.matrix_norm", A((2, 2)), dim=(0, 2))
error("linalg.cond", A((2, 3)), 1)
error("linalg.pinv", A((2, 3)), hermitian=True)
error("pinverse", A((2, 2), "float16"))
error("linalg.matrix_rank", A((2, 3)), hermitian=True)
for a, b in ((A((3, 2)), A((2, 2))), (A((3,)), A((3,))), (A((3, 2)), A((3, 2), "float64")), (A((3, 2), "int64"), A((3, 2), "int64")),
             (A((2, 3, 2)), A((4, 3, 2)))):  # fmt: skip
    error("linalg.lstsq", a, b)
error("linalg.lstsq", A((3, 2)), A((3, 2)), driver="gelsx")

# ---- functions of matrices, tensors as matrices

for dtype in DTYPES:
    for n in (0, 1, 2, 3, 4, 5, 7, -1, -2, -3):
        for name in ("matrix_power", "linalg.matrix_power"):
            sample(name, near_unit(3, 3, dtype=dtype), n, tol=1024)
            sample(name, near_unit(2, 2, 2, dtype=dtype), n, tol=1024)
    for shape in ((1, 1), (2, 2), (3, 3), (2, 2, 2), (0, 0), (2, 0, 0), (0, 2, 2)):
        for name in ("matrix_exp", "linalg.matrix_exp"):
            sample(name, A(shape, dtype), tol=2048, capture=False)
            sample(name, A(shape, dtype, low=-0.1, high=0.1), tol=512, capture=False)
    sample("linalg.matrix_exp", A((2, 2), dtype, low=-20, high=20), tol=1e5, capture=False, check=False)
sample("matrix_exp", V([[0.0, 1.0], [0.0, 0.0]]), capture=False)
sample("matrix_power", A((2, 2), "float64"), 2)
sample("matrix_power", A((2, 0, 0)), 3)
for name in ("matrix_power", "linalg.matrix_power"):
    for bad in (A((3,)), A((2, 3)), A(()), A((2, 2), "bool"), A((2, 3, 2))):
        error(name, bad, 2)
    for dtype in ("int32", "int64", "float16"):
        sample(name, A((2, 2), dtype), 2, grad=False)
        sample(name, A((2, 3, 3), dtype), 3, grad=False)
    error(name, SINGULAR, -1)
    error(name, A((2, 2)), 1.5)
for name in ("matrix_exp", "linalg.matrix_exp"):
    for bad in (A((3,)), A((2, 3)), A((2, 2), "int64"), A(()), A((2, 2), "bool")):
        error(name, bad)

for dtype in DTYPES:
    for shape, ind in (((4, 2, 2), 1), ((2, 2, 4), 2), ((6, 3, 2), 1), ((3, 2, 6), 2), ((2, 1, 2), 2), ((2, 2), 1), ((2, 3, 3, 2), 2)):
        sample("linalg.tensorinv", A(shape, dtype), ind, tol=8192)
        sample("linalg.tensorinv", A(shape, dtype, seed=3), ind=ind, tol=8192)
    for shape, b, dims in (((2, 2, 4), (2, 2), None), ((4, 4), (4,), None), ((2, 3, 6), (2, 3), None), ((3, 2, 1, 6), (3, 2), None),
                           ((6, 2, 3), (2, 3), (0,)), ((2, 6, 3), (2, 3), (1,)), ((6, 2, 3), (2, 3), (-3,))):  # fmt: skip
        sample("linalg.tensorsolve", A(shape, dtype), A(b, dtype), dims, tol=8192)
        sample("linalg.tensorsolve", A(shape, dtype, seed=2), A(b, dtype), dims=dims, tol=8192)
for bad in (A((2, 3)), A((2, 2, 3)), A((2, 2, 4), "int64"), A((3, 2, 2))):
    error("linalg.tensorinv", bad)
error("linalg.tensorinv", A((2, 2)), ind=0)
error("linalg.tensorinv", A((4, 2, 2)), 1.5)
error("linalg.tensorsolve", A((2, 2, 3)), A((2, 2)))
error("linalg.tensorsolve", A((2, 3)), A((2,)))
error("linalg.tensorsolve", A((4, 4)), A((4,), "float64"))
error("linalg.tensorsolve", A((4, 4)), A((3,)))
error("linalg.tensorsolve", A((4, 4)), A((4,)), dims=(2,))

for dtype in ("float32", "float64", "int32", "int64", "uint8", "bool"):
    for shape in ((3,), (2, 3)):
        if dtype != "bool":
            sample("linalg.vander", A(shape, dtype))
            sample("linalg.vander", A(shape, dtype), N=4)
            sample("linalg.vander", A(shape, dtype, seed=1), N=2)
    for n in (None, 0, 1, 2, 4):
        for increasing in (False, True):
            sample("vander", A((3,), dtype), n, increasing)
sample("linalg.vander", A((0,)), N=3)
sample("vander", A((0,)))
for bad in (0, 1, -1, 1.5):
    error("linalg.vander", A((3,)), N=bad)
error("linalg.vander", A(()))
error("linalg.vander", A((1,)))
error("linalg.vander", A((3,), "bool"))
for bad in (A(()), A((2, 2))):
    error("vander", bad)
error("vander", A((3,)), -1)
error("vander", A((3,)), 1.5)
error("vander", 3)

for dtype in ("float32", "float64", "int32", "int64", "bfloat16"):
    for a, b, dim in (((3,), (3,), -1), ((2, 3), (2, 3), 1), ((3, 2), (3, 2), 0), ((2, 3), (1, 3), -1), ((2, 1, 3), (1, 4, 3), 2), ((3, 3), (3, 3), 0)):
        sample("linalg.cross", A(a, dtype), A(b, dtype), dim=dim)
        sample("cross", A(a, dtype), A(b, dtype), dim)
        if "float" in dtype:
            sample("linalg.vecdot", A(a, dtype), A(b, dtype), dim=dim)
    sample("cross", A((3, 2), dtype), A((3, 2), dtype))
    sample("cross", A((2, 3, 3), dtype), A((2, 3, 3), dtype))
    if "float" in dtype:
        sample("linalg.vecdot", A((4,), dtype), A((4,), dtype))
        sample("linalg.vecdot", A((2, 4), dtype), A((4,), dtype))
for bad in (A((2,)), A((3, 1)), A((2, 3))):
    error("linalg.cross", A((3,)), bad)
    error("cross", A((4,)), bad)
error("linalg.cross", A((3,)), A((3,)), dim=1)
error("linalg.cross", A((2, 3)), A((4, 3)))
error("cross", A((2, 3)), A((4, 3)))
error("cross", A((3,)), A((3,)), 2)
error("linalg.vecdot", A((3,)), A((2,)))
error("linalg.vecdot", A((3,)), A((3,)), dim=1, differs="a vector has no dimension 1")
error("linalg.vecdot", A((3,)), 2)
error("linalg.vecdot", A((3,), "int64"), A((3,), "int64"))
error("linalg.vecdot", 2, A((3,)))
error("linalg.vecdot", A((2, 3)), A((3, 2)))
