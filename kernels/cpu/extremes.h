// The reducers (see reducers.h) of minimum and maximum, with or without positions; per target.
#include "reducers.h"

#if defined(LUGE_CPU_EXTREMES_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUGE_CPU_EXTREMES_H_
#undef LUGE_CPU_EXTREMES_H_
#else
#define LUGE_CPU_EXTREMES_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// The extreme element and, where `positions` asks for it, where it is: the first of equals, and a NaN,
/// the first one, before all.
template <class T, bool largest, bool positions>
struct Extreme : scalar_math::ArgExtreme<T, largest> {
  using Element = T;
  using Partial = typename scalar_math::ArgExtreme<T, largest>::State;

  static HWY_INLINE bool beats(T b, T a) { return scalar_math::beats<largest>(b, a); }

  static HWY_NOINLINE Partial chunk(const T* x, std::int64_t n, std::int64_t first, T) {
    if constexpr (std::is_floating_point_v<T>) {
      const T extreme = extreme_value(x, n);
      // The first zero has the sign that counts.
      if (!positions && extreme != T(0)) return {first, extreme};
      const std::int64_t i = find(x, n, extreme);
      return {first + i, x[i]};
    } else {
      T extreme = x[0];
      for (std::int64_t i = 1; i < n; ++i) extreme = beats(x[i], extreme) ? x[i] : extreme;
      return {positions ? first + (std::find(x, x + n, extreme) - x) : first, extreme};
    }
  }

  static HWY_NOINLINE void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                   std::int64_t first, const T*, Partial* out) {
    if constexpr (std::is_floating_point_v<T> && !positions) return float_columns(x, stride, rows, n, first, out);
    using Row = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;  // as wide as the elements
    HWY_ALIGN T best[kColumns];
    HWY_ALIGN Row best_row[kColumns];
    for (std::int64_t v = 0; v < n; ++v) best[v] = x[v], best_row[v] = 0;
    constexpr std::int64_t kLine = 64 / sizeof(T);
    RowsAhead<T> ahead(x, stride, n, 1);
    for (std::int64_t r = 1; r < rows; ++r) {
      const T* const row = x + r * stride;
      for (std::int64_t v = 0; v < n; v += kLine) ahead.advance(kLine);
      for (std::int64_t v = 0; v < n; ++v) {
        const bool better = beats(row[v], best[v]);
        best[v] = better ? row[v] : best[v];
        if constexpr (positions) best_row[v] = better ? static_cast<Row>(r) : best_row[v];
      }
    }
    for (std::int64_t v = 0; v < n; ++v) out[v] = {first + static_cast<std::int64_t>(best_row[v]), best[v]};
  }

 private:
  /// Rows that are gone through together, so that the extremes so far are read and written once for all of them.
  static constexpr std::int64_t kRows = 4;

  /// The extremes alone, by vectors; with the first of equals, since zeros have signs.
  static HWY_INLINE void float_columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n,
                                       std::int64_t first, Partial* out) {
    constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
    HWY_ALIGN T best[kColumns];
    std::copy_n(x, n, best);
    RowsAhead<T> ahead(x, stride, n, 1);
    for (std::int64_t r = 1; r < rows; r += kRows) {
      const std::int64_t count = std::min(kRows, rows - r);
      const T* const from = x + r * stride;
      std::int64_t v = 0;
      for (; v + kN <= n; v += kN) {
        Vec<T> kept = load(best + v);
        for (std::int64_t i = 0; i < count; ++i) {
          ahead.advance(kN);
          const Vec<T> b = load(from + i * stride + v);
          // As beats(b, kept): a NaN in b is not behind, and one in `kept` stays.
          const Mask<T> behind = largest ? b <= kept : b >= kept;
          kept = select(behind, kept, select(kept == kept, b, kept));
        }
        store(best + v, kept);
      }
      for (; v < n; ++v)
        for (std::int64_t i = 0; i < count; ++i)
          if (beats(from[i * stride + v], best[v])) best[v] = from[i * stride + v];
    }
    for (std::int64_t v = 0; v < n; ++v) out[v] = {first, best[v]};
  }

  /// Where `wanted`, or a NaN if it is one, is for the first time.
  static HWY_INLINE std::int64_t find(const T* x, std::int64_t n, T wanted) {
    constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
    const typename Vec<T>::D d;
    const Vec<T> target(static_cast<double>(wanted));
    const bool nan = wanted != wanted;
    std::int64_t i = 0;
    for (; i + kN <= n; i += kN) {
      const Vec<T> v = load(x + i);
      if (!hn::AllFalse(d, (nan ? is_nan(v) : v == target).raw)) break;
    }
    while (nan ? x[i] == x[i] : x[i] != wanted) ++i;
    return i;
  }

  /// The extreme, of either sign if zero; NaN if there is one.
  static HWY_INLINE T extreme_value(const T* x, std::int64_t n) {
    constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
    constexpr std::int64_t kChains = 4;
    T extreme = x[0];
    std::int64_t i = 0;
    if (n >= kChains * kN) {
      Vec<T> best[kChains], nans[kChains];  // nans: a NaN where there was one, an element otherwise
      for (std::int64_t c = 0; c < kChains; ++c) {
        best[c] = load(x + c * kN);
        nans[c] = best[c];
      }
      for (i = kChains * kN; i + kChains * kN <= n; i += kChains * kN) {
        for (std::int64_t c = 0; c < kChains; ++c) {
          const Vec<T> v = load(x + i + c * kN);
          best[c] = Vec<T>(largest ? hn::Max(best[c].raw, v.raw) : hn::Min(best[c].raw, v.raw));
          nans[c] = select(is_nan(v), v, nans[c]);
        }
      }
      HWY_ALIGN T lanes[kLanes<T>];
      for (std::int64_t c = 0; c < kChains; ++c) {
        store(lanes, select(is_nan(nans[c]), nans[c], best[c]));
        for (const T lane : lanes)
          if (beats(lane, extreme)) extreme = lane;
      }
    }
    for (; i < n; ++i)
      if (beats(x[i], extreme)) extreme = x[i];
    return extreme;
  }
};

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
