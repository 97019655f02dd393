// A tile of c is some rows by some vectors, all of which stay in registers while its chains run over the terms.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(convolution/direct.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#ifndef LUGE_CPU_DIRECT_
#define LUGE_CPU_DIRECT_
#include <algorithm>
#include <cstdint>

#include "direct.h"

/// Loops over registers, which only constants can name.
#define LUGE_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// The most vectors of a tile's row: four with 32 registers, two with 16.
constexpr int kVectors = HWY_TARGET <= HWY_AVX3 ? 4 : 2;
/// Rows of a tile of so many vectors: as many as leave registers for the other factors.
constexpr int rows_of(int vectors) { return HWY_TARGET <= HWY_AVX3 ? (vectors == 4 ? 6 : 8) : (vectors == 2 ? 6 : 8); }

template <class T>
constexpr auto kStep = static_cast<std::int64_t>(kLanes<T>);

template <class T>
HWY_INLINE void store_to(T* to, Vec<T> v, std::int64_t count) {
  count == kStep<T> ? store(to, v) : store_part(to, v, static_cast<std::size_t>(count));
}
template <class T>
HWY_INLINE Vec<T> load_from(const T* from, std::int64_t count) {
  return count == kStep<T> ? load(from) : load_part(from, static_cast<std::size_t>(count));
}
template <class T>
HWY_INLINE Vec<T> spread(T value) {
  return Vec<T>(hn::Set(typename Vec<T>::D(), value));
}

// ---- images -------------------------------------------------------------------------------------

template <class T, int kRows, int kWide>
HWY_NOINLINE void image_tile(const ImageProduct<T>& p, std::int64_t row, const Piece* pieces) {
  Vec<T> sums[kRows][kWide];
  LUGE_UNROLL
  for (int i = 0; i < kRows * kWide; ++i) sums[i / kWide][i % kWide] = Vec<T>(0.0);
  const T* a[kRows];
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) a[r] = p.weights + (row + r) * p.terms;
  const T* b[kWide];
  LUGE_UNROLL
  for (int v = 0; v < kWide; ++v) b[v] = p.image + pieces[v].source;
  for (std::int64_t q = 0; q < p.terms; ++q) {
    const std::int64_t offset = p.offsets[q];
    Vec<T> x[kWide];
    LUGE_UNROLL
    for (int v = 0; v < kWide; ++v) x[v] = load(b[v] + offset);
    LUGE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const Vec<T> weight = spread(a[r][q]);
      LUGE_UNROLL
      for (int v = 0; v < kWide; ++v) sums[r][v] = fma(weight, x[v], sums[r][v]);
    }
  }
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    T* const c = p.c + (row + r) * p.c_row;
    const Vec<T> bias = spread(p.bias ? p.bias[row + r] : T(0));
    LUGE_UNROLL
    for (int v = 0; v < kWide; ++v) {
      T* const to = c + pieces[v].column;
      const Vec<T> before = p.accumulates ? load_from(to, pieces[v].count) : bias;
      store_to(to, before + sums[r][v], pieces[v].count);
    }
  }
}

template <class T, int kRows, int kWide>
HWY_INLINE std::int64_t image_tiles(const ImageProduct<T>& p, std::int64_t row, const Piece* pieces) {
  for (; row + kRows <= p.rows; row += kRows) image_tile<T, kRows, kWide>(p, row, pieces);
  return row;
}

template <class T, int kWide>
void image_panel(const ImageProduct<T>& p, const Piece* pieces) {
  std::int64_t row = image_tiles<T, rows_of(kWide), kWide>(p, 0, pieces);
  row = image_tiles<T, 4, kWide>(p, row, pieces);
  row = image_tiles<T, 2, kWide>(p, row, pieces);
  image_tiles<T, 1, kWide>(p, row, pieces);
}

template <class T>
HWY_INLINE void of_image(const ImageProduct<T>& p) {
  const auto count = static_cast<std::int64_t>(p.pieces.size());
  const Piece* pieces = p.pieces.data();
  // Panels of equal numbers of vectors: a narrow one at the end would be slow.
  for (std::int64_t done = 0, left = (count + kVectors - 1) / kVectors; left > 0; --left) {
    const std::int64_t wide = (count - done + left - 1) / left;
    if (wide == 1)
      image_panel<T, 1>(p, pieces + done);
    else if (wide == 2)
      image_panel<T, 2>(p, pieces + done);
    else if constexpr (kVectors > 2)
      wide == 3 ? image_panel<T, 3>(p, pieces + done) : image_panel<T, 4>(p, pieces + done);
    done += wide;
  }
}

