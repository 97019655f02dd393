#pragma once
// What each elementwise op means, written a second time and independently: in float64, from the
// mathematical definition. (Arithmetic of core/luge/math/elementwise.h is not used here.)

#include <cmath>
#include <stdexcept>

#include <luge/seam/detail/op_traits.h>

#include "gamma_reference.h"

namespace luge::test {

inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
inline double normal_pdf(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)); }

/// By bisection.
inline double inverse_erf(double x) {
  double low = -6, high = 6;
  for (int i = 0; i < 80; ++i) {
    const double middle = 0.5 * (low + high);
    (std::erf(middle) < x ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

inline double reference(Op op, double a, double b, double c, const double* p) {
  switch (op) {
    case Op::Neg: return -a;
    case Op::Square: return a * a;
    case Op::Abs: return std::fabs(a);
    case Op::Sign: return a > 0 ? 1 : a < 0 ? -1 : a;
    case Op::Floor: return std::floor(a);
    case Op::Ceil: return std::ceil(a);
    case Op::Trunc: return std::trunc(a);
    case Op::Round: return std::nearbyint(a);
    case Op::Reciprocal: return 1 / a;
    case Op::Exp2: return std::exp2(a);
    case Op::Log2: return std::log2(a);
    case Op::Log10: return std::log10(a);
    case Op::Tan: return std::tan(a);
    case Op::Asin: return std::asin(a);
    case Op::Acos: return std::acos(a);
    case Op::Sinh: return std::sinh(a);
    case Op::Cosh: return std::cosh(a);
    case Op::Asinh: return std::asinh(a);
    case Op::Acosh: return std::acosh(a);
    case Op::Atanh: return std::atanh(a);
    case Op::Erfc: return std::erfc(a);
    case Op::Erfinv: return inverse_erf(a);
    case Op::Polygamma: return static_cast<double>(polygamma(static_cast<int>(p[0]), a));
    case Op::Sqrt: return std::sqrt(a);
    case Op::Rsqrt: return 1 / std::sqrt(a);
    case Op::Exp: return std::exp(a);
    case Op::Expm1: return std::expm1(a);
    case Op::Log: return std::log(a);
    case Op::Log1p: return std::log1p(a);
    case Op::Sin: return std::sin(a);
    case Op::Cos: return std::cos(a);
    case Op::Atan: return std::atan(a);
    case Op::Tanh: return std::tanh(a);
    case Op::Erf: return std::erf(a);
    case Op::Lgamma: return std::lgamma(a);
    case Op::Digamma: return static_cast<double>(digamma(a));
    case Op::Sigmoid: return sigmoid(a);
    case Op::Relu: return a < 0 ? 0 : a;
    case Op::Gelu: return a * normal_cdf(a);
    case Op::Silu: return a * sigmoid(a);
    case Op::LeakyRelu: return a < 0 ? p[0] * a : a;
    case Op::Hardshrink: return std::fabs(a) <= p[0] ? 0 : a;
    case Op::Softplus: return p[0] * a > 30 ? a : std::log1p(std::exp(p[0] * a)) / p[0];
    case Op::Clamp: return std::fmin(std::fmax(a, p[0]), p[1]);
    case Op::Add: return a + b;
    case Op::Sub: return a - b;
    case Op::Mul: return a * b;
    case Op::Div: return a / b;
    case Op::Pow: return std::pow(a, b);
    case Op::Maximum: return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
    case Op::Minimum: return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
    // By 0 of integers; random floats are not 0.
    case Op::FloorDivide: return b == 0 ? 0 : std::floor(a / b);
    case Op::Remainder: return b == 0 ? 0 : a - b * std::floor(a / b);
    case Op::Fmod: return b == 0 ? 0 : std::fmod(a, b);
    case Op::Fmax: return std::fmax(a, b);
    case Op::Fmin: return std::fmin(a, b);
    case Op::Atan2: return std::atan2(a, b);
    case Op::Hypot: return std::hypot(a, b);
    case Op::CopySign: return std::copysign(a, b);
    case Op::NextAfter: return std::nextafter(a, b);
    case Op::Heaviside: return a == 0 ? b : a > 0;
    case Op::LogAddExp: return std::log(std::exp(a) + std::exp(b));
    case Op::LogAddExp2: return std::log2(std::exp2(a) + std::exp2(b));
    case Op::Xlogy: return a == 0 && !std::isnan(b) ? 0 : a * std::log(b);
    case Op::LeftShift: return b < 0 ? 0 : a * std::exp2(b);
    case Op::RightShift: return b < 0 ? std::floor(std::copysign(0.5, a)) : std::floor(a / std::exp2(b));
    case Op::BitwiseAnd: return static_cast<double>(static_cast<std::int64_t>(a) & static_cast<std::int64_t>(b));
    case Op::BitwiseOr: return static_cast<double>(static_cast<std::int64_t>(a) | static_cast<std::int64_t>(b));
    case Op::BitwiseXor: return static_cast<double>(static_cast<std::int64_t>(a) ^ static_cast<std::int64_t>(b));
    case Op::Equal: return a == b;
    case Op::NotEqual: return a != b;
    case Op::Less: return a < b;
    case Op::LessEqual: return a <= b;
    case Op::Greater: return a > b;
    case Op::GreaterEqual: return a >= b;
    case Op::LogicalAnd: return a != 0 && b != 0;
    case Op::LogicalOr: return a != 0 || b != 0;
    case Op::LogicalXor: return (a != 0) != (b != 0);
    case Op::LogicalNot: return a == 0;
    case Op::IsNan: return std::isnan(a);
    case Op::IsFinite: return std::isfinite(a);
    case Op::IsInf: return std::isinf(a);
    case Op::IsPosInf: return a == INFINITY;
    case Op::IsNegInf: return a == -INFINITY;
    case Op::SignBit: return std::signbit(a);
    case Op::Lerp: return a + c * (b - a);
    case Op::Where: return a != 0 ? b : c;
  }
  throw std::logic_error("an op without a reference");
}

/// d op / d input `which`; for Where `a` is the condition and inputs 1 and 2 have derivatives.
inline double reference_derivative(Op op, int which, double a, double b, double c, const double* p) {
  switch (op) {
    case Op::Neg: return -1;
    case Op::Square: return 2 * a;
    case Op::Abs: return a > 0 ? 1 : a < 0 ? -1 : 0;
    case Op::Sign: return 0;
    case Op::Floor: return 0;
    case Op::Ceil: case Op::Trunc: case Op::Round: return 0;
    case Op::Reciprocal: return -1 / (a * a);
    case Op::Exp2: return std::exp2(a) * std::log(2.0);
    case Op::Log2: return 1 / (a * std::log(2.0));
    case Op::Log10: return 1 / (a * std::log(10.0));
    case Op::Tan: return 1 / (std::cos(a) * std::cos(a));
    case Op::Asin: return 1 / std::sqrt(1 - a * a);
    case Op::Acos: return -1 / std::sqrt(1 - a * a);
    case Op::Sinh: return std::cosh(a);
    case Op::Cosh: return std::sinh(a);
    case Op::Asinh: return 1 / std::sqrt(1 + a * a);
    case Op::Acosh: return 1 / std::sqrt(a * a - 1);
    case Op::Atanh: return 1 / (1 - a * a);
    case Op::Erfc: return -2 / std::sqrt(std::acos(-1.0)) * std::exp(-a * a);
    case Op::Erfinv: return std::sqrt(std::acos(-1.0)) / 2 * std::exp(inverse_erf(a) * inverse_erf(a));
    case Op::Polygamma: return static_cast<double>(polygamma(static_cast<int>(p[0]) + 1, a));
    case Op::Sqrt: return 0.5 / std::sqrt(a);
    case Op::Rsqrt: return -0.5 / (a * std::sqrt(a));
    case Op::Exp: return std::exp(a);
    case Op::Expm1: return std::exp(a);
    case Op::Log: return 1 / a;
    case Op::Log1p: return 1 / (1 + a);
    case Op::Sin: return std::cos(a);
    case Op::Cos: return -std::sin(a);
    case Op::Atan: return 1 / (1 + a * a);
    case Op::Erf: return 2 / std::sqrt(std::acos(-1.0)) * std::exp(-a * a);
    case Op::Lgamma: return static_cast<double>(digamma(a));
    case Op::Digamma: return static_cast<double>(trigamma(a));
    case Op::Tanh: return 1 / (std::cosh(a) * std::cosh(a));
    case Op::Sigmoid: return sigmoid(a) * sigmoid(-a);
    case Op::Relu: return a > 0 ? 1 : 0;
    case Op::Gelu: return normal_cdf(a) + a * normal_pdf(a);
    case Op::Silu: return sigmoid(a) + a * sigmoid(a) * sigmoid(-a);
    case Op::LeakyRelu: return a > 0 ? 1 : p[0];
    case Op::Hardshrink: return std::fabs(a) <= p[0] ? 0 : 1;
    case Op::Softplus: return sigmoid(p[0] * a);
    case Op::Clamp: return a < p[0] || a > p[1] ? 0 : 1;
    case Op::Add: return 1;
    case Op::Sub: return which == 0 ? 1 : -1;
    case Op::Mul: return which == 0 ? b : a;
    case Op::Div: return which == 0 ? 1 / b : -a / (b * b);
    case Op::Pow: return which == 0 ? b * std::pow(a, b - 1) : std::pow(a, b) * std::log(a);
    case Op::Maximum: return a == b ? 0.5 : (a > b) == (which == 0) ? 1 : 0;
    case Op::Minimum: return a == b ? 0.5 : (a < b) == (which == 0) ? 1 : 0;
    case Op::FloorDivide: return 0;
    case Op::Remainder: return which == 0 ? 1 : -std::floor(a / b);
    case Op::Fmod: return which == 0 ? 1 : -std::trunc(a / b);
    case Op::Fmax: return a == b ? 0.5 : (a > b) == (which == 0) ? 1 : 0;
    case Op::Fmin: return a == b ? 0.5 : (a < b) == (which == 0) ? 1 : 0;
    case Op::Atan2: return (which == 0 ? b : -a) / (a * a + b * b);
    case Op::Hypot: return (which == 0 ? a : b) / std::hypot(a, b);
    case Op::CopySign: return which == 1 || a == 0 ? 0 : std::signbit(a) == std::signbit(b) ? 1 : -1;
    case Op::NextAfter: return which == 0 && a != b ? 1 : 0;
    case Op::LogAddExp: return 1 / (1 + (which == 0 ? std::exp(b - a) : std::exp(a - b)));
    case Op::LogAddExp2: return 1 / (1 + (which == 0 ? std::exp2(b - a) : std::exp2(a - b)));
    case Op::Xlogy: return which == 0 ? std::log(b) : a / b;
    case Op::Lerp: return which == 0 ? 1 - c : which == 1 ? c : b - a;
    case Op::Where: return (a != 0) == (which == 1) ? 1 : 0;
    default: throw std::logic_error("an op without a derivative");
  }
}

}  // namespace luge::test
