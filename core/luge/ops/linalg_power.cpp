// Functions of matrices, and tensors taken for matrices and vectors.

#include <luge/ops/linalg.h>

#include <algorithm>
#include <cmath>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/factors.h>
#include <luge/ops/detail/formula.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/matmul.h>
#include <luge/ops/scan.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::linalg {

Tensor matrix_power(const Tensor& a, std::int64_t n) {
  constexpr const char* op = "matrix_power";
  const TensorImpl& impl = checked(a, op, "A");
  LUGE_CHECK(ShapeError, a.ndim() >= 2 && a.size(-1) == a.size(-2),
             "{}: A has shape {}; it must have at least 2 dimensions, and its last two sizes must be equal", op,
             to_string(impl.shape));
  LUGE_CHECK(DTypeError, impl.dtype != DType::Bool, "{}: A is bool; it must be a number", op);
  const Operation operation(op);
  if (n == 0) return repeated(unit_like(a, a.size(-1)), batch_of(a.shape())).clone();
  if (n == 1) return a.clone();
  Tensor square = n < 0 ? inv(a) : a, result;
  // Not -n, which overflows for the least.
  for (std::uint64_t left = n < 0 ? 0 - static_cast<std::uint64_t>(n) : static_cast<std::uint64_t>(n); left > 0; left /= 2) {
    if (left % 2 == 1) result = result.defined() ? matmul(result, square) : square;
    if (left > 1) square = matmul(square, square);
  }
  return result;
}

namespace {

/// exp(x) of matrices whose norm is at most 1/2, to rounding: the Taylor polynomial of degree 16 by the method of M. S.
/// Paterson and L. J. Stockmeyer, "On the number of nonscalar multiplications necessary to evaluate polynomials", SIAM J.
/// Computing 2 (1973).
Tensor exp_of_small(const Tensor& x) {
  double inverse[17] = {1};
  for (int k = 1; k <= 16; ++k) inverse[k] = inverse[k - 1] / k;
  const Tensor unit = unit_like(x, x.size(-1)), x2 = matmul(x, x), x3 = matmul(x2, x), x4 = matmul(x2, x2);
  Tensor sum = x4 * inverse[16];
  for (int k = 12; k >= 0; k -= 4) {
    const Tensor part = x3 * inverse[k + 3] + x2 * inverse[k + 2] + x * inverse[k + 1] + unit * inverse[k];
    sum = k == 12 ? sum + part : matmul(sum, x4) + part;
  }
  return sum;
}

/// Halvings that make a norm at most 1/2.
int halvings(double norm) {
  if (!std::isfinite(norm) || norm <= 0.5) return 0;
  int exponent = 0;
  const double part = std::frexp(norm, &exponent);
  return std::min(exponent + (part > 0.5 ? 1 : 0), 1100);
}

}  // namespace

Tensor matrix_exp(const Tensor& a) {
  constexpr const char* op = "matrix_exp";
  check_square(op, "A", a);
  refuse_capture(op, kHostRead, SourceLocation::current());
  Tensor result = no_grad([&] {
    if (a.numel() == 0) return a.clone();
    const Shape batch = batch_of(a.shape());
    const std::vector<double> norms = abs(a).sum(-2).max(-1).to_vector<double>();
    std::vector<double> scales, counts;
    int most = 0;
    for (const double norm : norms) {
      const int times = halvings(norm);
      most = std::max(most, times);
      scales.push_back(std::ldexp(1.0, -times));
      counts.push_back(times);
    }
    const auto per_matrix = [&](const std::vector<double>& numbers) {
      return from_host(numbers, with(batch, {1, 1}), a.device());
    };
    Tensor x = exp_of_small(a * per_matrix(scales).to(a.dtype()));
    const Tensor wanted = per_matrix(counts);
    for (int i = 0; i < most; ++i) x = where(gt(wanted, Scalar(static_cast<double>(i))), matmul(x, x), x);
    return x;
  });
  // N. J. Higham, "Functions of Matrices", theorem 3.6: the derivative stands in a block of the exponential of twice the size.
  record_formula(op, result, {a}, true, false, [](const Derivation& d) {
    const Tensor in = turned(d.in[0]);
    const std::int64_t n = in.size(-1);
    const Tensor whole = cat({cat({in, d.gradient}, -1), cat({in * 0.0, in}, -1)}, -2);
    return std::vector<Tensor>{matrix_exp(whole).slice(-2, 0, n).slice(-1, n, 2 * n)};
  });
  return result;
}

// ---- tensors as matrices and vectors

namespace {

std::int64_t product_of(const Shape& shape, int begin, int end) {
  std::int64_t product = 1;
  for (int d = begin; d < end; ++d) product *= shape[d];
  return product;
}

Shape part_of(const Shape& shape, int begin, int end) {
  Shape part;
  for (int d = begin; d < end; ++d) part.push_back(shape[d]);
  return part;
}

}  // namespace

