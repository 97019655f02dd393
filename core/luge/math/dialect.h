// What a formula may be written in. A dialect is a value type V with + - * / and comparisons, built
// from a double by V(0.5), plus the functions below, found for the scalars of this file by name and
// for Highway vectors (kernels/cpu/vector.h) and dual numbers (tests) by argument-dependent lookup.
//
// This text is compiled by g++, clang, nvcc and the run-time compiler, and once per CPU target by
// Highway's foreach_target; hence the toggling guard and LUGE_DIALECT, the namespace of the pass.
#include <luge/math/platform.h>

#ifndef LUGE_VECTOR_FUNCTIONS
/// Functions of one number that kernels/cpu/vector.h has code for.
#define LUGE_VECTOR_FUNCTIONS(X) X(exp) X(expm1) X(log) X(log1p) X(sin) X(cos) X(tanh) X(erf) X(floor)
/// Those that a vector computes lane by lane: of the C library, for which a word here is all that a new one takes, and
/// of gamma.h.
#define LUGE_LIBRARY_FUNCTIONS(X) X(atan)
#define LUGE_GAMMA_FUNCTIONS(X) X(lgamma) X(digamma) X(trigamma)
#define LUGE_LANE_FUNCTIONS(X) LUGE_LIBRARY_FUNCTIONS(X) LUGE_GAMMA_FUNCTIONS(X)
#endif

#if defined(LUGE_MATH_DIALECT_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_DIALECT_H_
#undef LUGE_MATH_DIALECT_H_
#else
#define LUGE_MATH_DIALECT_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

#define LUGE_FUNCTION(name)                            \
  LUGE_FN float name(float x) { return ::name##f(x); } \
  LUGE_FN double name(double x) { return ::name(x); }
LUGE_VECTOR_FUNCTIONS(LUGE_FUNCTION)
LUGE_LIBRARY_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION
LUGE_FN float sqrt(float x) { return ::sqrtf(x); }
LUGE_FN double sqrt(double x) { return ::sqrt(x); }
LUGE_FN float pow(float x, float y) { return ::powf(x, y); }
LUGE_FN double pow(double x, double y) { return ::pow(x, y); }
LUGE_FN float abs(float x) { return ::fabsf(x); }
LUGE_FN double abs(double x) { return ::fabs(x); }
LUGE_FN float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
LUGE_FN double fma(double a, double b, double c) { return ::fma(a, b, c); }

LUGE_FN int floor(int x) { return x; }
LUGE_FN long floor(long x) { return x; }
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
