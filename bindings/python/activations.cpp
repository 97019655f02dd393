// Activations: what luge.nn.functional has beside luge's own functions, and those of them that luge has, too.

#include <luge/ops/activation.h>

#include <fmt/format.h>

#include <luge/ops/replace.h>
#include <luge/ops/softmax.h>

#include "one.h"

namespace luge::python {

namespace {

const Tensor& input_of(const char* op, nb::handle input) {
  if (!is_tensor(input)) throw TypeError(fmt::format("{}: input is of type {}; it must be Tensor", op, type_of(input)));
  return as_tensor(input);
}

template <class... P>
nb::object overwritten(const char* name, nb::handle input, Tensor (*f)(const Tensor&, P...), P... numbers) {
  input_of(name, input);
  return in_place(name, input, {}, [&](const Tensor& x) {
    const Unlocked unlocked(x);
    return f(x, numbers...);
  });
}

/// f(input, ...) and, where PyTorch has it, its argument `inplace`. `parameters` are the declarations of the numbers in
/// Python, each behind a comma.
template <class... P, class... Argument>
void def_activation(nb::module_& own, const char* name, const char* parameters, bool inplace, const std::string& doc,
                    Tensor (*f)(const Tensor&, P...), const Argument&... arguments) {
  if (!inplace) {
    own.def(
        name,
        [f](const Tensor& x, P... numbers) {
          const Unlocked unlocked(x);
          return f(x, numbers...);
        },
        "input"_a, arguments..., doc.c_str(),
        nb::sig(fmt::format("def {}(input: Tensor{}) -> Tensor", name, parameters).c_str()));
    return;
  }
  own.def(
      name,
      [name, f](nb::handle input, P... numbers, bool overwrites) -> nb::object {
        if (overwrites) return overwritten(name, input, f, numbers...);
        const Tensor& x = input_of(name, input);
        Tensor result;
        {
          const Unlocked unlocked(x);
          result = f(x, numbers...);
        }
        return wrap(std::move(result));
      },
      "input"_a, arguments..., "inplace"_a = false, doc.c_str(),
      nb::sig(fmt::format("def {}(input: Tensor{}, inplace: bool = False) -> Tensor", name, parameters).c_str()));
}

/// f_(input, ...).
template <class... P, class... Argument>
void def_overwriting(nb::module_& own, const char* name, const char* parameters, Tensor (*f)(const Tensor&, P...),
                     const Argument&... arguments) {
  own.def(
      name, [name, f](nb::handle input, P... numbers) { return overwritten(name, input, f, numbers...); }, "input"_a,
      arguments..., nb::sig(fmt::format("def {}(input: Tensor{}) -> Tensor", name, parameters).c_str()),
      "In place; returns the tensor itself.");
}

std::string text(const char* does, const char* call, const char* result) {
  return fmt::format("{}\n\n>>> luge.nn.functional.{}\ntensor({})", does, call, result);
}

Tensor threshold_of(const Tensor& x, double bound, double value) { return threshold(x, bound, value); }
Tensor rrelu_of(const Tensor& x, double lower, double upper, bool training) { return rrelu(x, lower, upper, training); }

Tensor gelu_as(const Tensor& x, const std::string& approximate) {
  if (approximate == "none") return gelu(x);
  if (approximate == "tanh") return gelu_tanh(x);
  throw ValueError(fmt::format("gelu: approximate is '{}'; it must be 'none' or 'tanh'", approximate));
}

Tensor softplus_as(const Tensor& x, double beta, double threshold) {
  return threshold == 20 ? softplus(x, beta) : softplus(x, beta, threshold);
}

Tensor softmin_as(const Tensor& x, int dim, std::optional<PyDType> dtype) {
  return softmin(dtype ? x.to(dtype->value) : x, dim);
}

void bind_kinked(nb::module_& own) {
  def_activation(own, "relu", "", true,
                 text("max(x, 0). With `inplace` the input is overwritten.", "relu(luge.tensor([-1., 2.]))", "[0., 2.]"), &relu);
  def_activation(own, "leaky_relu", ", negative_slope: float = 0.01", true,
                 text("x where x > 0, negative_slope * x elsewhere.", "leaky_relu(luge.tensor([-1., 2.]), 0.5)", "[-0.5000,  2.0000]"),
                 &leaky_relu, "negative_slope"_a = 0.01);
  def_activation(own, "relu6", "", true,
                 text("min(max(x, 0), 6); the gradient is 0 at both ends.", "relu6(luge.tensor([-1., 7.]))", "[0., 6.]"), &relu6);
  def_activation(own, "hardtanh", ", min_val: float = -1.0, max_val: float = 1.0", true,
                 text("x between min_val and max_val; the gradient is 0 at both. Raises ValueError for min_val > max_val.",
                      "hardtanh(luge.tensor([-2., 0.5]))", "[-1.0000,  0.5000]"),
                 &hardtanh, "min_val"_a = -1.0, "max_val"_a = 1.0);
  def_activation(own, "hardsigmoid", "", true,
                 text("min(max(x + 3, 0), 6) / 6.", "hardsigmoid(luge.tensor([-3., 0.]))", "[0.0000, 0.5000]"), &hardsigmoid);
  def_activation(own, "hardswish", "", true, text("x * hardsigmoid(x).", "hardswish(luge.tensor([0., 3.]))", "[0., 3.]"),
                 &hardswish);
  def_activation(own, "softshrink", ", lambd: float = 0.5", false,
                 text("x - lambd above lambd, x + lambd below -lambd, 0 between. Raises ValueError for lambd < 0.",
                      "softshrink(luge.tensor([2., 0.25]))", "[1.5000, 0.0000]"),
                 &softshrink, "lambd"_a = 0.5);
  def_activation(own, "threshold", ", threshold: float, value: float", true,
                 text("`value` where x <= threshold, x elsewhere.", "threshold(luge.tensor([0., 2.]), 1.0, 5.0)", "[5., 2.]"),
                 &threshold_of, "threshold"_a, "value"_a);
  def_activation(own, "rrelu", ", lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False", true,
                 text("leaky_relu with slopes drawn uniformly from [lower, upper) where `training`, else with their mean.",
                      "rrelu(luge.tensor([-2., 1.]), 0.25, 0.75)", "[-1.,  1.]"),
                 &rrelu_of, "lower"_a = 1.0 / 8, "upper"_a = 1.0 / 3, "training"_a = false);
  own.def(
      "prelu",
      [](const Tensor& x, const Tensor& weight) {
        const Unlocked unlocked(x);
        return prelu(x, weight);
      },
      "input"_a, "weight"_a,
      text("x where x > 0, weight * x elsewhere; `weight` holds one number, or one for each index of dimension 1. Raises "
           "ShapeError, DTypeError.",
           "prelu(luge.tensor([-2., 1.]), luge.tensor([0.5]))", "[-1.,  1.]")
          .c_str());
}

void bind_smooth(nb::module_& own) {
  def_activation(own, "elu", ", alpha: float = 1.0", true,
                 text("x where x > 0, alpha * (exp(x) - 1) elsewhere.", "elu(luge.tensor([-1., 1.]))", "[-0.6321,  1.0000]"), &elu,
                 "alpha"_a = 1.0);
  def_activation(own, "selu", "", true,
                 text("1.0507 * elu(x, 1.6733), which keeps mean 0 and variance 1.", "selu(luge.tensor([-1., 1.]))",
                      "[-1.1113,  1.0507]"),
                 &selu);
  def_activation(own, "celu", ", alpha: float = 1.0", true,
                 text("x where x > 0, alpha * (exp(x / alpha) - 1) elsewhere. Raises ValueError for alpha = 0.",
                      "celu(luge.tensor([-1., 1.]), 2.0)", "[-0.7869,  1.0000]"),
                 &celu, "alpha"_a = 1.0);
  def_activation(own, "silu", "", true, text("x * sigmoid(x).", "silu(luge.tensor([0., 1.]))", "[0.0000, 0.7311]"), &silu);
  def_activation(own, "mish", "", true, text("x * tanh(softplus(x)).", "mish(luge.tensor([0., 1.]))", "[0.0000, 0.8651]"),
                 &mish);
  def_activation(own, "softsign", "", false, text("x / (1 + |x|).", "softsign(luge.tensor([-1., 3.]))", "[-0.5000,  0.7500]"),
                 &softsign);
  def_activation(own, "tanhshrink", "", false,
                 text("x - tanh(x).", "tanhshrink(luge.tensor([0., 1.]))", "[0.0000, 0.2384]"), &tanhshrink);
  def_activation(own, "logsigmoid", "", false,
                 text("log(sigmoid(x)), exact for large |x|.", "logsigmoid(luge.tensor([0., -100.]))",
                      "[  -0.6931, -100.0000]"),
                 &logsigmoid);
  def_activation(own, "gelu", ", approximate: str = 'none'", false,
                 text("x * (1 + erf(x / sqrt(2))) / 2, or its approximation with 'tanh'. Raises ValueError for another word.",
                      "gelu(luge.tensor([1.0]), approximate='tanh')", "[0.8412]"),
                 +[](const Tensor& x, std::string approximate) { return gelu_as(x, approximate); }, "approximate"_a = "none");
  def_activation(own, "softplus", ", beta: float = 1.0, threshold: float = 20.0", false,
                 text("log(1 + exp(beta * x)) / beta, and x where beta * x > threshold; with the threshold of 20 the formula "
                      "itself, which does not overflow.",
                      "softplus(luge.tensor([0., 100.]))", "[  0.6931, 100.0000]"),
                 &softplus_as, "beta"_a = 1.0, "threshold"_a = 20.0);
  def_activation(own, "glu", ", dim: int = -1", false,
                 text("a * sigmoid(b), with the halves a and b of the input along `dim`. Raises ShapeError for an odd size.",
                      "glu(luge.tensor([2., 0.]))", "[1.]"),
                 &glu, "dim"_a = -1);
  def_activation(own, "softmin", ", dim: int, dtype: dtype | None = None", false,
                 text("softmax(-x) along `dim`; with `dtype` the input is converted first.", "softmin(luge.zeros(2), 0)",
                      "[0.5000, 0.5000]"),
                 &softmin_as, "dim"_a, "dtype"_a = nb::none());
}

void bind_overwriting(nb::module_& own) {
  def_overwriting(own, "relu_", "", &relu);
  def_overwriting(own, "elu_", ", alpha: float = 1.0", &elu, "alpha"_a = 1.0);
  def_overwriting(own, "selu_", "", &selu);
  def_overwriting(own, "celu_", ", alpha: float = 1.0", &celu, "alpha"_a = 1.0);
  def_overwriting(own, "leaky_relu_", ", negative_slope: float = 0.01", &leaky_relu, "negative_slope"_a = 0.01);
  def_overwriting(own, "hardtanh_", ", min_val: float = -1.0, max_val: float = 1.0", &hardtanh, "min_val"_a = -1.0,
                  "max_val"_a = 1.0);
  def_overwriting(own, "threshold_", ", threshold: float, value: float", &threshold_of, "threshold"_a, "value"_a);
  def_overwriting(own, "rrelu_",
                  ", lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False", &rrelu_of,
                  "lower"_a = 1.0 / 8, "upper"_a = 1.0 / 3, "training"_a = false);
}

}  // namespace

void bind_activations(nb::module_& m, nb::class_<Tensor>& tensor) {
  nb::module_ own = m.def_submodule("_functional", "Functions of luge.nn.functional.");
  bind_kinked(own);
  bind_smooth(own);
  bind_overwriting(own);
  for (const char* const name : {"celu", "celu_", "prelu", "relu_", "rrelu", "rrelu_", "selu", "selu_", "threshold", "threshold_"})
    m.attr(name) = own.attr(name);
  tensor.def(
      "prelu",
      [](const Tensor& x, const Tensor& weight) {
        const Unlocked unlocked(x);
        return prelu(x, weight);
      },
      "weight"_a, "x where x > 0, weight * x elsewhere; see luge.nn.functional.prelu.");
}

}  // namespace luge::python
