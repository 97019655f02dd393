#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {
struct FitModel;
}

namespace luge::fit {

/// What a formula does not say itself.
struct ModelNames {
  /// Names of what is given beside the parameters, in the order of the rows of `x`.
  std::vector<std::string> predictors = {"x"};
  /// Names of the parameters in order. Empty: in the order in which the formulas mention them.
  std::vector<std::string> parameters = {};
};

/// What is fitted: one or more functions of predictors and parameters, with their derivatives. It is a list of ops of
/// luge, made once, which fits run as they run any formula: no code is written or compiled for a new model by hand.
class Model {
 public:
  /// Of a formula such as "a * exp(-x / t) + c", in Python's notation:
  ///   + - * / **, numbers, pi, parentheses; < <= > >= == !=, and, or, not;
  ///   every function of one number of docs/ops.md, and what is made of them (detail/functions.cpp): tan, arcsin, sinh,
  ///   erfc, sinc, ...; arctan2(y, x), hypot(a, b), heaviside(x, half);
  ///   maximum (max), minimum (min), pow, lerp(a, b, w), clamp(x, low, high), where(condition, a, b).
  /// Throws ValueError that shows the place: an unknown function, a name that is missing or unused, a syntax error.
  explicit Model(const std::string& formula, const ModelNames& names = {});
  /// Of several formulas of the same parameters, one for each output.
  explicit Model(const std::vector<std::string>& formulas, const ModelNames& names = {});

  using Function =
      std::function<std::vector<Tensor>(const std::vector<Tensor>& predictors, const std::vector<Tensor>& parameters)>;
  /// Of a function of tensors, which is called once to see what it does: predictors of shape (points), parameters of
  /// shape (). It may do whatever works element by element; ValueError names anything else.
  Model(const Function& function, const ModelNames& names);

  const std::vector<std::string>& predictors() const;
  const std::vector<std::string>& parameters() const;
  int outputs() const;
  /// Whether the model changes with the parameter of this number. One that only decides conditions, as x0 in
  /// "where(x < x0, a, b)", has no derivative: curve_fit takes it fixed.
  bool has_derivative(std::size_t parameter) const;
  /// As it was given; empty for a function.
  const std::vector<std::string>& formulas() const;

  /// The values of output `output`, by ops of tensors that record their gradients. The tensors broadcast.
  Tensor operator()(const std::vector<Tensor>& predictors, const std::vector<Tensor>& parameters, int output = 0) const;

  /// With its derivatives, for observations of float32 or float64.
  const std::shared_ptr<const FitModel>& compiled(DType dtype) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace luge::fit
