// Functions of floats as straight lines of operations: one text that vectors execute (vector.h) and that the machine
// code of fused chains is made of (fused/jit), so that both give the same bits on every instruction set. No branch and
// no table; a fused multiply-add is written as one.
//
// V is a value type with V(double), + - * / and comparisons, and these functions, found by argument-dependent lookup:
//   fma, abs, select                 as in core/luge/math/dialect.h
//   copy_sign(magnitude, sign)
//   min(a, b), max(a, b)             a < b ? a : b and a > b ? a : b, so b where either is NaN
//   round(x)                         to the nearest integer, ties to even
//   scale(x, k)                      x 2^k rounded once; k an integer, |k| <= 250 in float32 and 2000 in float64, and 0 or
//                                    such that x 2^(k / 2) is neither subnormal nor too large, else unspecified
//   exponent(x)                      floor(log2 |x|); -inf of 0, +inf of infinities, NaN of NaN; unspecified for x < 0
//   significand(x)                   x 2^-k in [0.75, 1.5) for the integer k; NaN of NaN and of x < 0, and 1 or -1 of
//                                    zeros and infinity
// T, the element type, chooses coefficients; tests/kernels/coefficients.py shows how they are made.
#include <limits>

#include <luge/math/error_functions.h>

#if defined(LUGE_CPU_FUNCTIONS_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_CPU_FUNCTIONS_H_
#undef LUGE_CPU_FUNCTIONS_H_
#else
#define LUGE_CPU_FUNCTIONS_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::cpu::functions::LUGE_DIALECT {

/// c[0] + c[1] x + c[2] x^2 + ...
template <int n, class V>
LUGE_FN V polynomial(const double (&c)[n], V x) {
  V y(c[n - 1]);
  for (int k = n - 2; k >= 0; --k) y = fma(y, x, V(c[k]));
  return y;
}

/// The same as an even and an odd part, which do not wait for one another: half of the latency. `square` is x^2.
template <int n, class V>
LUGE_FN V polynomial(const double (&c)[n], V x, V square) {
  V even(c[(n - 1) / 2 * 2]), odd(c[n / 2 * 2 - 1]);
  for (int k = (n - 1) / 2 * 2 - 2; k >= 0; k -= 2) even = fma(even, square, V(c[k]));
  for (int k = n / 2 * 2 - 3; k >= 1; k -= 2) odd = fma(odd, square, V(c[k]));
  return fma(odd, x, even);
}

