// The Highway dialect: Vec<T> is one register of floats or doubles in which the formulas of
// core/luge/math are written unchanged. Results are within 2 units in the last place everywhere,
// and a lane's result never depends on its neighbours.
#include "targets.h"

#include <cstddef>
#include <limits>

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

// The formula headers are read once per target, in step with Highway's own.
#ifdef HWY_TARGET_TOGGLE
#ifndef LUGE_TARGET_TOGGLE
#define LUGE_TARGET_TOGGLE
#endif
#else
#undef LUGE_TARGET_TOGGLE
#endif

#include <luge/math/activations.h>

#include "functions.h"
#include "power.h"

#if defined(LUGE_CPU_VECTOR_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUGE_CPU_VECTOR_H_
#undef LUGE_CPU_VECTOR_H_
#else
#define LUGE_CPU_VECTOR_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace scalar_math = luge::math::HWY_NAMESPACE;
namespace straight = luge::cpu::functions::HWY_NAMESPACE;

/// On the one-lane fallback target libm is both the faster and the more accurate choice.
inline constexpr bool kUseLibm = HWY_TARGET == HWY_SCALAR;

/// Lanes of a Vec<T>.
template <class T>
inline constexpr std::size_t kLanes = HWY_LANES(T);

template <class T>
struct Mask {
  using Raw = hn::Mask<hn::ScalableTag<T>>;
  Raw raw;

  HWY_INLINE friend Mask operator&(Mask a, Mask b) { return {hn::And(a.raw, b.raw)}; }
  HWY_INLINE friend Mask operator|(Mask a, Mask b) { return {hn::Or(a.raw, b.raw)}; }
  HWY_INLINE friend Mask operator!(Mask a) { return {hn::Not(a.raw)}; }
  /// Whether it holds in any lane.
  HWY_INLINE friend bool any(Mask a) { return !hn::AllFalse(hn::ScalableTag<T>(), a.raw); }
};

template <class T>
struct Vec {
  using D = hn::ScalableTag<T>;
  using Raw = hn::Vec<D>;
  Raw raw;

  Vec() = default;
  HWY_INLINE explicit Vec(Raw r) : raw(r) {}
  HWY_INLINE explicit Vec(double value) : raw(hn::Set(D(), static_cast<T>(value))) {}

  HWY_INLINE friend Vec operator+(Vec a, Vec b) { return Vec(hn::Add(a.raw, b.raw)); }
  HWY_INLINE friend Vec operator-(Vec a, Vec b) { return Vec(hn::Sub(a.raw, b.raw)); }
  HWY_INLINE friend Vec operator*(Vec a, Vec b) { return Vec(hn::Mul(a.raw, b.raw)); }
  HWY_INLINE friend Vec operator/(Vec a, Vec b) { return Vec(hn::Div(a.raw, b.raw)); }
  HWY_INLINE friend Vec operator-(Vec a) { return Vec(hn::Neg(a.raw)); }

  HWY_INLINE friend Mask<T> operator==(Vec a, Vec b) { return {hn::Eq(a.raw, b.raw)}; }
  // Not hn::Ne, which some targets define as false for NaN.
  HWY_INLINE friend Mask<T> operator!=(Vec a, Vec b) { return {hn::Not(hn::Eq(a.raw, b.raw))}; }
  HWY_INLINE friend Mask<T> operator<(Vec a, Vec b) { return {hn::Lt(a.raw, b.raw)}; }
  HWY_INLINE friend Mask<T> operator<=(Vec a, Vec b) { return {hn::Le(a.raw, b.raw)}; }
  HWY_INLINE friend Mask<T> operator>(Vec a, Vec b) { return {hn::Gt(a.raw, b.raw)}; }
  HWY_INLINE friend Mask<T> operator>=(Vec a, Vec b) { return {hn::Ge(a.raw, b.raw)}; }
};

// ---- memory -------------------------------------------------------------------------------------

template <class T>
HWY_INLINE Vec<T> load(const T* from) {
  return Vec<T>(hn::LoadU(typename Vec<T>::D(), from));
}
template <class T>
HWY_INLINE void store(T* to, Vec<T> v) {
  hn::StoreU(v.raw, typename Vec<T>::D(), to);
}

/// Past the caches, to a multiple of the vector's size.
template <class T>
HWY_INLINE void store_past_caches(T* to, Vec<T> v) {
  hn::Stream(v.raw, typename Vec<T>::D(), to);
}

/// The first n lanes (0 < n < kLanes<T>) from memory, zeros behind; nothing further is touched.
template <class T>
HWY_INLINE Vec<T> load_part(const T* from, std::size_t n) {
  const typename Vec<T>::D d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T lanes[kLanes<T>] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i] = from[i];
  return Vec<T>(hn::Load(d, lanes));
