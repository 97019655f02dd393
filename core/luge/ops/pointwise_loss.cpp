#include <luge/ops/pointwise_loss.h>

#include <cmath>
#include <numbers>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/loss_terms.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/result_type.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// The arguments in the dtype that is computed in, and the one of the loss.
struct Pair {
  Tensor input, target;
  DType dtype;

  Tensor finished(const char* op, const Tensor& losses, Reduction reduction, const Tensor& weight = {}) const {
    if (!is_floating(dtype)) return reduced(op, losses, reduction);
    if (!weight.defined()) return reduced(op, losses, reduction).to(dtype);
    const Tensor factors = weight.to(losses.dtype());
    const Tensor weighted = losses * factors;
    if (reduction != Reduction::Mean) return reduced(op, weighted, reduction).to(dtype);
    return (weighted.sum() / factors.expand(losses.shape()).sum()).to(dtype);
  }
};

/// `floating`: integers are refused.
Pair pair(const char* op, const Tensor& input, const Tensor& target, bool floating) {
  checked(input, op);
  checked(target, op, "target");
  const DType dtype = autocast_float32(result_type(input, target), input.device());
  LUGE_CHECK(DTypeError, !floating || is_floating(dtype),
             "{}: input is {} and target is {}; one of them must be of a floating dtype", op, name(input.dtype()),
             name(target.dtype()));
  const DType wide = is_floating(dtype) ? arithmetic_dtype(dtype) : dtype;
  return {input.to(wide), target.to(wide), dtype};
}

Pair equal_pair(const char* op, const Tensor& input, const Tensor& target, Reduction reduction, bool floating) {
  Pair result = pair(op, input, target, floating);
  check_goes_with(op, "target", target, "input", input.shape(), reduction);
  return result;
}

/// Whether any value fails the test; looked at on the CPU alone, where nothing records a step.
bool has_wrong(const Tensor& test) {
  if (observer || !test.device().is_cpu() || test.numel() == 0) return false;
  return no_grad([&] { return test.any().item<bool>(); });
}

}  // namespace

Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction, const Tensor& weight) {
  const Operation called("l1_loss");
  const Pair in = equal_pair("l1_loss", input, target, reduction, reduction == Reduction::Mean);
  return in.finished("l1_loss", abs(in.input - in.target), reduction, weight);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, Reduction reduction, double beta) {
  const Operation called("smooth_l1_loss");
  LUGE_CHECK(ValueError, beta >= 0, "smooth_l1_loss: beta is {}; it must be 0 or more", beta);
  if (beta == 0) return l1_loss(input, target, reduction);
  const Pair in = equal_pair("smooth_l1_loss", input, target, reduction, true);
  const Tensor distance = abs(in.input - in.target);
  // c (d - c / 2) with c = min(d, beta): no branch has an infinity that the other one hides.
  const Tensor bounded = clamp(distance, std::nullopt, beta);
  return in.finished("smooth_l1_loss", bounded * (distance - bounded * 0.5) / beta, reduction);
}

