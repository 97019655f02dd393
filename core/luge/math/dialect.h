// What a formula may be written in. A dialect is a value type V with + - * / and comparisons, built
// from a double by V(0.5), plus the functions below, found for the scalars of this file by name and
// for Highway vectors (kernels/cpu/vector.h) and dual numbers (tests) by argument-dependent lookup.
//
// This text is compiled by g++, clang, nvcc and the run-time compiler, and once per CPU target by
// Highway's foreach_target; hence the toggling guard and LUGE_DIALECT, the namespace of the pass.
#include <luge/math/platform.h>

#ifndef LUGE_VECTOR_FUNCTIONS
/// Functions of one number that kernels/cpu/vector.h has code for.
#define LUGE_VECTOR_FUNCTIONS(X) X(exp) X(expm1) X(log) X(log1p) X(sin) X(cos) X(tanh) X(erf) X(floor) X(ceil) X(trunc)
/// Formulas of activations.h and transcendental.h that it has shorter code for.
#define LUGE_COMPOSED_FUNCTIONS(X) X(logistic) X(silu) X(gelu) X(complementary_erf) X(log1p_exp)
/// Those that a vector computes lane by lane: of the C library, for which a word here is all that a new one takes, of
/// gamma.h and of error_functions.h.
#define LUGE_LIBRARY_FUNCTIONS(X) \
  X(exp2) X(log2) X(log10) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) X(atanh)
#define LUGE_GAMMA_FUNCTIONS(X) X(lgamma) X(digamma) X(trigamma)
#define LUGE_ERROR_FUNCTIONS(X) X(erfinv)
#define LUGE_LANE_FUNCTIONS(X) LUGE_LIBRARY_FUNCTIONS(X) LUGE_GAMMA_FUNCTIONS(X) LUGE_ERROR_FUNCTIONS(X)
/// The same of two numbers: of the C library, and those of gamma.h.
#define LUGE_LIBRARY_FUNCTIONS_OF_TWO(X) X(pow) X(atan2) X(hypot) X(fmod) X(nextafter)
#define LUGE_LANE_FUNCTIONS_OF_TWO(X) LUGE_LIBRARY_FUNCTIONS_OF_TWO(X) X(polygamma)
#endif

#if defined(LUGE_MATH_DIALECT_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_DIALECT_H_
#undef LUGE_MATH_DIALECT_H_
#else
#define LUGE_MATH_DIALECT_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

inline constexpr double kInfinity = __builtin_bit_cast(double, 0x7FF0000000000000ull);
inline constexpr double kPi = 3.14159265358979323846;

#define LUGE_FUNCTION(name)                            \
  LUGE_FN float name(float x) { return ::name##f(x); } \
  LUGE_FN double name(double x) { return ::name(x); }
LUGE_VECTOR_FUNCTIONS(LUGE_FUNCTION)
LUGE_LIBRARY_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION
#define LUGE_FUNCTION(name)                                        \
  LUGE_FN float name(float x, float y) { return ::name##f(x, y); } \
  LUGE_FN double name(double x, double y) { return ::name(x, y); }
LUGE_LIBRARY_FUNCTIONS_OF_TWO(LUGE_FUNCTION)
#undef LUGE_FUNCTION
LUGE_FN float sqrt(float x) { return ::sqrtf(x); }
LUGE_FN double sqrt(double x) { return ::sqrt(x); }
LUGE_FN float abs(float x) { return ::fabsf(x); }
LUGE_FN double abs(double x) { return ::fabs(x); }
LUGE_FN float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
LUGE_FN double fma(double a, double b, double c) { return ::fma(a, b, c); }
/// To the nearest whole number, ties to even.
LUGE_FN float round(float x) { return ::rintf(x); }
LUGE_FN double round(double x) { return ::rint(x); }
LUGE_FN float copy_sign(float magnitude, float sign) { return ::copysignf(magnitude, sign); }
LUGE_FN double copy_sign(double magnitude, double sign) { return ::copysign(magnitude, sign); }

#define LUGE_FUNCTION(name)             \
  LUGE_FN int name(int x) { return x; } \
  LUGE_FN long name(long x) { return x; }
LUGE_FUNCTION(floor)
LUGE_FUNCTION(ceil)
LUGE_FUNCTION(trunc)
LUGE_FUNCTION(round)
#undef LUGE_FUNCTION
LUGE_FN int abs(int x) { return x < 0 ? -x : x; }
LUGE_FN long abs(long x) { return x < 0 ? -x : x; }

/// Integer powers, modulo 2^bits; a negative exponent gives 0 except for the bases 1 and -1.
template <class I>
LUGE_FN I integer_pow(I base, I exponent) {
  if (exponent < 0) return base == 1 ? I(1) : base == -1 ? (exponent % 2 == 0 ? I(1) : I(-1)) : I(0);
  I result = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2 == 1) result *= base;
  return result;
}
LUGE_FN int pow(int base, int exponent) { return integer_pow(base, exponent); }
LUGE_FN long pow(long base, long exponent) { return integer_pow(base, exponent); }

/// Quotients of integers rounded down, and remainders with the sign of a. By 0 both are 0, as NumPy has it; the
/// quotient of the least number and -1 wraps around. No division here traps.
template <class I>
LUGE_FN I integer_quotient(I a, I b) {
  if (b == 0) return I(0);
  if (b == -1) return -a;
  const I quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
template <class I>
LUGE_FN I integer_fmod(I a, I b) {
  return b == 0 || b == -1 ? I(0) : a % b;
}
LUGE_FN int floor_quotient(int a, int b) { return integer_quotient(a, b); }
LUGE_FN long floor_quotient(long a, long b) { return integer_quotient(a, b); }
LUGE_FN int fmod(int a, int b) { return integer_fmod(a, b); }
LUGE_FN long fmod(long a, long b) { return integer_fmod(a, b); }

/// The bits of a moved by b places. Beyond the width, and by less than 0, nothing is left of a: 0, or to the right its
/// sign.
template <class I>
LUGE_FN I left_shifted(I a, I b) {
  constexpr int kBits = 8 * sizeof(I);
  return b < 0 || b >= kBits ? I(0) : static_cast<I>(static_cast<unsigned long>(a) << b);
}
template <class I>
LUGE_FN I right_shifted(I a, I b) {
  constexpr int kBits = 8 * sizeof(I);
  return a >> (b < 0 || b >= kBits ? kBits - 1 : static_cast<int>(b));
}

/// Picks lane by lane. Both sides are evaluated.
template <class T>
LUGE_FN T select(bool condition, T yes, T no) {
  return condition ? yes : no;
}
/// Whether a condition holds in some lane.
LUGE_FN bool any(bool condition) { return condition; }
LUGE_FN bool is_nan(float x) { return x != x; }
LUGE_FN bool is_nan(double x) { return x != x; }
LUGE_FN bool is_nan(int) { return false; }
LUGE_FN bool is_nan(long) { return false; }
LUGE_FN bool is_nan(bool) { return false; }

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