#else
  return Vec<T>(hn::MaskedLoad(hn::FirstN(d, n), d, from));
#endif
}
/// Writes the first n lanes and nothing further.
template <class T>
HWY_INLINE void store_part(T* to, Vec<T> v, std::size_t n) {
  const typename Vec<T>::D d;
#if HWY_MEM_OPS_MIGHT_FAULT
  HWY_ALIGN T lanes[kLanes<T>];
  hn::Store(v.raw, d, lanes);
  for (std::size_t i = 0; i < n; ++i) to[i] = lanes[i];
#else
  hn::BlendedStore(v.raw, hn::FirstN(d, n), d, to);
#endif
}

/// Bools are bytes of 0 or 1 in memory and masks in registers.
template <class T>
HWY_INLINE Mask<T> load_mask(const bool* from) {
  using D = typename Vec<T>::D;
  const hn::Rebind<std::uint8_t, D> du8;
  const hn::Rebind<std::int32_t, D> di32;
  const auto words = hn::PromoteTo(di32, hn::LoadU(du8, reinterpret_cast<const std::uint8_t*>(from)));
  if constexpr (sizeof(T) == 4) {
    return {hn::Ne(hn::ConvertTo(D(), words), hn::Zero(D()))};
  } else {
    return {hn::Ne(hn::PromoteTo(D(), words), hn::Zero(D()))};
  }
}
template <class T>
HWY_INLINE void store_mask(bool* to, Mask<T> mask) {
  using D = typename Vec<T>::D;
  const hn::Rebind<std::uint8_t, D> du8;
  const hn::Rebind<std::int32_t, D> di32;
  const auto ones = hn::IfThenElseZero(mask.raw, hn::Set(D(), T(1)));
  if constexpr (sizeof(T) == 4) {
    hn::StoreU(hn::DemoteTo(du8, hn::ConvertTo(di32, ones)), du8, reinterpret_cast<std::uint8_t*>(to));
  } else {
    hn::StoreU(hn::DemoteTo(du8, hn::DemoteTo(di32, ones)), du8, reinterpret_cast<std::uint8_t*>(to));
  }
}

// ---- the dialect --------------------------------------------------------------------------------

template <class T>
HWY_INLINE Vec<T> select(Mask<T> condition, Vec<T> yes, Vec<T> no) {
  return Vec<T>(hn::IfThenElse(condition.raw, yes.raw, no.raw));
}
template <class T>
HWY_INLINE Mask<T> is_nan(Vec<T> x) {
  return x != x;
}
template <class T>
HWY_INLINE Vec<T> sqrt(Vec<T> x) {
  return Vec<T>(hn::Sqrt(x.raw));
}
template <class T>
HWY_INLINE Vec<T> abs(Vec<T> x) {
  return Vec<T>(hn::Abs(x.raw));
}
template <class T>
HWY_INLINE Vec<T> copy_sign(Vec<T> magnitude, Vec<T> sign) {
  return Vec<T>(hn::CopySign(magnitude.raw, sign.raw));
}

/// One rounding, on every target.
template <class T>
HWY_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  if constexpr (kUseLibm)
    return Vec<T>(
        hn::Set(typename Vec<T>::D(), scalar_math::fma(hn::GetLane(a.raw), hn::GetLane(b.raw), hn::GetLane(c.raw))));
  else
    return Vec<T>(hn::MulAdd(a.raw, b.raw, c.raw));
}
template <class T>
HWY_INLINE Vec<T> floor(Vec<T> x) {
  return Vec<T>(hn::Floor(x.raw));
}
template <class T>
HWY_INLINE Vec<T> ceil(Vec<T> x) {
  return Vec<T>(hn::Ceil(x.raw));
}
template <class T>
HWY_INLINE Vec<T> trunc(Vec<T> x) {
  return Vec<T>(hn::Trunc(x.raw));
}

// ---- what functions.h takes besides ---------------------------------------------------------------

template <class T>
HWY_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
  return Vec<T>(hn::Min(a.raw, b.raw));
}
template <class T>
HWY_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return Vec<T>(hn::Max(a.raw, b.raw));
}
template <class T>
HWY_INLINE Vec<T> round(Vec<T> x) {
  return Vec<T>(hn::Round(x.raw));
}