template <class T>
struct Constants;
template <>
struct Constants<float> {
  static constexpr double kMost = 0x1.fffffep127;  ///< the largest number
  static constexpr double kLog2E = 1.44269502;
  /// log 2 and what rounding took from it.
  static constexpr double kLn2 = 0.6931471824645996, kLn2Rest = -1.9046542121259336e-09;
  /// Beyond these e^x is infinite, and 0.
  static constexpr double kExpHigh = 104, kExpLow = -104;
  /// Beyond these 1 + e^x is 1, and x e^x is 0.
  static constexpr double kOneAndExpLow = -25, kTimesExpLow = -120;
  /// Below this e^x - 1 is -1.
  static constexpr double kExpm1Low = -18;
  /// e^r = 1 + r + r^2 kExp(r) for |r| <= log(2) / 2.
  static constexpr double kExp[] = {0.49999994, 0.166665211, 0.0416683853, 0.00836872403, 0.00138147885};
  /// log(1 + f) = f + f^2 kLog(f) for -1/4 <= f <= 1/2.
  static constexpr double kLog[] = {-0.5,        0.333334535,  -0.250000477, 0.19990617,   -0.166480109,
                                    0.144823596, -0.131601587, 0.10442397,   -0.0448656827};
  /// tanh(x) = x + x z kTanh(z) for x <= 0.55, z = x^2; and twice the x from which on it is 1.
  static constexpr double kTanh[] = {-0.333333164, 0.13332586, -0.0538523085, 0.0210716836, -0.0062742508};
  static constexpr double kTanhEnd = 20;
  /// sin(x) = x + x z kSin(z) and cos(x) = 1 - z / 2 + z^2 kCos(z) for |x| <= pi / 4, z = x^2.
  static constexpr double kSin[] = {-0.166666538, 0.00833212305, -0.000195101427};
  static constexpr double kCos[] = {0.0416666456, -0.00138872652, 2.44272924e-05};
  /// pi / 2, what rounding took from it, and what it took from that.
  static constexpr double kHalfPi = 1.5707963705062866, kHalfPiRest = -4.371138828673793e-08,
                          kHalfPiLast = -1.7151245100058819e-15;
  /// erf(x) = x + x kErfNear(z) for x <= kErfSplit, and 1 - e^kErfFar(x) up to kErfEnd, from which on it is 1.
  static constexpr double kErfSplit = 0.9, kErfEnd = 3.95;
  static constexpr double kErfNear[] = {0.128379151,   -0.376125246, 0.112821408,
                                        -0.0267789178, 0.0050119753, -0.000609042647};
  static constexpr double kErfFar[] = {-0.00183108088, -1.12036479,  -0.650501788,
                                       -0.0912887603,  0.0156408399, -0.00125981192};
  /// Phi(-x) = e^(-x^2 / 2) (kNormal(t) + t^2 kNormalRest(t)) / (2 + x / 2) with t = 1.25 x / (2 + x / 2) - 1, for
  /// 0 <= x <= kNormalEnd, beyond which x Phi(-x) is 0.
  static constexpr double kNormalEnd = 15;
  static constexpr double kNormal[] = {0.446970463, -0.314847946};
  static constexpr double kNormalRest[] = {0.164497554,     -0.060726054,   0.0133970296,
                                           -0.000343362655, -0.000715285656, 0.000114087685,
                                           4.07232728e-05,  -8.66908795e-06, -2.41924204e-06};
  /// erfc(x) = e^(-x^2) (kErfc(t) + t^2 kErfcRest(t)) u with u = 2 / (0.8 x + sqrt(5.12)) and t = x u - 1; beyond kErfcEnd
  /// it is 0. As in kNormal, what rounding does to u it does to the polynomial the other way.
  static constexpr double kErfcEnd = 10.6;
  static constexpr double kErfc[] = {0.505689383, -0.356209785};
  static constexpr double kErfcRest[] = {0.18610774,      -0.0687036887,   0.0151570085,
                                         -0.000388470507, -0.000809253368, 0.000129075474,
                                         4.60731244e-05,  -9.80795357e-06, -2.73705996e-06};
};
template <>
struct Constants<double> {
  static constexpr double kMost = 0x1.fffffffffffffp1023;
  static constexpr double kLog2E = 1.4426950408889634;
  static constexpr double kLn2 = 0.6931471805599453, kLn2Rest = 2.3190468138462996e-17;
  static constexpr double kExpHigh = 750, kExpLow = -750;
  static constexpr double kOneAndExpLow = -45, kTimesExpLow = -760;
  static constexpr double kExpm1Low = -38;
  static constexpr double kExp[] = {0.50000000000000111,    0.16666666666666424,    0.041666666666530155,
                                    0.0083333333334863653,  0.001388888894365551,   0.00019841269524667951,
                                    2.4801493064954912e-05, 2.7557570052325937e-06, 2.7630260972671842e-07,
                                    2.5005222530967936e-08};
  /// log(1 + f) = 2 s + s z kLogOdd(z) with s = f / (2 + f), z = s^2.
  static constexpr double kLogOdd[] = {0.66666666666672703, 0.39999999996166574, 0.28571429394504755,
                                       0.22222138557139445, 0.18186354088294732, 0.15250223461974313,
                                       0.15367949472927139};
  static constexpr double kTanh[] = {-0.33333333333332316,   0.1333333333316937,     -0.053968253876379074,
                                     0.021869485981296576,   -0.0088631945837567751, 0.0035917202906685466,
                                     -0.0014532194904523679, 0.00057914463646443473, -0.00021031417380729293,
                                     5.1029217721470879e-05};
  static constexpr double kTanhEnd = 40;
  static constexpr double kSin[] = {-0.16666666666666627,  0.0083333333333212075,   -0.0001984126982883742,
                                    2.7557313353324223e-06, -2.5050704762742792e-08, 1.5893682617090874e-10};
  static constexpr double kCos[] = {0.041666666666666588,   -0.0013888888888871763, 2.4801587288027049e-05,
                                    -2.7557313936535223e-07, 2.0875667270784318e-09, -1.1356770661294355e-11};
  static constexpr double kHalfPi = 1.5707963267948966, kHalfPiRest = 6.123233995736766e-17,
                          kHalfPiLast = -1.4973849048591698e-33;
  /// As above but for 1 - e^(-x^2) kErfFarTop(x) / kErfFarBottom(x).
  static constexpr double kErfSplit = 1, kErfEnd = 6;
  static constexpr double kNormalEnd = 39, kErfcEnd = 28;
  static constexpr double kErfNear[] = {0.12837916709551256,     -0.37612638903183521,    0.11283791670944184,
                                        -0.026866170643113054,   0.0052239776061417317,   -0.00085483259308009017,
                                        0.00012055293629863957,  -1.4924713445679977e-05, 1.6447146891093885e-06,
                                        -1.6206438284074812e-07, 1.3711543249380839e-08,  -7.7805541766329797e-10};
  static constexpr double kErfFarTop[] = {0.99999988913143201, 1.3901429395779961,   0.948978388065158,
                                          0.37327427203098834, 0.084244922802083261, 0.0089145899618321076};
  static constexpr double kErfFarBottom[] = {1,
                                             2.5185209368581631,
                                             2.7908308306282672,
                                             1.7561026142804228,
                                             0.6695715521203407,
                                             0.1493163122031744,
                                             0.015800822507723387};
};

