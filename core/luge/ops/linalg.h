#pragma once
// Linear algebra, under the names of torch.linalg. Matrices are the last two dimensions, float32 or float64; the others are
// batches, which broadcast where there are two operands. What comes of a matrix depends on it alone.
//
// Every function throws ShapeError for shapes that do not fit, DTypeError for other dtypes. A matrix that cannot be factored
// or inverted is a LinAlgError, which names the first of the batch; finding out waits for the device. While a step is
// captured nobody finds out: such a matrix gets NaN or infinities, as it does from the forms ending in _ex, which give
// `info` (int32, one per matrix, 0: all is well) instead of throwing.
//
// Derivatives: M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
// differentiation" (2008); I. Murray, "Differentiation of the Cholesky decomposition" (2016). Those of eigenvectors and
// singular vectors are infinite or NaN where eigenvalues or singular values are equal.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge::linalg {

/// A result, and for each matrix whether there is one.
struct Checked {
  Tensor result;
  Tensor info;    ///< int32
};

// ---- Cholesky

/// L, lower triangular, with L L^T = a, of which the lower triangle is read; or, `upper`, U with U^T U = a, of which the upper
/// one is read. The gradient is symmetric. LinAlgError where a matrix is not positive definite.
Tensor cholesky(const Tensor& a, bool upper = false);
/// The same; info: how many rows and columns it takes for a matrix that is not positive definite, which gets NaN.
Checked cholesky_ex(const Tensor& a, bool upper = false, bool check_errors = false);
/// a^-1 b, with `factor` the Cholesky factor of a.
Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper = false);
/// a^-1, with `factor` the Cholesky factor of a.
Tensor cholesky_inverse(const Tensor& factor, bool upper = false);

// ---- linear systems

/// a^-1 b for a triangular a, of which one triangle is read, with a diagonal of ones if `unitriangular`; or, not `left`,
/// b a^-1. A zero on the diagonal gives infinities or NaN.
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left = true, bool unitriangular = false);
/// a^-1 b, or, not `left`, b a^-1. A b of a's shape without the last dimension, or a 1-d one, is a batch of vectors.
/// LinAlgError where a matrix is singular.
Tensor solve(const Tensor& a, const Tensor& b, bool left = true);
Checked solve_ex(const Tensor& a, const Tensor& b, bool left = true, bool check_errors = false);
/// a^-1. LinAlgError where a matrix is singular.
Tensor inv(const Tensor& a);
Checked inv_ex(const Tensor& a, bool check_errors = false);

// ---- determinants

/// The gradient exists for singular matrices, too; that of the gradient does not.
Tensor det(const Tensor& a);
struct SignAndLog {
  Tensor sign, logabsdet;
};
/// sign * exp(logabsdet) is the determinant: 0 and -infinity of a singular matrix. The sign has no gradient.
SignAndLog slogdet(const Tensor& a);
/// The logarithm of the determinant; NaN where that is negative.
Tensor logdet(const Tensor& a);

// ---- LU

/// L below the diagonal, which is 1, and U from there on, of rows in another order.
struct LuFactors {
  Tensor factors;
  Tensor pivots;  ///< int32: at step i row i changed places with row pivots[i] - 1
  Tensor info;    ///< int32: the first pivot that is zero, counted from 1
};
/// With partial pivoting. LinAlgError where a square matrix is singular.
LuFactors lu_factor(const Tensor& a);
LuFactors lu_factor_ex(const Tensor& a, bool check_errors = false);
struct Lu {
  Tensor p, l, u;
};
/// a = p l u, with p a permutation.
Lu lu(const Tensor& a);
/// p, l and u of what lu_factor gives.
Lu lu_unpack(const Tensor& factors, const Tensor& pivots, bool unpack_data = true, bool unpack_pivots = true);
/// a^-1 b, not `left` b a^-1, `adjoint` with a^T in place of a; of what lu_factor gives for a.
Tensor lu_solve(const Tensor& factors, const Tensor& pivots, const Tensor& b, bool left = true, bool adjoint = false);

