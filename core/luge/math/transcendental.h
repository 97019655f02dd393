// Formulas of powers, exponentials, logarithms, trigonometric and hyperbolic functions, error and gamma functions.
#include <luge/math/error_functions.h>
#include <luge/math/formula.h>
#include <luge/math/gamma.h>

#if defined(LUGE_MATH_TRANSCENDENTAL_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_TRANSCENDENTAL_H_
#undef LUGE_MATH_TRANSCENDENTAL_H_
#else
#define LUGE_MATH_TRANSCENDENTAL_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

struct Sqrt : Traits<1, kSavesOutput> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return sqrt(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy / (y + y); }
};

struct Rsqrt : Traits<1, kSavesOutput> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return V(1.0) / sqrt(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (V(-0.5) * y * (y * y)); }
};

struct Reciprocal : Traits<1, kSavesOutput> {
  static constexpr double kLow = 0.5;
  template <class V>
  LUGE_FN static V forward(V x) {
    return V(1.0) / x;
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return -dy * (y * y);
  }
};

inline constexpr double kLn2 = 0.69314718055994530942, kLn10 = 2.30258509299404568402;

struct Exp : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return exp(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * y; }
};

struct Exp2 : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return exp2(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return dy * (y * V(kLn2));
  }
};

struct Expm1 : Traits<1, kSavesOutput> {
  template <class V>
  LUGE_FN static V forward(V x) { return expm1(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) { return dy * (y + V(1.0)); }
};

struct Log : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) { return log(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / x; }
};

struct Log2 : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) {
    return log2(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / (x * V(kLn2));
  }
};

struct Log10 : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.1;
  template <class V>
  LUGE_FN static V forward(V x) {
    return log10(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / (x * V(kLn10));
  }
};

struct Log1p : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.8;
  template <class V>
  LUGE_FN static V forward(V x) { return log1p(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / (x + V(1.0)); }
};

struct Sin : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return sin(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * cos(x); }
};

struct Cos : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return cos(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return -dy * sin(x); }
};

struct Tan : Traits<1, kSavesOutput> {
  static constexpr double kLow = -1.4, kHigh = 1.4;
  template <class V>
  LUGE_FN static V forward(V x) {
    return tan(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return dy * (V(1.0) + y * y);
  }
};

struct Asin : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return asin(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / sqrt((V(1.0) - x) * (V(1.0) + x));
  }
};

struct Acos : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return acos(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return -dy / sqrt((V(1.0) - x) * (V(1.0) + x));
  }
};

struct Atan : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return atan(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy / (V(1.0) + x * x); }
};

struct Sinh : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return sinh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy * cosh(x);
  }
};

struct Cosh : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return cosh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy * sinh(x);
  }
};

struct Asinh : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return asinh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / sqrt(x * x + V(1.0));
  }
};

struct Acosh : Traits<1, kSavesInputs> {
  static constexpr double kLow = 1.1, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x) {
    return acosh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / sqrt(V(0.0) + (x - V(1.0)) * (x + V(1.0)));
  }
};

struct Atanh : Traits<1, kSavesInputs> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return atanh(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy / ((V(1.0) - x) * (V(1.0) + x));
  }
};

/// The angle of the point (b, a) in (-pi, pi]. The gradient is 0 at the origin.
struct Atan2 : Traits<2, kSavesInputs> {
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return atan2(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    // Of b / (a^2 + b^2) without the squares of what is large or small.
    const V zero(0.0), one(1.0), x = abs(a), y = abs(b), most = select(x < y, y, x), ratio = select(x < y, x, y) / most;
    const V part = dy / (one + ratio * ratio);
    return {select(most == zero, zero * b, part * (b / most) / most),
            select(most == zero, zero * b, -part * (a / most) / most)};
  }
};

/// sqrt(a^2 + b^2) without overflow on the way.
struct Hypot : Traits<2, kSavesInputs | kSavesOutput> {
  static constexpr int kReads[] = {0b01, 0b10};
  static constexpr double kKink = 0;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return hypot(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V y) {
    return {dy * (a / y), dy * (b / y)};
  }
};

/// log(1 + e^z) for z <= 0.
template <class V>
LUGE_FN V log1p_exp(V z) {
  return log1p(exp(z));
}