/// x = k log 2 + r with |r| <= log(2) / 2. `rest` false leaves out what log 2 lost by rounding.
template <class T, bool rest, class V>
struct Reduced {
  V k, r;

  LUGE_FN explicit Reduced(V x) {
    using C = Constants<T>;
    k = round(x * V(C::kLog2E));
    r = fma(k, V(-C::kLn2), x);
    if constexpr (rest) r = fma(k, V(-C::kLn2Rest), r);
  }
};

/// For x whose exponential is a normal number; without `rest`, wrong by k units in the last place.
template <class T, bool rest, class V>
LUGE_FN V exp_within(V x) {
  const Reduced<T, rest, V> part(x);
  const V r = part.r, one(1.0);
  return scale(fma(fma(polynomial(Constants<T>::kExp, r), r, one), r, one), part.k);
}

template <class T, class V>
LUGE_FN V exp(V x) {
  using C = Constants<T>;
  return exp_within<T, true>(max(V(C::kExpLow), min(V(C::kExpHigh), x)));
}

/// e^r - 1 for |r| <= log(2) / 2.
template <class T, class V>
LUGE_FN V expm1_within(V r) {
  const V square = r * r;
  return fma(square, polynomial(Constants<T>::kExp, r, square), r);
}

/// 1 + e^x for -64 <= x as 2^-shift ((1 + 2^shift) + rest), where e^x = 2^-shift (1 + rest). What the first sum loses
/// is added to the second part, so that the second sum is the one that rounds.
template <class T, class V>
struct OneAndExp {
  V shift, rest, sum;

  LUGE_FN explicit OneAndExp(V x) {
    const Reduced<T, true, V> part(x);
    const V one(1.0);
    shift = -part.k;
    const V unit = scale(one, shift), head = one + unit;
    rest = expm1_within<T>(part.r);
    sum = head + (rest + (unit - (head - one)));
  }
};

template <class T, class V>
LUGE_FN V logistic(V x) {
  using C = Constants<T>;
  const OneAndExp<T, V> below(max(V(C::kOneAndExpLow), min(V(-C::kExpLow), -x)));
  return scale(V(1.0) / below.sum, below.shift);
}
/// x / (1 + e^-x); as of x e^x, NaN of -inf.
template <class T, class V>
LUGE_FN V silu(V x) {
  using C = Constants<T>;
  const V most = max(V(C::kTimesExpLow), x);
  const OneAndExp<T, V> below(max(V(C::kOneAndExpLow), -most));
  using Limits = std::numeric_limits<double>;
  return select(x == V(-Limits::infinity()), V(Limits::quiet_NaN()), scale(most / below.sum, below.shift));
}
/// e^x - 1 = 2^k ((1 - 2^-k) + (e^r - 1)), where 1 - 2^-k is 0 for small x.
template <class T, class V>
LUGE_FN V expm1(V x) {
  using C = Constants<T>;
  const Reduced<T, true, V> part(max(V(C::kExpm1Low), min(V(C::kExpHigh), x)));
  const V r = part.r, one(1.0), head = one - scale(one, -part.k);
  return copy_sign(scale(fma(r * r, polynomial(C::kExp, r), head + r), part.k), x);
}

