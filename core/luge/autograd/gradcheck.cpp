#include <luge/autograd/gradcheck.h>

#include <cmath>

#include <luge/autograd/grad.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>

namespace luge {

namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Leaves on the inputs' own memory, which a transposed or sliced input shares strides and all; their
/// gradients are theirs alone.
std::vector<Tensor> own_inputs(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> own;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    LUGE_CHECK(ValueError, inputs[i].defined(), "gradcheck: input {} is an undefined tensor", i);
    const bool checked = inputs[i].requires_grad();
    for (int d = 0; checked && d < inputs[i].ndim(); ++d)
      LUGE_CHECK(ValueError, inputs[i].strides()[d] != 0 || inputs[i].shape()[d] <= 1,
                 "gradcheck: input {} was expanded; pass the tensor it came from and expand inside the function", i);
    LUGE_CHECK(DTypeError, !checked || inputs[i].dtype() == DType::Float64,
               "gradcheck: input {} requires a gradient and is {}; only float64 is accurate enough", i,
               name(inputs[i].dtype()));
    own.push_back(inputs[i].detach());
    if (checked) own.back().requires_grad_();
  }
  return own;
}

/// sum(function(inputs) * weights) in float64: one number whose gradient tests all outputs at once.
double weighted(const Function& function, const std::vector<Tensor>& inputs, const Tensor& weights) {
  return no_grad([&] { return function(inputs).mul(weights).sum().item(); });
}

/// A 0-d view of one element, by its row-major position.
Tensor element(const Tensor& tensor, std::int64_t position) {
  Tensor at = tensor.detach();
  while (at.ndim() > 0) {
    const std::int64_t inner = at.numel() / at.size(0);
    at = at.select(0, position / inner);
    position %= inner;
  }
  return at;
}

/// Fixed, uneven weights: a gradient that is right only on average does not pass.
Tensor uneven(const Tensor& like) {
  const Tensor weights = arange(like.numel(), {.dtype = DType::Float64});
  return no_grad([&] { return (weights * 0.61803398874989).sin().add(1.25).reshape(like.shape()).to(like.device()); });
}

}  // namespace

GradcheckResult gradcheck(const Function& function, const std::vector<Tensor>& inputs, GradcheckOptions options,
                          SourceLocation location) {
  refuse_capture("gradcheck", kHostRead, location);
  std::vector<Tensor> own = own_inputs(inputs);
  const Tensor output = function(own);
  LUGE_CHECK(AutogradError, output.requires_grad(),
             "gradcheck: the output does not depend on an input that requires a gradient");
  LUGE_CHECK(DTypeError, output.dtype() == DType::Float64, "gradcheck: the output is {}; it must be float64",
             name(output.dtype()));
  const Tensor weights = uneven(output);
  output.backward(weights);

  GradcheckResult result;
  double worst_failure = 0;  // an element that agrees may be further off than one that fails
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (!own[i].requires_grad()) continue;
    const Tensor gradient = own[i].grad();
    const std::vector<double> analytic =
        gradient.defined() ? gradient.to_vector<double>()
                           : std::vector<double>(static_cast<std::size_t>(own[i].numel()), 0.0);
    if (gradient.defined() && gradient.shape() != own[i].shape()) {
      result.passed = false;
      result.message = fmt::format("gradcheck: the gradient of input {} has shape {}, the input {}", i,
                                   to_string(gradient.shape()), to_string(own[i].shape()));
      return result;
    }
    for (std::int64_t e = 0; e < own[i].numel(); ++e) {
      Tensor at = element(own[i], e);
      const double x = at.item();
      at.fill_(x + options.epsilon);
      const double above = weighted(function, own, weights);
      at.fill_(x - options.epsilon);
      const double below = weighted(function, own, weights);
      at.fill_(x);
      const double numeric = (above - below) / (2 * options.epsilon);
      const double error = std::abs(numeric - analytic[static_cast<std::size_t>(e)]);
      const bool agrees = error <= options.absolute_tolerance + options.relative_tolerance * std::abs(numeric);
      if (error > result.worst_error || std::isnan(error)) result.worst_error = error;
      if (agrees) continue;
      if (result.passed || error > worst_failure || std::isnan(error)) {
        worst_failure = error;
        result.message = fmt::format("gradcheck: input {}, element {}: backward gives {}, central difference {}", i, e,
                                     analytic[static_cast<std::size_t>(e)], numeric);
      }
      result.passed = false;
    }
  }
  return result;
}

GradcheckResult gradgradcheck(const Function& function, const std::vector<Tensor>& inputs, GradcheckOptions options,
                              SourceLocation location) {
  const Operation called("gradgradcheck");
  refuse_capture("gradgradcheck", kHostRead, location);
  const Tensor output = function(own_inputs(inputs));
  std::vector<Tensor> all = inputs;
  all.push_back(uneven(output).requires_grad_());

  const auto gradients = [&](const std::vector<Tensor>& given) {
    const GradMode recording(true);
    std::vector<Tensor> of = given;
    const Tensor weights = of.back();
    of.pop_back();
    const Tensor result = function(of);
    std::vector<Tensor> wanted, rows;
    for (const Tensor& input : of)
      if (input.requires_grad()) wanted.push_back(input);
    for (const Tensor& gradient : grad({result}, wanted, {weights}, {}, true, true))
      if (gradient.defined()) rows.push_back(gradient.reshape({gradient.numel()}));
    const Tensor found = cat(rows, 0);
    // A gradient of zero everywhere depends on nothing.
    return found.requires_grad() ? found : found + weights.sum() * 0;
  };
  return gradcheck(gradients, all, options, location);
}

}  // namespace luge
