// What the elementwise formulas are made of.
//
// A formula is a struct:
//   forward(inputs..., parameters...)                      -> V, or a mask for comparisons and logic
//   backward(dy, inputs..., y, parameters...)              -> V (one input) or Gradients<V, inputs>, given dy and
//                                                             what was saved; none for masks and integers
//   kInputs, kParameters, kIsMask   how many there are, and whether the result is a mask
//   kSaves     which of inputs / output the derivative reads (anything else is never kept alive)
//   kReads     by gradient: which inputs it reads, bit by bit, where it reads fewer than all
//   kPasses    inputs whose gradient is that of the output, bit by bit
//   kLow,kHigh where tests and benchmarks draw float inputs from
//   kKink      a point whose neighbourhood gradient checks avoid (NaN: none)
//   kHasDerivative   false where there is none to ask for; backward is never run then
// and a row of op_table.h, which says what is made of it.
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_FORMULA_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_FORMULA_H_
#undef LUGE_MATH_FORMULA_H_
#else
#define LUGE_MATH_FORMULA_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// The gradients of a formula's inputs.
template <class V, int n>
struct Gradients {
  V values[n];
  LUGE_FN V operator[](int i) const { return values[i]; }
};

inline constexpr int kSavesNothing = 0;
inline constexpr int kSavesInputs = 1;
inline constexpr int kSavesOutput = 2;
// A NaN; the run-time compiler has no __builtin_nan.
inline constexpr double kNoKink = __builtin_bit_cast(double, 0x7FF8000000000000ull);

template <int inputs, int saves, int parameters = 0, bool is_mask = false>
struct Traits {
  static constexpr int kInputs = inputs;
  static constexpr int kSaves = saves;
  static constexpr int kParameters = parameters;
  static constexpr bool kIsMask = is_mask;
  static constexpr bool kHasDerivative = !is_mask;
  static constexpr int kReads[3] = {7, 7, 7};
  static constexpr int kPasses = 0;
  static constexpr double kLow = -3, kHigh = 3;
  static constexpr double kKink = kNoKink;
};

template <int... i>
struct Indices {};
template <int n, int... i>
struct FirstIndices : FirstIndices<n - 1, n - 1, i...> {};
template <int... i>
struct FirstIndices<0, i...> {
  using type = Indices<i...>;
};

template <class F, class V, int... i, int... p>
LUGE_FN auto forward_of(const V* in, const V* parameters, Indices<i...>, Indices<p...>) {
  return F::forward(in[i]..., parameters[p]...);
}
/// F::forward of as many inputs and parameters as it takes.
template <class F, class V>
LUGE_FN auto invoke_forward(const V* in, const V* parameters) {
  return forward_of<F>(in, parameters, typename FirstIndices<F::kInputs>::type(),
                       typename FirstIndices<F::kParameters>::type());
}

template <class F, class V, int... i, int... p>
LUGE_FN Gradients<V, F::kInputs> backward_of(const V* in, const V* parameters, Indices<i...>, Indices<p...>) {
  if constexpr (F::kInputs == 1)
    return {{F::backward(in[i]..., parameters[p]...)}};
  else
    return F::backward(in[i]..., parameters[p]...);
}
/// F::backward, whose inputs are dy, the op's inputs and its output.
template <class F, class V>
LUGE_FN Gradients<V, F::kInputs> invoke_backward(const V* in, const V* parameters) {
  return backward_of<F>(in, parameters, typename FirstIndices<F::kInputs + 2>::type(),
                        typename FirstIndices<F::kParameters>::type());
}

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