/// log(1 + f) - k log 2 for -1/4 <= f <= 1/2.
template <class T, class V>
LUGE_FN V log_of_parts(V f, V k) {
  using C = Constants<T>;
  if constexpr (sizeof(T) == 4) {
    const V square = f * f;
    return fma(k, V(-C::kLn2), fma(square, polynomial(C::kLog, f, square), f));
  } else {
    // With s = f / (2 + f) the logarithm is 2 s + s z kLogOdd(z), and 2 s = f - s f. Most digits are those of f, which
    // is exact, less f^2 / 2: the arrangement of fdlibm's log.
    const V s = f / (V(2.0) + f), z = s * s, half = V(0.5) * f * f;
    const V rest = fma(s, fma(z, polynomial(C::kLogOdd, z), half), k * V(-C::kLn2Rest));
    return fma(k, V(-C::kLn2), f - (half - rest));
  }
}

/// The k for which x 2^k is significand(x), which is m.
template <class V>
LUGE_FN V shift_to(V m, V x) {
  return exponent(m) - exponent(x);
}

/// log(1 + e^z) for z <= 0: e^z is f, or 1 + 2 f.
template <class T, class V>
LUGE_FN V log1p_exp(V z) {
  const Reduced<T, true, V> part(max(V(Constants<T>::kExpLow), z));
  const V power = scale(V(1.0) + expm1_within<T>(part.r), part.k), half(0.5);
  const auto high = power > half;
  return log_of_parts<T>(select(high, fma(power, half, -half), power), select(high, V(-1.0), V(0.0)));
}

template <class T, class V>
LUGE_FN V log(V x) {
  const V m = significand(x);
  return log_of_parts<T>(m - V(1.0), shift_to(m, x));
}

/// (1 + x) 2^k = 1 + f, where f = x 2^k + (2^k - 1) is rounded once. The infinities of 1 + x = 0 and infinity come from
/// k, so f is kept finite there.
template <class T, class V>
LUGE_FN V log1p(V x) {
  using C = Constants<T>;
  const V one(1.0), u = one + x, k = shift_to(significand(u), u), unit = scale(one, min(V(64.0), k));
  return copy_sign(log_of_parts<T>(fma(min(V(C::kMost), x), unit, unit - one), k), x);
}

/// x + x^3 P(x^2) up to 0.55, where tanh is 1/2, and 1 - 2 / (1 + e^2x) beyond: both end in one small correction.
template <class T, class V>
LUGE_FN V tanh(V x) {
  using C = Constants<T>;
  const V one(1.0), two(2.0), a = abs(x), z = a * a;
  const V near = fma(a * z, polynomial(C::kTanh, z), a);
  const V far = one - two / (one + exp_within<T, false>(min(V(C::kTanhEnd), a + a)));
  return copy_sign(select(a < V(0.55), near, far), x);
}

/// floor(k / 2) of an integer k.
template <class V>
LUGE_FN V half_of(V k) {
  return round(fma(k, V(0.5), V(-0.25)));
}

