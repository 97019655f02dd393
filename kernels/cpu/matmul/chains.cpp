// Products by register tiles: a tile of c is some rows by some vectors, all of which stay in registers while its
// chains run over k. Rows of b are read where they lie; columns are packed first. Elements of a are read where they lie.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(matmul/chains.cpp)
#include <hwy/foreach_target.h>

#include "../vector.h"

#ifndef LUGE_CPU_CHAINS_
#define LUGE_CPU_CHAINS_
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "chains.h"

/// Loops over registers, which only constants can name.
#define LUGE_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// The most vectors of a tile's row: four with 32 registers, two with 16.
constexpr int kVectors = HWY_TARGET <= HWY_AVX3 ? 4 : 2;
static_assert(kVectors * static_cast<std::int64_t>(kLanes<float>) <= kChainLanes);
/// Rows of a tile of so many vectors: as many as leave registers for a row of b and an element of a.
constexpr int rows_of(int vectors) { return vectors == kVectors ? 6 : 8; }

template <class T>
constexpr auto kStep = static_cast<std::int64_t>(kLanes<T>);

// ---- a tile -------------------------------------------------------------------------------------

/// Whether masks cost nothing, so that b's rows need not be whole vectors.
constexpr bool kHasMasks = HWY_TARGET <= HWY_AVX3;
/// Rows of c from which on b is packed where a panel is narrow: rows of b far apart share few sets of the first cache.
constexpr std::int64_t kPackedRows = 32;

/// The lanes of the last vector of a row, from one to all.
template <class T>
struct LastLanes {
  using D = typename Vec<T>::D;
  std::size_t count;
  hn::Mask<D> mask;

  HWY_INLINE explicit LastLanes(std::size_t n) : count(n), mask(hn::FirstN(D(), n)) {}
  /// In loops; without masks the whole vector is there.
  HWY_INLINE Vec<T> load_row(const T* from) const {
    if constexpr (kHasMasks) return Vec<T>(hn::MaskedLoad(mask, D(), from));
    return load(from);
  }
  HWY_INLINE Vec<T> load_from(const T* from) const { return count == kLanes<T> ? load(from) : load_part(from, count); }
  HWY_INLINE void store_to(T* to, Vec<T> v) const { count == kLanes<T> ? store(to, v) : store_part(to, v, count); }
};

/// Where a tile's operands begin; the last vector of its rows has `last` lanes.
template <class T>
struct Tile {
  std::int64_t k;
  Matrix<const T> a;
  const T* b;
  std::int64_t b_row;
  T* c;
  std::int64_t c_row;
  Matrix<const T> before;
  std::size_t last;
};

template <class T, int kRows, int kWide>
HWY_NOINLINE void tile(const Tile<T>& t) {
  const LastLanes<T> last(t.last);
  Vec<T> sums[kRows][kWide];
  LUGE_UNROLL
  for (int i = 0; i < kRows * kWide; ++i) sums[i / kWide][i % kWide] = Vec<T>(0.0);
  const T* a[kRows];
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) a[r] = t.a.data + r * t.a.row;
  const T* b = t.b;
  for (std::int64_t q = 0, at = 0; q < t.k; ++q, at += t.a.column, b += t.b_row) {
    Vec<T> row[kWide];
    LUGE_UNROLL
    for (int v = 0; v + 1 < kWide; ++v) row[v] = load(b + v * kStep<T>);
    row[kWide - 1] = last.load_row(b + (kWide - 1) * kStep<T>);
    LUGE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const Vec<T> element(hn::Set(typename Vec<T>::D(), a[r][at]));
      LUGE_UNROLL
      for (int v = 0; v < kWide; ++v) sums[r][v] = fma(element, row[v], sums[r][v]);
    }
  }
  if (t.before.data != nullptr) {
    const bool repeats = t.before.column == 0;
    LUGE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* const from = t.before.data + r * t.before.row;
      const Vec<T> one(hn::Set(typename Vec<T>::D(), *from));
      LUGE_UNROLL
      for (int v = 0; v + 1 < kWide; ++v) sums[r][v] = (repeats ? one : load(from + v * kStep<T>)) + sums[r][v];
      const Vec<T> rest = repeats ? one : last.load_from(from + (kWide - 1) * kStep<T>);
      sums[r][kWide - 1] = rest + sums[r][kWide - 1];
    }
  }
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    T* const c = t.c + r * t.c_row;
    LUGE_UNROLL
    for (int v = 0; v + 1 < kWide; ++v) store(c + v * kStep<T>, sums[r][v]);
    last.store_to(c + (kWide - 1) * kStep<T>, sums[r][kWide - 1]);
  }
}

