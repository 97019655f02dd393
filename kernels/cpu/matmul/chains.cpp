// Products by register tiles: a tile of c is some rows by some vectors, all of which stay in registers while its
// chains run over k. Rows of b are read where they lie; columns are packed first. Elements of a are read where they lie.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(matmul/chains.cpp)
#include <hwy/foreach_target.h>

#include "../vector.h"

#include <luge/math/activations.h>

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
/// Rows of a tile of so many vectors: as many as leave registers for a row of b and an element of a, but no more than
/// a narrow tile needs to load less than it multiplies.
constexpr int rows_of(int vectors) {
  constexpr int kRows = HWY_TARGET <= HWY_AVX3 ? 24 : 12;  // of one vector each
  return vectors == 1 ? std::min(kRows, 16) : kRows / vectors;
}

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
  Epilogue epilogue;
  Matrix<const T> y;

  HWY_INLINE void go_down(std::int64_t rows) {
    a.data += rows * a.row;
    c += rows * c_row;
    if (before.data != nullptr) before.data += rows * before.row;
    if (y.data != nullptr) y.data += rows * y.row;
  }
};

template <class T, int kRows, int kWide>
HWY_INLINE void apply_epilogue(const Tile<T>& t, const LastLanes<T>& last, Vec<T> (&sums)[kRows][kWide]) {
  using formula = scalar_math::Relu;
  if (t.epilogue == Epilogue::Relu) {
    LUGE_UNROLL
    for (int i = 0; i < kRows * kWide; ++i) sums[i / kWide][i % kWide] = formula::forward(sums[i / kWide][i % kWide]);
  } else if (t.epilogue == Epilogue::ReluBackward) {
    LUGE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const T* const y = t.y.data + r * t.y.row;
      LUGE_UNROLL
      for (int v = 0; v + 1 < kWide; ++v) sums[r][v] = formula::backward(sums[r][v], sums[r][v], load(y + v * kStep<T>));
      Vec<T>& rest = sums[r][kWide - 1];
      rest = formula::backward(rest, rest, last.load_from(y + (kWide - 1) * kStep<T>));
    }
  }
}

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
  if (t.epilogue != Epilogue::None) apply_epilogue(t, last, sums);
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    T* const c = t.c + r * t.c_row;
    LUGE_UNROLL
    for (int v = 0; v + 1 < kWide; ++v) store(c + v * kStep<T>, sums[r][v]);
    last.store_to(c + (kWide - 1) * kStep<T>, sums[r][kWide - 1]);
  }
}

/// Tiles one below the other as long as they fit into the m rows that are left; `t` and m go on behind them.
template <class T, int kRows, int kWide>
HWY_INLINE void tiles(Tile<T>& t, std::int64_t& m) {
  for (; m >= kRows; m -= kRows, t.go_down(kRows)) tile<T, kRows, kWide>(t);
}

template <class T, int kWide>
void panel(Tile<T>& t, std::int64_t m) {
  tiles<T, rows_of(kWide), kWide>(t, m);
  if constexpr (rows_of(kWide) > 8) tiles<T, 8, kWide>(t, m);
  tiles<T, 4, kWide>(t, m);
  tiles<T, 2, kWide>(t, m);
  tiles<T, 1, kWide>(t, m);
}

// ---- packing ------------------------------------------------------------------------------------

#if HWY_TARGET == HWY_SCALAR

template <class T>
HWY_INLINE bool pack_columns(const Matrix<const T>&, std::int64_t, std::int64_t, T*, std::int64_t) {
  return false;
}

#else

/// Elements of 16 bytes, and such blocks of a vector.
template <class T>
constexpr auto kBlock = static_cast<std::int64_t>(16 / sizeof(T));
template <class T>
constexpr std::int64_t kBlocks = kStep<T> / kBlock<T>;

/// Columns that are contiguous, `stride` apart; beyond the end the last one again.
template <class T, bool kWhole>
struct Columns {
  const T* data;
  std::int64_t stride, last;

  HWY_INLINE const T* operator[](std::int64_t l) const { return data + (kWhole ? l : std::min(l, last)) * stride; }
  HWY_INLINE Columns from(std::int64_t l) const { return {(*this)[l], stride, std::max<std::int64_t>(last - l, 0)}; }
};

