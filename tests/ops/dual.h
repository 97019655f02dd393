#pragma once
// Dual numbers: a dialect (core/luge/math/dialect.h) that carries a derivative along, so that the very text of
// a formula differentiates itself, exactly to rounding.

#include <cmath>

#include "gamma_reference.h"

namespace luge::test {

/// value + slope * epsilon with epsilon^2 = 0.
struct Dual {
  double value = 0, slope = 0;

  Dual() = default;
  explicit Dual(double v, double s = 0) : value(v), slope(s) {}

  friend Dual operator-(Dual x) { return Dual(-x.value, -x.slope); }
  friend Dual operator+(Dual a, Dual b) { return Dual(a.value + b.value, a.slope + b.slope); }
  friend Dual operator-(Dual a, Dual b) { return Dual(a.value - b.value, a.slope - b.slope); }
  friend Dual operator*(Dual a, Dual b) { return Dual(a.value * b.value, a.slope * b.value + a.value * b.slope); }
  friend Dual operator/(Dual a, Dual b) {
    return Dual(a.value / b.value, (a.slope - a.value / b.value * b.slope) / b.value);
  }
  friend bool operator==(Dual a, Dual b) { return a.value == b.value; }
  friend bool operator!=(Dual a, Dual b) { return a.value != b.value; }
  friend bool operator<(Dual a, Dual b) { return a.value < b.value; }
  friend bool operator<=(Dual a, Dual b) { return a.value <= b.value; }
  friend bool operator>(Dual a, Dual b) { return a.value > b.value; }
  friend bool operator>=(Dual a, Dual b) { return a.value >= b.value; }
};

inline Dual exp(Dual x) { return Dual(std::exp(x.value), std::exp(x.value) * x.slope); }
inline Dual expm1(Dual x) { return Dual(std::expm1(x.value), std::exp(x.value) * x.slope); }
inline Dual log(Dual x) { return Dual(std::log(x.value), x.slope / x.value); }
inline Dual log1p(Dual x) { return Dual(std::log1p(x.value), x.slope / (1 + x.value)); }
inline Dual sin(Dual x) { return Dual(std::sin(x.value), std::cos(x.value) * x.slope); }
inline Dual cos(Dual x) { return Dual(std::cos(x.value), -std::sin(x.value) * x.slope); }
inline Dual tanh(Dual x) { return Dual(std::tanh(x.value), x.slope / (std::cosh(x.value) * std::cosh(x.value))); }
/// 2 / sqrt(pi) e^-x^2
inline Dual erf(Dual x) { return Dual(std::erf(x.value), 1.12837916709551257390 * std::exp(-x.value * x.value) * x.slope); }
inline Dual lgamma(Dual x) { return Dual(std::lgamma(x.value), static_cast<double>(digamma(x.value)) * x.slope); }
inline Dual polygamma(Dual x, Dual n) {
  const int order = static_cast<int>(n.value);
  return Dual(static_cast<double>(polygamma(order, x.value)), static_cast<double>(polygamma(order + 1, x.value)) * x.slope);
}
inline Dual digamma(Dual x) {
  return Dual(static_cast<double>(digamma(x.value)), static_cast<double>(trigamma(x.value)) * x.slope);
}
inline Dual floor(Dual x) { return Dual(std::floor(x.value)); }
inline Dual ceil(Dual x) { return Dual(std::ceil(x.value)); }
inline Dual trunc(Dual x) { return Dual(std::trunc(x.value)); }
inline Dual round(Dual x) { return Dual(std::nearbyint(x.value)); }
inline Dual exp2(Dual x) { return Dual(std::exp2(x.value), std::exp2(x.value) * std::log(2.0) * x.slope); }
inline Dual log2(Dual x) { return Dual(std::log2(x.value), x.slope / (x.value * std::log(2.0))); }
inline Dual log10(Dual x) { return Dual(std::log10(x.value), x.slope / (x.value * std::log(10.0))); }
inline Dual tan(Dual x) { return Dual(std::tan(x.value), x.slope / (std::cos(x.value) * std::cos(x.value))); }
inline Dual asin(Dual x) { return Dual(std::asin(x.value), x.slope / std::sqrt(1 - x.value * x.value)); }
inline Dual acos(Dual x) { return Dual(std::acos(x.value), -x.slope / std::sqrt(1 - x.value * x.value)); }
inline Dual sinh(Dual x) { return Dual(std::sinh(x.value), std::cosh(x.value) * x.slope); }
inline Dual cosh(Dual x) { return Dual(std::cosh(x.value), std::sinh(x.value) * x.slope); }
inline Dual asinh(Dual x) { return Dual(std::asinh(x.value), x.slope / std::sqrt(x.value * x.value + 1)); }
inline Dual acosh(Dual x) { return Dual(std::acosh(x.value), x.slope / std::sqrt(x.value * x.value - 1)); }
inline Dual atanh(Dual x) { return Dual(std::atanh(x.value), x.slope / (1 - x.value * x.value)); }
/// e^(x^2) erfc(x), whose derivative is 2 x times it less 2 / sqrt(pi).
inline Dual scaled_erfc(Dual x) {
  const double y = std::exp(x.value * x.value) * std::erfc(x.value);
  return Dual(y, (2 * x.value * y - 1.12837916709551257390) * x.slope);
}
/// By the equation that it solves.
inline Dual erfinv(Dual x) {
  double y = x.value;
  for (int i = 0; i < 60; ++i) y -= (std::erf(y) - x.value) * std::exp(y * y) / 1.12837916709551257390;
  return Dual(y, std::exp(y * y) / 1.12837916709551257390 * x.slope);
}
inline Dual atan(Dual x) { return Dual(std::atan(x.value), x.slope / (1 + x.value * x.value)); }
inline Dual sqrt(Dual x) { return Dual(std::sqrt(x.value), x.slope / (2 * std::sqrt(x.value))); }
inline Dual abs(Dual x) { return Dual(std::abs(x.value), x.value < 0 ? -x.slope : x.slope); }
inline Dual pow(Dual a, Dual b) {
  const double by_a = b.value * std::pow(a.value, b.value - 1), by_b = std::pow(a.value, b.value) * std::log(a.value);
  return Dual(std::pow(a.value, b.value), by_a * a.slope + (b.slope == 0 ? 0 : by_b * b.slope));
}
inline Dual fmod(Dual a, Dual b) {
  return Dual(std::fmod(a.value, b.value), a.slope - std::trunc(a.value / b.value) * b.slope);
}
inline Dual atan2(Dual a, Dual b) {
  return Dual(std::atan2(a.value, b.value),
              (a.slope * b.value - a.value * b.slope) / (a.value * a.value + b.value * b.value));
}
inline Dual hypot(Dual a, Dual b) {
  const double y = std::hypot(a.value, b.value);
  return Dual(y, (a.value * a.slope + b.value * b.slope) / y);
}
inline Dual nextafter(Dual a, Dual b) { return Dual(std::nextafter(a.value, b.value), a.slope); }
inline Dual copy_sign(Dual magnitude, Dual sign) {
  return std::signbit(magnitude.value) == std::signbit(sign.value) ? magnitude : -magnitude;
}
inline Dual fma(Dual a, Dual b, Dual c) { return a * b + c; }
inline bool is_nan(Dual x) { return std::isnan(x.value); }

}  // namespace luge::test
