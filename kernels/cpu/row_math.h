// Whole contiguous rows of floats: maximum, sums, and writing a row by a formula; per target.
#include "extremes.h"

#include <luge/math/rows.h>

#include <luge/seam/call.h>

#include "strided.h"

#if defined(LUGE_CPU_ROW_MATH_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUGE_CPU_ROW_MATH_H_
#undef LUGE_CPU_ROW_MATH_H_
#else
#define LUGE_CPU_ROW_MATH_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// How many lanes of a vector are meant; the rest is padding.
struct Part {
  std::size_t lanes;
};

template <class T>
HWY_INLINE Vec<T> load_lanes(const T* from, Part part) {
  return part.lanes == kLanes<T> ? load(from) : load_part(from, part.lanes);
}

/// Sum of the elements, in the order of reducers.h.
template <class T>
double row_sum(const T* x, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; i += kChunk)
    sum += FloatSum<T, Identity>::chunk(x + i, std::min(kChunk, n - i), i, T(0));
  return sum;
}

/// Sum of a b, chunk by chunk in the same order.
template <class T>
double row_dot(const T* a, const T* b, std::int64_t n) {
  double sum = 0;
  HWY_ALIGN T products[kSumRun];
  for (std::int64_t s = 0; s < n; s += kSumRun) {
    const std::int64_t run = std::min(kSumRun, n - s);
    for (std::int64_t i = 0; i < run; ++i) products[i] = a[s + i] * b[s + i];
    sum += FloatSum<T, Identity>::chunk(products, run, 0, T(0));
  }
  return sum;
}

/// How the rows of a call are written.
struct RowStore {
  Store mode;
  bool past_caches;  ///< what is read and written does not stay in a cache; ask for finish_streams() at the end

  /// Rows shorter than this break too many cache lines at their ends.
  static constexpr std::int64_t kLongStream = 512;

  static RowStore of(Store mode, std::int64_t rows, std::int64_t columns, std::size_t element) {
    return {mode, mode == Store::Overwrite && columns >= kLongStream &&
                      worth_streaming(2 * rows * columns * static_cast<std::int64_t>(element))};
  }
};

/// out[i] (=, +=) formula(i, part) for n elements, vector by vector; the last one is partial, and so is the first where
/// the rest is to be aligned.
template <class T, class F>
HWY_INLINE void write_row(T* out, std::int64_t columns, RowStore how, const F& formula) {
  const auto n = static_cast<std::size_t>(columns);
  const bool sums = how.mode == Store::Accumulate;
  std::size_t i = 0;
  if (how.past_caches) {
    constexpr std::size_t kBytes = kLanes<T> * sizeof(T);
    const std::size_t head = (kBytes - reinterpret_cast<std::uintptr_t>(out) % kBytes) % kBytes / sizeof(T);
    if (head != 0 && head < n) {
      store_part(out, formula(i, Part{head}), head);
      i = head;
    }
    if (head < n)
      for (; i + kLanes<T> <= n; i += kLanes<T>) store_past_caches(out + i, formula(i, Part{kLanes<T>}));
  }
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const Vec<T> v = formula(i, Part{kLanes<T>});
    store(out + i, sums ? load(out + i) + v : v);
  }
  if (i == n) return;
  const Part part{n - i};
  const Vec<T> v = formula(i, part);
  store_part(out + i, sums ? load_part(out + i, part.lanes) + v : v, part.lanes);
}

// ---- sums of exponentials in one pass ---------------------------------------------------------------

/// Elements whose largest is found before their exponentials are added: they stay in the first-level cache meanwhile.
template <class T>
inline constexpr std::int64_t kExpBlock = 16384 / sizeof(T);

/// The least and the largest of n elements that are not NaN; inf and -inf if there are none.
template <class T>
struct NumberRange {
  T least, largest;

