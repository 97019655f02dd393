// Linear systems, inverses and determinants.

#include <luge/ops/linalg.h>

#include <algorithm>
#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/factors.h>
#include <luge/ops/detail/formula.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/ops/matmul.h>
#include <luge/ops/sort.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::linalg {

namespace {

constexpr const char* kSingular = "is singular: pivot {} is zero";

/// Where b, or its last dimensions, is a batch of vectors, as torch.linalg.solve tells.
bool is_vectors(const Tensor& a, const Tensor& b) {
  if (b.ndim() == 1) return true;
  return a.ndim() - 1 == b.ndim() && batch_of(a.shape(), 1) == b.shape();
}

/// a^-1 b of equal batches; `lu`: a's factors.
Tensor solve_matrices(const RawLu& lu, const Tensor& a, const Tensor& b) {
  Tensor x = raw_lu_solve(lu, b, false);
  record_formula("solve", x, {a, b}, true, true, [lu](const Derivation& d) {
    const auto again = [&] {
      const Tensor back = turned(d.in[0]);
      return solve_matrices(raw_lu(back), back, d.gradient);
    };
    const Tensor to_b = grad_enabled() ? again() : raw_lu_solve(lu, d.gradient, true);
    return std::vector<Tensor>{d.wants[0] ? matmul(-to_b, turned(d.out)) : Tensor(), to_b};
  });
  return x;
}

Checked solve_checked(const char* op, const Tensor& a, const Tensor& b, bool left, bool check) {
  check_square(op, "A", a);
  checked(b, op, "B");
  LUGE_CHECK(ShapeError, b.ndim() > 0, "{}: B is 0-d; it must have at least 1 dimension", op);
  check_alike(op, "A", a, "B", b);
  const bool vectors = is_vectors(a, b);
  LUGE_CHECK(ShapeError, left || !vectors, "{}: with left=False B must be matrices; A has shape {} and B {}", op,
             to_string(a.shape()), to_string(b.shape()));
  const Tensor sides = vectors ? b.unsqueeze(-1) : left ? b : turned(b);
  LUGE_CHECK(ShapeError, sides.size(-2) == a.size(-1), "{}: A has shape {} and B {}; {} must be {}", op, to_string(a.shape()),
             to_string(b.shape()), left ? "B's rows" : "B's columns", a.size(-1));
  const Shape batch = broadcast_shapes(op, batch_of(a.shape()), batch_of(sides.shape()));
  const Tensor matrices = left ? a : turned(a);
  RawLu lu = raw_lu(matrices);
  if (check) check_info(op, lu.info, kSingular);
  no_grad([&] {
    lu.factors = repeated(lu.factors, batch);
    lu.order = repeated(lu.order, batch, 1).contiguous();
  });
  const Tensor x = solve_matrices(lu, repeated(matrices, batch), repeated(sides, batch));
  return {vectors ? x.squeeze(-1) : left ? x : turned(x), lu.info};
}

Checked inverse(const char* op, const Tensor& a, bool check) {
  check_square(op, "A", a);
  const RawLu lu = raw_lu(a);
  if (check) check_info(op, lu.info, kSingular);
  Tensor x = raw_lu_solve(lu, no_grad([&] { return repeated(unit_like(a, a.size(-1)), batch_of(a.shape())); }), false);
  record_formula(op, x, {a}, false, true, [](const Derivation& d) {
    const Tensor back = turned(d.out);
    return std::vector<Tensor>{-matmul(back, matmul(d.gradient, back))};
  });
  return {x, lu.info};
}

// ---- determinants

/// 1 or -1: whether the rows have changed places an even number of times.
Tensor sign_of_order(const RawLu& lu) {
  const std::int64_t n = lu.pivots.size(-1);
  const Tensor own = arange(Scalar(std::int64_t{1}), Scalar(n + 1), Scalar(std::int64_t{1}),
                            {.dtype = DType::Int32, .device = lu.pivots.device()});
  const Tensor odd = bitwise_and(ne(lu.pivots, own).sum(-1), Scalar(std::int64_t{1}));
  return (Scalar(std::int64_t{1}) - odd * Scalar(std::int64_t{2})).to(lu.factors.dtype());
}

/// a^-T, times a number for each matrix.
Tensor scaled_inverse_transpose(const RawLu& lu, const Tensor& number) {
  const Tensor unit = unit_like(number, lu.factors.size(-1));
  return raw_lu_solve(lu, number.unsqueeze(-1).unsqueeze(-1) * unit, true);
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b, bool left) { return solve_checked("solve", a, b, left, true).result; }
Checked solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors) {
  return solve_checked("solve_ex", a, b, left, check_errors);
}
Tensor inv(const Tensor& a) { return inverse("inv", a, true).result; }
Checked inv_ex(const Tensor& a, bool check_errors) { return inverse("inv_ex", a, check_errors); }

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
  constexpr const char* op = "solve_triangular";
  check_square(op, "input", a);
  check_matrices(op, "B", b);
  check_alike(op, "input", a, "B", b);
  LUGE_CHECK(ShapeError, b.size(left ? -2 : -1) == a.size(-1), "{}: input has shape {} and B {}; {} must be {}", op,
             to_string(a.shape()), to_string(b.shape()), left ? "B's rows" : "B's columns", a.size(-1));
  const Shape batch = broadcast_shapes(op, batch_of(a.shape()), batch_of(b.shape()));
  return solve_triangle(op, repeated(a, batch), repeated(b, batch),
                        {.upper = upper, .unit = unitriangular, .right = !left});
}

