"""Linear algebra: systems, inverses, determinants and triangular factors."""

import numpy as np

from agreement import A, V, error, sample
from sampled_matrices import (
    BATCHES,
    DTYPES,
    NOT_DEFINITE,
    NOT_FINITE,
    REMOVED,
    SECOND_SINGULAR,
    SINGULAR,
    ZEROS,
    definite,
    near_unit,
    square_errors,
)

# ---- Cholesky

for dtype in DTYPES:
    for n in (1, 2, 3, 5):
        for upper in (False, True):
            sample("linalg.cholesky", definite(n, n, dtype=dtype), upper=upper)
            sample("cholesky", definite(n, n, dtype=dtype, seed=1), upper, differs=REMOVED)
            sample("linalg.cholesky_ex", definite(n, n, dtype=dtype, seed=2), upper=upper)
            sample("linalg.cholesky_ex", definite(2, n, n, dtype=dtype, seed=2), upper=upper, check_errors=True)
            sample("linalg.cholesky", definite(2, 1, n, n, dtype=dtype, seed=3), upper=upper)
            sample("cholesky", definite(2, n, n, dtype=dtype, seed=4), upper, differs=REMOVED)
    for batch in BATCHES:
        sample("linalg.cholesky", A((*batch, 0, 0), dtype))
        sample("linalg.cholesky_ex", A((*batch, 0, 0), dtype))
        sample("cholesky", A((*batch, 0, 0), dtype), differs=REMOVED)
for upper in (False, True):
    for shape in ((1, 1), (2, 2), (3, 3), (2, 2, 2), (2, 1, 3, 3)):
        sample("made.cholesky", A(shape, "float64"), upper=upper)
        sample("made.cholesky_ex", A(shape, "float64"), upper=upper)
        sample("made.cholesky_inverse", A(shape, "float64"), upper=upper, tol=1e4)
        sample("made.cholesky_solve", A((*shape[:-1], 2), "float64"), A(shape, "float64"), upper=upper, tol=1e4)
    sample("linalg.cholesky", V([[4.0, 99.0], [2.0, 5.0]] if not upper else [[4.0, 2.0], [99.0, 5.0]]), upper=upper, grad=False)
for name in ("linalg.cholesky", "cholesky"):
    square_errors(name)
    for bad in (ZEROS, NOT_DEFINITE, NOT_FINITE, SECOND_SINGULAR):
        error(name, bad)
square_errors("linalg.cholesky_ex")
error("linalg.cholesky_ex", NOT_DEFINITE, check_errors=True)
sample("linalg.cholesky_ex", V([[-1.0]]), grad=False, differs="a matrix without a factor gets NaN")
sample("linalg.cholesky_ex", V([[[4.0, 2.0], [2.0, 1.0]], [[4.0, 2.0], [2.0, 5.0]]]), grad=False,
       differs="a matrix without a factor gets NaN")  # fmt: skip

TRIANGLES = [V([[2.0, 0.0], [1.0, 3.0]], "float64"), V([[2.0, 5.0], [1.0, 3.0]], "float32"), near_unit(3, 3), near_unit(2, 3, 3),
             near_unit(2, 1, 2, 2, dtype="float32"), near_unit(4, 4), near_unit(1, 1), near_unit(3, 1, 1, dtype="float32")]  # fmt: skip
for factor in TRIANGLES:
    shape = np.array(factor.data).shape
    for upper in (False, True):
        # PyTorch's gradient has numbers in the triangle that is not read; made.cholesky_solve compares the rest.
        sample("cholesky_inverse", factor, upper, tol=256, grad=False)
        for k in (1, 2, 4):
            sample("cholesky_solve", A((*shape[:-1], k), factor.dtype), factor, upper, tol=256, grad=False)
            sample("cholesky_solve", A((shape[-1], k), factor.dtype), factor, upper, tol=256, grad=False)
for batch in BATCHES:
    sample("cholesky_inverse", A((*batch, 0, 0)))
    sample("cholesky_solve", A((*batch, 0, 2)), A((*batch, 0, 0)))
    sample("cholesky_solve", A((*batch, 3, 0)), A((*batch, 3, 3)))
square_errors("cholesky_inverse")
for bad in (A((3,)), A((2, 3)), A((3, 2), "int64"), A((2, 2), "float64"), A((3, 2, 2, 1))):
    error("cholesky_solve", bad, A((2, 3, 3)))
error("cholesky_solve", A((3, 2)), A((3, 2)))
error("cholesky_solve", A((3,)), A((3, 3)))

# ---- triangular systems