/// Tiles one below the other, from row `i` on, as long as they fit; returns the first row behind them.
template <class T, int kRows, int kWide>
HWY_INLINE std::int64_t tiles(const Tile<T>& first, std::int64_t i, std::int64_t m) {
  Tile<T> t = first;
  for (; i + kRows <= m; i += kRows) {
    t.a.data = first.a.data + i * t.a.row;
    t.c = first.c + i * t.c_row;
    if (t.before.data != nullptr) t.before.data = first.before.data + i * t.before.row;
    tile<T, kRows, kWide>(t);
  }
  return i;
}

template <class T, int kWide>
void panel(const Tile<T>& first, std::int64_t m) {
  std::int64_t i = tiles<T, rows_of(kWide), kWide>(first, 0, m);
  i = tiles<T, 4, kWide>(first, i, m);
  i = tiles<T, 2, kWide>(first, i, m);
  tiles<T, 1, kWide>(first, i, m);
}

// ---- packing ------------------------------------------------------------------------------------

#if HWY_TARGET == HWY_SCALAR

template <class T>
HWY_INLINE bool pack_columns(const Matrix<const T>&, std::int64_t, std::int64_t, T*, std::int64_t) {
  return false;
}

#else

/// The 16-byte blocks of a vector of kCount elements, one after the other `stride` elements apart.
template <std::size_t kCount, class D, class V, class T>
HWY_INLINE void store_blocks(D d, V v, T* to, std::int64_t stride) {
  if constexpr (kCount * sizeof(T) == 16) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    store_blocks<kCount / 2>(half, hn::LowerHalf(half, v), to, stride);
    store_blocks<kCount / 2>(half, hn::UpperHalf(half, v), to + static_cast<std::int64_t>(kCount * sizeof(T) / 32) * stride,
                             stride);
  }
}

/// Elements of 16 bytes: so many columns are transposed at a time.
template <class T>
constexpr auto kBlock = static_cast<std::int64_t>(16 / sizeof(T));

/// kCount rows of kBlock columns that are contiguous: to[q * width + j] = columns[j][q].
template <std::size_t kCount, class D, class T>
HWY_INLINE void transpose(D d, const T* const* columns, std::int64_t q, T* to, std::int64_t width) {
  const auto x = hn::LoadU(d, columns[0] + q), y = hn::LoadU(d, columns[1] + q);
  const std::int64_t next = kBlock<T> * width;  // of the rows, between two blocks of a vector
  if constexpr (sizeof(T) == 8) {
    store_blocks<kCount>(d, hn::InterleaveLower(d, x, y), to, next);
    store_blocks<kCount>(d, hn::InterleaveUpper(d, x, y), to + width, next);
  } else {
    const auto z = hn::LoadU(d, columns[2] + q), w = hn::LoadU(d, columns[3] + q);
    const auto low_even = hn::InterleaveLower(d, x, z), low_odd = hn::InterleaveLower(d, y, w),
               high_even = hn::InterleaveUpper(d, x, z), high_odd = hn::InterleaveUpper(d, y, w);
    store_blocks<kCount>(d, hn::InterleaveLower(d, low_even, low_odd), to, next);
    store_blocks<kCount>(d, hn::InterleaveUpper(d, low_even, low_odd), to + width, next);
    store_blocks<kCount>(d, hn::InterleaveLower(d, high_even, high_odd), to + 2 * width, next);
    store_blocks<kCount>(d, hn::InterleaveUpper(d, high_even, high_odd), to + 3 * width, next);
  }
}

