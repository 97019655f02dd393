// Columns are copied by whole vectors: what one writes too much, the next piece or row writes over.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(convolution/columns.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#ifndef LUGE_CPU_COLUMNS_
#define LUGE_CPU_COLUMNS_
#include <algorithm>
#include <cstdint>

#include "columns.h"

/// Loops over registers, whose number is a constant.
#define LUGE_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

/// A piece of a row; all of kPiece, whatever its count.
template <class T, int kStep>
HWY_INLINE void copy_piece(const T* from, T* to, std::int64_t count, std::int64_t step) {
  constexpr auto kVector = static_cast<std::int64_t>(kLanes<T>);
  static_assert(kPiece % kVector == 0);
  if constexpr (kStep == 1) {
    LUGE_UNROLL
    for (std::int64_t i = 0; i < kPiece; i += kVector) store(to + i, load(from + i));
#if HWY_TARGET != HWY_SCALAR
  } else if constexpr (kStep == 2) {
    const typename Vec<T>::D d;
    LUGE_UNROLL
    for (std::int64_t i = 0; i < kPiece; i += kVector) {
      typename Vec<T>::Raw even, odd;
      hn::LoadInterleaved2(d, from + 2 * i, even, odd);
      hn::StoreU(even, d, to + i);
    }
#endif
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * step];
  }
}

template <class T, int kStep>
HWY_NOINLINE void fill_rows(const Windows& windows, std::int64_t channels, const T* padded, const std::vector<Piece>& pieces,
                            T* columns, std::int64_t row) {
  const std::int64_t step = windows.step[2], plane = windows.plane();
  const Piece* const begin = pieces.data();
  const Piece* const end = begin + pieces.size();
  for (std::int64_t c = 0; c < channels; ++c, padded += plane)
    for (const std::int64_t tap : windows.taps) {
      const T* const from = padded + tap;
      for (const Piece* piece = begin; piece != end; ++piece)
        copy_piece<T, kStep>(from + piece->source, columns + piece->column, piece->count, step);
      columns += row;
    }
}

template <class T>
HWY_INLINE void fill(const Windows& windows, std::int64_t channels, const T* padded, const std::vector<Piece>& pieces,
                     T* columns, std::int64_t row) {
  if (windows.step[2] == 1)
    fill_rows<T, 1>(windows, channels, padded, pieces, columns, row);
  else if (windows.step[2] == 2)
    fill_rows<T, 2>(windows, channels, padded, pieces, columns, row);
  else
    fill_rows<T, 0>(windows, channels, padded, pieces, columns, row);
}

void fill_float(const Windows& windows, std::int64_t channels, const float* padded, const std::vector<Piece>& pieces,
                float* columns, std::int64_t row) {
  fill(windows, channels, padded, pieces, columns, row);
}
void fill_double(const Windows& windows, std::int64_t channels, const double* padded, const std::vector<Piece>& pieces,
                 double* columns, std::int64_t row) {
  fill(windows, channels, padded, pieces, columns, row);
}

// ---- padding ------------------------------------------------------------------------------------

template <class T>
HWY_INLINE void pad(const Windows& windows, std::int64_t channels, const T* image, T* padded) {
  constexpr auto kVector = static_cast<std::int64_t>(kLanes<T>);
  const Sizes &size = windows.image, &wide = windows.padded, &before = windows.before;
  const auto kept = [&](std::size_t d) { return std::clamp<std::int64_t>(wide[d] - before[d], 0, size[d]); };
  const std::int64_t planes = kept(0), rows = kept(1), columns = kept(2), whole = columns / kVector * kVector;
  const auto rest = static_cast<std::size_t>(columns - whole);
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t z = 0; z < planes; ++z)
      for (std::int64_t y = 0; y < rows; ++y) {
        const T* const from = image + ((c * size[0] + z) * size[1] + y) * size[2];
        T* const to = padded + ((c * wide[0] + before[0] + z) * wide[1] + before[1] + y) * wide[2] + before[2];
        for (std::int64_t x = 0; x < whole; x += kVector) store(to + x, load(from + x));
        if (rest > 0) store_part(to + whole, load_part(from + whole, rest), rest);
      }
}

void pad_float(const Windows& windows, std::int64_t channels, const float* image, float* padded) {
  pad(windows, channels, image, padded);
}
void pad_double(const Windows& windows, std::int64_t channels, const double* image, double* padded) {
  pad(windows, channels, image, padded);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {

HWY_EXPORT(fill_float);
HWY_EXPORT(fill_double);
HWY_EXPORT(pad_float);
HWY_EXPORT(pad_double);

Windows::Windows(const Sizes& image_sizes, const Sizes& counts, const Sizes& steps,
                 const std::array<std::vector<std::int64_t>, 3>& offsets)
    : image(image_sizes), count(counts), step(steps) {
  for (std::size_t d = 0; d < 3; ++d) {
    const auto [least, most] = std::minmax_element(offsets[d].begin(), offsets[d].end());
    before[d] = std::max<std::int64_t>(0, -*least);
    padded[d] = std::max<std::int64_t>(1, before[d] + *most + (count[d] - 1) * step[d] + 1);
  }
  for (const std::int64_t z : offsets[0])
    for (const std::int64_t y : offsets[1])
      for (const std::int64_t x : offsets[2])
        taps.push_back(((before[0] + z) * padded[1] + before[1] + y) * padded[2] + before[2] + x);
}

void find_pieces(const Windows& windows, std::int64_t first, std::int64_t count, std::int64_t most, std::vector<Piece>& pieces) {
  pieces.clear();
  const Sizes &counts = windows.count, &wide = windows.padded, &step = windows.step;
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t position = first + done, x = position % counts[2], y = position / counts[2] % counts[1],
                       z = position / counts[2] / counts[1];
    const std::int64_t source = (z * step[0] * wide[1] + y * step[1]) * wide[2] + x * step[2];
    std::int64_t some = std::min(count - done, counts[2] - x);
    if (!pieces.empty()) {
      // Rows without zeros in between go on where the last one ends.
      Piece& last = pieces.back();
      const std::int64_t joined = last.source + last.count * step[2] == source ? std::min(some, most - last.count) : 0;
      if (joined > 0) {
        last.count += joined;
        done += joined;
        continue;
      }
    }
    some = std::min(some, most);
    pieces.push_back({source, done, some});
    done += some;
  }
}

void pad_image(const Windows& windows, std::int64_t channels, const float* image, float* padded) {
  HWY_DYNAMIC_DISPATCH(pad_float)(windows, channels, image, padded);
}
void pad_image(const Windows& windows, std::int64_t channels, const double* image, double* padded) {
  HWY_DYNAMIC_DISPATCH(pad_double)(windows, channels, image, padded);
}

void fill_columns(const Windows& windows, std::int64_t channels, const float* padded, const std::vector<Piece>& pieces,
                  float* columns, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(fill_float)(windows, channels, padded, pieces, columns, row);
}
void fill_columns(const Windows& windows, std::int64_t channels, const double* padded, const std::vector<Piece>& pieces,
                  double* columns, std::int64_t row) {
  HWY_DYNAMIC_DISPATCH(fill_double)(windows, channels, padded, pieces, columns, row);
}

}  // namespace luge::cpu
#endif