for dtype in DTYPES:
    for upper in (False, True):
        for left in (False, True):
            for unit in (False, True):
                for n, k in ((1, 1), (2, 3), (3, 1)):
                    a = near_unit(n, n, dtype=dtype, seed=n)
                    sample("linalg.solve_triangular", a, A((n, k) if left else (k, n), dtype), upper=upper, left=left,
                           unitriangular=unit, tol=256)  # fmt: skip
                a = near_unit(2, 3, 3, dtype=dtype, seed=7)
                sample("linalg.solve_triangular", a, A((3, 3), dtype), upper=upper, left=left, unitriangular=unit, tol=256)
                sample("linalg.solve_triangular", near_unit(3, 3, dtype=dtype), A((2, 1, 3, 3), dtype), upper=upper, left=left,
                       unitriangular=unit, tol=256)  # fmt: skip
            sample("made.triangular", A((2, 2), dtype), A((2, 2), dtype), upper=upper, left=left, tol=256)
            sample("made.triangular", A((2, 2, 2), dtype), A((2, 1, 2, 2), dtype), upper=upper, left=left, tol=256)
        for transpose in (False, True):
            for unit in (False, True):
                sample("triangular_solve", A((3, 2), dtype), near_unit(3, 3, dtype=dtype), upper, transpose, unit, tol=256)
                sample("triangular_solve", A((2, 3, 2), dtype), near_unit(2, 3, 3, dtype=dtype), upper, transpose, unit, tol=256)
                sample("triangular_solve", A((3, 2), dtype), near_unit(2, 3, 3, dtype=dtype), upper, transpose, unit, tol=256)
    for batch in BATCHES:
        sample("linalg.solve_triangular", A((*batch, 0, 0), dtype), A((*batch, 0, 2), dtype), upper=True)
        sample("linalg.solve_triangular", A((*batch, 2, 2), dtype), A((*batch, 2, 0), dtype), upper=True)
for layout in ("transposed", "strided", "expanded"):
    sample("made.triangular", A((2, 2), "float64", layout), A((2, 2), "float64", layout), upper=True, tol=256)
    sample("made.triangular", A((2, 2, 2), "float64", layout), A((2, 2, 2), "float64", layout), upper=False, left=False, tol=256)
sample("linalg.solve_triangular", V([[0.0, 0.0], [1.0, 1.0]]), V([[1.0], [1.0]]), upper=False, grad=False)
square_errors("linalg.solve_triangular", A((2, 2)), upper=True)
for bad in (A((3, 2)), A((2,))):
    error("linalg.solve_triangular", A((2, 2)), bad, upper=False)
for bad in (A((2, 2), "float64"), A((2, 2), "int64")):
    error("linalg.solve_triangular", A((2, 2)), bad, upper=False, differs="both must be of one dtype")
error("linalg.solve_triangular", A((2, 2)), A((2, 3)), upper=False, left=False)
error("linalg.solve_triangular", A((2, 2, 2)), A((3, 2, 2)), upper=False)
error("linalg.solve_triangular", A((2, 2)), A((2, 2)))
for bad in (A((3, 2)), A((2,)), A((2, 2), "float64"), A((2, 2), "int64")):
    error("triangular_solve", bad, A((2, 2)))
error("triangular_solve", A((2, 2)), A((2, 3)))

# ---- systems and inverses

for dtype in DTYPES:
    for n, k in ((1, 1), (2, 3), (3, 1), (5, 2)):
        sample("linalg.solve", near_unit(n, n, dtype=dtype, seed=n, scale=0.2), A((n, k), dtype), tol=512)
        sample("linalg.solve", near_unit(n, n, dtype=dtype, seed=n, scale=0.2), A((k, n), dtype), left=False, tol=512)
        sample("linalg.solve_ex", near_unit(n, n, dtype=dtype, seed=n, scale=0.2), A((n, k), dtype), tol=512)
    a = near_unit(2, 3, 3, dtype=dtype)
    for b in (A((3, 2), dtype), A((2, 3, 2), dtype), A((4, 2, 3, 2), dtype), A((1, 3, 1), dtype), A((2, 3), dtype), A((3,), dtype)):
        sample("linalg.solve", a, b, tol=256)
        sample("linalg.solve_ex", a, b, tol=256)
    for b in (A((3,), dtype), A((3, 1), dtype), A((5, 3, 2), dtype)):
        sample("linalg.solve", near_unit(3, 3, dtype=dtype), b, tol=256)
    for batch in BATCHES:
        sample("linalg.solve", A((*batch, 0, 0), dtype), A((*batch, 0, 2), dtype))
        sample("linalg.solve", near_unit(2, 2, dtype=dtype), A((*batch, 2, 0), dtype))
        for name in ("linalg.inv", "inverse", "linalg.inv_ex", "linalg.pinv"):
            sample(name, A((*batch, 0, 0), dtype))
    for n in (1, 2, 3, 5):
        for name in ("linalg.inv", "inverse", "linalg.inv_ex"):
            sample(name, near_unit(n, n, dtype=dtype, seed=n, scale=0.2), tol=512)
            sample(name, near_unit(2, n, n, dtype=dtype, seed=n, scale=0.2), tol=512)
            sample(name, near_unit(2, 1, n, n, dtype=dtype, seed=n, scale=0.2), tol=512)
