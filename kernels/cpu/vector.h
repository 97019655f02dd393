// The Highway dialect: Vec<T> is one register of floats or doubles in which the formulas of
// core/luge/math are written unchanged. Results are within 4 units in the last place of libm everywhere,
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

#include <luge/math/gamma.h>

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

/// Highway reduces arguments of sin and cos well up to this magnitude; libm takes the lanes beyond.
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

/// Unary functions that libm computes lane by lane on the fallback target.
#define LUGE_LIBM_FALLBACK(function, x) \
  if constexpr (kUseLibm) return Vec<T>(hn::Set(typename Vec<T>::D(), scalar_math::function(hn::GetLane(x.raw))))

template <class T>
HWY_INLINE Vec<T> sin(Vec<T> x) {
  LUGE_LIBM_FALLBACK(sin, x);
  const Vec<T> y(hn::Sin(typename Vec<T>::D(), x.raw));
  return with_libm_beyond<LibmSin>(x, select(x == Vec<T>(0.0), x, y));  // keeps the sign of zero
}
template <class T>
HWY_INLINE Vec<T> cos(Vec<T> x) {
  LUGE_LIBM_FALLBACK(cos, x);
  // Up to here the cosine rounds to 1, which Highway misses by one unit.
  constexpr double kOne = sizeof(T) == 4 ? 0x1p-13 : 0x1p-27;
  const Vec<T> y(hn::Cos(typename Vec<T>::D(), x.raw));
  return with_libm_beyond<LibmCos>(x, select(abs(x) < Vec<T>(kOne), Vec<T>(1.0), y));
}

/// Arguments above this give infinity; Highway's exp is exact about overflow up to here only.
template <class T>
inline constexpr double kExpLimit = sizeof(T) == 4 ? 100.0 : 720.0;

template <class T>
HWY_INLINE Vec<T> exp(Vec<T> x) {
  LUGE_LIBM_FALLBACK(exp, x);
  const typename Vec<T>::D d;
  const Vec<T> y(hn::Exp(d, hn::Min(x.raw, hn::Set(d, static_cast<T>(kExpLimit<T>)))));
  return select(x == x, y, x);
}
template <class T>
HWY_INLINE Vec<T> expm1(Vec<T> x) {
  LUGE_LIBM_FALLBACK(expm1, x);
  const typename Vec<T>::D d;
  const Vec<T> y(hn::Expm1(d, hn::Min(x.raw, hn::Set(d, static_cast<T>(kExpLimit<T>)))));
  return select(x == x, copy_sign(y, x), x);
}
template <class T>
HWY_INLINE Vec<T> log(Vec<T> x) {
  LUGE_LIBM_FALLBACK(log, x);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Vec<T> zero(0.0), infinity(kInfinity);
  const Vec<T> y(hn::Log(typename Vec<T>::D(), x.raw));
  const Vec<T> outside = select(x == zero, Vec<T>(-kInfinity), Vec<T>(std::numeric_limits<double>::quiet_NaN()));
  return select(x > zero, select(x == infinity, x, y), outside);
}
template <class T>
HWY_INLINE Vec<T> log1p(Vec<T> x) {
  LUGE_LIBM_FALLBACK(log1p, x);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Vec<T> minus_one(-1.0), infinity(kInfinity);
  const Vec<T> y(hn::Log1p(typename Vec<T>::D(), x.raw));
  const Vec<T> outside = select(x == minus_one, Vec<T>(-kInfinity), Vec<T>(std::numeric_limits<double>::quiet_NaN()));
  return select(x > minus_one, select(x == infinity, x, y), outside);
}
template <class T>
HWY_INLINE Vec<T> tanh(Vec<T> x) {
  LUGE_LIBM_FALLBACK(tanh, x);
  return select(x == x, Vec<T>(hn::Tanh(typename Vec<T>::D(), x.raw)), x);
}
template <class T>
HWY_INLINE Vec<T> floor(Vec<T> x) {
  return Vec<T>(hn::Floor(x.raw));
}
#undef LUGE_LIBM_FALLBACK

#define LUGE_FUNCTION(function)                                                        \
  template <class T>                                                                   \
  HWY_INLINE Vec<T> function(Vec<T> x) {                                               \
    HWY_ALIGN T lanes[kLanes<T>];                                                      \
    store(lanes, x);                                                                   \
    for (std::size_t i = 0; i < kLanes<T>; ++i) lanes[i] = scalar_math::function(lanes[i]); \
    return load(static_cast<const T*>(lanes));                                         \
  }
LUGE_LANE_FUNCTIONS(LUGE_FUNCTION)
#undef LUGE_FUNCTION

/// Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function",
/// Math. Comp. 23 (1969): x P(x^2) / Q(x^2) up to 0.46875, 1 - exp(-x^2) P(x) / Q(x) beyond.
template <class T>
HWY_INLINE Vec<T> erf(Vec<T> x) {
  if constexpr (kUseLibm) return Vec<T>(hn::Set(typename Vec<T>::D(), scalar_math::erf(hn::GetLane(x.raw))));
  using V = Vec<T>;
  const V a(hn::Min(hn::Abs(x.raw), hn::Set(typename V::D(), T(6))));  // erf(6) is 1 in float64
  const V z = a * a;

  V small_p(1.85777706184603153e-1), small_q(1.0);
  small_p = V(hn::MulAdd(small_p.raw, z.raw, V(3.16112374387056560e0).raw));
  small_p = V(hn::MulAdd(small_p.raw, z.raw, V(1.13864154151050156e2).raw));
  small_p = V(hn::MulAdd(small_p.raw, z.raw, V(3.77485237685302021e2).raw));
  small_p = V(hn::MulAdd(small_p.raw, z.raw, V(3.20937758913846947e3).raw));
  small_q = V(hn::MulAdd(small_q.raw, z.raw, V(2.36012909523441209e1).raw));
  small_q = V(hn::MulAdd(small_q.raw, z.raw, V(2.44024637934444173e2).raw));
  small_q = V(hn::MulAdd(small_q.raw, z.raw, V(1.28261652607737228e3).raw));
  small_q = V(hn::MulAdd(small_q.raw, z.raw, V(2.84423683343917062e3).raw));

  V large_p(2.15311535474403846e-8), large_q(1.0);
  constexpr double kP[] = {5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1, 2.98635138197400131e2,
                           8.81952221241769090e2,  1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3};
  constexpr double kQ[] = {1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
                           3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3};
  for (int i = 0; i < 8; ++i) {
    large_p = V(hn::MulAdd(large_p.raw, a.raw, V(kP[i]).raw));
    large_q = V(hn::MulAdd(large_q.raw, a.raw, V(kQ[i]).raw));
  }

  const auto small = a <= V(0.46875);
  const V quotient = select(small, a * small_p, large_p) / select(small, small_q, large_q);
  const V y = select(small, quotient, V(1.0) - exp(-z) * quotient);
  return select(x == x, copy_sign(y, x), x);
}

/// Lane by lane: pow is needed exactly at its many special cases.
template <class T>
HWY_INLINE Vec<T> pow(Vec<T> x, Vec<T> y) {
  HWY_ALIGN T xs[kLanes<T>];
  HWY_ALIGN T ys[kLanes<T>];
  store(xs, x);
  store(ys, y);
  for (std::size_t i = 0; i < kLanes<T>; ++i) xs[i] = scalar_math::pow(xs[i], ys[i]);
  return load(xs);
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

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
