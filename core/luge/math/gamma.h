// The logarithm of the gamma function and its derivatives: one text for all backends, element by element, in
// float64. float32 is rounded from that.
//
// Errors, as tests/kernels/gamma_test.cpp holds them:
//   lgamma    4 units in the last place for x > -0.5, zeros at 1 and 2 included; for x < -0.5, where two terms cancel,
//             4 units of the larger of 1 and lgamma(-x)
//   digamma   4 units of the larger of 1 and |digamma(x)| for x > -0.5, 8 below; so few digits are right near a zero
//   trigamma  6 units in the last place
//   polygamma for n > 1, 16 units in the last place for x > -0.5; below, where two terms cancel, of the larger one
#include <luge/math/dialect.h>

#if defined(LUGE_MATH_GAMMA_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_MATH_GAMMA_H_
#undef LUGE_MATH_GAMMA_H_
#else
#define LUGE_MATH_GAMMA_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::math::LUGE_DIALECT {

/// c[0] + c[1] z + c[2] z^2 + ... and its derivative.
struct Polynomial {
  double value = 0, slope = 0;
};
template <int n>
LUGE_FN Polynomial polynomial(const double (&c)[n], double z) {
  Polynomial p;
  for (int k = n - 1; k >= 0; --k) {
    p.slope = p.slope * z + p.value;
    p.value = p.value * z + c[k];
  }
  return p;
}

/// lgamma(2 + z) / z for -0.72 <= z <= 0.5, by its power series: 1 - Euler's constant, then (-1)^k (zeta(k) - 1) / k.
/// Abramowitz and Stegun, 6.1.33.
LUGE_FN Polynomial gamma_at_two(double z) {
  constexpr double kSeries[] = {
      0.422784335098467139, 0.322467033424113218, -0.0673523010531980951, 0.0205808084277845479,
      -0.00738555102867398527, 0.00289051033074152329, -0.00119275391170326098, 0.000509669524743042422,
      -0.00022315475845357938, 0.0000994575127818085337, -0.0000449262367381331417, 0.0000205072127756706916,
      -9.4394882752683959e-6, 4.3748667899074878e-6, -2.03921575380136624e-6, 9.55141213040741983e-7,
      -4.49246919876456604e-7, 2.12071848055546659e-7, -1.00432248239680996e-7, 4.76981016936398057e-8,
      -2.27110946089431649e-8, 1.08386592148969541e-8, -5.18347504197004666e-9, 2.48367454380247832e-9,
      -1.19214014058609121e-9, 5.73136724167886201e-10, -2.75952288512423315e-10, 1.33047643742444895e-10,
      -6.42296456383810002e-11, 3.10442477473222728e-11, -1.50213840807541422e-11, 7.27597448023907966e-12,
      -3.52774247657591508e-12, 1.71199179055961791e-12, -8.31538584142028482e-13, 4.04220052528944007e-13,
      -1.96647563109661649e-13, 9.57363038783855576e-14};
  return polynomial(kSeries, z);
}

/// |sin(pi x)| and cot(pi x), which are exact about where they are 0 and infinite.
struct HalfTurns {
  double sine, cotangent;
};
LUGE_FN HalfTurns half_turns(double x) {
  const double part = x - floor(x);
  const bool nearer_above = part > 0.5;
  const double distance = nearer_above ? 1.0 - part : part;
  const double sine = sin(kPi * distance), cosine = sin(kPi * (0.5 - distance));
  return {sine, nearer_above ? -cosine / sine : cosine / sine};
}

// ---- for x >= -0.5 ------------------------------------------------------------------------------

LUGE_FN double lgamma_above(double x) {
  if (x <= 0.5) return x * gamma_at_two(x).value - log1p(x) - log(abs(x));
  if (x < 1.28) return (x - 1.0) * gamma_at_two(x - 1.0).value - log1p(x - 1.0);
  if (x < 10.0) {
    double product = 1.0;
    while (x >= 2.5) {
      x -= 1.0;
      product *= x;
    }
    return (x - 2.0) * gamma_at_two(x - 2.0).value + log(product);
  }
  // Stirling's series, 6.1.41: B(2k) / (2k (2k - 1)) x^(1 - 2k).
  constexpr double kSeries[] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156};
  constexpr double kConstant = 0.418938533204672741780;  // (log(2 pi) - 1) / 2
  const double inverse = 1.0 / x;
  return (x - 0.5) * (log(x) - 1.0) + (kConstant + inverse * polynomial(kSeries, inverse * inverse).value);
}