for layout in ("contiguous", "transposed", "strided", "expanded"):
    sample("made.solved", A((2, 2), "float64", layout), A((2, 2), "float64", layout), tol=256)
    sample("made.solved", A((2, 2), "float64", layout), A((2,), "float64"), tol=256)
    sample("made.solved", A((2, 2, 2), "float64", layout), A((2, 2, 1), "float64", layout), tol=256)
    sample("made.solved", A((2, 2), "float64", layout), A((1, 2), "float64", layout), left=False, tol=256)
    sample("made.inverted", A((3, 3), "float64", layout), tol=256)
    sample("made.inverted", A((2, 2, 2), "float64", layout), tol=256)
for name in ("linalg.inv", "inverse"):
    square_errors(name)
    error(name, SINGULAR)
    error(name, SECOND_SINGULAR)
    error(name, ZEROS)
square_errors("linalg.inv_ex")
sample("linalg.inv_ex", V([[1.0, 0.0], [0.0, 2.0]]))
error("linalg.inv_ex", SINGULAR, check_errors=True)
for name in ("linalg.solve", "linalg.solve_ex"):
    square_errors(name, A((2, 2)))
    for bad in (A((3, 2)), A((3,)), A((2, 2), "float64"), A((2, 2), "int64"), A(())):
        error(name, A((2, 2)), bad)
    error(name, A((2, 2)), A((2, 3)), left=False)
    error(name, A((2, 2)), A((2,)), left=False)
    error(name, A((2, 2, 2)), A((3, 2, 2)))
error("linalg.solve", SINGULAR, A((2, 1), "float64"))
error("linalg.solve", SECOND_SINGULAR, A((2, 1), "float64"))
error("linalg.solve_ex", SINGULAR, A((2, 1), "float64"), check_errors=True)

# ---- determinants

for dtype in DTYPES:
    for name in ("linalg.det", "det", "linalg.slogdet", "slogdet"):
        for n in (1, 2, 3):
            sample(name, A((n, n), dtype), tol=512)
            sample(name, A((2, n, n), dtype, seed=1), tol=512)
        for batch in BATCHES:
            sample(name, A((*batch, 0, 0), dtype))
            sample(name, A((*batch, 2, 2), dtype), tol=512)
    for shape in ((1, 1), (2, 2), (3, 3), (2, 3, 3), (2, 1, 2, 2)):
        sample("logdet", definite(*shape, dtype=dtype), tol=512)
        sample("logdet", near_unit(*shape, dtype=dtype, seed=3), tol=512)
        sample("linalg.det", near_unit(*shape, dtype=dtype, seed=3), tol=512)
    for batch in BATCHES:
        sample("logdet", A((*batch, 0, 0), dtype))
for layout in ("transposed", "strided", "expanded"):
    for name in ("linalg.det", "linalg.slogdet"):
        sample(name, A((2, 3, 3), "float64", layout), tol=512)
        sample(name, A((2, 2), "float64", "transposed" if layout == "expanded" else layout, seed=2), tol=512)
sample("logdet", V([[-1.0]]), grad=False)
sample("logdet", V([[[1.0, 0.0], [0.0, -3.0]], [[1.0, 0.0], [0.0, 3.0]]]), grad=False)
sample("logdet", ZEROS, grad=False)
sample("linalg.slogdet", ZEROS, grad=False)
sample("linalg.slogdet", SINGULAR, grad=False)
for singular in (SINGULAR, SECOND_SINGULAR, V([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]], "float64")):
    sample("linalg.det", singular, differs="the gradient for a singular matrix is its cofactors, PyTorch 2.15 gives zeros")
sample("linalg.det", ZEROS, differs="1e-150 for 0")
sample("linalg.det", V([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]], "float64"), grad=False)
sample("linalg.det", V([[float("nan"), 1.0], [1.0, 2.0]]), grad=False)
for name in ("linalg.det", "det", "linalg.slogdet", "slogdet", "logdet"):
    square_errors(name)

# ---- LU

SIZES = ((1, 1), (2, 2), (3, 3), (2, 3), (3, 2), (1, 4), (4, 1))
for dtype in DTYPES:
    for m, n in SIZES:
        for name in ("linalg.lu", "linalg.lu_factor_ex", "lu"):
            sample(name, A((m, n), dtype), tol=2048)
            sample(name, A((2, m, n), dtype, seed=1), tol=2048)
        sample("linalg.lu_factor", A((m, n), dtype, seed=2), tol=2048)
    for batch in BATCHES:
        for name in ("linalg.lu", "linalg.lu_factor", "linalg.lu_factor_ex", "lu"):
            sample(name, A((*batch, 0, 0), dtype))
            sample(name, A((*batch, 3, 0), dtype))
            sample(name, A((*batch, 0, 2), dtype))
