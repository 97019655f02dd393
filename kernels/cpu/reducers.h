// What a reduction does with the elements of one chunk, compiled once per target. A reducer has
//   Partial                        what is known of a run of elements
//   chunk(x, n, first, shift)      of n contiguous elements, the first of which is number `first`
//   columns(x, stride, rows, n, first, shifts, out)
//                                  the same of n columns at once; row r of all columns at x + r * stride
//   merge(a, b)                    of two runs, a before b, by core/luge/math/reducers.h
// and gives the same bits on both ways, because both add in the same order: element i of a chunk goes to lane i mod 16,
// so vectors of any width add without a shuffle; a lane runs over kSumRun elements' share in the element type, one after the
// other; then lanes j and j + 8 are added and go on into a float64 sum; at the end the eight sums are added, neighbours first.
// The machine code of fused chains (fused/jit) adds in this order, too.
#include "vector.h"

#include <luge/math/reducers.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "reduce_space.h"
#include "scratch.h"

#if defined(LUGE_CPU_REDUCERS_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUGE_CPU_REDUCERS_H_
#undef LUGE_CPU_REDUCERS_H_
#else
#define LUGE_CPU_REDUCERS_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

inline constexpr std::int64_t kSumLanes = 16, kSums = kSumLanes / 2;
inline constexpr std::int64_t kChunk = kSumChunk;  ///< elements of one partial result
inline constexpr std::int64_t kColumns = 512;  ///< columns reduced together: their lanes stay in a cache
inline constexpr std::int64_t kBlockRows = 64;  ///< rows of columns that visit their lanes together, four to each

/// Asks for the rows of a block of columns, line by line in the order of memory, ahead of their use:
/// rows end at pages, over which the hardware does not look.
template <class T>
class RowsAhead {
 public:
  static constexpr std::int64_t kDistance = 16384 / sizeof(T);  ///< elements from use to request

  /// From the row `rows` rows (or the distance, if it is longer) after x on.
  HWY_INLINE RowsAhead(const T* x, std::int64_t stride, std::int64_t width, std::int64_t rows)
      : at_(x + std::max(rows, kDistance / width) * stride), skip_(stride - width), width_(width), left_(width) {}

  /// Asks for the next `count` elements.
  HWY_INLINE void advance(std::int64_t count) {
    __builtin_prefetch(at_, 0, 2);
    at_ += count;
    left_ -= count;
    if (left_ <= 0) {
      at_ += skip_ - left_;
      left_ = width_;
    }
  }

 private:
  const T* at_;
  std::int64_t skip_, width_, left_;
};

