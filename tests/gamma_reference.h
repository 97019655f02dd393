#pragma once
// The derivatives of lgamma a second time and in another way than core/luge/math/gamma.h: always by recurrence to large
// arguments, in long double.

#include <cmath>
#include <limits>

namespace luge::test {

inline constexpr long double kLongPi = 3.14159265358979323846264338327950288L;

/// Abramowitz and Stegun, 6.3.18, whose first term left out is below 1e-20 at 40.
inline long double digamma(long double x) {
  if (x < 0) return digamma(1 - x) - kLongPi / std::tan(kLongPi * (x - std::round(x)));
  long double below = 0;
  for (; x < 40; x += 1) below += 1 / x;
  const long double w = 1 / (x * x);
  return std::log(x) - 1 / (2 * x) - w * (1 / 12.0L - w * (1 / 120.0L - w * (1 / 252.0L - w * (1 / 240.0L - w / 132)))) -
         below;
}

/// 6.4.12
inline long double trigamma(long double x) {
  if (x < 0) {
    const long double slope = kLongPi / std::sin(kLongPi * (x - std::round(x)));
    return slope * slope - trigamma(1 - x);
  }
  long double below = 0;
  for (; x < 40; x += 1) below += 1 / (x * x);
  const long double w = 1 / (x * x);
  return below + 1 / x + w / 2 +
         w / x * (1 / 6.0L - w * (1 / 30.0L - w * (1 / 42.0L - w * (1 / 30.0L - w * (5 / 66.0L)))));
}

/// The derivative of order n > 1 for x > 0, in the same way: 6.4.11, whose terms left out are below 1e-19.
inline long double polygamma(int n, long double x) {
  if (n < 2) return n == 0 ? digamma(x) : trigamma(x);
  long double below = 0, factorial = 1;
  for (int k = 2; k < n; ++k) factorial *= k;
  for (; x < 60; x += 1) below += std::pow(x, static_cast<long double>(-n - 1));
  constexpr long double kBernoulli[] = {1 / 6.0L, -1 / 30.0L, 1 / 42.0L, -1 / 30.0L, 5 / 66.0L, -691 / 2730.0L};
  long double sum = factorial / std::pow(x, static_cast<long double>(n)) +
                    factorial * n / (2 * std::pow(x, static_cast<long double>(n + 1)));
  long double factor = factorial * n * (n + 1) / 2;  // (2 k + n - 1)! / (2 k)!
  for (int k = 1; k <= 6; ++k) {
    sum += kBernoulli[k - 1] * factor / std::pow(x, static_cast<long double>(2 * k + n));
    factor *= static_cast<long double>(2 * k + n) * (2 * k + n + 1) / ((2 * k + 1) * (2 * k + 2));
  }
  return (n % 2 == 0 ? -1 : 1) * (sum + factorial * n * below);
}

}  // namespace luge::test
