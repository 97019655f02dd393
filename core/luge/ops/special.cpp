#include <luge/ops/special.h>

#include <cmath>
#include <limits>
#include <numbers>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/reduce.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kPi = std::numbers::pi, kInfinity = std::numeric_limits<double>::infinity();

/// What `formula` gives for x as float64, of x's dtype; of integers and bool float32.
template <class Formula>
Tensor in_double(const Tensor& x, const Formula& formula) {
  const DType dtype = is_floating(x.dtype()) ? x.dtype() : DType::Float32;
  return formula(x.to(DType::Float64)).to(dtype);
}

/// log(1 - 1/x^2 + 3/x^4 - 15/x^6 + ...) + log(phi(x) / -x): the left tail, with the normal density phi.
Tensor left_tail(const Tensor& x) {
  const Tensor inverse = 1 / square(x);
  // Nested from the last of ten terms on, which is below 1e-17 for x <= -20.
  Tensor series = 1 - inverse * 19;
  for (int odd = 17; odd >= 1; odd -= 2) series = 1 - inverse * series * odd;
  return log(series) - square(x) * 0.5 - log(-x) - 0.5 * std::log(2 * kPi);
}

}  // namespace

Tensor sinc(const Tensor& x) {
  const Operation called("sinc");
  checked(x, "sinc");
  return rounded_once(x, [](const Tensor& wide) {
    const Tensor zero = wide == 0;
    const Tensor some = where(zero, 1, wide);
    // sin(pi x) = (-1)^n sin(pi (x - n)), and x - n has no rounding.
    const Tensor whole = floor(some.detach() + 0.5);
    const Tensor half = whole * 0.5;
    const Tensor odd = half != floor(half);
    const Tensor wave = sin((some - whole) * kPi);
    return where(zero, 1, where(odd, -wave, wave) / (some * kPi));
  });
}

Tensor logit(const Tensor& x, std::optional<double> eps) {
  const Operation called("logit");
  checked(x, "logit");
  return rounded_once(x, [&](const Tensor& wide) {
    const double low = eps.value_or(0), high = 1 - low;
    const Tensor p = eps ? where(wide < low, low, where(wide > high, high, wide)) : wide;
    // Around 1/2 the quotient is near 1, whose distance from 1 is known exactly.
    const Tensor central = abs(p - 0.5) <= 0.25;
    const Tensor middle = where(central, p, 0.5), outer = where(central, 0.75, p);
    return where(central, log1p((middle * 2 - 1) / (1 - middle)), log(outer) - log1p(-outer));
  });
}

namespace {

/// a log(1 + b), where 0 has no infinite or missing logarithm beside it.
Tensor log1p_product(const Tensor& a, const Tensor& b) {
  const Operation called("xlog1py");
  checked(a, "xlog1py");
  checked(b, "xlog1py", "other");
  const Tensor nothing = (a == 0).logical_and((b <= -1).logical_or(b == kInfinity));
  return where(nothing, 0, a * log1p(where(nothing, 0, b)));
}

Tensor as_tensor(Scalar number, const Tensor& beside) {
  return scalar(number, {.dtype = promote(beside.dtype(), number.kind()), .device = beside.device()});
}

}  // namespace

Tensor xlog1py(const Tensor& a, const Tensor& b) { return log1p_product(a, b); }
Tensor xlog1py(const Tensor& a, Scalar b) { return log1p_product(a, as_tensor(b, a)); }
Tensor xlog1py(Scalar a, const Tensor& b) { return log1p_product(as_tensor(a, b), b); }

Tensor entr(const Tensor& x) {
  const Operation called("entr");
  checked(x, "entr");
  return rounded_once(x, [](const Tensor& wide) {
    return with_derivative(
        "entr", {wide},
        [&] {
          const Tensor positive = wide > 0;
          const Tensor above = -wide * log(where(positive, wide, 1));
          return where(wide < 0, -kInfinity, above);
        },
        [](const Tensor& gradient, std::span<const Tensor> in) {
          return std::vector<Tensor>{-gradient * (log(in[0]) + 1)};
        });
  });
}

Tensor ndtr(const Tensor& x) {
  const Operation called("ndtr");
  checked(x, "ndtr");
  return in_double(x, [](const Tensor& wide) { return erfc(wide * -std::sqrt(0.5)) * 0.5; });
}

Tensor log_ndtr(const Tensor& x) {
  const Operation called("log_ndtr");
  checked(x, "log_ndtr");
  return in_double(x, [](const Tensor& wide) {
    const Tensor left = wide <= -20, right = wide > -1;
    const Tensor middle = where(left.logical_or(right), -5, wide);
    const Tensor center = log(erfc(middle * -std::sqrt(0.5)) * 0.5);
    const Tensor high = log1p(erfc(where(right, wide, 0) * std::sqrt(0.5)) * -0.5);
    const Tensor low = left_tail(where(left, wide, -25));
    return where(left, low, where(right, high, where(isnan(wide), wide, center)));
  });
}

Tensor multigammaln(const Tensor& x, std::int64_t p) {
  const Operation called("multigammaln");
  checked(x, "multigammaln");
  LUGE_CHECK(ValueError, p >= 1, "multigammaln: p is {}; it must be 1 or more", p);
  return rounded_once(x, [&](const Tensor& wide) {
    const Tensor halves = 0.5 * arange(0, p, 1, {.dtype = wide.dtype(), .device = wide.device()});
    const double dimension = static_cast<double>(p);
    return lgamma(wide.reshape({wide.numel(), 1}) - halves).sum(-1).view(wide.shape()) + 0.25 * dimension * (dimension - 1) * std::log(kPi);
  });
}

}  // namespace luge
