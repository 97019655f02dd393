// Cholesky, QR, eigenvalues and singular values.

#include <luge/ops/linalg.h>

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/factors.h>
#include <luge/ops/detail/formula.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/matmul.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::linalg {

// ---- Cholesky

namespace {

Checked factored(const char* op, const Tensor& a, bool upper, bool check) {
  check_square(op, "input", a);
  Checked result = raw_cholesky(a, upper);
  if (check) check_info(op, result.info, "is not positive definite: its leading minor of order {} is not");
  record_formula(op, result.result, {a}, false, true, [op, upper](const Derivation& d) {
    if (!grad_enabled()) return std::vector<Tensor>{raw_cholesky_gradient(d.out, d.gradient, upper)};
    // L^-T (half of the symmetric part of L^T dL) L^-1; the factor is L, or its transpose.
    const Tensor product = upper ? matmul(d.out, turned(d.gradient)) : matmul(turned(d.out), d.gradient);
    const std::int64_t n = product.size(-1);
    const Tensor middle = where(lower_mask(product, n, n), product, turned(product)) * 0.5;
    const Triangle left{.upper = upper, .transposed = !upper}, right{.upper = upper, .transposed = upper, .right = true};
    return std::vector<Tensor>{solve_triangle(op, d.out, solve_triangle(op, d.out, middle, left), right)};
  });
  return result;
}

}  // namespace

Tensor cholesky(const Tensor& a, bool upper) { return factored("cholesky", a, upper, true).result; }
Checked cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
  return factored("cholesky_ex", a, upper, check_errors);
}

namespace {

/// (L L^T)^-1 b of equal batches.
Tensor solve_by_factor(const Tensor& b, const Tensor& factor, bool upper) {
  Tensor x = raw_cholesky_solve(factor, b, upper);
  record_formula("cholesky_solve", x, {b, factor}, true, true, [upper](const Derivation& d) {
    const Tensor& l = d.in[1];
    if (d.wants[1] && !grad_enabled()) {
      const CholeskySolveGradient found = raw_cholesky_solve_gradient(l, d.out, d.gradient, upper);
      return std::vector<Tensor>{found.of_b, found.of_factor};
    }
    const Tensor to_b = solve_by_factor(d.gradient, l, upper);
    if (!d.wants[1]) return std::vector<Tensor>{to_b, Tensor()};
    const Tensor product = matmul(to_b, turned(d.out)), both = -(product + turned(product));
    return std::vector<Tensor>{to_b, upper ? upper_part(matmul(l, both)) : lower_part(matmul(both, l))};
  });
  return x;
}

}  // namespace

Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper) {
  constexpr const char* op = "cholesky_solve";
  check_matrices(op, "input", b);
  check_square(op, "L", factor);
  check_alike(op, "input", b, "L", factor);
  LUGE_CHECK(ShapeError, b.size(-2) == factor.size(-1), "{}: input has shape {} and L {}; input's rows must be {}", op,
             to_string(b.shape()), to_string(factor.shape()), factor.size(-1));
  const Shape batch = broadcast_shapes(op, batch_of(factor.shape()), batch_of(b.shape()));
  return solve_by_factor(repeated(b, batch), repeated(factor, batch), upper);
}

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
  const Operation operation("cholesky_inverse");
  check_square("cholesky_inverse", "L", factor);
  return cholesky_solve(repeated(unit_like(factor, factor.size(-1)), batch_of(factor.shape())), factor, upper);
}

// ---- QR

Qr qr(const Tensor& a, const std::string& mode) {
  check_matrices("qr", "A", a);
  LUGE_CHECK(ValueError, mode == "reduced" || mode == "complete" || mode == "r",
             "qr: mode is '{}'; it must be 'reduced', 'complete' or 'r'", mode);
  const std::int64_t m = a.size(-2), n = a.size(-1);
  const bool complete = mode == "complete", wants_q = mode != "r";
  const std::int64_t c = complete ? m : std::min(m, n);
  Tensor packed = raw_qr(a, complete, wants_q).packed;
  record_formula("qr", packed, {a}, false, true, [=](const Derivation& d) {
    LUGE_CHECK(AutogradError, wants_q, "qr: mode 'r' has no gradient, which needs q; use 'reduced'");
    LUGE_CHECK(AutogradError, m <= n || !complete, "qr: mode 'complete' has no gradient for more rows than columns");
    const auto parts = [&](const Tensor& x) { return std::pair(unpacked(x, 0, m, c), unpacked(x, m * c, c, n)); };
    const auto [q, r] = parts(d.out);
    auto [to_q, to_r] = parts(d.gradient);
    const Tensor square = r.slice(-1, 0, c), to_square = to_r.slice(-1, 0, c);
    if (n > c) to_q = to_q + matmul(matmul(q, r.slice(-1, c, n)), turned(to_r.slice(-1, c, n)));
    const Tensor middle = matmul(square, turned(to_square)) - matmul(turned(to_q), q);
    const Tensor symmetric = where(lower_mask(middle, c, c), middle, turned(middle));
    Tensor result = solve_triangle("qr", square, to_q + matmul(q, symmetric), {.upper = true, .transposed = true, .right = true});
    if (n > c) result = cat({result, matmul(q, to_r.slice(-1, c, n))}, -1);
    return std::vector<Tensor>{result};
  });
  const Tensor q = wants_q ? unpacked(packed, 0, m, c) : empty_tensor({0}, a.dtype(), a.storage()->backend());
  return {q, unpacked(packed, wants_q ? m * c : 0, c, n)};
}