#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
HWY_INLINE Vec<float> scale(Vec<float> x, Vec<float> k) {
  return Vec<float>(Vec<float>::Raw{_mm512_scalef_ps(x.raw.raw, k.raw.raw)});
}
HWY_INLINE Vec<double> scale(Vec<double> x, Vec<double> k) {
  return Vec<double>(Vec<double>::Raw{_mm512_scalef_pd(x.raw.raw, k.raw.raw)});
}
HWY_INLINE Vec<float> exponent(Vec<float> x) { return Vec<float>(Vec<float>::Raw{_mm512_getexp_ps(x.raw.raw)}); }
HWY_INLINE Vec<double> exponent(Vec<double> x) { return Vec<double>(Vec<double>::Raw{_mm512_getexp_pd(x.raw.raw)}); }
HWY_INLINE Vec<float> significand(Vec<float> x) {
  return Vec<float>(Vec<float>::Raw{_mm512_getmant_ps(x.raw.raw, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)});
}
HWY_INLINE Vec<double> significand(Vec<double> x) {
  return Vec<double>(Vec<double>::Raw{_mm512_getmant_pd(x.raw.raw, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)});
}
#else
/// The layout of a float, and the numbers that move integers in and out of its bits.
template <class T>
struct Layout {
  static constexpr int kFraction = sizeof(T) == 4 ? 23 : 52, kBias = sizeof(T) == 4 ? 127 : 1023;
  static constexpr double kUnit = sizeof(T) == 4 ? 0x1p23 : 0x1p52;  ///< from here on a float is an integer
  static constexpr double kLeast = sizeof(T) == 4 ? 0x1p-126 : 0x1p-1022;
  using Bits = hn::RebindToUnsigned<typename Vec<T>::D>;
};

/// 2^k for an integer k that is the exponent of a normal number.
template <class T>
HWY_INLINE Vec<T> power_of_two(Vec<T> k) {
  using L = Layout<T>;
  // In the last bits of 1.5 2^23 + bias + k stands what the exponent's field is to be.
  const Vec<T> field = k + Vec<T>(1.5 * L::kUnit + L::kBias);
  return Vec<T>(
      hn::BitCast(typename Vec<T>::D(), hn::ShiftLeft<L::kFraction>(hn::BitCast(typename L::Bits(), field.raw))));
}
template <class T>
HWY_INLINE Vec<T> scale(Vec<T> x, Vec<T> k) {
  const Vec<T> half = round(k * Vec<T>(0.5));  // the first product is exact
  return x * power_of_two(half) * power_of_two(k - half);
}

/// The bits of a positive normal number that is x times a power of two, and the exponent of that power.
template <class T>
struct Normal {
  using L = Layout<T>;
  hn::Vec<typename L::Bits> bits;
  Vec<T> shift;

  HWY_INLINE explicit Normal(Vec<T> x) {
    const auto tiny = x < Vec<T>(L::kLeast);
    bits = hn::BitCast(typename L::Bits(), select(tiny, x * Vec<T>(0x1p64), x).raw);
    shift = select(tiny, Vec<T>(-64.0), Vec<T>(0.0));
  }
  /// The field of the exponent, where a significand from `first` on counts as the next.
  HWY_INLINE hn::Vec<typename L::Bits> field(double first) const {
    const typename L::Bits d;
    const auto one = hn::BitCast(d, Vec<T>(1.0).raw), begin = hn::BitCast(d, Vec<T>(first).raw);
    return hn::ShiftRight<L::kFraction>(hn::Add(bits, hn::Sub(one, begin)));
  }
};
template <class T>
HWY_INLINE Vec<T> exponent(Vec<T> x) {
  using L = Layout<T>;
  const typename L::Bits d;
  const Vec<T> a = abs(x);
  const Normal<T> normal(a);
  const Vec<T> field(
      hn::BitCast(typename Vec<T>::D(), hn::Or(normal.field(1.0), hn::BitCast(d, Vec<T>(L::kUnit).raw))));
  const Vec<T> e = field - Vec<T>(L::kUnit + L::kBias) + normal.shift;
  const Vec<T> known = select(a < Vec<T>(std::numeric_limits<double>::infinity()), e, a);
  return select(a == Vec<T>(0.0), Vec<T>(-std::numeric_limits<double>::infinity()), known);
}
template <class T>
HWY_INLINE Vec<T> significand(Vec<T> x) {
  using L = Layout<T>;
  const Normal<T> normal(x);
  const typename L::Bits d;
  const auto one = hn::BitCast(d, Vec<T>(1.0).raw);
  const auto bits = hn::Add(hn::Sub(normal.bits, hn::ShiftLeft<L::kFraction>(normal.field(0.75))), one);
  const Vec<T> m(hn::BitCast(typename Vec<T>::D(), bits));
  return select(x >= Vec<T>(0.0), m, Vec<T>(std::numeric_limits<double>::quiet_NaN()));
}
#endif

// ---- functions ------------------------------------------------------------------------------------