Tensor tensorinv(const Tensor& a, int ind) {
  constexpr const char* op = "tensorinv";
  checked(a, op, "A");
  LUGE_CHECK(ValueError, ind > 0, "{}: ind is {}; it must be at least 1", op, ind);
  const int n = a.ndim(), first = std::min(ind, n);
  const std::int64_t rows = product_of(a.shape(), 0, first), columns = product_of(a.shape(), first, n);
  LUGE_CHECK(ShapeError, rows == columns, "{}: A has shape {}; the products of its first {} sizes and of the others must be equal",
             op, to_string(a.shape()), ind);
  const Operation operation(op);
  Shape shape = part_of(a.shape(), first, n);
  for (int d = 0; d < first; ++d) shape.push_back(a.shape()[d]);
  return inv(a.reshape({rows, columns})).reshape(shape);
}

Tensor tensorsolve(const Tensor& a, const Tensor& b, const std::vector<int>& dims) {
  constexpr const char* op = "tensorsolve";
  checked(a, op, "A");
  checked(b, op, "B");
  const Operation operation(op);
  Tensor x = a;
  if (!dims.empty()) {
    std::vector<int> order, last;
    for (const int dim : dims) last.push_back(normalize_dim(op, dim, a.ndim()));
    for (int d = 0; d < a.ndim(); ++d)
      if (std::find(last.begin(), last.end(), d) == last.end()) order.push_back(d);
    order.insert(order.end(), last.begin(), last.end());
    x = a.permute(order);
  }
  const int n = x.ndim(), first = std::min(b.ndim(), n);
  const std::int64_t rows = product_of(x.shape(), 0, first), columns = product_of(x.shape(), first, n);
  LUGE_CHECK(ShapeError, rows == columns && rows == b.numel(),
             "{}: A has shape {} and B {}; the products of A's first {} sizes, of its others, and of B's must be equal", op,
             to_string(x.shape()), to_string(b.shape()), first);
  return solve(x.reshape({rows, columns}), b.reshape({rows})).reshape(part_of(x.shape(), first, n));
}

Tensor vander(const Tensor& x, std::optional<std::int64_t> n) {
  constexpr const char* op = "vander";
  checked(x, op, "x");
  LUGE_CHECK(ShapeError, x.ndim() >= 1, "{}: x is 0-d; it must have at least 1 dimension", op);
  const std::int64_t count = n.value_or(x.size(-1));
  LUGE_CHECK(ValueError, count > 1, "{}: N is {}; it must be greater than 1", op, count);
  LUGE_CHECK(DTypeError, x.dtype() != DType::Bool, "{}: x is bool; it must be a number", op);
  const Operation operation(op);
  const Tensor base = is_floating(x.dtype()) ? x : x.to(DType::Int64);
  Shape repeated = base.shape();
  repeated.push_back(count - 1);
  const Tensor factors = base.unsqueeze(-1);
  return cat({no_grad([&] { return ones_like(factors); }), cumprod(factors.expand(repeated), -1)}, -1);
}

Tensor cross(const Tensor& a, const Tensor& b, int dim) {
  constexpr const char* op = "cross";
  checked(a, op, "input");
  checked(b, op, "other");
  LUGE_CHECK(ShapeError, a.ndim() == b.ndim(), "{}: input has shape {} and other {}; they must have as many dimensions", op,
             to_string(a.shape()), to_string(b.shape()));
  const int d = normalize_dim(op, dim, a.ndim());
  LUGE_CHECK(ShapeError, a.size(d) == 3 && b.size(d) == 3, "{}: input has shape {} and other {}; size {} of both must be 3", op,
             to_string(a.shape()), to_string(b.shape()), d);
  broadcast_shapes(op, a.shape(), b.shape());
  const Operation operation(op);
  const auto product = [&](int i, int j) { return a.select(d, i) * b.select(d, j) - a.select(d, j) * b.select(d, i); };
  return stack({product(1, 2), product(2, 0), product(0, 1)}, d);
}

Tensor vecdot(const Tensor& a, const Tensor& b, int dim) {
  constexpr const char* op = "vecdot";
  checked(a, op, "x");
  checked(b, op, "y");
  LUGE_CHECK(DTypeError, is_floating(a.dtype()) && is_floating(b.dtype()), "{}: x is {} and y {}; both must be floating", op,
             name(a.dtype()), name(b.dtype()));
  const Operation operation(op);
  const Tensor products = a * b;
  return products.sum(normalize_dim(op, dim, products.ndim())).to(products.dtype());
}

}  // namespace luge::linalg
