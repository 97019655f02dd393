// What a reduction does with the elements of one chunk, compiled once per target. A reducer has
//   Partial                        what is known of a run of elements
//   chunk(x, n, first, shift)      of n contiguous elements, the first of which is number `first`
//   columns(x, stride, rows, n, first, shifts, out)
//                                  the same of n columns at once; row r of all columns at x + r * stride
//   merge(a, b)                    of two runs, a before b, by core/luge/math/reducers.h
// and gives the same bits on both ways, because both add in the same order: elements are added in
// groups of 16 bytes, (x0 + x2) + (x1 + x3) or x0 + x1; group g of a chunk goes to lane g mod 16; a lane
// runs over 512 elements' share in the element type, then into a float64 lane; at the end the lanes are
// added pairwise. The groups keep the lanes of many columns out of the way of the memory stream.
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

inline constexpr std::int64_t kSumLanes = 16;
inline constexpr std::int64_t kChunk = kSumChunk;  ///< elements of one partial result
inline constexpr std::int64_t kColumns = 2048;  ///< columns reduced together: whole pages of rows

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

/// Elements of one group.
template <class T>
inline constexpr std::int64_t kGroup = 16 / sizeof(T);

/// Adds 16 lanes pairwise. Lanes that nothing was added to are +0 and change nothing.
HWY_INLINE double add_lanes(double* lanes, std::int64_t used) {
  if (used == kSumLanes) {
    for (std::int64_t j = 0; j < 8; ++j) lanes[j] += lanes[j + 8];
    for (std::int64_t j = 0; j < 4; ++j) lanes[j] += lanes[j + 4];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  }
  for (std::int64_t half = kSumLanes / 2; half > 0; half /= 2)
    for (std::int64_t j = 0; j < half && j + half < used; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

/// The sum of one group, held in kGroup vectors or numbers.
template <class V>
HWY_INLINE V add_group(const V* x, std::integral_constant<std::int64_t, 4>) {
  return (x[0] + x[2]) + (x[1] + x[3]);
}
template <class V>
HWY_INLINE V add_group(const V* x, std::integral_constant<std::int64_t, 2>) {
  return x[0] + x[1];
}

/// The sums of all groups in kGroup consecutive vectors, as one vector. With m the vector and b the
/// 16-byte block within it that a group fills, its sum comes out as lane b * kGroup + m.
HWY_INLINE Vec<float> add_groups(const Vec<float>* x) {
#if HWY_TARGET == HWY_SCALAR
  return add_group(x, std::integral_constant<std::int64_t, 4>());
#else
  const Vec<float>::D d;
  const hn::Repartition<double, Vec<float>::D> dd;
  const auto ab = hn::Add(hn::InterleaveLower(d, x[0].raw, x[1].raw), hn::InterleaveUpper(d, x[0].raw, x[1].raw));
  const auto cd = hn::Add(hn::InterleaveLower(d, x[2].raw, x[3].raw), hn::InterleaveUpper(d, x[2].raw, x[3].raw));
  const auto low = hn::InterleaveLower(dd, hn::BitCast(dd, ab), hn::BitCast(dd, cd));
  const auto high = hn::InterleaveUpper(dd, hn::BitCast(dd, ab), hn::BitCast(dd, cd));
  return Vec<float>(hn::Add(hn::BitCast(d, low), hn::BitCast(d, high)));
#endif
}
HWY_INLINE Vec<double> add_groups(const Vec<double>* x) {
#if HWY_TARGET == HWY_SCALAR
  return add_group(x, std::integral_constant<std::int64_t, 2>());
#else
  const Vec<double>::D d;
  return Vec<double>(hn::Add(hn::InterleaveLower(d, x[0].raw, x[1].raw), hn::InterleaveUpper(d, x[0].raw, x[1].raw)));
#endif
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
    const Vec<T> shift(static_cast<double>(shift_value));
    if (n <= kShort) return short_chunk(x, n, shift);
    double sums[kSumLanes] = {};
    add(x, n, shift, sums);
    return finish(sums, n);
  }

  /// Elements up to which a chunk is added in one go.
  static constexpr std::int64_t kShort = kGroup<T> * kSumLanes;

  /// Adds a part of a longer chunk to its lanes, which are in the order of add_groups; every part but the last
  /// is a multiple of kSumRun.
  static HWY_INLINE void add(const T* x, std::int64_t n, Vec<T> shift, double* sums) {
    for (std::int64_t s = 0; s < n; s += kSumRun) {
      const std::int64_t run = std::min(kSumRun, n - s), whole = run - run % kRound;
      Vec<T> acc[kVectors];
      for (Vec<T>& v : acc) v = Vec<T>(0.0);
      for (std::int64_t i = 0; i < whole; i += kRound) add_round(x + s + i, shift, Map(), acc);
      if (whole != run) {
        HWY_ALIGN T rest[kRound];
        map_part(x + s + whole, run - whole, kRound, shift, rest);
        add_round(rest, shift, Identity(), acc);
      }
      HWY_ALIGN T lanes[kSumLanes];
      for (std::int64_t q = 0; q < kVectors; ++q) store(lanes + q * kN, acc[q]);
      for (std::int64_t j = 0; j < kSumLanes; ++j) sums[j] += static_cast<double>(lanes[j]);
    }
  }

  /// The sum of a chunk of n elements that went into `sums`.
  static HWY_INLINE double finish(const double* sums, std::int64_t n) {
    double lanes[kSumLanes];
    constexpr std::int64_t kBlocks = std::max<std::int64_t>(kN / kGroup<T>, 1), kMembers = kN == 1 ? 1 : kGroup<T>;
    for (std::int64_t q = 0; q < kVectors; ++q)
      for (std::int64_t m = 0; m < kMembers; ++m)
        for (std::int64_t b = 0; b < kBlocks; ++b)
          lanes[(q * kMembers + m) * kBlocks + b] = sums[q * kN + b * kMembers + m];
    return add_lanes(lanes, std::min((n + kGroup<T> - 1) / kGroup<T>, kSumLanes));
  }

  static HWY_NOINLINE void columns(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, std::int64_t,
                                   const T* shifts, double* out) {
    const std::int64_t width = (n + kN - 1) / kN * kN, groups = (rows + kGroup<T> - 1) / kGroup<T>;
    const std::int64_t used = std::min(groups, kSumLanes);
    const bool one_run = rows <= kSumRun;
    Scratch<T> sum_lanes(used * width), padded_shifts(width);
    Scratch<double> double_lanes(one_run ? 0 : used * width);
    T* const sums = sum_lanes.data();
    double* const lanes = double_lanes.data();
    std::fill_n(padded_shifts.data(), width, T(0));
    if (shifts != nullptr) std::copy_n(shifts, n, padded_shifts.data());
    if (!one_run) std::fill_n(lanes, used * width, 0.0);
    RowsAhead<T> ahead(x, stride, n, kGroup<T>);
    for (std::int64_t s = 0; s < rows; s += kSumRun) {
      const std::int64_t run = std::min(kSumRun, rows - s);
      std::fill_n(sums, used * width, T(0));
      for (std::int64_t i = 0; i < run; i += kGroup<T>)
        add_rows(x + (s + i) * stride, stride, std::min(kGroup<T>, run - i), n, padded_shifts.data(),
                 sums + i / kGroup<T> % kSumLanes * width, ahead);
      for (std::int64_t v = 0; !one_run && v < used * width; ++v) lanes[v] += static_cast<double>(sums[v]);
    }
    one_run ? fold(sums, used, width, n, out) : fold(lanes, used, width, n, out);
  }

 private:
  static constexpr auto kN = static_cast<std::int64_t>(kLanes<T>);
  static constexpr std::int64_t kVectors = kSumLanes / kN;       ///< vectors that hold the lanes
  static constexpr std::int64_t kRound = kSumLanes * kGroup<T>;  ///< elements that visit each lane once

  template <class M>
  static HWY_INLINE void add_round(const T* x, Vec<T> shift, const M& map, Vec<T>* acc) {
    for (std::int64_t q = 0; q < kVectors; ++q) {
      Vec<T> members[kGroup<T>];
      for (std::int64_t m = 0; m < kGroup<T>; ++m) members[m] = map(load(x + (q * kGroup<T> + m) * kN), shift);
      acc[q] = acc[q] + add_groups(members);
    }
  }

  /// out = Map(x) for n elements, zeros behind up to `padded`.
  static HWY_INLINE void map_part(const T* x, std::int64_t n, std::int64_t padded, Vec<T> shift, T* out) {
    const Map map;
    std::int64_t i = 0;
    for (; i + kN <= n; i += kN) store(out + i, map(load(x + i), shift));
    if (i < n) store(out + i, map(load_part(x + i, static_cast<std::size_t>(n - i)), shift));
    for (i = n; i < padded; ++i) out[i] = T(0);
  }

  /// One group a lane at most: the same sums without the empty steps.
  static HWY_INLINE double short_chunk(const T* x, std::int64_t n, Vec<T> shift) {
    constexpr std::integral_constant<std::int64_t, kGroup<T>> kMembers;
    const std::int64_t groups = (n + kGroup<T> - 1) / kGroup<T>, whole = n / kGroup<T>;
    double lanes[kSumLanes];
    if constexpr (std::is_same_v<Map, Identity>) {
      for (std::int64_t g = 0; g < whole; ++g)
        lanes[g] = 0.0 + static_cast<double>(add_group(x + g * kGroup<T>, kMembers));
      if (whole != groups) {
        T rest[kGroup<T>] = {};
        for (std::int64_t i = whole * kGroup<T>; i < n; ++i) rest[i % kGroup<T>] = x[i];
        lanes[whole] = 0.0 + static_cast<double>(add_group(rest, kMembers));
      }
    } else {
      HWY_ALIGN T mapped[kRound + kN];
      map_part(x, n, groups * kGroup<T>, shift, mapped);
      for (std::int64_t g = 0; g < groups; ++g)
        lanes[g] = 0.0 + static_cast<double>(add_group(mapped + g * kGroup<T>, kMembers));
    }
    return add_lanes(lanes, groups);
  }

  /// Adds the lanes of n columns pairwise, as add_lanes does.
  template <class L>
  static HWY_INLINE void fold(const L* lanes, std::int64_t used, std::int64_t width, std::int64_t n, double* out) {
    constexpr std::int64_t kPart = 64;
    double part[kSumLanes][kPart];
    for (std::int64_t begin = 0; begin < n; begin += kPart) {
      const std::int64_t count = std::min(kPart, n - begin);
      for (std::int64_t j = 0; j < used; ++j)
        for (std::int64_t v = 0; v < count; ++v) part[j][v] = static_cast<double>(lanes[j * width + begin + v]);
      for (std::int64_t half = kSumLanes / 2; half > 0; half /= 2)
        for (std::int64_t j = 0; j < half && j + half < used; ++j)
          for (std::int64_t v = 0; v < count; ++v) part[j][v] += part[j + half][v];
      std::copy_n(part[0], count, out + begin);
    }
  }

  /// Adds a group of rows to the lanes of n columns; a row beyond `rows` counts as zeros.
  static HWY_INLINE void add_rows(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t n, const T* shifts,
                                  T* sums, RowsAhead<T>& ahead) {
    constexpr std::integral_constant<std::int64_t, kGroup<T>> kMembers;
    const Map map;
    std::int64_t v = 0;
    if (rows == kGroup<T>) {
      for (; v + kN <= n; v += kN) {
        const Vec<T> shift = load(shifts + v);
        Vec<T> members[kGroup<T>];
        for (std::int64_t m = 0; m < kGroup<T>; ++m) {
          ahead.advance(kN);
          members[m] = map(load(x + m * stride + v), shift);
        }
        store(sums + v, load(sums + v) + add_group(members, kMembers));
      }
    }
    for (; v < n; v += kN) {
      const Vec<T> shift = load(shifts + v);
      Vec<T> members[kGroup<T>];
      for (std::int64_t m = 0; m < kGroup<T>; ++m) {
        const T* const row = x + m * stride + v;
        members[m] = m >= rows     ? Vec<T>(0.0)
                     : v + kN <= n ? map(load(row), shift)
                                   : map(load_part(row, static_cast<std::size_t>(n - v)), shift);
      }
      store(sums + v, load(sums + v) + add_group(members, kMembers));
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