  HWY_INLINE NumberRange(const T* x, std::int64_t n) {
    constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
    constexpr std::int64_t kChains = 4;
    const typename Vec<T>::D d;
    const Vec<T> infinity(std::numeric_limits<double>::infinity());
    Vec<T> low[kChains] = {infinity, infinity, infinity, infinity};
    Vec<T> high[kChains] = {-infinity, -infinity, -infinity, -infinity};
    const auto include = [&](std::int64_t c, Vec<T> below, Vec<T> above) HWY_ATTR {
      low[c] = min(below, low[c]);
      high[c] = max(above, high[c]);
    };
    std::int64_t i = 0;
    for (; i + kChains * kN <= n; i += kChains * kN) {
      for (std::int64_t c = 0; c < kChains; ++c) {
        const Vec<T> v = load(x + i + c * kN);
        include(c, v, v);
      }
    }
    for (; i + kN <= n; i += kN) include(0, load(x + i), load(x + i));
    if (i < n) {
      const auto rest = static_cast<std::size_t>(n - i);
      const Mask<T> is_there{hn::FirstN(d, rest)};
      const Vec<T> v = load_part(x + i, rest);
      include(0, select(is_there, v, infinity), select(is_there, v, -infinity));
    }
    least = hn::GetLane(hn::MinOfLanes(d, min(min(low[0], low[1]), min(low[2], low[3])).raw));
    largest = hn::GetLane(hn::MaxOfLanes(d, max(max(high[0], high[1]), max(high[2], high[3])).raw));
  }
};

/// Below this e^x is 0 in any rounding.
template <class T>
inline constexpr double kVanishing = sizeof(T) == 4 ? -104 : -746;

/// e^x for x <= 0. What is 0 in any rounding is not computed, if some is: results below the smallest normal number take a
/// processor ten times as long, and most elements of a masked row are such.
template <bool some_vanish, class T>
HWY_INLINE Vec<T> exponential(Vec<T> x) {
  if constexpr (kUseLibm) {
    return exp(x);
  } else if constexpr (some_vanish) {
    const Vec<T> zero(0.0);
    const Mask<T> vanishes = x < Vec<T>(kVanishing<T>);
    return select(vanishes, zero, straight::exp_within<T, true>(select(vanishes, zero, x)));
  } else {
    return straight::exp_within<T, true>(x);
  }
}

/// lanes[j] += sums[j]
template <class T, std::int64_t vectors>
HWY_INLINE void add_to_lanes(const Vec<T> (&sums)[vectors], double* lanes) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t q = 0; q < vectors; ++q) lanes[q] += static_cast<double>(hn::GetLane(sums[q].raw));
#else
  for (const Vec<T>& v : sums) {
    if constexpr (sizeof(T) == 8) {
      store(lanes, load(lanes) + v);
    } else {
      const typename Vec<double>::D d;
      const hn::Half<typename Vec<T>::D> half;
      store(lanes, load(lanes) + Vec<double>(hn::PromoteTo(d, hn::LowerHalf(half, v.raw))));
      double* const high = lanes + kLanes<T> / 2;
      store(high, load(high) + Vec<double>(hn::PromoteTo(d, hn::UpperHalf(half, v.raw))));
    }
    lanes += kLanes<T>;
  }
#endif
}

/// The sum of e^(x - largest) over a row, block by block: each block is shifted by its own largest element, and sums
/// are rescaled as they are merged. Exponentials are computed once. Within a block, exponential i goes to lane i mod
/// 16; a lane runs over kRun elements in the element type, then into float64; at the end the lanes are added pairwise.
template <class T>
class RowExponentials {
 public:
  using Reducer = scalar_math::LogSumExp<T>;
  static constexpr std::int64_t kRun = 512;

  HWY_INLINE RowExponentials() : state_(Reducer::identity()) {}