/// The sine of x + quarters pi / 2 for |x| up to about 40000: pi / 2 has so many digits here. x = k pi / 2 + r + rest, where
/// x - k kHalfPi is exact and `rest` is what rounding took from r.
template <class T, class V>
LUGE_FN V sine(V x, double quarters) {
  using C = Constants<T>;
  const V k = round(x * V(0.63661977236758134308));
  const V most = fma(k, V(-C::kHalfPi), x), step = k * V(C::kHalfPiRest), r = most - step;
  const V rest = fma(k, V(-C::kHalfPiLast), ((most - r) - step) - fma(k, V(C::kHalfPiRest), -step));
  const V one(1.0), z = r * r, head = fma(V(-0.5), z, one), lost = fma(V(-0.5), z, one - head);
  const V sin = r + fma(r * z, polynomial(C::kSin, z), rest * head);
  const V cos = head + fma(z * z, polynomial(C::kCos, z), fma(-r, rest, lost));
  // Every other quarter is a cosine, and of every four the last two are negative.
  const V turns = k + V(quarters), half = half_of(turns), whole = half_of(half);
  const V value = select(turns == half + half, sin, cos);
  return select(half == whole + whole, value, -value);
}
template <class T, class V>
LUGE_FN V sin(V x) {
  return select(x == V(0.0), x, sine<T>(x, 0));  // keeps the sign of zero
}
template <class T, class V>
LUGE_FN V cos(V x) {
  return sine<T>(x, 1);
}

/// x + x P(x^2) near 0 and 1 - erfc(x) beyond.
template <class T, class V>
LUGE_FN V erf(V x) {
  using C = Constants<T>;
  const V a = abs(x), b = min(V(C::kErfEnd), a), z = a * a;
  const V near = fma(a, polynomial(C::kErfNear, z), a);
  V erfc;
  if constexpr (sizeof(T) == 4)
    erfc = exp_within<T, false>(polynomial(C::kErfFar, b));
  else
    erfc = exp_within<T, false>(-(b * b)) * (polynomial(C::kErfFarTop, b) / polynomial(C::kErfFarBottom, b));
  return copy_sign(select(a < V(C::kErfSplit), near, V(1.0) - erfc), x);
}

/// times e^(y x) for y x <= 0, rounded once: with what the product lost.
template <class T, class V>
LUGE_FN V times_exp(V times, V y, V x) {
  using C = Constants<T>;
  const V exponent = y * x, lost = fma(y, x, -exponent), k = round(exponent * V(C::kLog2E));
  const V rest = expm1_within<T>(fma(k, V(-C::kLn2), exponent) + fma(k, V(-C::kLn2Rest), lost));
  return scale(fma(rest, times, times), k);
}
/// first(t) + t^2 rest(t): the first coefficients come one by one, as they cancel in part.
template <int n, class V>
LUGE_FN V tail_series(const double (&first)[2], const double (&rest)[n], V t) {
  return fma(fma(polynomial(rest, t, t * t), t, V(first[1])), t, V(first[0]));
}

/// x Phi(x). -0 where nothing is left, and NaN of -inf.
template <class T, class V>
LUGE_FN V gelu(V x) {
  using C = Constants<T>;
  const V half(0.5), size = min(V(C::kNormalEnd), abs(x));
  V scaled;  // -x Phi(-x) e^(x^2 / 2)
  if constexpr (sizeof(T) == 4) {
    const V part = -size / fma(half, size, V(2.0));
    scaled = part * tail_series(C::kNormal, C::kNormalRest, fma(V(-1.25), part, V(-1.0)));
  } else {
    scaled = -size * (half * math::LUGE_DIALECT::scaled_erfc_of<T>(size, 0.70710678118654752440));
  }
  const V tail = times_exp<T>(scaled, -half * size, size), positive = half * max(V(-0.0), x);
  using Limits = std::numeric_limits<double>;
  return select(x == V(-Limits::infinity()), V(Limits::quiet_NaN()), positive + (positive + tail));
}

/// 1 - erf(x), with all digits where erf rounds to 1.
template <class T, class V>
LUGE_FN V complementary_erf(V x) {
  using C = Constants<T>;
  const V size = min(V(C::kErfcEnd), abs(x));
  V scaled;  // e^(x^2) erfc(|x|)
  if constexpr (sizeof(T) == 4) {
    const V part = V(2.0) / fma(V(0.8), size, V(2.2627416997969520781));
    scaled = part * tail_series(C::kErfc, C::kErfcRest, fma(size, part, V(-1.0)));
  } else {
    scaled = math::LUGE_DIALECT::scaled_erfc_of<T>(size);
  }
  const V tail = times_exp<T>(scaled, -size, size);
  return select(x < V(0.0), V(2.0) - tail, tail);
}

}  // namespace luge::cpu::functions::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
