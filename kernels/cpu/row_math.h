// Whole contiguous rows of floats: maximum, sums, and writing a row by a formula; per target.
#include "extremes.h"

#include <luge/math/rows.h>

#include <luge/seam/call.h>

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

/// NaN if there is one.
template <class T>
T row_maximum(const T* x, std::int64_t n) {
  using Maximum = Extreme<T, true, false>;
  T result = Maximum::chunk(x, std::min(n, kChunk), 0, T(0)).value;
  for (std::int64_t i = kChunk; i < n; i += kChunk)
    result = scalar_math::Extreme<T, true>::merge(
        result, Maximum::chunk(x + i, std::min(kChunk, n - i), i, T(0)).value);
  return result;
}

/// Sum of Map(x, shift), in the order of reducers.h.
template <class Map, class T>
double row_sum(const T* x, std::int64_t n, T shift) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; i += kChunk) sum += FloatSum<T, Map>::chunk(x + i, std::min(kChunk, n - i), i, shift);
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

/// out[i] (=, +=) formula(i, part) for n elements, vector by vector; the last one is partial.
template <class T, class F>
HWY_INLINE void write_row(T* out, std::int64_t columns, Store mode, const F& formula) {
  const auto n = static_cast<std::size_t>(columns);
  const bool sums = mode == Store::Accumulate;
  std::size_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const Vec<T> v = formula(i, Part{kLanes<T>});
    store(out + i, sums ? load(out + i) + v : v);
  }
  if (i == n) return;
  const Part part{n - i};
  const Vec<T> v = formula(i, part);
  store_part(out + i, sums ? load_part(out + i, part.lanes) + v : v, part.lanes);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
