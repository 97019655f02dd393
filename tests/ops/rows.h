#pragma once
// Every row of core/luge/math/op_table.h as a test sees it: a function of tensors, and where its inputs may lie.

#include <functional>
#include <vector>

#include <luge/luge.h>
#include <luge/seam/detail/op_traits.h>

namespace luge::test {

struct Row {
  const char* name;
  Op op;
  int inputs;                      ///< tensors: where has three, its condition first
  bool keeps_dtype;                ///< gives the dtype it computes in; masks are bool
  std::vector<double> parameters;  ///< what tests choose for them
  double low, high, kink;          ///< of the formula; see core/luge/math/elementwise.h
  std::function<Tensor(const std::vector<Tensor>&)> call;

  bool differentiable() const { return is_differentiable(op); }
  /// How many derivatives in turn there are.
  int orders() const { return differentiable() ? 99 : 0; }
  /// Whether the row computes in this dtype without converting it first.
  bool claims(DType dtype) const { return takes(accepted(op), dtype); }
};

/// Values for the parameters of a formula; clamp's kink is documented at these.
inline std::vector<double> chosen_parameters(Op op) {
  switch (op) {
    case Op::LeakyRelu: return {0.25};
    case Op::Softplus: return {2.0};
    case Op::Hardshrink: return {0.75};
    case Op::Clamp: return {-1.0, 1.0};
    case Op::Polygamma: return {2.0};
    default: return {};
  }
}

inline const std::vector<Row>& rows() {
  static const std::vector<Row> all = [] {
    using In = std::vector<Tensor>;
    std::vector<Row> made(kOpCount);
    const auto add = [&](const char* name, Op op, std::function<Tensor(const In&)> call) {
      const OpTraits& of = traits(op);
      made[static_cast<std::size_t>(op)] = {name, op, of.inputs, !of.is_mask, chosen_parameters(op), of.low, of.high, of.kink, std::move(call)};
    };
#define LUGE_CHOSEN(parameter, value) , p.at(next++)
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                                     \
  add(#function, Op::Formula, [](const In& in) {                                                           \
    [[maybe_unused]] const std::vector<double> p = chosen_parameters(Op::Formula);                         \
    [[maybe_unused]] std::size_t next = 0;                                                                 \
    return luge::function(in[0] LUGE_PARAMETERS(LUGE_CHOSEN, LUGE_CHOSEN, __VA_ARGS__));                   \
  });
    LUGE_UNARY_OPS(LUGE_ROW)
    LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_CHOSEN
#define LUGE_ROW(function, Formula, ...) \
  add(#function, Op::Formula, [](const In& in) { return luge::function(in[0], in[1]); });
    LUGE_BINARY_OPS(LUGE_ROW)
    LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  add(#function, Op::Formula, [](const In& in) { return luge::function(in[0], in[1], in[2]); });
    LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
    add("where", Op::Where, [](const In& in) { return where(in[0], in[1], in[2]); });
    add("clamp", Op::Clamp, [](const In& in) {
      const std::vector<double> p = chosen_parameters(Op::Clamp);
      return clamp(in[0], p[0], p[1]);
    });
    return made;
  }();
  return all;
}

}  // namespace luge::test
