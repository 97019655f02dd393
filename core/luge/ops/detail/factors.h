#pragma once
// Internal: factors of batches of matrices as calls of the seam, below autograd; and what derivatives of them are made of.

#include <cstdint>
#include <optional>

#include <luge/ops/linalg.h>
#include <luge/seam/backend.h>
#include <luge/tensor/tensor.h>

namespace luge::linalg {

/// All dimensions but the last `matrix` ones, with others behind them.
Shape batch_of(const Shape& shape, int matrix = 2);
Shape with(Shape batch, std::initializer_list<std::int64_t> sizes);

/// Throws unless x has matrices of a dtype that is factored.
void check_matrices(const char* op, const char* argument, const Tensor& x);
void check_square(const char* op, const char* argument, const Tensor& x);
void check_alike(const char* op, const char* left, const Tensor& a, const char* right, const Tensor& b);

/// The transpose of the last two dimensions.
Tensor turned(const Tensor& x);
/// (rows, columns): whether column <= row + diagonal.
Tensor lower_mask(const Tensor& like, std::int64_t rows, std::int64_t columns, std::int64_t diagonal = 0);
/// x with zeros above, or below, a diagonal.
Tensor lower_part(const Tensor& x, std::int64_t diagonal = 0);
Tensor upper_part(const Tensor& x, std::int64_t diagonal = 0);
/// The main diagonal of matrices; and matrices with this one and zeros elsewhere.
Tensor diagonal_of(const Tensor& x);
Tensor diagonal_matrix(const Tensor& x);
/// Identity matrices of x's dtype.
Tensor unit_like(const Tensor& x, std::int64_t n);
/// x repeated for a batch, without a copy.
Tensor repeated(const Tensor& x, const Shape& batch, int matrix = 2);

// ---- calls; no history

struct RawLu {
  Tensor factors, pivots, order, info;
};
RawLu raw_lu(const Tensor& a);
Tensor raw_order(const Tensor& pivots, std::int64_t rows);
Checked raw_cholesky(const Tensor& a, bool upper);
struct Triangle {
  bool upper = false, transposed = false, unit = false, right = false;
};
Tensor raw_solve_triangular(const Tensor& a, const Tensor& b, Triangle how);
/// a^-1 b, or a^-T b, of a's factors.
Tensor raw_lu_solve(const RawLu& lu, const Tensor& b, bool transposed);
/// (L L^T)^-1 b, or (U^T U)^-1 b.
Tensor raw_cholesky_solve(const Tensor& factor, const Tensor& b, bool upper);
/// The gradient of a matrix from that of its factor.
Tensor raw_cholesky_gradient(const Tensor& factor, const Tensor& gradient, bool upper);
/// Both gradients of x = raw_cholesky_solve(factor, b) from that of x.
struct CholeskySolveGradient {
  Tensor of_b, of_factor;
};
CholeskySolveGradient raw_cholesky_solve_gradient(const Tensor& factor, const Tensor& x, const Tensor& gradient, bool upper);
/// The results of a matrix one behind the other in a row of `packed`; info is undefined where there is none.
struct Packed {
  Tensor packed, info;
};
Packed raw_qr(const Tensor& a, bool complete, bool wants_q);
Packed raw_eigh(const Tensor& a, bool upper, bool wants_vectors);
Packed raw_svd(const Tensor& a, bool complete, bool wants_vectors);
/// A part of such rows: `rows` x `columns`, or, without columns, a vector.
Tensor unpacked(const Tensor& packed, std::int64_t offset, std::int64_t rows, std::optional<std::int64_t> columns);

/// Throws LinAlgError for the first matrix whose info is not 0: "op: matrix 3 (of (2, 2)) " and what `why` says, in which {}
/// is the info. Waits for the device; does nothing while a step is captured.
void check_info(const char* op, const Tensor& info, const char* why);

// ---- recorded

/// op(a)^-1 b as `how` says; the batches are equal.
Tensor solve_triangle(const char* op, const Tensor& a, const Tensor& b, Triangle how);

}  // namespace luge::linalg
