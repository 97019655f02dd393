#pragma once
// Internal: what the formulas' structs say of each op, by its number.

#include <luge/math/elementwise.h>
#include <luge/seam/op.h>

namespace luge {

struct OpTraits {
  int inputs, parameters;
  bool is_mask;            ///< the result is bool
  bool has_derivative;     ///< that may be asked for
  int saves;               ///< kSavesInputs, kSavesOutput
  int reads[3], passes;    ///< see core/luge/math/elementwise.h
  double low, high, kink;  ///< where tests and benchmarks draw inputs from, and what they avoid
};

template <class F>
constexpr OpTraits op_traits() {
  OpTraits traits{F::kInputs, F::kParameters, F::kIsMask, F::kHasDerivative, F::kSaves,
                  {},         F::kPasses,     F::kLow,    F::kHigh,          F::kKink};
  for (int i = 0; i < F::kInputs; ++i) traits.reads[i] = F::kReads[i];
  return traits;
}

/// Whether a formula is what its part of the table says.
template <class F>
constexpr bool traits_of(int inputs, bool is_mask) {
  return F::kInputs == inputs && F::kIsMask == is_mask;
}

inline constexpr OpTraits kOpTraits[] = {
#define LUGE_ROW(function, Formula, ...) op_traits<math::scalar::Formula>(),
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};

// A row says no more and no less than its struct.
#define LUGE_ONE(...) +1
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                                    \
  static_assert(traits_of<math::scalar::Formula>(1, false) &&                                             \
                math::scalar::Formula::kParameters == 0 LUGE_PARAMETERS(LUGE_ONE, LUGE_ONE, __VA_ARGS__), \
                #function);
LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_ONE
#define LUGE_ROW(function, Formula, ...) static_assert(traits_of<math::scalar::Formula>(1, true), #function);
LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) static_assert(traits_of<math::scalar::Formula>(2, false), #function);
LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) static_assert(traits_of<math::scalar::Formula>(2, true), #function);
LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) static_assert(traits_of<math::scalar::Formula>(3, false), #function);
LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW

constexpr const OpTraits& traits(Op op) { return kOpTraits[static_cast<int>(op)]; }
constexpr bool gives_bool(Op op) { return traits(op).is_mask; }
constexpr bool is_differentiable(Op op) { return traits(op).has_derivative && accepted(op) != DTypes::Integral; }

/// Whether the gradient of input `of` reads input i.
constexpr bool reads_input(Op op, int of, int i) {
  return (traits(op).saves & math::scalar::kSavesInputs) != 0 && (traits(op).reads[of] >> i & 1) != 0;
}
/// Whether the gradient of input i is that of the output, unchanged.
constexpr bool passes_gradient(Op op, int i) { return (traits(op).passes >> i & 1) != 0; }

}  // namespace luge