// ---- weights ------------------------------------------------------------------------------------

template <class T, int kRows, int kWide>
HWY_NOINLINE void weight_tile(const WeightProduct<T>& p, std::int64_t row, std::int64_t column) {
  Vec<T> sums[kRows][kWide];
  LUGE_UNROLL
  for (int i = 0; i < kRows * kWide; ++i) sums[i / kWide][i % kWide] = Vec<T>(0.0);
  const T* a[kRows];
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) a[r] = p.image + p.row_offsets[row + r];
  const T* b = p.y + column;
  for (std::int64_t q = 0; q < p.terms; ++q, b += p.width) {
    const std::int64_t offset = p.offsets[q];
    Vec<T> y[kWide];
    LUGE_UNROLL
    for (int v = 0; v < kWide; ++v) y[v] = load(b + v * kStep<T>);
    LUGE_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const Vec<T> x = spread(a[r][offset]);
      LUGE_UNROLL
      for (int v = 0; v < kWide; ++v) sums[r][v] = fma(x, y[v], sums[r][v]);
    }
  }
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    T* const c = p.c + (row + r) * p.width + column;
    LUGE_UNROLL
    for (int v = 0; v < kWide; ++v) {
      T* const to = c + v * kStep<T>;
      store(to, p.accumulates ? load(to) + sums[r][v] : sums[r][v]);
    }
  }
}

template <class T, int kRows, int kWide>
HWY_INLINE std::int64_t weight_tiles(const WeightProduct<T>& p, std::int64_t row, std::int64_t column) {
  for (; row + kRows <= p.rows; row += kRows) weight_tile<T, kRows, kWide>(p, row, column);
  return row;
}

template <class T, int kWide>
void weight_panel(const WeightProduct<T>& p, std::int64_t column) {
  std::int64_t row = weight_tiles<T, rows_of(kWide), kWide>(p, 0, column);
  row = weight_tiles<T, 4, kWide>(p, row, column);
  row = weight_tiles<T, 2, kWide>(p, row, column);
  weight_tiles<T, 1, kWide>(p, row, column);
}

template <class T>
HWY_INLINE void of_weights(const WeightProduct<T>& p) {
  const std::int64_t count = (p.columns + kStep<T> - 1) / kStep<T>;
  for (std::int64_t done = 0, left = (count + kVectors - 1) / kVectors; left > 0; --left) {
    const std::int64_t wide = (count - done + left - 1) / left, column = done * kStep<T>;
    if (wide == 1)
      weight_panel<T, 1>(p, column);
    else if (wide == 2)
      weight_panel<T, 2>(p, column);
    else if constexpr (kVectors > 2)
      wide == 3 ? weight_panel<T, 3>(p, column) : weight_panel<T, 4>(p, column);
    done += wide;
  }
}

template <class T, int kRows>
HWY_NOINLINE void dots_tile(const WeightDots<T>& p, std::int64_t row, std::int64_t out) {
  Vec<T> sums[kRows];
  const T* x[kRows];
  T* const first = p.sums + (row * p.outs + out) * kStep<T>;
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) {
    sums[r] = load(first + r * p.outs * kStep<T>);
    x[r] = p.image + p.row_offsets[row + r];
  }
  const T* const y = p.y + out * p.y_row;
  for (const Piece& piece : p.pieces) {
    if (piece.count == kStep<T>) {
      const Vec<T> values = load(y + piece.column);
      LUGE_UNROLL
      for (int r = 0; r < kRows; ++r) sums[r] = fma(load(x[r] + piece.source), values, sums[r]);
    } else {
      // What lies behind the piece is no number perhaps, which nothing would make 0 again.
      const auto count = static_cast<std::size_t>(piece.count);
      const Vec<T> values = load_part(y + piece.column, count);
      LUGE_UNROLL
      for (int r = 0; r < kRows; ++r) sums[r] = fma(load_part(x[r] + piece.source, count), values, sums[r]);
    }
  }
  LUGE_UNROLL
  for (int r = 0; r < kRows; ++r) store(first + r * p.outs * kStep<T>, sums[r]);
}

template <class T>
HWY_INLINE void of_dots(const WeightDots<T>& p) {
  for (std::int64_t out = 0; out < p.outs; ++out) {
    std::int64_t row = 0;
    for (; row + 9 <= p.rows; row += 9) dots_tile<T, 9>(p, row, out);
    for (; row + 4 <= p.rows; row += 4) dots_tile<T, 4>(p, row, out);
    for (; row < p.rows; ++row) dots_tile<T, 1>(p, row, out);
  }
}