/// Packs a matrix whose columns are contiguous; false where it is not one.
template <class T>
HWY_INLINE bool pack_columns(const Matrix<const T>& b, std::int64_t k, std::int64_t lanes, T* to, std::int64_t width) {
  if (b.row != 1) return false;
  constexpr auto kLanesOfBlock = static_cast<std::size_t>(kBlock<T>);
  for (std::int64_t j = 0; j < lanes; j += kBlock<T>) {
    const T* columns[kBlock<T>];  // beyond the end the last one again
    for (std::int64_t l = 0; l < kBlock<T>; ++l) columns[l] = b.data + std::min(j + l, lanes - 1) * b.column;
    std::int64_t q = 0;
    for (; q + kStep<T> <= k; q += kStep<T>)
      transpose<kLanes<T>>(typename Vec<T>::D(), columns, q, to + q * width + j, width);
    for (; q + kBlock<T> <= k; q += kBlock<T>)
      transpose<kLanesOfBlock>(hn::CappedTag<T, kLanesOfBlock>(), columns, q, to + q * width + j, width);
    for (; q < k; ++q)
      for (std::int64_t l = 0; l < kBlock<T>; ++l) to[q * width + j + l] = columns[l][q];
  }
  return true;
}

#endif

/// k rows of `lanes` elements, `width` apart, a multiple of 16 bytes. What lies behind a row's elements is some number.
template <class T>
HWY_NOINLINE void pack(const Matrix<const T>& b, std::int64_t k, std::int64_t lanes, T* to, std::int64_t width) {
  if constexpr (!kHasMasks)
    if (lanes < width) std::fill_n(to, k * width, T(0));
  if (pack_columns(b, k, lanes, to, width)) return;
  for (std::int64_t q = 0; q < k; ++q)
    for (std::int64_t j = 0; j < lanes; ++j) to[q * width + j] = b.data[q * b.row + j * b.column];
}

// ---- a product ----------------------------------------------------------------------------------

template <class T>
HWY_INLINE void product(const Product<T>& call, T* working) {
  // A row of c is contiguous, and of vectors the lanes go along the length.
  const bool turn = call.n == 1 ? call.m > 1 && call.c.row == 1 : call.c.column != 1;
  const Product<T> p = turn ? call.transposed() : call;
  constexpr std::int64_t kWidth = kVectors * kStep<T>;
  for (std::int64_t j = 0; j < p.n; j += kWidth) {
    const std::int64_t lanes = std::min(kWidth, p.n - j), vectors = (lanes + kStep<T> - 1) / kStep<T>;
    Tile<T> t{p.k, p.a, p.b.data + j * p.b.column, p.b.row, p.c.data + j * p.c.column, p.c.row, p.before,
              static_cast<std::size_t>(lanes - (vectors - 1) * kStep<T>)};
    if (t.before.data != nullptr) t.before.data += j * t.before.column;
    const bool is_direct = kHasMasks ? p.b.column == 1 || lanes == 1
                                     : (p.b.column == 1 || lanes == 1) && lanes == vectors * kStep<T> && p.m < kPackedRows;
    if (!is_direct) {
      t.b_row = vectors * kStep<T>;
      pack({t.b, p.b.row, p.b.column}, p.k, lanes, working, t.b_row);
      t.b = working;
    }
    if (vectors == 1)
      panel<T, 1>(t, p.m);
    else if (vectors == 2)
      panel<T, 2>(t, p.m);
    else if constexpr (kVectors > 2)
      vectors == 3 ? panel<T, 3>(t, p.m) : panel<T, 4>(t, p.m);
  }
}

void product_float(const Product<float>& p, float* working) { product(p, working); }
void product_double(const Product<double>& p, double* working) { product(p, working); }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(product_float);
HWY_EXPORT(product_double);

void chain_product(const Product<float>& p, float* working) { HWY_DYNAMIC_DISPATCH(product_float)(p, working); }
void chain_product(const Product<double>& p, double* working) { HWY_DYNAMIC_DISPATCH(product_double)(p, working); }

}  // namespace luge::cpu
#endif
