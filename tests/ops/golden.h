#pragma once
// The table that golden.py computed.

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <luge/base/dtype.h>

#include "ops/rows.h"

namespace luge::test {

struct Golden {
  enum class Kind { Float, Integer, Bool };

  const char* name;
  Kind kind;
  int inputs;
  std::vector<double> parameters;
  std::vector<double> values;

  static Kind kind_of(DType dtype) {
    return is_floating(dtype) ? Kind::Float : dtype == boolean ? Kind::Bool : Kind::Integer;
  }
  bool has_derivatives(const Row& row) const { return kind == Kind::Float && row.differentiable(); }
  /// The inputs with a derivative come last: the condition of where has none.
  int derivatives(const Row& row) const { return !has_derivatives(row) ? 0 : row.op == Op::Where ? 2 : inputs; }
  int columns(const Row& row) const { return inputs + 1 + derivatives(row); }
  std::int64_t points(const Row& row) const { return static_cast<std::int64_t>(values.size()) / columns(row); }
  /// Column c of all points: the inputs, the result, the derivatives.
  std::vector<double> column(const Row& row, int c) const {
    std::vector<double> result;
    for (std::size_t i = static_cast<std::size_t>(c); i < values.size(); i += static_cast<std::size_t>(columns(row)))
      result.push_back(values[i]);
    return result;
  }
};

inline const std::vector<Golden>& golden_table() {
  using Kind = Golden::Kind;
  static const std::vector<Golden> table = {
#include "ops/golden.inc"
  };
  return table;
}

/// The entry of a row in a dtype, or null.
inline const Golden* find_golden(const Row& row, DType dtype) {
  for (const Golden& golden : golden_table())
    if (golden.kind == Golden::kind_of(dtype) && std::string_view(row.name) == golden.name) return &golden;
  return nullptr;
}

/// How far a row may be from the exact value: `ulps` units in the last place of the result, plus
/// `absolute` roundoffs of 1.
struct Allowance {
  double ulps = 0;
  double absolute = 0;
};

/// One table for all. The arithmetic rows are correctly rounded; the transcendental functions of a backend
/// are within 4 ulp (tests/kernels/vector_math_test.cpp); a formula adds half a unit per rounding. Where
/// terms of the size of 1 cancel, what is lost is counted in roundoffs of 1.
inline Allowance forward_allowance(Op op) {
  switch (op) {
    case Op::Exp: case Op::Expm1: case Op::Log: case Op::Log1p: case Op::Sin: case Op::Cos: case Op::Tanh:
    case Op::Erf: case Op::Atan: case Op::Lgamma: case Op::Exp2: case Op::Log2: case Op::Log10: case Op::Tan: case Op::Asin:
    case Op::Acos: case Op::Sinh: case Op::Cosh: case Op::Asinh: case Op::Acosh: case Op::Atanh: case Op::Erfc:
    case Op::Erfinv: case Op::Atan2: case Op::Hypot: case Op::Gelu: return {4, 0};
    case Op::Polygamma: return {16, 0};
    case Op::NextAfter: return {1, 0};
    case Op::LogAddExp: case Op::LogAddExp2: return {4, 4};  // the larger one and the rest may cancel
    case Op::Xlogy: return {5, 0};
    case Op::Digamma: return {4, 8};  // core/luge/math/gamma.h: 4 units of the larger of 1 and the result
    case Op::Pow: return {4, 0};
    case Op::Lerp: return {1, 4};  // two products of the size of 1 may cancel
    case Op::Rsqrt: return {1.5, 0};
    case Op::Sigmoid: case Op::Silu: return {4, 0};
    case Op::Softplus: return {9, 0};
    default: return {0.5, 0};
  }
}

/// Derivatives are a few more operations.
inline Allowance backward_allowance(Op op) {
  switch (op) {
    case Op::Add: case Op::Sub: case Op::Neg: case Op::Abs: case Op::Sign: case Op::Floor: case Op::Relu: case Op::LeakyRelu:
    case Op::Hardshrink: case Op::Ceil: case Op::Trunc: case Op::Round: case Op::FloorDivide: case Op::Remainder: case Op::Fmod:
    case Op::Fmax: case Op::Fmin: case Op::CopySign: case Op::NextAfter:
    case Op::Clamp: case Op::Maximum: case Op::Minimum: case Op::Where: case Op::Mul: case Op::Square: return {0.5, 0};
    case Op::Sin: case Op::Cos: case Op::Exp: return {5, 0};
    case Op::Expm1: return {4, 6};           // y + 1 with y near -1
    case Op::Tanh: return {4, 12};           // 1 - y^2 with y near 1
    case Op::Sigmoid: return {10, 4};        // 1 - y with y near 1
    case Op::Gelu: case Op::Silu: return {12, 16};
    case Op::Lgamma: return forward_allowance(Op::Digamma);
    case Op::Erfinv: case Op::Polygamma: return {24, 0};
    default: return {8, 0};
  }
}

}  // namespace luge::test
