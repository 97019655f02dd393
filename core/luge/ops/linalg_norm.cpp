// Norms, ranks, pseudoinverses and least squares.

#include <luge/ops/linalg.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/factors.h>
#include <luge/ops/detail/formula.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::linalg {

namespace {

/// The root of the sum of squares over the last two dimensions, with gradient 0 at 0.
Tensor frobenius(const Tensor& a) {
  const Tensor squares = (a * a).sum(DimList{-2, -1}), none = eq(squares, Scalar(0.0));
  return where(none, Scalar(0.0), sqrt(where(none, Scalar(1.0), squares)));
}

Tensor norm_of_matrices(const Tensor& a, const MatrixOrder& order) {
  if (!order.p) {
    LUGE_CHECK(ValueError, order.name == "fro" || order.name == "nuc",
               "matrix_norm: ord is '{}'; it must be 'fro', 'nuc' or a number", order.name);
    return order.name == "fro" ? frobenius(a) : svdvals(a).sum(-1);
  }
  const double p = std::abs(*order.p);
  LUGE_CHECK(ValueError, p == 1 || p == 2 || std::isinf(p),
             "matrix_norm: ord is {}; it must be 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc'", *order.p);
  const Tensor sizes = p == 2 ? svdvals(a) : abs(a).sum(p == 1 ? -2 : -1);
  if (sizes.size(-1) > 0) return *order.p > 0 ? sizes.max(-1) : sizes.min(-1);
  LUGE_CHECK(ShapeError, *order.p > 0, "matrix_norm: ord is {} and A has shape {}; nothing is the least of nothing", *order.p,
             to_string(a.shape()));
  return sizes.sum(-1);
}

/// What singular values must exceed, for each matrix.
Tensor least_of(const Tensor& values, std::int64_t size, std::optional<double> atol, std::optional<double> rtol) {
  const double epsilon = values.dtype() == DType::Float32 ? 0x1p-23 : 0x1p-52;
  const double relative = rtol ? *rtol : atol && *atol > 0 ? 0.0 : static_cast<double>(size) * epsilon;
  return maximum(values.max(-1, true) * relative, Scalar(atol.value_or(0)));
}

/// x's shape with dims `row` and `column` as the last two.
Tensor with_matrices_last(const char* op, const Tensor& x, int& row, int& column) {
  row = normalize_dim(op, row, x.ndim());
  column = normalize_dim(op, column, x.ndim());
  LUGE_CHECK(ValueError, row != column, "{}: dim is ({}, {}); the two must be different", op, row, column);
  std::vector<int> dims;
  for (int d = 0; d < x.ndim(); ++d)
    if (d != row && d != column) dims.push_back(d);
  dims.push_back(row);
  dims.push_back(column);
  return x.permute(dims);
}

}  // namespace

Tensor matrix_norm(const Tensor& a, const MatrixOrder& order, int row_dim, int column_dim, bool keepdim) {
  constexpr const char* op = "matrix_norm";
  check_matrices(op, "A", a);
  const Operation operation(op);
  int row = row_dim, column = column_dim;
  const Tensor last = with_matrices_last(op, a, row, column);
  Tensor norms = norm_of_matrices(last, order);
  if (!keepdim) return norms;
  return norms.unsqueeze(std::min(row, column)).unsqueeze(std::max(row, column));
}

Tensor cond(const Tensor& a, const std::optional<MatrixOrder>& order) {
  constexpr const char* op = "cond";
  check_matrices(op, "A", a);
  const Operation operation(op);
  if (!order || (order->p && std::abs(*order->p) == 2)) {
    const Tensor values = svdvals(a);
    const Tensor largest = values.max(-1), least = values.min(-1);
    return order && *order->p < 0 ? least / largest : largest / least;
  }
  check_square(op, "A", a);
  const Checked inverse = inv_ex(a);
  const Tensor singular = ne(inverse.info, Scalar(std::int64_t{0}));
  return where(singular, Scalar(std::numeric_limits<double>::infinity()),
               norm_of_matrices(a, *order) * norm_of_matrices(inverse.result, *order));
}

