#pragma once
// The function that the demo minimises, and what is known about it.

#include <cmath>
#include <cstdint>

#include <luge/ops/elementwise.h>

namespace luge::cli {

inline constexpr double kMinimumX = 1.0 / 3, kMinimumF = 8.0 / 3;
/// Beyond this learning rate |1 - 6 lr| > 1 and the descent diverges.
inline constexpr double kDivergingLr = 1.0 / 3;

/// f(x) = 3 x^2 - 2 x + 3 of a tensor or a number; f'(x) = 6 x - 2.
template <class X>
X parabola(const X& x) {
  return 3 * x * x - 2 * x + 3;
}

/// Gradient descent on it: x_k = 1/3 + (x_0 - 1/3) (1 - 6 lr)^k.
template <class T>
T closed_form(T start, T lr, std::int64_t steps) {
  const T third = T(1) / 3;
  return third + (start - third) * std::pow(1 - 6 * lr, static_cast<T>(steps));
}

/// Numbers that one eager step moves per parameter, each operand of each call read or written once:
///   forward   3 x: 2,  (3 x) x: 3,  2 x: 2,  difference: 3,  + 3: 2,  sum: 1
///   backward  2 x into the gradient: 1;  (3 x) x into both factors: 5;  3 x into the gradient: 3
///   step      x, gradient and learning rate read, x written: 4
///   monitor   1
inline constexpr double kNumbersPerStep = 27;

}  // namespace luge::cli