/// Of functions.h; on the fallback target by libm, or by the formulas over it, lane by lane.
#define LUGE_FUNCTION(function)                                                                \
  template <class T>                                                                           \
  HWY_INLINE Vec<T> function(Vec<T> x) {                                                       \
    if constexpr (kUseLibm)                                                                    \
      return Vec<T>(hn::Set(typename Vec<T>::D(), scalar_math::function(hn::GetLane(x.raw)))); \
    else                                                                                       \
      return straight::function<T>(x);                                                         \
  }
LUGE_FUNCTION(exp)
LUGE_FUNCTION(expm1)
LUGE_FUNCTION(log)
LUGE_FUNCTION(log1p)
LUGE_FUNCTION(tanh)
LUGE_FUNCTION(erf)
LUGE_COMPOSED_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION

/// f(lane) in every lane of x where `where` holds, y elsewhere.
template <class T, class F>
HWY_NOINLINE void each_lane(const T* x, const bool* where, T* y, F f) {
  for (std::size_t i = 0; i < kLanes<T>; ++i)
    if (where[i]) y[i] = f(x[i]);
}

struct LibmSin {
  template <class T>
  T operator()(T x) const {
    return scalar_math::sin(x);
  }
};
struct LibmCos {
  template <class T>
  T operator()(T x) const {
    return scalar_math::cos(x);
  }
};

/// functions.h reduces arguments of sin and cos up to this magnitude; libm takes the lanes beyond.
inline constexpr double kReducible = 39000;

template <class F, class T>
HWY_INLINE Vec<T> with_libm_beyond(Vec<T> x, Vec<T> y) {
  const typename Vec<T>::D d;
  const auto within = hn::Le(hn::Abs(x.raw), hn::Set(d, static_cast<T>(kReducible)));
  if (HWY_LIKELY(hn::AllTrue(d, within))) return y;
  HWY_ALIGN T xs[kLanes<T>];
  HWY_ALIGN T ys[kLanes<T>];
  bool where[kLanes<T>];
  store(xs, x);
  store(ys, y);
  store_mask(where, Mask<T>{hn::Not(within)});
  each_lane(xs, where, ys, F());
  return load(ys);
}

#define LUGE_FUNCTION(function, Libm)                                                          \
  template <class T>                                                                           \
  HWY_INLINE Vec<T> function(Vec<T> x) {                                                       \
    if constexpr (kUseLibm)                                                                    \
      return Vec<T>(hn::Set(typename Vec<T>::D(), scalar_math::function(hn::GetLane(x.raw)))); \
    else                                                                                       \
      return with_libm_beyond<Libm>(x, straight::function<T>(x));                              \
  }
LUGE_FUNCTION(sin, LibmSin)
LUGE_FUNCTION(cos, LibmCos)
#undef LUGE_FUNCTION

#define LUGE_FUNCTION(function)                                                             \
  template <class T>                                                                        \
  HWY_INLINE Vec<T> function(Vec<T> x) {                                                    \
    HWY_ALIGN T lanes[kLanes<T>];                                                           \
    store(lanes, x);                                                                        \
    for (std::size_t i = 0; i < kLanes<T>; ++i) lanes[i] = scalar_math::function(lanes[i]); \
    return load(static_cast<const T*>(lanes));                                              \
  }
LUGE_LANE_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION

#define LUGE_FUNCTION(function)                                                              \
  template <class T>                                                                         \
  HWY_INLINE Vec<T> function(Vec<T> x, Vec<T> y) {                                           \
    HWY_ALIGN T xs[kLanes<T>];                                                               \
    HWY_ALIGN T ys[kLanes<T>];                                                               \
    store(xs, x);                                                                            \
    store(ys, y);                                                                            \
    for (std::size_t i = 0; i < kLanes<T>; ++i) xs[i] = scalar_math::function(xs[i], ys[i]); \
    return load(static_cast<const T*>(xs));                                                  \
  }
LUGE_LANE_FUNCTIONS_OF_TWO(LUGE_FUNCTION)
#undef LUGE_FUNCTION

/// Of power.h; libm takes the lanes of zeros, infinities and NaN, where pow has many special cases.
HWY_INLINE Vec<float> pow(Vec<float> x, Vec<float> y) {
  if constexpr (kUseLibm) return pow<float>(x, y);
  const Vec<float> found = straight::power(x, y), zero(0.0), infinity(std::numeric_limits<double>::infinity());
  const Mask<float> unusual = !((abs(x) > zero) & (abs(x) < infinity) & (abs(y) < infinity));
  return HWY_UNLIKELY(any(unusual)) ? select(unusual, pow<float>(x, y), found) : found;
}

template <class T>
HWY_INLINE Vec<T> scaled_erfc(Vec<T> x) {
  return scalar_math::scaled_erfc_of<T>(x);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
