#pragma once
// The two kernels of a convolution: windows of images become columns (im2col), and columns are added up where their
// windows overlap (col2im).
//   columns  (sets, groups, rows, images, positions), where rows are (channels, taps)
// Neighbouring threads have neighbouring positions or neighbouring elements of x, so that a warp reads and writes what
// lies side by side. What has to be divided for that is divided once for kAtOnce elements.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <luge/seam/call.h>

#include "blocks.cuh"
#include "index.cuh"
#include "walk.cuh"

namespace luge::cuda {

/// Elements of columns that a thread loads before it uses the first.
inline constexpr int kAtOnce = 8;

/// A size that positions are divided by: in 32 bits where everything fits, or in 64.
struct ShortSize {
  using Position = unsigned;
  using Index = int;
  using Unsigned = unsigned;
  unsigned size = 1;
  Divider divide;

  ShortSize() = default;
  explicit ShortSize(std::int64_t of) : size(static_cast<unsigned>(of)), divide(size) {}
  __device__ unsigned quotient(unsigned position) const { return divide.quotient(position); }
};
struct LongSize {
  using Position = std::int64_t;
  using Index = std::int64_t;
  using Unsigned = std::uint64_t;
  std::int64_t size = 1;

  LongSize() = default;
  explicit LongSize(std::int64_t of) : size(of) {}
  __device__ std::int64_t quotient(std::int64_t position) const { return quick_quotient(position, size); }
};

/// The last of the coordinates of `position`, which goes on with the ones before.
template <class Size>
__device__ inline typename Size::Index take_last(typename Size::Position& position, const Size& size) {
  const typename Size::Position rest = size.quotient(position), last = position - rest * size.size;
  position = rest;
  return static_cast<typename Size::Index>(last);
}

/// Whether a coordinate is in a dimension: no negative one is.
template <class Size>
__device__ inline bool is_below(typename Size::Index i, const Size& size) {
  using Unsigned = typename Size::Unsigned;
  return static_cast<Unsigned>(i) < static_cast<Unsigned>(size.size);
}

/// So many blocks at once have 48 KB of float32 on their way.
template <class T, class Size>
[[maybe_unused]] constexpr int kColumnBlocksAtOnce = sizeof(T) == 8 || !std::is_same_v<Size, ShortSize> ? 3 : 6;

/// Some sets and images of a call as a kernel gets them. Nothing of it is empty.
template <class Size>
struct Part {
  using Index = typename Size::Index;

  Size images, groups, channels, taps, positions, space, in[3], out[3], kernel[3], stride[3];
  Size line;    ///< elements of a row of the columns: images and positions
  Size blocks;  ///< of kAtOnce rows
  Index dilation[3], padding[3], rows;
  std::int64_t x_set, x_image, bias_set;

  explicit Part(const Convolution& call)
      : images(call.batch),
        groups(call.groups),
        channels(call.in_channels),
        taps(Convolution::product(call.kernel)),
        positions(Convolution::product(call.out)),
        space(Convolution::product(call.in)),
        line(call.batch * Convolution::product(call.out)),
        blocks(row_blocks(call)),
        rows(static_cast<Index>(call.in_channels * Convolution::product(call.kernel))),
        x_set(call.x.strides[0]),
        x_image(call.x.strides[1]),
        bias_set(call.bias.is_memory() ? call.bias.strides[0] : 0) {
    for (std::size_t d = 0; d < 3; ++d) {
      in[d] = Size(call.in[d]);
      out[d] = Size(call.out[d]);
      kernel[d] = Size(call.kernel[d]);
      stride[d] = Size(call.stride[d]);
      dilation[d] = static_cast<Index>(call.dilation[d]);
      padding[d] = static_cast<Index>(call.padding[d]);
    }
  }