// ---- rows as columns ----------------------------------------------------------------------------

/// Blocks of 16 bytes by four rows of floats, or two of doubles, change places with what they are turned.
template <class T>
HWY_INLINE void turn(const T* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, T* to, std::int64_t width) {
  std::int64_t j = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr auto kBlock = static_cast<std::int64_t>(16 / sizeof(T));
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  for (; j + kBlock <= columns; j += kBlock) {
    const T* const from = y + j * y_row;
    std::int64_t q = 0;
    for (; q + kBlock <= terms; q += kBlock) {
      const auto first = hn::LoadU(d, from + q), second = hn::LoadU(d, from + y_row + q);
      T* const at = to + q * width + j;
      if constexpr (sizeof(T) == 8) {
        hn::StoreU(hn::InterleaveLower(d, first, second), d, at);
        hn::StoreU(hn::InterleaveUpper(d, first, second), d, at + width);
      } else {
        const auto third = hn::LoadU(d, from + 2 * y_row + q), fourth = hn::LoadU(d, from + 3 * y_row + q);
        const auto low_even = hn::InterleaveLower(d, first, third), low_odd = hn::InterleaveLower(d, second, fourth),
                   high_even = hn::InterleaveUpper(d, first, third), high_odd = hn::InterleaveUpper(d, second, fourth);
        hn::StoreU(hn::InterleaveLower(d, low_even, low_odd), d, at);
        hn::StoreU(hn::InterleaveUpper(d, low_even, low_odd), d, at + width);
        hn::StoreU(hn::InterleaveLower(d, high_even, high_odd), d, at + 2 * width);
        hn::StoreU(hn::InterleaveUpper(d, high_even, high_odd), d, at + 3 * width);
      }
    }
    for (; q < terms; ++q)
      for (std::int64_t i = 0; i < kBlock; ++i) to[q * width + j + i] = from[i * y_row + q];
  }
#endif
  for (; j < columns; ++j)
    for (std::int64_t q = 0; q < terms; ++q) to[q * width + j] = y[j * y_row + q];
}

void image_float(const ImageProduct<float>& p) { of_image(p); }
void image_double(const ImageProduct<double>& p) { of_image(p); }
void weight_float(const WeightProduct<float>& p) { of_weights(p); }
void weight_double(const WeightProduct<double>& p) { of_weights(p); }
void dots_float(const WeightDots<float>& p) { of_dots(p); }
void dots_double(const WeightDots<double>& p) { of_dots(p); }
void turn_float(const float* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, float* to, std::int64_t width) {
  turn(y, y_row, columns, terms, to, width);
}
void turn_double(const double* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, double* to, std::int64_t width) {
  turn(y, y_row, columns, terms, to, width);
}
std::int64_t lanes_float() { return kStep<float>; }
std::int64_t lanes_double() { return kStep<double>; }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(image_float);
HWY_EXPORT(image_double);
HWY_EXPORT(weight_float);
HWY_EXPORT(weight_double);
HWY_EXPORT(dots_float);
HWY_EXPORT(dots_double);
HWY_EXPORT(turn_float);
HWY_EXPORT(turn_double);
HWY_EXPORT(lanes_float);
HWY_EXPORT(lanes_double);

std::int64_t direct_lanes(float) { return HWY_DYNAMIC_DISPATCH(lanes_float)(); }
std::int64_t direct_lanes(double) { return HWY_DYNAMIC_DISPATCH(lanes_double)(); }
void image_product(const ImageProduct<float>& p) { HWY_DYNAMIC_DISPATCH(image_float)(p); }
void image_product(const ImageProduct<double>& p) { HWY_DYNAMIC_DISPATCH(image_double)(p); }
void weight_product(const WeightProduct<float>& p) { HWY_DYNAMIC_DISPATCH(weight_float)(p); }
void weight_product(const WeightProduct<double>& p) { HWY_DYNAMIC_DISPATCH(weight_double)(p); }
void weight_dots(const WeightDots<float>& p) { HWY_DYNAMIC_DISPATCH(dots_float)(p); }
void weight_dots(const WeightDots<double>& p) { HWY_DYNAMIC_DISPATCH(dots_double)(p); }
void turn_rows(const float* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, float* to, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(turn_float)(y, y_row, columns, terms, to, width);
}
void turn_rows(const double* y, std::int64_t y_row, std::int64_t columns, std::int64_t terms, double* to, std::int64_t width) {
  HWY_DYNAMIC_DISPATCH(turn_double)(y, y_row, columns, terms, to, width);
}

}  // namespace luge::cpu
#endif
