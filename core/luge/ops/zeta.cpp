#include <luge/ops/zeta.h>

#include <limits>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/result_type.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

/// The sum for float64 numbers x > 1 and q > 0, L. Euler's and C. Maclaurin's formula: Abramowitz and Stegun, 23.1.30, with
/// B(2k) / (2k)!. Twelve terms stand before it.
Tensor upper_sum(const Tensor& x, const Tensor& q) {
  constexpr double kSeries[] = {1.0 / 12,
                                -1.0 / 720,
                                1.0 / 30240,
                                -1.0 / 1209600,
                                1.0 / 47900160,
                                -691.0 / 1307674368000.0,
                                1.0 / 74724249600.0,
                                -3617.0 / 10670622842880000.0};
  constexpr int kBefore = 12;
  const Tensor s = -x, w = q + kBefore, inverse = 1 / w, square = inverse * inverse, last = pow(w, s);
  const Tensor rest = w / (x - 1) + 0.5;
  Tensor series, factor = x * inverse;
  for (int k = 0; k < 8; ++k) {
    series = k == 0 ? factor * kSeries[0] : series + factor * kSeries[k];
    factor = factor * (x + (2 * k + 1)) * (x + (2 * k + 2)) * square;
  }
  const Tensor none = last == 0;
  // From the smallest term on.
  Tensor sum = where(none, 0, last * where(none, 0, rest + series));
  for (int k = kBefore - 1; k >= 0; --k) sum = sum + pow(q + k, s);
  return sum;
}

Tensor zeta_of(const Tensor& x, const Tensor& q) {
  const Operation called("zeta");
  checked(x, "zeta");
  checked(q, "zeta", "other");
  const DType common = result_type(x, q), dtype = is_floating(common) ? common : DType::Float32;
  const Tensor s = x.to(DType::Float64), p = q.to(DType::Float64);
  const Tensor negative = p < 0, whole = floor(p) == p, pole = (p <= 0).logical_and(whole);
  const Tensor regular = (s > 1).logical_and(s < kInfinity), above = regular.logical_and(p > 0);
  const Tensor exponent = where(regular, s, 2);
  Tensor found = upper_sum(exponent, where(above, p, 1));
  // The sum over all integers, from both sides of q, less those that lie below.
  const Tensor below = regular.logical_and(negative).logical_and(whole.logical_not()).logical_and(floor(s) == s);
  const Tensor shift = where(below, p, -0.5), part = shift - floor(shift);
  const Tensor even = floor(exponent * 0.5) * 2 == exponent;
  const Tensor difference = upper_sum(exponent, 1 - part) - upper_sum(exponent, 1 - shift);
  const Tensor both = upper_sum(exponent, part) + where(even, difference, -difference);
  found = where(above, found, where(below, both, kNaN));
  const Tensor at_infinity = where(p > 1, 0, where(p == 1, 1, where(p > 0, kInfinity, kNaN)));
  found = where(s == kInfinity, at_infinity, found);
  found = where((s > 1).logical_and(pole), kInfinity, found);
  found = where((s == 1).logical_and(p == p), kInfinity, found);
  return found.to(dtype);
}

Tensor as_tensor(Scalar number, const Tensor& beside) {
  return scalar(number, {.dtype = promote(beside.dtype(), number.kind()), .device = beside.device()});
}

}  // namespace

Tensor zeta(const Tensor& x, const Tensor& q) { return zeta_of(x, q); }
Tensor zeta(const Tensor& x, Scalar q) { return zeta_of(x, as_tensor(q, x)); }
Tensor zeta(Scalar x, const Tensor& q) { return zeta_of(as_tensor(x, q), q); }

}  // namespace luge
