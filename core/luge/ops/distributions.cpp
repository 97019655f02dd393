#include <luge/ops/distributions.h>

#include <cmath>
#include <numbers>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/reduce.h>
#include <luge/ops/scan.h>
#include <luge/ops/search.h>
#include <luge/ops/sort.h>
#include <luge/ops/statistics.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// What a distribution is computed in: halves and integers in float32.
DType working(DType dtype) { return dtype == DType::Float64 ? dtype : DType::Float32; }

/// Values can be looked at without waiting, and at every call.
bool can_look(const Tensor& x) { return !observer && x.device().is_cpu() && x.numel() > 0; }

void check_floating(const char* op, const char* argument, const Tensor& x) {
  LUGE_CHECK(DTypeError, is_floating(checked(x, op, argument).dtype), "{}: {} is {}; it must be floating", op, argument,
             name(x.dtype()));
}

/// Uniform numbers of [0, 1) in the dtype that formulas are computed in.
Tensor uniform_of(const Shape& shape, TensorOptions options) {
  return rand(shape, {.dtype = working(options.dtype), .device = options.device});
}
Tensor normal_of(const Shape& shape, TensorOptions options) {
  return randn(shape, {.dtype = working(options.dtype), .device = options.device});
}

Tensor finished(const Tensor& drawn, TensorOptions options) {
  Tensor result = drawn.to(options.dtype);
  if (options.requires_grad) result.requires_grad_();
  return result;
}

}  // namespace

Tensor bernoulli(const Tensor& p) {
  const Operation called("bernoulli");
  check_floating("bernoulli", "input", p);
  const NoGrad guard;
  LUGE_CHECK(ValueError, !can_look(p) || logical_and(p >= 0, p <= 1).min().item<bool>(),
             "bernoulli: input has a probability outside [0, 1]");
  return (uniform_of(p.shape(), {.dtype = p.dtype(), .device = p.device()}) < p.to(working(p.dtype()))).to(p.dtype());
}

Tensor multinomial(const Tensor& weights, std::int64_t count, bool replacement) {
  const Operation called("multinomial");
  check_floating("multinomial", "input", weights);
  const int ndim = weights.ndim();
  LUGE_CHECK(ShapeError, (ndim == 1 || ndim == 2) && weights.size(-1) > 0,
             "multinomial: input has shape {}; it must be (categories) or (rows, categories), with one category at least",
             to_string(weights.shape()));
  LUGE_CHECK(ValueError, count >= 1, "multinomial: num_samples is {}; it must be 1 or more", count);
  const std::int64_t categories = weights.size(-1);
  LUGE_CHECK(ValueError, replacement || count <= categories,
             "multinomial: num_samples is {} and input has {} categories; without replacement there cannot be more samples", count,
             categories);
  const NoGrad guard;
  const Tensor w = weights.to(working(weights.dtype()));
  if (can_look(w)) {
    LUGE_CHECK(ValueError, logical_and(w >= 0, isfinite(w)).min().item<bool>(),
               "multinomial: input has a weight that is negative or not finite");
    const Tensor possible = (w > 0).sum(-1).min();
    LUGE_CHECK(ValueError, possible.item<std::int64_t>() >= (replacement ? 1 : count),
               "multinomial: a row of input has {} weights above 0; {} samples need {} at least", possible.item<std::int64_t>(),
               count, replacement ? 1 : count);
  }
  const TensorOptions like{.dtype = w.dtype(), .device = w.device()};
  if (!replacement) return topk(w / exponential(1, w.shape(), like), count).indices;
  Shape drawn = w.shape();
  drawn[drawn.ndim() - 1] = count;
  const Tensor sums = cumsum(w.to(DType::Float64), -1);
  const Tensor total = sums.slice(-1, categories - 1);
  // The last category that can come is the first whose sum is the total: rounding must not choose one of weight 0 behind it.
  const Tensor found = searchsorted(sums, rand(drawn, {.dtype = DType::Float64, .device = w.device()}) * total, {.right = true});
  return minimum(found, searchsorted(sums, total));
}

Tensor normal(const Tensor& mean, const Tensor& std) {
  const Operation called("normal");
  check_floating("normal", "mean", mean);
  check_floating("normal", "std", std);
  const NoGrad guard;
  LUGE_CHECK(ValueError, !can_look(std) || (std >= 0).min().item<bool>(), "normal: std has a negative element");
  const Tensor zero = zeros_like(mean) * zeros_like(std);
  return (mean + std * normal_of(zero.shape(), {.dtype = zero.dtype(), .device = zero.device()})).to(zero.dtype());
}
Tensor normal(double mean, const Tensor& std) { return normal(full_like(std, mean), std); }
Tensor normal(const Tensor& mean, double std) { return normal(mean, full_like(mean, std)); }

Tensor normal(double mean, double std, const Shape& shape, TensorOptions options) {
  const Operation called("normal");
  LUGE_CHECK(ValueError, std >= 0, "normal: std is {}; it must be 0 or more", std);
  const NoGrad guard;
  return finished(mean + std * normal_of(shape, options), options);
}

Tensor uniform(double low, double high, const Shape& shape, TensorOptions options) {
  const Operation called("uniform");
  LUGE_CHECK(ValueError, low <= high, "uniform: low is {} and high is {}; low must not be above high", low, high);
  const NoGrad guard;
  return finished(low + (high - low) * rand(shape, {.dtype = options.dtype, .device = options.device}), options);
}

Tensor exponential(double rate, const Shape& shape, TensorOptions options) {
  const Operation called("exponential");
  LUGE_CHECK(ValueError, rate > 0, "exponential: rate is {}; it must be above 0", rate);
  const NoGrad guard;
  // 1 - u is above 0, and a number that is not 0 can be divided by.
  return finished(-log1p(-clamp(uniform_of(shape, options), 0x1p-33, std::nullopt)) * (1 / rate), options);
}

Tensor geometric(double p, const Shape& shape, TensorOptions options) {
  const Operation called("geometric");
  LUGE_CHECK(ValueError, p > 0 && p < 1, "geometric: p is {}; it must be between 0 and 1", p);
  const NoGrad guard;
  return finished(clamp(ceil(log1p(-uniform_of(shape, options)) * (1 / std::log1p(-p))), 1, std::nullopt), options);
}

Tensor log_normal(double mean, double std, const Shape& shape, TensorOptions options) {
  const Operation called("log_normal");
  LUGE_CHECK(ValueError, std > 0, "log_normal: std is {}; it must be above 0", std);
  const NoGrad guard;
  return finished(exp(mean + std * normal_of(shape, options)), options);
}

Tensor cauchy(double median, double scale, const Shape& shape, TensorOptions options) {
  const Operation called("cauchy");
  LUGE_CHECK(ValueError, scale > 0, "cauchy: scale is {}; it must be above 0", scale);
  const NoGrad guard;
  return finished(median + scale * tan((uniform_of(shape, options) - 0.5) * std::numbers::pi), options);
}

}  // namespace luge
