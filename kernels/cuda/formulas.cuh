#pragma once
// The rows of core/luge/math/op_table.h as functors for the elementwise kernels, and the way from a call to
// the right one.

#include <type_traits>

#include <luge/math/elementwise.h>
#include <luge/seam/op.h>

#include "elementwise.cuh"
#include "instances.h"

namespace luge::cuda {

/// The result is a T or, for a mask, a bool.
template <class Formula, class T>
struct Forward {
  using Value = T;
  using Result = std::conditional_t<Formula::kIsMask, bool, T>;
  static constexpr int kInputs = Formula::kInputs, kOutputs = 1;
  static constexpr bool kMasked = false;
  T parameters[2];

  __device__ void operator()(bool, const T (&x)[kInputs], Result (&y)[1]) const {
    y[0] = math::scalar::invoke_forward<Formula>(x, parameters);
  }
};

/// x is dy, the inputs, the output; y the gradients of the inputs.
template <class Formula, class T>
struct Backward {
  using Value = T;
  using Result = T;
  static constexpr int kInputs = Formula::kInputs + 2, kOutputs = Formula::kInputs;
  static constexpr bool kMasked = false;
  T parameters[2];

  __device__ void operator()(bool, const T (&x)[kInputs], T (&y)[kOutputs]) const {
    const auto gradients = math::scalar::invoke_backward<Formula>(x, parameters);
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) y[i] = gradients[i];
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
    y[0] = gradients[0];
    y[1] = gradients[1];
  }
};

template <class Formula, class T, DTypes dtypes>
void run_forward(const Context& context, const Elementwise& call) {
  if constexpr (std::is_same_v<Formula, math::scalar::Where>) {
    launch_elementwise(context, call.extent, call.in.data() + 1, call.out.data(), call.store.data(), call.in[0],
                       WhereForward<T>{});
  } else if constexpr (takes<T>(dtypes)) {
    const Forward<Formula, T> function{{static_cast<T>(call.parameters[0]), static_cast<T>(call.parameters[1])}};
    launch_elementwise(context, call.extent, call.in.data(), call.out.data(), call.store.data(), Operand{}, function);
  }
}

/// Masks, integers and some formulas have no derivative, so core never asks.
template <class Formula, class T, DTypes dtypes>
void run_backward(const Context& context, const Elementwise& call) {
  if constexpr (std::is_same_v<Formula, math::scalar::Where>) {
    launch_elementwise(context, call.extent, call.in.data(), call.out.data() + 1, call.store.data() + 1, call.in[1],
                       WhereBackward<T>{});
  } else if constexpr (Formula::kHasDerivative && takes<T>(dtypes)) {
    const Backward<Formula, T> function{{static_cast<T>(call.parameters[0]), static_cast<T>(call.parameters[1])}};
    launch_elementwise(context, call.extent, call.in.data(), call.out.data(), call.store.data(), Operand{}, function);
  }
}

/// The row of call.op, read with values of type T. Rows that T cannot reach compile to nothing.
template <class T>
void elementwise_forward(const Context& context, const Elementwise& call) {
  switch (call.op) {
#define LUGE_ROW(function, Formula, dtypes, ...) \
  case Op::Formula: return run_forward<math::scalar::Formula, T, DTypes::dtypes>(context, call);
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
  }
}

/// The derivative of call.op.
template <class T>
void elementwise_backward(const Context& context, const Elementwise& call) {
  switch (call.op) {
#define LUGE_ROW(function, Formula, dtypes, ...) \
  case Op::Formula: return run_backward<math::scalar::Formula, T, DTypes::dtypes>(context, call);
    LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
  }
}

}  // namespace luge::cuda