namespace {

/// Whether no pivot is zero, where that can be read without waiting.
bool is_regular(const RawLu& lu) {
  if (!lu.info.device().is_cpu()) return false;
  const std::vector<std::int32_t> all = lu.info.to_vector<std::int32_t>();
  return std::all_of(all.begin(), all.end(), [](std::int32_t one) { return one == 0; });
}

}  // namespace

Tensor det(const Tensor& a) {
  check_square("det", "A", a);
  const RawLu lu = raw_lu(a);
  Tensor value = no_grad([&] { return diagonal_of(lu.factors).prod(-1) * sign_of_order(lu); });
  record_formula("det", value, {a}, true, true, [lu](const Derivation& d) {
    if (grad_enabled()) {
      const Tensor number = (d.gradient * d.out).unsqueeze(-1).unsqueeze(-1);
      return std::vector<Tensor>{number * turned(inv_ex(d.in[0]).result)};
    }
    // The adjugate is continuous: of a singular matrix it is, to rounding, that of one with tiny pivots for zeros.
    RawLu regular = lu;
    const bool is_single = d.gradient.dtype() == DType::Float32;
    const Tensor pivots = diagonal_of(lu.factors);
    if (pivots.numel() == 0) return std::vector<Tensor>{Tensor()};
    if (!observer && is_regular(lu)) return std::vector<Tensor>{scaled_inverse_transpose(lu, d.gradient * d.out)};
    const Tensor largest = abs(lu.factors).max(DimList{-2, -1}).unsqueeze(-1);
    const Tensor tiny = where(eq(largest, Scalar(0.0)), Scalar(is_single ? 1e-18 : 1e-150), largest * (is_single ? 0x1p-23 : 0x1p-52));
    const Tensor replaced = where(eq(pivots, Scalar(0.0)), tiny, pivots);
    regular.factors = lu.factors + diagonal_matrix(replaced - pivots);
    const Tensor found = replaced.prod(-1) * sign_of_order(lu);
    return std::vector<Tensor>{scaled_inverse_transpose(regular, d.gradient * found)};
  });
  return value;
}