Tensor huber_loss(const Tensor& input, const Tensor& target, Reduction reduction, double delta, const Tensor& weight) {
  const Operation called("huber_loss");
  LUGE_CHECK(ValueError, delta > 0, "huber_loss: delta is {}; it must be above 0", delta);
  const Pair in = equal_pair("huber_loss", input, target, reduction, true);
  const Tensor distance = abs(in.input - in.target), bounded = clamp(distance, std::nullopt, delta);
  Tensor losses = bounded * (distance - bounded * 0.5);
  if (weight.defined()) losses = losses * weight.to(losses.dtype());
  return in.finished("huber_loss", losses, reduction);
}

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction, const Tensor& weight) {
  if (!weight.defined()) return mse_loss(input, target, reduction);
  const Operation called("mse_loss");
  const Pair in = equal_pair("mse_loss", input, target, reduction, true);
  return in.finished("mse_loss", square(in.input - in.target), reduction, weight);
}

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, Reduction reduction, const Tensor& weight) {
  const Operation called("binary_cross_entropy");
  checked(input, "binary_cross_entropy");
  checked(target, "binary_cross_entropy", "target");
  LUGE_CHECK(ValueError, !autocast_enabled(input.device().type),
             "binary_cross_entropy: it is unsafe within autocast, where its input has been rounded; use "
             "binary_cross_entropy_with_logits on the logits, or leave autocast for the loss");
  LUGE_CHECK(DTypeError, is_floating(input.dtype()) && target.dtype() == input.dtype(),
             "binary_cross_entropy: input is {} and target is {}; both must be of one floating dtype",
             name(input.dtype()), name(target.dtype()));
  const Pair in = equal_pair("binary_cross_entropy", input, target, reduction, true);
  LUGE_CHECK(ValueError, !has_wrong((input < 0).logical_or(input > 1)),
             "binary_cross_entropy: an element of input is outside [0, 1]");
  const Tensor wanted = in.target.expand(in.input.shape());
  const auto logarithm = [](const Tensor& of) { return clamp(of, -100, std::nullopt); };
  const Tensor losses = with_derivative(
      "binary_cross_entropy", {in.input, wanted},
      [&] {
        return (wanted - 1) * logarithm(log1p(-in.input)) - wanted * logarithm(log(in.input));
      },
      [](const Tensor& gradient, std::span<const Tensor> given) {
        const Tensor &x = given[0], &t = given[1];
        const Tensor slope = (x - t) / clamp((1 - x) * x, 1e-12, std::nullopt);
        return std::vector<Tensor>{gradient * slope, gradient * (log1p(-x) - log(x))};
      });
  if (!weight.defined()) return reduced("binary_cross_entropy", losses, reduction).to(in.dtype);
  return reduced("binary_cross_entropy", losses * weight.to(losses.dtype()), reduction).to(in.dtype);
}

Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, Reduction reduction, const Tensor& weight,
                                        const Tensor& pos_weight) {
  constexpr const char* kOp = "binary_cross_entropy_with_logits";
  const Operation called(kOp);
  const Pair in = equal_pair(kOp, input, target, reduction, true);
  LUGE_CHECK(DTypeError, target.dtype() != DType::Bool, "{}: target is bool; convert it with to()", kOp);
  // -log(sigmoid(x)), and the weight of that: 1 where there is no pos_weight.
  const Tensor surprise = softplus(-in.input);
  Tensor losses = (1 - in.target) * in.input;
  if (pos_weight.defined()) {
    losses = losses + ((pos_weight.to(surprise.dtype()) - 1) * in.target + 1) * surprise;
  } else {
    losses = losses + surprise;
  }
  if (weight.defined()) losses = losses * weight.to(losses.dtype());
  return reduced(kOp, losses, reduction).to(in.dtype);
}

Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options) {
  const Operation called("kl_div");
  const Pair in = pair("kl_div", input, target, true);
  const Tensor losses = options.log_target ? exp(in.target) * (in.target - in.input)
                                           : xlogy(in.target, in.target) - in.target * in.input;
  if (!options.batch_mean) return in.finished("kl_div", losses, options.reduction);
  const double count = input.ndim() > 0 ? static_cast<double>(input.shape()[0]) : 1;
  return (losses.sum() / count).to(in.dtype);
}

Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonOptions& options) {
  const Operation called("poisson_nll_loss");
  const Pair in = pair("poisson_nll_loss", input, target, true);
  Tensor losses = options.log_input ? exp(in.input) - in.target * in.input
                                    : in.input - in.target * log(in.input + options.eps);
  if (options.full) {
    const Tensor large = in.target > 1, some = where(large, in.target, 1);
    const Tensor factorial = some * log(some) - some + log(some * (2 * std::numbers::pi)) * 0.5;
    losses = losses + where(large, factorial, 0);
  }
  return in.finished("poisson_nll_loss", losses, options.reduction);
}

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full, double eps,
                         Reduction reduction) {
  constexpr const char* kOp = "gaussian_nll_loss";
  const Operation called(kOp);
  const Pair in = pair(kOp, input, target, true);
  checked(var, kOp, "var");
  const Shape &shape = input.shape(), &given = var.shape();
  Tensor variance = var.to(in.input.dtype());
  if (given != shape && !given.empty()) {
    Shape shorter = shape;
    if (!shape.empty()) shorter.erase(shape.ndim() - 1);
    Shape kept = shape;
    if (!shape.empty()) kept[shape.ndim() - 1] = 1;
    LUGE_CHECK(ShapeError, given == shorter || given == kept,
               "{}: input is {} and var is {}; var must be {}, {} or {}, or a number", kOp, to_string(shape),
               to_string(given), to_string(shape), to_string(shorter), to_string(kept));
    if (given == shorter) variance = variance.unsqueeze(-1);
  }
  LUGE_CHECK(ValueError, eps > 0, "{}: eps is {}; it must be above 0", kOp, eps);
  LUGE_CHECK(ValueError, !has_wrong(var < 0), "{}: an element of var is below 0", kOp);
  const Tensor bounded = with_derivative(
      kOp, {variance}, [&] { return clamp(variance, eps, std::nullopt); },
      [](const Tensor& gradient, std::span<const Tensor>) { return std::vector<Tensor>{gradient}; });
  Tensor losses = (log(bounded) + square(in.input - in.target) / bounded) * 0.5;
  if (full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return in.finished(kOp, losses, reduction);
}

Tensor nll_loss(const Tensor& given, const Tensor& target, const NllOptions& options) {
  const Operation called("nll_loss");
  checked(given, "nll_loss");
  const Tensor input = autocast_float32(given);
  checked(target, "nll_loss", "target");
  LUGE_CHECK(DTypeError, is_floating(input.dtype()), "nll_loss: input is {}; allowed are the floating dtypes",
             name(input.dtype()));
  const Shape& shape = input.shape();
  const int sets = options.reduction == Reduction::PerSet ? 1 : 0;
  LUGE_CHECK(ShapeError, shape.ndim() > sets, "nll_loss: input is {}; it needs a dimension of classes", to_string(shape));
  const int dim = shape.ndim() == sets + 1 ? sets : sets + 1;
  const std::int64_t classes = shape[dim];
  Shape samples = shape;
  samples.erase(dim);
  check_goes_with("nll_loss", "target", target, "the samples", samples, options.reduction);
  LUGE_CHECK(DTypeError, is_index(target.dtype()) || target.dtype() == DType::UInt8,
             "nll_loss: target is {}; allowed are int32, int64 and uint8", name(target.dtype()));
  const auto [kept, ignored] = kept_labels("nll_loss", target, classes, options.ignore_index);
  const Tensor labels = kept.expand(samples);
  const DType wide = arithmetic_dtype(input.dtype());
  Tensor losses = -input.to(wide).gather(dim, labels.unsqueeze(dim)).squeeze(dim);
  Tensor weights;
  if (options.weight.defined()) {
    LUGE_CHECK(ShapeError, options.weight.shape() == Shape{classes}, "nll_loss: weight is {}; it must be ({},)",
               to_string(options.weight.shape()), classes);
    weights = options.weight.to(wide).gather(0, labels.reshape({labels.numel()})).reshape(samples);
    losses = losses * weights;
  } else {
    weights = ones(samples, {.dtype = wide, .device = input.device()});
  }
  const Tensor left_out = ignored.expand(samples);
  losses = where(left_out, 0, losses);
  weights = where(left_out, 0, weights);
  switch (options.reduction) {
    case Reduction::Mean: return (losses.sum() / weights.sum()).to(input.dtype());
    case Reduction::PerSet:
      return (losses.ndim() == 1 ? losses / weights : losses.flatten(1).sum(1) / weights.flatten(1).sum(1))
          .to(input.dtype());
    case Reduction::None:
    case Reduction::Sum: break;
  }
  return reduced("nll_loss", losses, options.reduction).to(input.dtype());
}

}  // namespace luge