/// log(e^a + e^b): the larger one and what the difference adds.
struct LogAddExp : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    const V apart = select(a == b, V(0.0), -abs(a - b));
    return select(a < b, b, a) + log1p_exp(apart);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    return {dy / (V(1.0) + exp(b - a)), dy / (V(1.0) + exp(a - b))};
  }
};

struct LogAddExp2 : Traits<2, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    const V apart = select(a == b, V(0.0), -abs(a - b));
    return select(a < b, b, a) + log1p(exp2(apart)) * V(1.44269504088896340736);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    return {dy / (V(1.0) + exp2(b - a)), dy / (V(1.0) + exp2(a - b))};
  }
};

/// a log b, and 0 for a = 0 whatever number b is.
template <class V>
LUGE_FN V times_log(V a, V b) {
  return select(is_nan(b), b, select(a == V(0.0), V(0.0), a * log(b)));
}
/// The gradient of a is 0 where a = 0 and b <= 0, as in PyTorch.
struct Xlogy : Traits<2, kSavesInputs> {
  static constexpr double kLow = 0.25;
  template <class V>
  LUGE_FN static V forward(V a, V b) {
    return times_log(a, b);
  }
  template <class V>
  LUGE_FN static Gradients<V, 2> backward(V dy, V a, V b, V) {
    const V zero(0.0), da = times_log(dy, b);
    return {select(a == zero, select(b <= zero, zero, da), da), dy * a / b};
  }
};

struct Erf : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) { return erf(x); }
  /// 2 / sqrt(pi) e^(-x^2)
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * (V(1.12837916709551257390) * exp(-(x * x))); }
};

/// e^(-x^2) and e^(x^2) erfc(|x|), of an x in (-40, 40): the latter in two parts, of which `rest` is what rounding took from
/// x^2 and |x|.
template <class V>
struct GaussianParts {
  V density, scaled, rest;

  /// For x^2 = y x and scale |x| = argument + off, what rounding took from the argument.
  LUGE_FN GaussianParts(V y, V x, V argument, V off) {
    const V square = y * x, lost = fma(y, x, -square);
    density = exp(-square);
    scaled = scaled_erfc(argument);
    rest = fma(off, fma(argument + argument, scaled, V(-1.12837916709551257390)), -lost * scaled);
  }
};

/// 1 - erf(x), with all digits where erf rounds to 1.
template <class V>
LUGE_FN V complementary_erf(V x) {
  const V size = abs(x), within = select(size > V(40.0), V(40.0), size);
  const GaussianParts<V> parts(within, within, within, V(0.0));
  const V tail = fma(parts.density, parts.scaled, parts.density * parts.rest);
  return select(x < V(0.0), V(2.0) - tail, tail);
}
struct Erfc : Traits<1, kSavesInputs> {
  template <class V>
  LUGE_FN static V forward(V x) {
    return complementary_erf(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) {
    return dy * (V(-1.12837916709551257390) * exp(-(x * x)));
  }
};

/// The y with erf(y) = x; sqrt(pi) / 2 e^(y^2) is its slope.
struct Erfinv : Traits<1, kSavesOutput> {
  static constexpr double kLow = -0.9, kHigh = 0.9;
  template <class V>
  LUGE_FN static V forward(V x) {
    return erfinv(x);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V, V y) {
    return dy * (V(0.88622692545275801365) * exp(y * y));
  }
};

/// log |gamma(x)|
struct Lgamma : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.4, kHigh = 6;  // its poles are 0, -1, -2, ...
  template <class V>
  LUGE_FN static V forward(V x) { return lgamma(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * digamma(x); }
};

/// The derivative of lgamma.
struct Digamma : Traits<1, kSavesInputs> {
  static constexpr double kLow = 0.4, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x) { return digamma(x); }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V) { return dy * trigamma(x); }
};

/// The derivative of order n of digamma.
struct Polygamma : Traits<1, kSavesInputs, 1> {
  static constexpr double kLow = 0.4, kHigh = 6;
  template <class V>
  LUGE_FN static V forward(V x, V n) {
    return polygamma(x, n);
  }
  template <class V>
  LUGE_FN static V backward(V dy, V x, V, V n) {
    return dy * polygamma(x, n + V(1.0));
  }
};

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