  /// Adds the next block. Its elements' e^(x - returned value) go to `out`; what follows it in memory is fetched
  /// meanwhile, and beside(i) is called for each whole vector, which has the elements from i on: other work that waits for
  /// memory. A block of -inf alone is shifted by 0.
  template <class Beside>
  HWY_INLINE T add(const T* x, std::int64_t n, T* out, const Beside& beside) {
    const NumberRange<T> range(x, n);
    T largest = range.largest;
    const T shift = largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
    HWY_ALIGN double lanes[kSumLanes] = {};
    if (range.least - shift >= static_cast<T>(kVanishing<T>))
      add_runs<false>(x, n, shift, out, lanes, beside);
    else
      add_runs<true>(x, n, shift, out, lanes, beside);
    for (std::int64_t j = 0; j < kSums; ++j) lanes[j] += lanes[j + kSums];
    const double sum = add_sums(lanes);
    // Of an infinity and a NaN the latter is what counts.
    if (sum != sum) largest = Extreme<T, true, false>::chunk(x, n, 0, T(0)).value;
    state_ = Reducer::merge(state_, {sum, static_cast<double>(largest)});
    return shift;
  }
  HWY_INLINE T add(const T* x, std::int64_t n, T* out) {
    return add(x, n, out, [](std::int64_t) HWY_ATTR {});
  }

  double sum() const { return state_.sum; }
  T largest() const { return static_cast<T>(state_.largest); }
  T log() const { return Reducer::total(sum(), largest()); }

 private:
  template <bool some_vanish, class Beside>
  static HWY_INLINE void add_runs(const T* x, std::int64_t n, T shift, T* out, double* lanes, const Beside& beside) {
    for (std::int64_t s = 0; s < n; s += kRun) {
      const std::int64_t run = std::min(kRun, n - s);
      add_run<some_vanish>(x + s, run, Vec<T>(static_cast<double>(shift)), out + s, x + n + s, lanes,
                           [&](std::int64_t i) HWY_ATTR { beside(s + i); });
    }
  }

  template <bool some_vanish, class Beside>
  static HWY_INLINE void add_run(const T* x, std::int64_t n, Vec<T> shift, T* out, const T* ahead, double* lanes,
                                 const Beside& beside) {
    constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
    constexpr std::int64_t kVectors = kSumLanes / kN, kLine = 64 / sizeof(T);
    Vec<T> acc[kVectors];
    for (Vec<T>& v : acc) v = Vec<T>(0.0);
    std::int64_t i = 0;
    for (; i + kSumLanes <= n; i += kSumLanes) {
      for (std::int64_t line = 0; line < kSumLanes; line += kLine) __builtin_prefetch(ahead + i + line);
      for (std::int64_t q = 0; q < kVectors; ++q) {
        const Vec<T> e = exponential<some_vanish>(load(x + i + q * kN) - shift);
        store(out + i + q * kN, e);
        acc[q] = acc[q] + e;
        beside(i + q * kN);
      }
    }
    for (std::int64_t q = 0; i < n; i += kN, ++q) {
      const auto rest = static_cast<std::size_t>(std::min(kN, n - i));
      const Part part{rest};
      Vec<T> e = exponential<some_vanish>(load_lanes(x + i, part) - shift);
      if (rest != kLanes<T>) e = select(Mask<T>{hn::FirstN(typename Vec<T>::D(), rest)}, e, Vec<T>(0.0));
      rest == kLanes<T> ? store(out + i, e) : store_part(out + i, e, rest);
      acc[q] = acc[q] + e;
      if (rest == kLanes<T>) beside(i);
    }
    add_to_lanes(acc, lanes);
  }

  typename Reducer::State state_;
};

/// What e^(x - shift) is multiplied by to be a softmax: NaN if `largest` is infinite, as in rows.h.
template <class T>
double softmax_scale(T shift, T largest, double sum) {
  return (shift == largest ? 1.0 : scalar_math::exp(static_cast<double>(shift) - static_cast<double>(largest))) / sum;
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