// ---- orthogonal factors

struct Qr {
  Tensor q, r;
};
/// a = q r. `mode`: "reduced" (q (m, k), r (k, n), k = min(m, n)), "complete" (q (m, m), r (m, n)) or "r" (q is empty).
/// No gradient for "r", and for "complete" with m > n. ValueError for another mode.
Qr qr(const Tensor& a, const std::string& mode = "reduced");
/// The first columns of the product of reflections 1 - tau v v^T, whose vectors are below the diagonal of a (m, n).
Tensor householder_product(const Tensor& a, const Tensor& tau);

struct Eigen {
  Tensor values;   ///< (n), ascending
  Tensor vectors;  ///< (n, n): columns of length 1
};
/// Of symmetric matrices, of which the lower or the upper triangle is read. LinAlgError where one is not finite.
Eigen eigh(const Tensor& a, bool upper = false);
Tensor eigvalsh(const Tensor& a, bool upper = false);

struct Svd {
  Tensor u, s, vh;
};
/// a = u diag(s) vh with s descending; u (m, k), vh (k, n), k = min(m, n), or, with full_matrices, (m, m) and (n, n), whose
/// further vectors have no gradients. LinAlgError where a matrix is not finite.
Svd svd(const Tensor& a, bool full_matrices = true);
Tensor svdvals(const Tensor& a);

// ---- norms, ranks, pseudoinverses

/// "fro", "nuc", or 1, -1, 2, -2, infinity, -infinity.
struct MatrixOrder {
  std::optional<double> p;  ///< absent: by name
  std::string name = "fro";
};
Tensor matrix_norm(const Tensor& a, const MatrixOrder& order, int row_dim = -2, int column_dim = -1, bool keepdim = false);
/// The norm of a times that of its inverse; infinite for a singular matrix.
Tensor cond(const Tensor& a, const std::optional<MatrixOrder>& order = {});
/// How many singular values, `hermitian` absolute eigenvalues, are above max(atol, rtol * the greatest); int64. rtol is
/// max(m, n) * epsilon where neither is given, 0 where only atol is.
Tensor matrix_rank(const Tensor& a, std::optional<double> atol = {}, std::optional<double> rtol = {}, bool hermitian = false);
/// The Moore-Penrose pseudoinverse, with such singular values taken for zero.
Tensor pinv(const Tensor& a, std::optional<double> atol = {}, std::optional<double> rtol = {}, bool hermitian = false);
struct LeastSquaresSolution {
  Tensor solution, residuals, rank, singular_values;
};
/// The x that makes |a x - b| least, and of those the shortest. rcond as matrix_rank's rtol. `residuals`: the sums of squares
/// of a x - b's columns where they are wanted, m > n and every a has full rank, which is read on the host; else empty.
/// singular_values: empty unless they are wanted.
LeastSquaresSolution lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond = {}, bool wants_residuals = false,
                           bool wants_values = false);

// ---- functions of matrices

/// a^n of any numbers; of the inverse for a negative n, in float32 or float64.
Tensor matrix_power(const Tensor& a, std::int64_t n);
/// exp(a) by scaling and squaring of a Taylor polynomial. Reads the greatest norm on the host.
Tensor matrix_exp(const Tensor& a);

// ---- tensors as matrices and vectors

Tensor tensorinv(const Tensor& a, int ind = 2);
Tensor tensorsolve(const Tensor& a, const Tensor& b, const std::vector<int>& dims = {});
/// Rows 1, x, x^2, ... of n > 1 elements, as many as x has where n is not given; integers in int64.
Tensor vander(const Tensor& x, std::optional<std::int64_t> n = {});
Tensor cross(const Tensor& a, const Tensor& b, int dim = -1);
/// Of floating vectors.
Tensor vecdot(const Tensor& a, const Tensor& b, int dim = -1);

}  // namespace luge::linalg
