#pragma once
// The rows of kernels/math/rows.h as functors for the elementwise kernels, and the way from a call to
// the right one.

#include <type_traits>

#include <luge/math/elementwise.h>
#include <luge/math/rows.h>
#include <luge/op.h>

#include "elementwise.cuh"
#include "instances.h"

namespace luge::cuda {

/// The formula of one or two inputs with as many parameters as it takes.
template <class Formula, class T, int inputs>
LUGE_FN auto evaluate(const T (&x)[inputs], const T (&parameters)[2]) {
  if constexpr (inputs == 2)
    return Formula::forward(x[0], x[1]);
  else if constexpr (Formula::kParameters == 0)
    return Formula::forward(x[0]);
  else if constexpr (Formula::kParameters == 1)
    return Formula::forward(x[0], parameters[0]);
  else
    return Formula::forward(x[0], parameters[0], parameters[1]);
}

/// The result is a T or, for a comparison or a test, a bool.
template <class Formula, class T, int inputs>
struct Forward {
  using Value = T;
  using Result = decltype(evaluate<Formula>(std::declval<const T (&)[inputs]>(), std::declval<const T (&)[2]>()));
  static constexpr int kInputs = inputs, kOutputs = 1;
  static constexpr bool kMasked = false;
  T parameters[2];

  __device__ void operator()(bool, const T (&x)[inputs], Result (&y)[1]) const {
    y[0] = evaluate<Formula>(x, parameters);
  }
};

/// x is dy, the inputs, the output; y the gradients of the inputs.
template <class Formula, class T, int inputs>
struct Backward {
  using Value = T;
  using Result = T;
  static constexpr int kInputs = inputs + 2, kOutputs = inputs;
  static constexpr bool kMasked = false;
  T parameters[2];

  __device__ void operator()(bool, const T (&x)[kInputs], T (&y)[kOutputs]) const {
    if constexpr (inputs == 2) {
      const auto gradients = Formula::backward(x[0], x[1], x[2], x[3]);
      y[0] = gradients.a;
      y[1] = gradients.b;
    } else if constexpr (Formula::kParameters == 0) {
      y[0] = Formula::backward(x[0], x[1], x[2]);
    } else if constexpr (Formula::kParameters == 1) {
      y[0] = Formula::backward(x[0], x[1], x[2], parameters[0]);
    } else {
      y[0] = Formula::backward(x[0], x[1], x[2], parameters[0], parameters[1]);
    }
  }
};

template <class T>
struct WhereForward {
  using Value = T;
  using Result = T;
  static constexpr int kInputs = 2, kOutputs = 1;
  static constexpr bool kMasked = true;

  __device__ void operator()(bool condition, const T (&x)[2], T (&y)[1]) const {
    y[0] = math::scalar::Where::forward(condition, x[0], x[1]);
  }
};

template <class T>
struct WhereBackward {
  using Value = T;
  using Result = T;
  static constexpr int kInputs = 1, kOutputs = 2;
  static constexpr bool kMasked = true;