SignAndLog slogdet(const Tensor& a) {
  check_square("slogdet", "A", a);
  const RawLu lu = raw_lu(a);
  SignAndLog result;
  no_grad([&] {
    const Tensor pivots = diagonal_of(lu.factors);
    const Tensor signs = where(gt(pivots, Scalar(0.0)), Scalar(1.0), where(lt(pivots, Scalar(0.0)), Scalar(-1.0), pivots));
    result.sign = signs.prod(-1) * sign_of_order(lu);
    result.logabsdet = log(abs(pivots)).sum(-1);
  });
  record_formula("slogdet", result.logabsdet, {a}, true, false, [lu](const Derivation& d) {
    if (!grad_enabled()) return std::vector<Tensor>{scaled_inverse_transpose(lu, d.gradient)};
    return std::vector<Tensor>{d.gradient.unsqueeze(-1).unsqueeze(-1) * turned(inv_ex(d.in[0]).result)};
  });
  return result;
}

Tensor logdet(const Tensor& a) {
  const Operation operation("logdet");
  const SignAndLog found = slogdet(a);
  return where(lt(found.sign, Scalar(0.0)), Scalar(std::numeric_limits<double>::quiet_NaN()), found.logabsdet);
}

// ---- LU

namespace {

/// The factors in one matrix; recorded.
RawLu recorded_lu(const char* op, const Tensor& a) {
  RawLu lu = raw_lu(a);
  const Tensor order = lu.order;
  record_formula(op, lu.factors, {a}, false, true, [order](const Derivation& d) {
    const std::int64_t m = d.out.size(-2), n = d.out.size(-1), less = std::min(m, n);
    const Tensor whole = d.out, square = whole.slice(-2, 0, less).slice(-1, 0, less);
    const Tensor upper = upper_part(whole.slice(-2, 0, less)), to_upper = d.gradient.slice(-2, 0, less);
    const Tensor lower = where(lower_mask(whole, m, less, -1), whole.slice(-1, 0, less), 0.0) +
                         eye(m, less, {.dtype = whole.dtype(), .device = whole.device()});
    const Tensor to_lower = lower_part(d.gradient.slice(-1, 0, less), -1);
    // dA = P^T (dL U + L dU); what dL and dU can be is below and on or above the diagonal.
    Tensor below = matmul(turned(lower.slice(-2, 0, less)), to_lower.slice(-2, 0, less));
    Tensor above = matmul(upper_part(to_upper.slice(-1, 0, less)), turned(upper.slice(-1, 0, less)));
    if (n > m) below = below - matmul(to_upper.slice(-1, less, n), turned(upper.slice(-1, less, n)));
    if (m > n) above = above - matmul(turned(lower.slice(-2, less, m)), to_lower.slice(-2, less, m));
    const Triangle back_upper{.upper = true, .transposed = true, .right = true}, back_lower{.transposed = true, .unit = true};
    Tensor inner = where(lower_mask(whole, less, less, -1), below, above);
    Tensor result = solve_triangle("lu", square, solve_triangle("lu", square, inner, back_upper), back_lower);
    if (n > m) result = cat({result, solve_triangle("lu", square, to_upper.slice(-1, less, n).contiguous(), back_lower)}, -1);
    if (m > n) result = cat({result, solve_triangle("lu", square, to_lower.slice(-2, less, m).contiguous(), back_upper)}, -2);
    // Row i belongs to row order[i] of a.
    const Tensor back = no_grad([&] { return argsort(order, -1); });
    return std::vector<Tensor>{gather(result, -2, back.unsqueeze(-1).expand(result.shape()))};
  });
  return lu;
}

LuFactors factored(const char* op, const Tensor& a, bool check) {
  check_matrices(op, "A", a);
  const RawLu lu = recorded_lu(op, a);
  if (check) check_info(op, lu.info, kSingular);
  return {lu.factors, lu.pivots, lu.info};
}

/// (m, m): row order[i] has its one in column i.
Tensor permutation(const Tensor& order, DType dtype) {
  const NoGrad guard;
  const Tensor rows = arange(Scalar(std::int64_t{0}), Scalar(order.size(-1)), Scalar(std::int64_t{1}),
                             {.dtype = DType::Int64, .device = order.device()});
  return eq(rows.unsqueeze(1), order.unsqueeze(-2)).to(dtype);
}

Lu parts_of(const Tensor& factors) {
  const std::int64_t m = factors.size(-2), n = factors.size(-1), less = std::min(m, n);
  Lu result;
  result.l = lower_part(factors.slice(-1, 0, less), -1) + eye(m, less, {.dtype = factors.dtype(), .device = factors.device()});
  result.u = upper_part(factors.slice(-2, 0, less));
  return result;
}

void check_pivots(const char* op, const Tensor& factors, const Tensor& pivots) {
  checked(pivots, op, "pivots");
  LUGE_CHECK(DTypeError, pivots.dtype() == DType::Int32, "{}: pivots is {}; it must be int32", op, name(pivots.dtype()));
  const Shape expected = with(batch_of(factors.shape()), {std::min(factors.size(-2), factors.size(-1))});
  LUGE_CHECK(ShapeError, pivots.shape() == expected, "{}: pivots has shape {}; factors of shape {} have pivots of shape {}",
             op, to_string(pivots.shape()), to_string(factors.shape()), to_string(expected));
}

}  // namespace

