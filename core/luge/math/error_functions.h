// The complementary error function scaled by e^(x^2), and the inverse of the error function: one text for all backends.
//
// Errors: scaled_erfc 2 units in the last place for x >= 0; erfinv 2 units, in float64 (float32 is rounded from that).
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_ERROR_FUNCTIONS_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_ERROR_FUNCTIONS_H_
#undef LUGE_MATH_ERROR_FUNCTIONS_H_
#else
#define LUGE_MATH_ERROR_FUNCTIONS_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// (1 + 2 x) e^(x^2) erfc(x) = 1 + (1 + t) P(t) with t = (x - centre) / (x + centre), which maps x >= 0 to [-1, 1):
/// after M. Shepherd and J. Laframboise, Mathematics of Computation 36 (1981), but exact at 0 and with less to lose by
/// rounding, as (1 + t) P(t) is small. `series` is P in powers of t. The argument counts in `unit`.
template <class T, int n, class V>
LUGE_FN V scaled_erfc_by(const double (&series)[n], double centre, V x, double unit) {
  const V one(1.0), up = (x + x) / (x + V(static_cast<T>(centre / unit))), t = up - one;
  V sum(static_cast<T>(series[n - 1]));
  for (int k = n - 2; k >= 0; --k) sum = fma(sum, t, V(static_cast<T>(series[k])));
  return fma(up, sum, one) / fma(V(static_cast<T>(2 * unit)), x, one);
}
/// e^(y^2) erfc(y) of y = unit x for 0 <= y <= 42, of element type T: a straight line of operations. P is a Chebyshev
/// series up to there, made with 60 digits.
template <class T, class V>
LUGE_FN V scaled_erfc_of(V x, double unit = 1) {
  if constexpr (sizeof(T) == 4) {
    constexpr double kSeries[] = {0.264838189,   -0.387194932,   0.288170576,     -0.130540907,
                                  0.0275710989,  0.00519030914,  -0.00424344791,  -0.00013389322,
                                  0.00058909232, 2.02242209e-05, -6.79004443e-05, -9.24287997e-06};
    return scaled_erfc_by<T>(kSeries, 2.5, x, unit);
  } else {
    constexpr double kSeries[] = {
        0.25300805826972966,     -0.38862916439431067,    0.34106687004085923,    -0.21142171133811799,
        0.09214804792284581,     -0.023840020578204144,   6.9505658809947615e-05, 0.0024598861467431048,
        -0.00057119578012742374, -0.00020863639911694061, 0.00010347656168377861, 2.1622288586464256e-05,
        -1.6672718865689119e-05, -3.4261036942786012e-06, 2.6946297899992261e-06, 7.7380495784458967e-07,
        -4.1766804095279247e-07, -1.9306251233507111e-07, 5.3266689384763393e-08, 4.3074734901332969e-08,
        -3.5471988682175168e-09, -6.8354846287538853e-09, -1.843772826513898e-10, 4.9148511102183292e-10};
    return scaled_erfc_by<T>(kSeries, 3, x, unit);
  }
}
LUGE_FN float scaled_erfc(float x) { return scaled_erfc_of<float>(x); }
LUGE_FN double scaled_erfc(double x) { return scaled_erfc_of<double>(x); }

/// The y with erf(y) = x: S. Winitzki's closed form, within 0.3 %, and E. Halley's iteration, which triples the digits.
/// NaN beyond -1 and 1, where it is infinite.
LUGE_FN double erfinv(double x) {
  constexpr double kHalfRootPi = 0.88622692545275801365;
  const double size = abs(x), rest = 1.0 - size;
  if (!(size < 1.0)) return size == 1.0 ? x * kInfinity : kInfinity - kInfinity;
  if (size < 1e-9) return x * kHalfRootPi;
  constexpr double kShape = 0.147;
  const double part = log1p(-(size * size)), middle = 2.0 / (kPi * kShape) + 0.5 * part;
  const double root = sqrt(middle * middle - part / kShape);
  // The difference of root and middle, without a loss where they are alike.
  double y = sqrt(middle > 0.0 ? -part / (kShape * (root + middle)) : root - middle);
  for (int round = 0; round < 3; ++round) {
    const double miss = size < 0.5 ? erf(y) - size : rest - ::erfc(y);
    const double step = miss * kHalfRootPi * exp(y * y);
    y -= step / (1.0 + step * y);
  }
  return x < 0.0 ? -y : y;
}

#define LUGE_FUNCTION(name) \
  LUGE_FN float name(float x) { return static_cast<float>(name(static_cast<double>(x))); }
LUGE_ERROR_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