Tensor matrix_rank(const Tensor& a, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
  constexpr const char* op = "matrix_rank";
  hermitian ? check_square(op, "A", a) : check_matrices(op, "A", a);
  const Operation operation(op);
  const NoGrad guard;
  const std::int64_t less = std::min(a.size(-1), a.size(-2));
  if (less == 0) return zeros(batch_of(a.shape()), {.dtype = DType::Int64, .device = a.device()});
  const Tensor values = hermitian ? abs(eigvalsh(a)) : svdvals(a);
  return gt(values, least_of(values, std::max(a.size(-1), a.size(-2)), atol, rtol)).sum(-1);
}

Tensor pinv(const Tensor& a, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
  constexpr const char* op = "pinv";
  hermitian ? check_square(op, "A", a) : check_matrices(op, "A", a);
  const Operation operation(op);
  const std::int64_t m = a.size(-2), n = a.size(-1);
  if (m == 0 || n == 0) return turned(a).clone();
  Tensor result = no_grad([&] {
    const Eigen found = hermitian ? eigh(a) : Eigen{};
    const Svd parts = hermitian ? Svd{found.vectors, found.values, turned(found.vectors)} : svd(a, false);
    const Tensor sizes = abs(parts.s);
    const Tensor inverse = where(gt(sizes, least_of(sizes, std::max(m, n), atol, rtol)), Scalar(1.0) / parts.s, 0.0);
    return matmul(turned(parts.vh) * inverse.unsqueeze(-2), turned(parts.u));
  });
  // G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
  // variables separate", SIAM J. Numerical Analysis 10 (1973).
  record_formula(op, result, {a}, true, true, [](const Derivation& d) {
    const Tensor &in = d.in[0], &x = d.out, xt = turned(x), gt = turned(d.gradient);
    const Tensor left = gt - matmul(in, matmul(x, gt)), right = gt - matmul(matmul(gt, x), in);
    return std::vector<Tensor>{matmul(matmul(left, x), xt) + matmul(xt, matmul(x, right)) - matmul(xt, matmul(d.gradient, xt))};
  });
  return result;
}

LeastSquaresSolution lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond, bool wants_residuals,
                           bool wants_values) {
  constexpr const char* op = "lstsq";
  check_matrices(op, "input", a);
  checked(b, op, "B");
  check_alike(op, "input", a, "B", b);
  const bool vectors = b.ndim() == a.ndim() - 1 && b.shape() == batch_of(a.shape(), 1);
  LUGE_CHECK(ShapeError, vectors || b.ndim() >= 2, "{}: input has shape {} and B {}; B must be matrices or vectors", op,
             to_string(a.shape()), to_string(b.shape()));
  const Tensor sides = vectors ? b.unsqueeze(-1) : b;
  LUGE_CHECK(ShapeError, sides.size(-2) == a.size(-2), "{}: input has shape {} and B {}; B's rows must be {}", op,
             to_string(a.shape()), to_string(b.shape()), a.size(-2));
  broadcast_shapes(op, batch_of(a.shape()), batch_of(sides.shape()));
  const std::int64_t m = a.size(-2), n = a.size(-1);
  if (wants_residuals && m > n) refuse_capture(op, kHostRead, SourceLocation::current());
  const Operation operation(op);
  const std::optional<double> relative = rcond && *rcond >= 0 ? rcond : std::nullopt;
  LeastSquaresSolution result;
  const Tensor x = matmul(pinv(a, {}, relative), sides);
  result.solution = vectors ? x.squeeze(-1) : x;
  result.rank = matrix_rank(a, {}, relative);
  const TensorOptions options{.dtype = a.dtype(), .device = a.device()};
  const auto has_full_rank = [&] {
    return result.rank.numel() == 0 || no_grad([&] { return ge(result.rank, Scalar(n)).all(); }).item<bool>();
  };
  if (wants_residuals && m > n && has_full_rank()) {
    const Tensor rest = matmul(a, x) - sides;
    result.residuals = (rest * rest).sum(-2);
    if (vectors) result.residuals = result.residuals.squeeze(-1);
  } else {
    result.residuals = zeros({0}, options);
  }
  result.singular_values = wants_values ? no_grad([&] { return svdvals(a); }) : zeros({0}, options);
  return result;
}

}  // namespace luge::linalg