/// Adds eight sums, neighbours first. Those that nothing was added to are +0 and change nothing.
HWY_INLINE double add_sums(const double* sums) {
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Elements as they are.
struct Identity {
  template <class T>
  HWY_INLINE Vec<T> operator()(Vec<T> x, Vec<T>) const {
    return x;
  }
};
/// For the logarithm of a sum of exponentials: e^(x - shift).
struct ShiftedExp {
  template <class T>
  HWY_INLINE Vec<T> operator()(Vec<T> x, Vec<T> shift) const {
    return exp(x - shift);
  }
};
struct Squared {
  template <class T>
  HWY_INLINE Vec<T> operator()(Vec<T> x, Vec<T>) const {
    return x * x;
  }
};

/// Sums of float32 or float64.
template <class T, class Map>
struct FloatSum : scalar_math::Sum<T, false> {
  using Element = T;
  using Partial = double;

  static HWY_NOINLINE double chunk(const T* x, std::int64_t n, std::int64_t, T shift_value) {
    double sums[kSums] = {};
    add(x, n, Vec<T>(static_cast<double>(shift_value)), sums);
    return add_sums(sums);
  }

  /// Adds a part of a longer chunk to its eight sums; every part but the last is a multiple of kSumRun.
  static HWY_INLINE void add(const T* x, std::int64_t n, Vec<T> shift, double* sums) {
    for (std::int64_t s = 0; s < n; s += kSumRun) {
      HWY_ALIGN T lanes[kSumLanes];
      add_run(x + s, std::min(kSumRun, n - s), shift, lanes);
      for (std::int64_t j = 0; j < kSums; ++j) sums[j] += static_cast<double>(lanes[j] + lanes[j + kSums]);
    }
  }

  /// The lanes of at most kSumRun elements.
  static HWY_INLINE void add_run(const T* x, std::int64_t n, Vec<T> shift, T* lanes) {
    const Map map;
    const std::int64_t whole = n - n % kSumLanes;
    Vec<T> acc[kVectors];
    for (Vec<T>& v : acc) v = Vec<T>(0.0);
    for (std::int64_t i = 0; i < whole; i += kSumLanes)
      for (std::int64_t q = 0; q < kVectors; ++q) acc[q] = acc[q] + map(load(x + i + q * kN), shift);
    if (whole != n) {
      HWY_ALIGN T rest[kSumLanes];
      map_part(x + whole, n - whole, shift, rest);
      for (std::int64_t q = 0; q < kVectors; ++q) acc[q] = acc[q] + load(static_cast<const T*>(rest + q * kN));
    }
    for (std::int64_t q = 0; q < kVectors; ++q) store(lanes + q * kN, acc[q]);
  }

  static HWY_NOINLINE void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, std::int64_t,
                                   const T* shifts, double* out) {
    const std::int64_t width = (n + kN - 1) / kN * kN, used = std::min(rows, kSumLanes), kept = std::min(used, kSums);
    Scratch<T> run_lanes(used * width), padded_shifts(width);
    Scratch<double> double_sums(kept * width);
    T* const lanes = run_lanes.data();
    double* const sums = double_sums.data();
    std::fill_n(padded_shifts.data(), width, T(0));
    if (shifts != nullptr) std::copy_n(shifts, n, padded_shifts.data());
    std::fill_n(sums, kept * width, 0.0);
    RowsAhead<T> ahead(x, stride, n, kBlockRows);
    for (std::int64_t s = 0; s < rows; s += kSumRun) {
      const std::int64_t run = std::min(kSumRun, rows - s);
      std::fill_n(lanes, used * width, T(0));
      for (std::int64_t block = 0; block < run; block += kBlockRows)
        for (std::int64_t lane = 0; lane < std::min(kSumLanes, run - block); ++lane)
          add_rows(x + (s + block + lane) * stride, stride,
                   (std::min(kBlockRows, run - block) - lane + kSumLanes - 1) / kSumLanes, n, padded_shifts.data(),
                   lanes + lane * width, ahead);
      const std::int64_t paired = (used - kept) * width;  // those that have a lane eight behind
      for (std::int64_t v = 0; v < paired; ++v) sums[v] += static_cast<double>(lanes[v] + lanes[kSums * width + v]);
      for (std::int64_t v = paired; v < kept * width; ++v) sums[v] += static_cast<double>(lanes[v]);
    }
    fold(sums, kept, width, n, out);
  }

 private:
  static constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
  static constexpr std::int64_t kVectors = kSumLanes / kN;  ///< vectors that hold the lanes

  /// out = Map(x) for n elements, zeros behind.
  static HWY_INLINE void map_part(const T* x, std::int64_t n, Vec<T> shift, T* out) {
    const Map map;
    std::fill_n(out, kSumLanes, T(0));
    std::int64_t i = 0;
    for (; i + kN <= n; i += kN) store(out + i, map(load(x + i), shift));
    if (i < n) store_part(out + i, map(load_part(x + i, static_cast<std::size_t>(n - i)), shift), static_cast<std::size_t>(n - i));
  }

  /// Adds the sums of n columns, as add_sums does.
  static HWY_INLINE void fold(const double* sums, std::int64_t kept, std::int64_t width, std::int64_t n, double* out) {
    constexpr std::int64_t kPart = 64;
    double part[kSums][kPart];
    for (std::int64_t begin = 0; begin < n; begin += kPart) {
      const std::int64_t count = std::min(kPart, n - begin);
      for (std::int64_t j = 0; j < kSums; ++j)
        for (std::int64_t v = 0; v < count; ++v) part[j][v] = j < kept ? sums[j * width + begin + v] : 0.0;
      for (std::int64_t distance = 1; distance < kSums; distance *= 2)
        for (std::int64_t j = 0; j < kSums; j += 2 * distance)
          for (std::int64_t v = 0; v < count; ++v) part[j][v] += part[j + distance][v];
      std::copy_n(part[0], count, out + begin);
    }
  }

  /// Adds `rows` rows of n columns, each kSumLanes behind the one before, to a lane of each column.
  static HWY_INLINE void add_rows(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, const T* shifts,
                                  T* sums, RowsAhead<T>& ahead) {
    constexpr std::int64_t kMost = kBlockRows / kSumLanes;
    const Map map;
    std::int64_t v = 0;
    if (rows == kMost) {
      for (; v + kN <= n; v += kN) {
        const Vec<T> shift = load(shifts + v);
        Vec<T> sum = load(static_cast<const T*>(sums + v));
        for (std::int64_t m = 0; m < kMost; ++m) {
          ahead.advance(kN);
          sum = sum + map(load(x + m * kSumLanes * stride + v), shift);
        }
        store(sums + v, sum);
      }
    }
    for (; v < n; v += kN) {
      const Vec<T> shift = load(shifts + v);
      Vec<T> sum = load(static_cast<const T*>(sums + v));
      for (std::int64_t m = 0; m < rows; ++m) {
        const T* const row = x + m * kSumLanes * stride + v;
        sum = sum + (v + kN <= n ? map(load(row), shift)
                                 : map(load_part(row, static_cast<std::size_t>(n - v)), shift));
      }
      store(sums + v, sum);
    }
  }
};

/// Products of float32 or float64, in float64 throughout.
template <class T>
struct FloatProduct : scalar_math::Product<T> {
  using Element = T;
  using Partial = double;

  static HWY_NOINLINE double chunk(const T* x, std::int64_t n, std::int64_t, T) {
    double lanes[kSumLanes];
    std::fill_n(lanes, kSumLanes, 1.0);
    std::int64_t i = 0;
    for (; i + kSumLanes <= n; i += kSumLanes) multiply(lanes, x + i, kSumLanes);
    multiply(lanes, x + i, n - i);
    for (std::int64_t half = kSumLanes / 2; half > 0; half /= 2) multiply(lanes, lanes + half, half);
    return lanes[0];
  }
  static HWY_NOINLINE void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, std::int64_t,
                                   const T*, double* out) {
    constexpr std::int64_t kPart = 128;
    double lanes[kSumLanes][kPart];
    for (std::int64_t begin = 0; begin < n; begin += kPart) {
      const std::int64_t count = std::min(kPart, n - begin);
      for (auto& lane : lanes) std::fill_n(lane, count, 1.0);
      for (std::int64_t row = 0; row < rows; ++row) multiply(lanes[row % kSumLanes], x + row * stride + begin, count);
      for (std::int64_t half = kSumLanes / 2; half > 0; half /= 2)
        for (std::int64_t j = 0; j < half; ++j) multiply(lanes[j], lanes[j + half], count);
      std::copy_n(lanes[0], count, out + begin);
    }
  }

 private:
  /// product[i] *= x[i]; a lane no element met holds 1.
  template <class X>
  static HWY_INLINE void multiply(double* product, const X* x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) product[i] *= static_cast<double>(x[i]);
  }
};

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggling guard
