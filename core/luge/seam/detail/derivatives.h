#pragma once
// Internal: the derivatives of ops in a dialect of one's own. V is a value type whose arithmetic, comparisons and functions
// are found by argument-dependent lookup, as core/luge/math/dialect.h asks for.

#include <luge/seam/detail/op_traits.h>

namespace luge {

/// From dy, an op's inputs and its output, and its parameters to the gradients of its inputs.
template <class V>
using Derivative = void (*)(const V* in, const V* parameters, V* out);

namespace detail {

template <class F, class V>
void derivative(const V* in, const V* parameters, V* out) {
  const auto gradients = math::scalar::invoke_backward<F>(in, parameters);
  for (int i = 0; i < F::kInputs; ++i) out[i] = gradients[i];
}

template <Op op, class F, class V>
constexpr Derivative<V> derivative_of() {
  if constexpr (is_differentiable(op) && op != Op::Where)
    return derivative<F, V>;
  else
    return nullptr;
}

template <class V>
inline constexpr Derivative<V> kDerivatives[] = {
#define LUGE_ROW(function, Formula, ...) derivative_of<Op::Formula, math::scalar::Formula, V>(),
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
};

}  // namespace detail

/// Null for an op that has none, and for Where, whose derivative is a choice of its own.
template <class V>
constexpr Derivative<V> derivative(Op op) {
  return detail::kDerivatives<V>[static_cast<int>(op)];
}

}  // namespace luge