LuFactors lu_factor(const Tensor& a) { return factored("lu_factor", a, a.defined() && a.ndim() >= 2 && a.size(-1) == a.size(-2)); }
LuFactors lu_factor_ex(const Tensor& a, bool check_errors) { return factored("lu_factor_ex", a, check_errors); }

Lu lu(const Tensor& a) {
  check_matrices("lu", "A", a);
  const RawLu found = recorded_lu("lu", a);
  Lu result = parts_of(found.factors);
  result.p = permutation(found.order, a.dtype());
  return result;
}

Lu lu_unpack(const Tensor& factors, const Tensor& pivots, bool unpack_data, bool unpack_pivots) {
  check_matrices("lu_unpack", "LU_data", factors);
  check_pivots("lu_unpack", factors, pivots);
  Lu result;
  if (unpack_data) result = parts_of(factors);
  if (unpack_pivots) result.p = permutation(raw_order(pivots, factors.size(-2)), factors.dtype());
  return result;
}

Tensor lu_solve(const Tensor& factors, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
  constexpr const char* op = "lu_solve";
  check_square(op, "LU", factors);
  check_pivots(op, factors, pivots);
  check_matrices(op, "B", b);
  check_alike(op, "LU", factors, "B", b);
  LUGE_CHECK(ShapeError, b.size(left ? -2 : -1) == factors.size(-1), "{}: LU has shape {} and B {}; {} must be {}", op,
             to_string(factors.shape()), to_string(b.shape()), left ? "B's rows" : "B's columns", factors.size(-1));
  if (!left) return turned(lu_solve(factors, pivots, turned(b), true, !adjoint));
  const Shape batch = broadcast_shapes(op, batch_of(factors.shape()), batch_of(b.shape()));
  const Tensor both = repeated(factors, batch);
  const Tensor order = no_grad([&] { return repeated(raw_order(pivots, factors.size(-1)), batch, 1); });
  Tensor x = repeated(b, batch);
  const auto pick = [&](const Tensor& rows, const Tensor& from) {
    return gather(from, -2, rows.unsqueeze(-1).expand(from.shape()));
  };
  const Triangle lower{.transposed = adjoint, .unit = true}, upper{.upper = true, .transposed = adjoint};
  if (adjoint) {
    x = solve_triangle(op, both, solve_triangle(op, both, x, upper), lower);
    return pick(no_grad([&] { return argsort(order, -1); }), x);
  }
  return solve_triangle(op, both, solve_triangle(op, both, pick(order, x), lower), upper);
}

}  // namespace luge::linalg