/// Of as many columns as a block has elements, rows from q on: block b of rows[e] is row q + b * kBlock + e.
template <class D, class T, bool kWhole>
HWY_INLINE void transpose_blocks(D d, const Columns<T, kWhole>& columns, std::int64_t q, hn::Vec<D>* rows) {
  const auto x = hn::LoadU(d, columns[0] + q), y = hn::LoadU(d, columns[1] + q);
  if constexpr (sizeof(T) == 8) {
    rows[0] = hn::InterleaveLower(d, x, y);
    rows[1] = hn::InterleaveUpper(d, x, y);
  } else {
    const auto z = hn::LoadU(d, columns[2] + q), w = hn::LoadU(d, columns[3] + q);
    const auto low_even = hn::InterleaveLower(d, x, z), low_odd = hn::InterleaveLower(d, y, w),
               high_even = hn::InterleaveUpper(d, x, z), high_odd = hn::InterleaveUpper(d, y, w);
    rows[0] = hn::InterleaveLower(d, low_even, low_odd);
    rows[1] = hn::InterleaveUpper(d, low_even, low_odd);
    rows[2] = hn::InterleaveLower(d, high_even, high_odd);
    rows[3] = hn::InterleaveUpper(d, high_even, high_odd);
  }
}

/// As many rows as columns, a vector each: whole rows are stored, because lines far apart share few sets of the first cache.
template <class T, bool kWhole>
HWY_INLINE void transpose(const Columns<T, kWhole>& columns, std::int64_t q, T* to, std::int64_t width) {
  const typename Vec<T>::D d;
  typename Vec<T>::Raw x[kBlocks<T>][kBlock<T>];
  LUGE_UNROLL
  for (std::int64_t g = 0; g < kBlocks<T>; ++g) transpose_blocks(d, columns.from(g * kBlock<T>), q, x[g]);
  LUGE_UNROLL
  for (std::int64_t e = 0; e < kBlock<T>; ++e) {
    const auto store_row = [&](std::int64_t b, auto row) HWY_ATTR { hn::StoreU(row, d, to + (b * kBlock<T> + e) * width); };
    if constexpr (kBlocks<T> == 1) {
      store_row(0, x[0][e]);
    } else if constexpr (kBlocks<T> == 2) {
      store_row(0, hn::ConcatLowerLower(d, x[1][e], x[0][e]));
      store_row(1, hn::ConcatUpperUpper(d, x[1][e], x[0][e]));
    } else {
      static_assert(kBlocks<T> == 4);
      const auto even = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(x[1][e]), x[0][e]),
                 odd = hn::OddEvenBlocks(x[1][e], hn::SwapAdjacentBlocks(x[0][e])),
                 next_even = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(x[3][e]), x[2][e]),
                 next_odd = hn::OddEvenBlocks(x[3][e], hn::SwapAdjacentBlocks(x[2][e]));
      store_row(0, hn::ConcatLowerLower(d, next_even, even));
      store_row(1, hn::ConcatLowerLower(d, next_odd, odd));
      store_row(2, hn::ConcatUpperUpper(d, next_even, even));
      store_row(3, hn::ConcatUpperUpper(d, next_odd, odd));
    }
  }
}

/// A vector of columns.
template <class T, bool kWhole>
HWY_INLINE void pack_vector(const Columns<T, kWhole>& columns, std::int64_t k, T* to, std::int64_t width) {
  std::int64_t q = 0;
  for (; q + kStep<T> <= k; q += kStep<T>) transpose(columns, q, to + q * width, width);
  for (; q + kBlock<T> <= k; q += kBlock<T>)
    for (std::int64_t g = 0; g < kBlocks<T>; ++g) {
      const hn::CappedTag<T, static_cast<std::size_t>(kBlock<T>)> d;
      hn::Vec<decltype(d)> rows[kBlock<T>];
      transpose_blocks(d, columns.from(g * kBlock<T>), q, rows);
      LUGE_UNROLL
      for (std::int64_t e = 0; e < kBlock<T>; ++e) hn::StoreU(rows[e], d, to + (q + e) * width + g * kBlock<T>);
    }
  for (; q < k; ++q)
    for (std::int64_t l = 0; l < kStep<T>; ++l) to[q * width + l] = columns[l][q];
}