Tensor householder_product(const Tensor& a, const Tensor& tau) {
  constexpr const char* op = "householder_product";
  check_matrices(op, "input", a);
  checked(tau, op, "tau");
  check_alike(op, "input", a, "tau", tau);
  const std::int64_t m = a.size(-2), n = a.size(-1), k = tau.ndim() > 0 ? tau.size(-1) : -1;
  LUGE_CHECK(ShapeError, m >= n && k >= 0 && k <= n && batch_of(a.shape()) == batch_of(tau.shape(), 1),
             "{}: input has shape {} and tau {}; they must be (..., m, n) and (..., k) with m >= n >= k", op,
             to_string(a.shape()), to_string(tau.shape()));
  const Operation operation(op);
  Tensor q = repeated(eye(m, n, {.dtype = a.dtype(), .device = a.device()}), batch_of(a.shape()));
  const Tensor vectors = where(lower_mask(a, m, n, -1), a, 0.0) + eye(m, n, {.dtype = a.dtype(), .device = a.device()});
  for (std::int64_t i = k - 1; i >= 0; --i) {
    const Tensor v = vectors.slice(-1, i, i + 1), scale = tau.slice(-1, i, i + 1).unsqueeze(-1);
    q = q - matmul(v * scale, matmul(turned(v), q));
  }
  return q;
}

// ---- eigenvalues

namespace {

constexpr const char* kNotFinite = "has no result: it is not finite, or the search did not converge (info {})";

/// x / y, and 0 where both are.
Tensor quotient(const Tensor& x, const Tensor& y) {
  return x / where(logical_and(eq(x, Scalar(0.0)), eq(y, Scalar(0.0))), Scalar(1.0), y);
}

/// (k, k): f(values[j]) - f(values[i]) in row i and column j.
Tensor differences(const Tensor& values) { return values.unsqueeze(-2) - values.unsqueeze(-1); }

Eigen eigen(const char* op, const Tensor& a, bool upper) {
  check_square(op, "A", a);
  const std::int64_t n = a.size(-1);
  Packed found = raw_eigh(a, upper, true);
  check_info(op, found.info, kNotFinite);
  record_formula(op, found.packed, {a}, false, true, [n](const Derivation& d) {
    const Tensor values = unpacked(d.out, 0, n, {}), vectors = unpacked(d.out, n, n, n);
    const Tensor to_values = unpacked(d.gradient, 0, n, {}), to_vectors = unpacked(d.gradient, n, n, n);
    const Tensor product = matmul(turned(vectors), to_vectors);
    const Tensor inner = quotient(product - diagonal_matrix(diagonal_of(product)), differences(values));
    return std::vector<Tensor>{matmul(matmul(vectors, inner + diagonal_matrix(to_values)), turned(vectors))};
  });
  return {unpacked(found.packed, 0, n, {}), unpacked(found.packed, n, n, n)};
}

}  // namespace

Eigen eigh(const Tensor& a, bool upper) { return eigen("eigh", a, upper); }

Tensor eigvalsh(const Tensor& a, bool upper) {
  check_square("eigvalsh", "A", a);
  if (grad_enabled() && needs_grad(a)) return eigen("eigvalsh", a, upper).values;
  const Packed found = raw_eigh(a, upper, false);
  check_info("eigvalsh", found.info, kNotFinite);
  return found.packed;
}

// ---- singular values

namespace {

Svd singular(const char* op, const Tensor& a, bool full_matrices) {
  check_matrices(op, "A", a);
  const std::int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n), c = full_matrices ? m : k, e = full_matrices ? n : k;
  Packed found = raw_svd(a, full_matrices, true);
  check_info(op, found.info, kNotFinite);
  const auto parts = [=](const Tensor& x) {
    return Svd{unpacked(x, k, m, c), unpacked(x, 0, k, {}), unpacked(x, k + m * c, e, n)};
  };
  record_formula(op, found.packed, {a}, false, true, [=](const Derivation& d) {
    const auto first = [&](const Svd& x) { return Svd{x.u.slice(-1, 0, k), x.s, x.vh.slice(-2, 0, k)}; };
    const Svd x = first(parts(d.out)), to = first(parts(d.gradient));
    const Tensor squares = differences(x.s * x.s);
    const auto skew = [&](const Tensor& product) { return quotient(product - turned(product), squares); };
    const Tensor in_u = matmul(turned(x.u), to.u), in_v = matmul(x.vh, turned(to.vh));
    const Tensor row = x.s.unsqueeze(-2), column = x.s.unsqueeze(-1);
    const Tensor middle = skew(in_u) * row + column * skew(in_v) + diagonal_matrix(to.s);
    Tensor result = matmul(matmul(x.u, middle), x.vh);
    // What is outside of the space that the vectors span.
    if (m > k) result = result + matmul(quotient(to.u - matmul(x.u, in_u), row), x.vh);
    if (n > k) result = result + matmul(x.u, quotient(to.vh - matmul(turned(in_v), x.vh), column));
    return std::vector<Tensor>{result};
  });
  return parts(found.packed);
}

}  // namespace

Svd svd(const Tensor& a, bool full_matrices) { return singular("svd", a, full_matrices); }

Tensor svdvals(const Tensor& a) {
  check_matrices("svdvals", "A", a);
  if (grad_enabled() && needs_grad(a)) return singular("svdvals", a, false).s;
  const Packed found = raw_svd(a, false, false);
  check_info("svdvals", found.info, kNotFinite);
  return found.packed;
}

}  // namespace luge::linalg