for layout in ("transposed", "strided", "expanded"):
    for name in ("linalg.lu", "linalg.lu_factor"):
        sample(name, A((2, 3, 2), "float64", layout), tol=2048)
        sample(name, A((3, 3), "float64", "transposed" if layout == "expanded" else layout), tol=2048)
sample("lu", A((3, 3)), True, True)
sample("lu", ZEROS, get_infos=True, grad=False)
sample("linalg.lu_factor_ex", ZEROS, grad=False)
sample("linalg.lu_factor_ex", SECOND_SINGULAR, grad=False)
sample("linalg.lu", SINGULAR, grad=False)
for name in ("linalg.lu", "linalg.lu_factor", "linalg.lu_factor_ex", "lu"):
    for bad in (A((3,)), A(()), A((2, 2), "int64"), A((2, 2), "float16"), A((2, 2), "bool")):
        error(name, bad)
    error(name, A((2, 2)), pivot=False)
error("linalg.lu_factor", SINGULAR)
error("linalg.lu_factor", ZEROS)
error("linalg.lu_factor_ex", SINGULAR, check_errors=True)

PACKED = V([[2.0, 1.0, 3.0], [0.5, 4.0, 1.0], [0.25, 0.5, 3.0]], "float64")
PIVOTS = V([2, 3, 3], "int32")
for left in (False, True):
    for adjoint in (False, True):
        for b in (A((3, 3), "float64"), A((2, 3, 3), "float64"), A((2, 1, 3, 3), "float64"), A((3, 1), "float64") if left else A((1, 3), "float64")):
            sample("linalg.lu_solve", PACKED, PIVOTS, b, left=left, adjoint=adjoint, tol=256)
        sample("made.lu_solved", A((2, 2), "float64"), A((2, 2), "float64"), left=left, adjoint=adjoint, tol=256)
        sample("made.lu_solved", A((2, 2, 2), "float64"), A((2, 2, 2), "float64"), left=left, adjoint=adjoint, tol=256)
        sample("linalg.lu_solve", V([PACKED.data, PACKED.data], "float32"), V([[2, 3, 3], [1, 2, 3]], "int32"), A((3, 3)), left=left,
               adjoint=adjoint, tol=256)  # fmt: skip
for k in (0, 1, 2, 3, 5):
    sample("lu_solve", A((3, k), "float64"), PACKED, PIVOTS, tol=256)
    sample("lu_solve", A((2, 3, k), "float64"), PACKED, PIVOTS, tol=256)
    sample("lu_solve", A((1, 3, k), "float64"), V([PACKED.data, PACKED.data], "float64"), V([[2, 3, 3], [1, 2, 3]], "int32"), tol=256)
    sample("lu_solve", A((3, k), "float32"), V(PACKED.data), PIVOTS, tol=256)
for bad in (A((2, 2), "float64"), A((3,), "float64"), A((3, 3)), A((3, 3), "int64")):
    error("lu_solve", bad, PACKED, PIVOTS)
    error("linalg.lu_solve", PACKED, PIVOTS, bad)
error("linalg.lu_solve", PACKED, V([1, 2], "int32"), A((3, 3), "float64"))
error("linalg.lu_solve", PACKED, V([1, 2, 3], "int64"), A((3, 3), "float64"))
error("lu_solve", A((3, 3), "float64"), PACKED, V([1, 2, 3], "float64"))

for dtype in DTYPES:
    for m, n in ((1, 1), (3, 3), (2, 3), (3, 2), (4, 1)):
        pivots = [min(i + 2, m) for i in range(min(m, n))]
        sample("lu_unpack", A((m, n), dtype), V(pivots, "int32"))
        sample("lu_unpack", A((2, m, n), dtype), V([pivots, list(range(1, min(m, n) + 1))], "int32"))
        sample("lu_unpack", A((m, n), dtype, "transposed"), V(pivots, "int32"), grad=False)
sample("lu_unpack", PACKED, PIVOTS, False, True, grad=False)
sample("lu_unpack", PACKED, PIVOTS, unpack_pivots=False)
error("lu_unpack", A((3,)), PIVOTS)
error("lu_unpack", PACKED, V([1, 2, 3], "int64"))
error("lu_unpack", PACKED, V([1, 2], "int32"))
error("lu_unpack", A((2, 3, 3)), PIVOTS)
error("lu_unpack", A((3, 3), "int64"), PIVOTS, differs="PyTorch unpacks integers")
