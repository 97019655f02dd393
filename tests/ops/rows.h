#pragma once
// Every row of kernels/math/rows.h as a test sees it: a function of tensors, and where its inputs may lie.

#include <functional>
#include <vector>

#include <luge/luge.h>
#include <luge/math/elementwise.h>

namespace luge::test {

struct Row {
  const char* name;
  Op op;
  int inputs;                      ///< tensors: where has three, its condition first
  bool keeps_dtype;                ///< gives the dtype it computes in; comparisons and tests give bool
  std::vector<double> parameters;  ///< what tests choose for them
  double low, high, kink;          ///< of the formula; see kernels/math/elementwise.h
  std::function<Tensor(const std::vector<Tensor>&)> call;

  bool differentiable() const { return keeps_dtype && accepted(op) != DTypes::Integral; }

  /// Whether the row computes in this dtype without converting it first.
  bool claims(DType dtype) const {
    switch (accepted(op)) {
      case DTypes::Float: return is_floating(dtype);
      case DTypes::Numeric: return dtype != boolean;
      case DTypes::Any: return true;
      case DTypes::Logical: return dtype == boolean;
      case DTypes::Integral: return is_integral(dtype);
    }
    return false;
  }
};

/// Values for the parameters of a formula; clamp's kink is documented at these.
inline std::vector<double> chosen_parameters(Op op) {
  switch (op) {
    case Op::LeakyRelu: return {0.25};
    case Op::Softplus: return {2.0};
    case Op::Clamp: return {-1.0, 1.0};
    default: return {};
  }
}

inline const std::vector<Row>& rows() {
  namespace formulas = luge::math::scalar;
  static const std::vector<Row> all = {
#define LUGE_TRAITS(Formula) formulas::Formula::kLow, formulas::Formula::kHigh, formulas::Formula::kKink
#define LUGE_ROW(function, Formula, ...) \
  {#function, Op::Formula, 1, true, {}, LUGE_TRAITS(Formula), [](const std::vector<Tensor>& in) { return luge::function(in[0]); }},
      LUGE_UNARY_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, dtypes, declaration, arguments, ...)                         \
  {#function, Op::Formula, 1, true, chosen_parameters(Op::Formula), LUGE_TRAITS(Formula),   \
   [](const std::vector<Tensor>& in) {                                                      \
     const std::vector<double> p = chosen_parameters(Op::Formula);                          \
     if constexpr (formulas::Formula::kParameters == 2) {                                   \
       return unary_with_parameters(Op::Formula, in[0], {p[0], p[1]});                      \
     } else {                                                                               \
       return unary_with_parameters(Op::Formula, in[0], {p[0]});                            \
     }                                                                                      \
   }},
      LUGE_UNARY_PARAMETER_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  {#function, Op::Formula, 2, true, {}, LUGE_TRAITS(Formula), [](const std::vector<Tensor>& in) { return luge::function(in[0], in[1]); }},
      LUGE_BINARY_ROWS(LUGE_ROW)
      LUGE_BITWISE_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  {#function, Op::Formula, 2, false, {}, LUGE_TRAITS(Formula), [](const std::vector<Tensor>& in) { return luge::function(in[0], in[1]); }},
      LUGE_COMPARE_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  {#function, Op::Formula, 1, false, {}, LUGE_TRAITS(Formula), [](const std::vector<Tensor>& in) { return luge::function(in[0]); }},
      LUGE_TEST_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                      \
  {#function, Op::Formula, 3, true, {}, LUGE_TRAITS(Formula), \
   [](const std::vector<Tensor>& in) { return luge::function(in[0], in[1], in[2]); }},
      LUGE_WHERE_ROWS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_TRAITS
  };
  return all;
}

}  // namespace luge::test
