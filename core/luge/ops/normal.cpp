#include <luge/ops/normal.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include <luge/base/detail/check.h>
#include <luge/math/error_functions.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/with_slope.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kPi = std::numbers::pi, kInfinity = std::numeric_limits<double>::infinity();

/// A tensor or a number, for formulas of luge/math: the text that the kernels compile computes tensors, too.
struct Value {
  explicit Value(double given) : number(given) {}
  explicit Value(Tensor given) : tensor(std::move(given)) {}
  Tensor tensor;
  double number = 0;
};

template <class F>
Value combined(const Value& a, const Value& b, const F& f) {
  if (a.tensor.defined()) return Value(b.tensor.defined() ? f(a.tensor, b.tensor) : f(a.tensor, b.number));
  return b.tensor.defined() ? Value(f(a.number, b.tensor)) : Value(f(a.number, b.number));
}
Value operator+(const Value& a, const Value& b) {
  return combined(a, b, [](const auto& x, const auto& y) { return x + y; });
}
Value operator-(const Value& a, const Value& b) {
  return combined(a, b, [](const auto& x, const auto& y) { return x - y; });
}
Value operator*(const Value& a, const Value& b) {
  return combined(a, b, [](const auto& x, const auto& y) { return x * y; });
}
Value operator/(const Value& a, const Value& b) {
  return combined(a, b, [](const auto& x, const auto& y) { return x / y; });
}
Value fma(const Value& a, const Value& b, const Value& c) { return a * b + c; }

/// exp(x^2) erfc(x) of float64 numbers from 0 on.
Tensor scaled_tail(const Tensor& x) {
  const Tensor far = x > 42;
  const Tensor low = math::scalar::scaled_erfc_of<double>(Value(where(far, 42, x))).tensor;
  // 1 / (x sqrt(pi)) times 1 - 1/s + 3/s^2 - 15/s^3 + ... with s = 2 x^2, whose fifth term is below 1e-15.
  const Tensor high = where(far, x, 42), inverse = 0.5 / square(high);
  Tensor series = 1 - inverse * 9;
  for (int odd = 7; odd >= 1; odd -= 2) series = 1 - inverse * series * odd;
  return where(far, series / high / std::sqrt(kPi), low);
}

/// exp(x^2) of float64 numbers, for -27 <= x: the square in two parts, the first of which is exact.
Tensor exp_of_square(const Tensor& x) {
  const Tensor high = floor(x * 0x1p20) * 0x1p-20;
  return exp(high * high) * exp((x - high) * (x + high));
}

/// The quantile of a float64 p with 0 < p <= 1/4: a quotient of polynomials, Abramowitz and Stegun, 26.2.23, within 4.5e-4,
/// and I. Newton's iteration for log(ndtr(x)) = log(p), which is concave and without underflow.
Tensor low_quantile(const Tensor& p) {
  const Tensor wanted = log(p * 2), t = sqrt(log(p) * -2);
  // y = -x / sqrt(2), and ndtr(x) = exp(-y^2) scaled_tail(y) / 2.
  Tensor y = (t - (t * (t * 0.010328 + 0.802853) + 2.515517) / (t * (t * (t * 0.001308 + 0.189269) + 1.432788) + 1)) *
             std::sqrt(0.5);
  for (int step = 0; step < 3; ++step) {
    const Tensor tail = scaled_tail(y);
    y = y + (log(tail) - square(y) - wanted) * tail * (0.5 * std::sqrt(kPi));
  }
  return y * -std::numbers::sqrt2;
}

Tensor quantile(const Tensor& p) {
  // 1 - p and p - 1/2 have no rounding there.
  const Tensor upper = p > 0.5, small = where(upper, 1 - p, p), central = p.sub(0.5).abs() <= 0.25;
  const Tensor tail = low_quantile(where(central, 0.25, clamp(small, std::numeric_limits<double>::denorm_min(), 0.25)));
  const Tensor outer = where(small == 0, -kInfinity, where(small > 0, tail, std::numeric_limits<double>::quiet_NaN()));
  const Tensor middle = erfinv(where(central, p - 0.5, 0) * 2) * std::numbers::sqrt2;
  return where(central, middle, where(upper, -outer, outer));
}

}  // namespace

Tensor erfcx(const Tensor& x) {
  return with_slope(
      "erfcx", x,
      [](const Tensor& wide) {
        const Tensor tail = scaled_tail(abs(wide)), below = wide < 0;
        const Tensor negative = where(below, clamp(wide, -27, std::nullopt), 0);
        return where(below, exp_of_square(negative) * 2 - tail, tail);
      },
      [](const Tensor& wide) { return wide * 2 * erfcx(wide) - 2 / std::sqrt(kPi); });
}

Tensor ndtri(const Tensor& p) {
  return with_slope("ndtri", p, quantile, [](const Tensor& wide) {
    return exp(square(ndtri(wide)) * 0.5) * std::sqrt(2 * kPi);
  });
}

}  // namespace luge