/// Asks for what a vector of columns that follow one another will read, a page ahead: they are read 16 at a time, piece by piece,
/// which prefetchers do not take for one stream.
template <class T>
HWY_INLINE void ask_ahead(const T* columns, std::int64_t k, std::int64_t stride) {
  constexpr std::int64_t kPage = 4096, kLine = 64, kShort = 64;
  if (stride != k || k > kShort) return;
  const auto* const ahead = reinterpret_cast<const char*>(columns) + kPage;
  for (std::int64_t at = 0; at < kStep<T> * k * static_cast<std::int64_t>(sizeof(T)); at += kLine) __builtin_prefetch(ahead + at);
}

/// Packs a matrix whose columns are contiguous; false where it is not one. `width` is a multiple of a vector.
template <class T>
HWY_INLINE bool pack_columns(const Matrix<const T>& b, std::int64_t k, std::int64_t lanes, T* to, std::int64_t width) {
  if (b.row != 1) return false;
  std::int64_t j = 0;
  for (; j + kStep<T> <= lanes; j += kStep<T>) {
    ask_ahead(b.data + j * b.column, k, b.column);
    pack_vector(Columns<T, true>{b.data + j * b.column, b.column, 0}, k, to + j, width);
  }
  if (j < lanes) pack_vector(Columns<T, false>{b.data + j * b.column, b.column, lanes - 1 - j}, k, to + j, width);
  return true;
}

#endif

/// k rows of `lanes` elements, `width` apart, a multiple of a vector. What lies behind a row's elements is some number.
template <class T>
HWY_NOINLINE void pack(const Matrix<const T>& b, std::int64_t k, std::int64_t lanes, T* to, std::int64_t width) {
  if constexpr (!kHasMasks)
    if (lanes < width) std::fill_n(to, k * width, T(0));
  if (pack_columns(b, k, lanes, to, width)) return;
  for (std::int64_t q = 0; q < k; ++q)
    for (std::int64_t j = 0; j < lanes; ++j) to[q * width + j] = b.data[q * b.row + j * b.column];
}

// ---- a product ----------------------------------------------------------------------------------

/// The same with rows of c that are contiguous; of vectors the lanes go along the length.
template <class T>
HWY_INLINE Product<T> turned(const Product<T>& p) {
  const bool turns = p.n == 1 ? p.m > 1 && p.c.row == 1 : p.c.column != 1;
  return turns ? p.transposed() : p;
}

/// Whether so many columns of b are read where they lie.
template <class T>
HWY_INLINE bool is_direct(const Product<T>& p, std::int64_t lanes) {
  const bool in_rows = p.b.column == 1 || lanes == 1;
  return in_rows && (kHasMasks || (lanes % kStep<T> == 0 && p.m < kPackedRows));
}

template <class T>
HWY_INLINE std::int64_t working(const Product<T>& call) {
  const Product<T> p = turned(call);
  return kHasMasks && is_direct(p, p.n) ? 0 : kChainLanes * p.k;
}

template <class T>
HWY_INLINE void product(const Product<T>& call, T* working) {
  const Product<T> p = turned(call);
  constexpr std::int64_t kWidth = kVectors * kStep<T>;
  for (std::int64_t j = 0; j < p.n; j += kWidth) {
    const std::int64_t lanes = std::min(kWidth, p.n - j), vectors = (lanes + kStep<T> - 1) / kStep<T>;
    Tile<T> t{p.k, p.a, p.b.data + j * p.b.column, p.b.row, p.c.data + j * p.c.column, p.c.row, p.before,
              static_cast<std::size_t>(lanes - (vectors - 1) * kStep<T>), p.epilogue, p.y};
    if (t.before.data != nullptr) t.before.data += j * t.before.column;
    if (t.y.data != nullptr) t.y.data += j * t.y.column;
    if (!is_direct(p, lanes)) {
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
std::int64_t working_float(const Product<float>& p) { return working(p); }
std::int64_t working_double(const Product<double>& p) { return working(p); }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(product_float);
HWY_EXPORT(product_double);
HWY_EXPORT(working_float);
HWY_EXPORT(working_double);

void chain_product(const Product<float>& p, float* working) { HWY_DYNAMIC_DISPATCH(product_float)(p, working); }
void chain_product(const Product<double>& p, double* working) { HWY_DYNAMIC_DISPATCH(product_double)(p, working); }
std::int64_t chain_working(const Product<float>& p) { return HWY_DYNAMIC_DISPATCH(working_float)(p); }
std::int64_t chain_working(const Product<double>& p) { return HWY_DYNAMIC_DISPATCH(working_double)(p); }

}  // namespace luge::cpu
#endif