LUGE_FN double digamma_above(double x) {
  if (x < 10.0) {
    double sum = 0.0;
    for (; x >= 2.5; sum += 1.0 / x) x -= 1.0;
    if (x < 0.5) {
      sum = -1.0 / x - 1.0 / (x + 1.0);
      x += 2.0;
    } else if (x < 1.5) {
      sum -= 1.0 / x;
      x += 1.0;
    }
    const double z = x - 2.0;
    const Polynomial p = gamma_at_two(z);
    return p.value + z * p.slope + sum;
  }
  // 6.3.18: B(2k) / 2k x^(-2k).
  constexpr double kSeries[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
  const double inverse = 1.0 / x, square = inverse * inverse;
  return log(x) - 0.5 * inverse - square * polynomial(kSeries, square).value;
}

LUGE_FN double trigamma_above(double x) {
  double sum = 0.0;
  for (; x < 12.0; x += 1.0) sum += 1.0 / (x * x);
  // 6.4.12: B(2k) x^(-2k - 1).
  constexpr double kSeries[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6};
  const double inverse = 1.0 / x, square = inverse * inverse;
  return sum + (inverse + square * (0.5 + inverse * polynomial(kSeries, square).value));
}

// ---- everywhere ---------------------------------------------------------------------------------

/// log |gamma(x)|; infinite at 0, -1, -2, ... and at both infinities.
LUGE_FN double lgamma(double x) {
  if (!(x < -0.5)) return lgamma_above(x);
  if (x == floor(x)) return kInfinity;
  return log(kPi / (-x * half_turns(x).sine)) - lgamma_above(-x);
}

/// Its derivative. An infinity of the other sign at 0; NaN at -1, -2, ..., which have one sign to the left and another
/// to the right, and at minus infinity.
LUGE_FN double digamma(double x) {
  if (!(x < -0.5)) return digamma_above(x);
  if (x == floor(x)) return kInfinity - kInfinity;
  return digamma_above(-x) - 1.0 / x - kPi * half_turns(x).cotangent;
}

/// The derivative of digamma. Infinite at 0, -1, -2, ...; NaN at minus infinity.
LUGE_FN double trigamma(double x) {
  if (!(x < -0.5)) return trigamma_above(x);
  if (x == floor(x)) return x - x + kInfinity;
  const double slope = kPi / half_turns(x).sine;
  return slope * slope - trigamma_above(-x) + 1.0 / (x * x);
}

/// The sum of (x + k)^-s over k >= 0 for x > -1 and an integer s > 1, L. Euler's and C. Maclaurin's formula:
/// Abramowitz and Stegun, 23.1.30, with B(2k) / (2k)!.
LUGE_FN double hurwitz_zeta(double s, double x) {
  constexpr double kSeries[] = {
      1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000.0, 1.0 / 74724249600.0};
  double sum = 0.0;
  for (const double most = 10.0 + 2.0 * s; x < most; x += 1.0) {
    const double term = pow(x, -s);
    sum += term;
    if (x > 1.0 && term < sum * 1e-18) return sum;
  }
  const double inverse = 1.0 / x, square = inverse * inverse;
  double rest = x / (s - 1.0) + 0.5, factor = s * inverse;
  for (int k = 0; k < 7; ++k) {
    rest += kSeries[k] * factor;
    factor *= (s + (2.0 * k + 1.0)) * (s + (2.0 * k + 2.0)) * square;
  }
  return sum + pow(x, -s) * rest;
}

/// The derivative of order n of digamma, for an integer n >= 0; infinite at 0, -1, -2, ...
LUGE_FN double polygamma(double x, double n) {
  if (n == 0.0) return digamma(x);
  if (n == 1.0) return trigamma(x);
  if (x != x) return x;
  const double s = n + 1.0;
  const bool is_odd = s - 2.0 * floor(0.5 * s) != 0.0;
  double factor = is_odd ? -1.0 : 1.0;
  for (double k = 2.0; k <= n; k += 1.0) factor *= k;
  if (x == kInfinity) return is_odd ? -0.0 : 0.0;
  if (x <= 0.0 && x == floor(x)) return x - x + factor * kInfinity;
  if (x > -0.5) return factor * hurwitz_zeta(s, x);
  // The sum over all integers, from both sides of x, less those that lie below.
  const double part = x - floor(x), sign = is_odd ? -1.0 : 1.0;
  return factor * (hurwitz_zeta(s, part) + sign * (hurwitz_zeta(s, 1.0 - part) - hurwitz_zeta(s, 1.0 - x)));
}
LUGE_FN float polygamma(float x, float n) {
  return static_cast<float>(polygamma(static_cast<double>(x), static_cast<double>(n)));
}

#define LUGE_FUNCTION(name) \
  LUGE_FN float name(float x) { return static_cast<float>(name(static_cast<double>(x))); }
LUGE_GAMMA_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION

}  // namespace luge::math::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
