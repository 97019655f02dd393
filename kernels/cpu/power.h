// Powers of floats as a straight line of operations, like those of functions.h.
#include "functions.h"

#if defined(LUGE_CPU_POWER_H_) == defined(LUGE_TARGET_TOGGLE)
#ifdef LUGE_CPU_POWER_H_
#undef LUGE_CPU_POWER_H_
#else
#define LUGE_CPU_POWER_H_
#endif

LUGE_BEFORE_DIALECT
namespace luge::cpu::functions::LUGE_DIALECT {

/// log a for 0 < a < inf as head + rest, wrong by some 2^-31 of itself (measured against float64), in float32. With a = (1 + f) 2^k it is
/// k log 2 + 2 s + s z P(z), where s = f / (2 + f) and z = s^2. The rest holds what each of the larger terms lost by rounding.
template <class V>
struct WideLog {
  V head, rest;

  LUGE_FN explicit WideLog(V a) {
    using C = Constants<float>;
    constexpr double kThird = 0.6666666865348816, kThirdRest = -1.9868214962137642e-08;  // 2 / 3
    constexpr double kTail[] = {0.400000006, 0.285716951, 0.221893519, 0.194752857};
    const V m = significand(a), k = exponent(a) - exponent(m), f = m - V(1.0), two(2.0);
    const V below = two + f, below_rest = f - (below - two), inverse = V(1.0) / below;
    const V s = f * inverse, s_rest = (fma(-s, below, f) - s * below_rest) * inverse;
    const V z = s * s, z_rest = fma(s, s, -z) + two * s * s_rest;
    const V third = z * V(kThird), third_rest = fma(z, V(kThird), -third) + fma(z, V(kThirdRest), V(kThird) * z_rest);
    const V cube = s * third, tail = fma(z * z, polynomial(kTail, z), third_rest);
    const V cube_rest = fma(s, third, -cube) + fma(s_rest, third, s * tail);
    const V shift = k * V(C::kLn2), shift_rest = fma(k, V(C::kLn2), -shift) + k * V(C::kLn2Rest);
    const V twice = two * s, sum = shift + twice, sum_rest = twice - (sum - shift);
    head = sum + cube;
    rest = (cube - (head - sum)) + sum_rest + (fma(two, s_rest, cube_rest) + shift_rest);
  }
};

/// a^b in float32, within 2 units in the last place, for numbers a other than 0 and numbers b.
template <class V>
LUGE_FN V power(V a, V b) {
  using C = Constants<float>;
  const V one(1.0), zero(0.0);
  const WideLog<V> log(abs(a));
  const V product = b * log.head;
  const V within = max(V(C::kExpLow), min(V(C::kExpHigh), product));
  const V lost = select(within == product, fma(b, log.head, -product) + b * log.rest, zero);
  const Reduced<float, true, V> part(within);
  const V r = part.r + lost;
  const V size = scale(fma(fma(polynomial(C::kExp, r), r, one), r, one), part.k);
  const V half = V(0.5) * b;
  const V whole = select(round(half) == half, size, -size), nan(std::numeric_limits<double>::quiet_NaN());
  return select(a < zero, select(round(b) == b, whole, nan), size);
}

}  // namespace luge::cpu::functions::LUGE_DIALECT
LUGE_AFTER_DIALECT

#endif  // toggling guard