  static std::int64_t row_blocks(const Convolution& call) {
    return divide_up(call.in_channels * Convolution::product(call.kernel), kAtOnce);
  }
  __device__ Index size_of(const Size& size) const { return static_cast<Index>(size.size); }
};

/// Whether positions, coordinates and offsets within an image's channels fit into 32 bits.
inline bool is_narrow(const Convolution& call) {
  constexpr std::int64_t kNarrow = std::numeric_limits<int>::max();
  const std::int64_t rows = Part<LongSize>::row_blocks(call) * kAtOnce;
  std::int64_t most = std::max(call.sets * call.groups * rows * call.batch * Convolution::product(call.out),
                               call.sets * call.batch * call.x_image());
  for (std::size_t d = 0; d < 3; ++d) {
    const std::int64_t reach = call.dilation[d] * call.kernel[d] + call.in[d] + 2 * call.padding[d];
    most = std::max({most, reach, call.stride[d] * call.out[d]});
  }
  return !any_layout() && most <= kNarrow;
}

/// The taps of a kernel one after the other, which begins anew behind the last one.
template <class Size>
struct Tap {
  using Index = typename Size::Index;

  Index at[3];

  __device__ Tap(const Part<Size>& part, typename Size::Position tap) {
    at[2] = take_last(tap, part.kernel[2]);
    at[1] = take_last(tap, part.kernel[1]);
    at[0] = static_cast<Index>(tap);
  }
  /// To the next tap, if the last dimension has one.
  __device__ bool goes_on(const Part<Size>& part) { return ++at[2] < part.size_of(part.kernel[2]); }
  /// Otherwise to where the dimension before goes on. Returns whether all have begun anew.
  __device__ bool begins_row(const Part<Size>& part) {
    at[2] = 0;
    if (++at[1] < part.size_of(part.kernel[1])) return false;
    at[1] = 0;
    if (++at[0] < part.size_of(part.kernel[0])) return false;
    at[0] = 0;
    return true;
  }
};

/// A thread per position of an image and kAtOnce rows of the columns.
template <class T, class Size>
__global__ void __launch_bounds__(kThreads, kColumnBlocksAtOnce<T, Size>)
    unfold_kernel(const Part<Size> part, const T* x, T* columns, const typename Size::Position units) {
  using Position = typename Size::Position;
  using Index = typename Size::Index;
  using Unsigned = typename Size::Unsigned;
  const auto threads = static_cast<Position>(grid_threads());
  for (auto unit = static_cast<Position>(grid_thread()); unit < units; unit += threads) {
    Position rest = unit;
    const Index column = take_last(rest, part.line);
    Index row = take_last(rest, part.blocks) * kAtOnce;  // and now `rest` is (sets, groups)
    const std::int64_t lines = static_cast<std::int64_t>(rest) * part.rows + row;
    const Index group = take_last(rest, part.groups);
    auto place = static_cast<Position>(column), tap_place = static_cast<Position>(row);
    Index begin[3];  // of the window, in x
    begin[2] = take_last(place, part.out[2]) * part.size_of(part.stride[2]) - part.padding[2];
    begin[1] = take_last(place, part.out[1]) * part.size_of(part.stride[1]) - part.padding[1];
    begin[0] = take_last(place, part.out[0]) * part.size_of(part.stride[0]) - part.padding[0];
    const auto image = static_cast<Index>(place);
    Tap<Size> tap(part, static_cast<Position>(take_last(tap_place, part.taps)));
    auto channel = static_cast<Index>(tap_place);
    const T* plane = x + static_cast<std::int64_t>(rest) * part.x_set + image * part.x_image +
                     static_cast<std::int64_t>(group * part.size_of(part.channels) + channel) * part.size_of(part.space);
    const T* line = plane;  // of x, which the window crosses
    Unsigned width = 0;     // of the line; 0 where it is not in x
    Index last = 0;         // in the line
    const auto enter = [&] {
      const Index i0 = begin[0] + tap.at[0] * part.dilation[0], i1 = begin[1] + tap.at[1] * part.dilation[1];
      const bool inside = is_below(i0, part.in[0]) && is_below(i1, part.in[1]) && is_below(channel, part.channels);
      width = inside ? static_cast<Unsigned>(part.in[2].size) : 0;
      line = plane + (inside ? (i0 * part.size_of(part.in[1]) + i1) * part.size_of(part.in[2]) : 0);
      last = begin[2] + tap.at[2] * part.dilation[2];
    };
    enter();
    T values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      values[k] = T(0);
      if (static_cast<Unsigned>(last) < width) values[k] = line[last];
      if (tap.goes_on(part)) {
        last += part.dilation[2];
        continue;
      }
      if (tap.begins_row(part)) {
        plane += part.size_of(part.space);
        ++channel;
      }
      enter();
    }
    T* to = columns + lines * part.size_of(part.line) + column;
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k, to += part.size_of(part.line))
      if (row + k < part.rows) *to = values[k];
  }
}