  __device__ void operator()(bool condition, const T (&dy)[1], T (&y)[2]) const {
    const auto gradients = math::scalar::Where::backward(dy[0], condition);
    y[0] = gradients.a;
    y[1] = gradients.b;
  }
};

/// Whether a row's formula is ever called with values of type T.
template <class T>
constexpr bool takes(DTypes dtypes) {
  switch (dtypes) {
    case DTypes::Float: return std::is_floating_point_v<T>;
    case DTypes::Numeric: return !std::is_same_v<T, bool>;
    case DTypes::Logical: return std::is_same_v<T, bool>;
    case DTypes::Integral: return std::is_integral_v<T> && !std::is_same_v<T, bool>;
    case DTypes::Any: break;
  }
  return true;
}

template <class Formula, class T, DTypes dtypes, int inputs>
void run_forward(const Context& context, const Elementwise& call) {
  if constexpr (takes<T>(dtypes)) {
    const Forward<Formula, T, inputs> function{{static_cast<T>(call.parameters[0]), static_cast<T>(call.parameters[1])}};
    launch_elementwise(context, call.extent, call.in.data(), call.out.data(), call.store.data(), Operand{}, function);
  }
}

template <class Formula, class T, int inputs>
void run_backward(const Context& context, const Elementwise& call) {
  const Backward<Formula, T, inputs> function{{static_cast<T>(call.parameters[0]), static_cast<T>(call.parameters[1])}};
  launch_elementwise(context, call.extent, call.in.data(), call.out.data(), call.store.data(), Operand{}, function);
}

/// The row of call.op, read with values of type T. Rows that T cannot reach compile to nothing.
template <class T>
void elementwise_forward(const Context& context, const Elementwise& call) {
  switch (call.op) {
#define LUGE_ONE_INPUT(function, Formula, dtypes, ...) \
  case Op::Formula:                                    \
    return run_forward<math::scalar::Formula, T, DTypes::dtypes, 1>(context, call);
#define LUGE_TWO_INPUTS(function, Formula, dtypes, ...) \
  case Op::Formula:                                     \
    return run_forward<math::scalar::Formula, T, DTypes::dtypes, 2>(context, call);
#define LUGE_CHOICE(function, Formula, dtypes, ...)                                                         \
  case Op::Formula:                                                                                         \
    return launch_elementwise(context, call.extent, call.in.data() + 1, call.out.data(), call.store.data(), \
                              call.in[0], WhereForward<T>{});
    LUGE_UNARY_ROWS(LUGE_ONE_INPUT)
    LUGE_UNARY_PARAMETER_ROWS(LUGE_ONE_INPUT)
    LUGE_TEST_ROWS(LUGE_ONE_INPUT)
    LUGE_BINARY_ROWS(LUGE_TWO_INPUTS)
    LUGE_BITWISE_ROWS(LUGE_TWO_INPUTS)
    LUGE_COMPARE_ROWS(LUGE_TWO_INPUTS)
    LUGE_WHERE_ROWS(LUGE_CHOICE)
#undef LUGE_CHOICE
#undef LUGE_TWO_INPUTS
#undef LUGE_ONE_INPUT
  }
}

/// The derivative of call.op. Comparisons, tests and bitwise operations have none, so core never asks.
template <class T>
void elementwise_backward(const Context& context, const Elementwise& call) {
  switch (call.op) {
#define LUGE_ONE_INPUT(function, Formula, dtypes, ...) \
  case Op::Formula:                                    \
    return run_backward<math::scalar::Formula, T, 1>(context, call);
#define LUGE_TWO_INPUTS(function, Formula, dtypes, ...) \
  case Op::Formula:                                     \
    return run_backward<math::scalar::Formula, T, 2>(context, call);
#define LUGE_CHOICE(function, Formula, dtypes, ...)                                                             \
  case Op::Formula:                                                                                             \
    return launch_elementwise(context, call.extent, call.in.data(), call.out.data() + 1, call.store.data() + 1, \
                              call.in[1], WhereBackward<T>{});
#define LUGE_NONE(function, Formula, ...) case Op::Formula:
    LUGE_UNARY_ROWS(LUGE_ONE_INPUT)
    LUGE_UNARY_PARAMETER_ROWS(LUGE_ONE_INPUT)
    LUGE_BINARY_ROWS(LUGE_TWO_INPUTS)
    LUGE_WHERE_ROWS(LUGE_CHOICE)
    LUGE_TEST_ROWS(LUGE_NONE)
    LUGE_COMPARE_ROWS(LUGE_NONE)
    LUGE_BITWISE_ROWS(LUGE_NONE)
    break;
#undef LUGE_NONE
#undef LUGE_CHOICE
#undef LUGE_TWO_INPUTS
#undef LUGE_ONE_INPUT
  }
}

}  // namespace luge::cuda