/// A thread per element of x. The terms of a sum are in the order of the taps; what a window does not have adds 0, which
/// leaves every sum as it is, since none of them is -0.
template <class T, class Size>
__global__ void __launch_bounds__(kThreads, kColumnBlocksAtOnce<T, Size>)
    fold_kernel(const Part<Size> part, const T* columns, const T* bias, T* x, const typename Size::Position count,
                bool accumulates) {
  using Position = typename Size::Position;
  using Index = typename Size::Index;
  using Unsigned = typename Size::Unsigned;
  const auto threads = static_cast<Position>(grid_threads());
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += threads) {
    Position rest = at;
    const Index element = take_last(rest, part.space);
    const Index channel = take_last(rest, part.channels), group = take_last(rest, part.groups);
    const Index image = take_last(rest, part.images);
    const auto set = static_cast<std::int64_t>(rest);
    const Index taps = part.size_of(part.taps);
    const std::int64_t channels = part.size_of(part.channels);
    T* const to = x + set * part.x_set + image * part.x_image + (group * channels + channel) * part.size_of(part.space) + element;
    const T* from = columns + ((set * part.size_of(part.groups) + group) * channels + channel) * taps * part.size_of(part.line) +
                    static_cast<std::int64_t>(image) * part.size_of(part.positions);
    auto place = static_cast<Position>(element);
    Index end[3];  // where the window begins whose first tap this is
    end[2] = take_last(place, part.in[2]) + part.padding[2];
    end[1] = take_last(place, part.in[1]) + part.padding[1];
    end[0] = static_cast<Index>(place) + part.padding[0];
    // The window that begins `away` before this element, along d, if one does: of a negative number none does.
    const auto window = [&](Index away, int d) {
      return static_cast<Index>(part.stride[d].quotient(static_cast<Position>(away)));
    };
    const auto begins = [&](Index o, Index away, int d) { return o * part.size_of(part.stride[d]) == away; };
    Tap<Size> tap(part, 0);
    const T* line = from;  // of windows
    Unsigned windows = 0;  // in the line
    Index away = 0;
    bool is_left = true;   // a tap
    const auto enter = [&] {
      const Index away0 = end[0] - tap.at[0] * part.dilation[0], away1 = end[1] - tap.at[1] * part.dilation[1];
      const Index o0 = window(away0, 0), o1 = window(away1, 1);
      const bool seen = is_left && begins(o0, away0, 0) && begins(o1, away1, 1) && is_below(o0, part.out[0]) &&
                        is_below(o1, part.out[1]);
      windows = seen ? static_cast<Unsigned>(part.out[2].size) : 0;
      line = from + (seen ? (o0 * part.size_of(part.out[1]) + o1) * part.size_of(part.out[2]) : 0);
      away = end[2];
    };
    enter();
    T sum = T(0);
#pragma unroll 1
    for (Index t = 0; t < taps; t += kAtOnce) {
      T terms[kAtOnce];
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        terms[k] = T(0);
        const Index o = window(away, 2);
        if (begins(o, away, 2) && static_cast<Unsigned>(o) < windows) terms[k] = line[o];
        from += part.size_of(part.line);
        line += part.size_of(part.line);
        away -= part.dilation[2];
        if (tap.goes_on(part)) continue;
        is_left = !tap.begins_row(part) && is_left;
        enter();
      }
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) sum += terms[k];
    }
    if (bias) sum += bias[set * part.bias_set + group * channels + channel];
    *to = accumulates ? *to + sum : sum;
  }
}

}  // namespace luge::cuda
