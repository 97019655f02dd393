#pragma once
// What convolutions and the gradients of their weights have in common: where images lie, and which windows are seen.

#include <array>
#include <cstdint>
#include <vector>

#include "columns.h"

namespace luge::cpu {

/// Multiplications from which on work is worth being handed out.
inline constexpr std::int64_t kPartWork = std::int64_t{1} << 22;

template <class T>
struct Image {
  const Convolution& call;
  const Operand& operand;
  std::int64_t channels, space;

  T* at(std::int64_t set, std::int64_t image, std::int64_t group) const {
    return static_cast<T*>(operand.data) + set * operand.strides[0] + image * operand.strides[1] + group * channels * space;
  }
};

template <class T>
Image<T> x_of(const Convolution& call) {
  return {call, call.x, call.in_channels, Convolution::product(call.in)};
}
template <class T>
Image<T> y_of(const Convolution& call) {
  return {call, call.y, call.out_channels, Convolution::product(call.out)};
}
template <class T>
T* weights_of(const Convolution& call, std::int64_t set, std::int64_t group) {
  return static_cast<T*>(call.w.data) + set * call.w.strides[0] + group * (call.w_set() / call.groups);
}

/// Positions of the result, `spacing` apart from `first` on, and how they come of the source.
struct Phase {
  Windows windows;
  Sizes first, spacing;
  std::vector<std::int64_t> taps;  ///< of the kernel, in the order of the windows' ones

  bool is_whole() const { return spacing == Sizes{1, 1, 1}; }
};

inline Phase output_phase(const Convolution& call) {
  std::array<std::vector<std::int64_t>, 3> offsets;
  for (std::size_t d = 0; d < 3; ++d)
    for (std::int64_t t = 0; t < call.kernel[d]; ++t) offsets[d].push_back(t * call.dilation[d] - call.padding[d]);
  Phase phase{Windows(call.in, call.out, call.stride, offsets), {0, 0, 0}, {1, 1, 1}, {}};
  for (std::int64_t t = 0; t < Convolution::product(call.kernel); ++t) phase.taps.push_back(t);
  return phase;
}

/// Where the terms of a window on some channels lie in their padded planes.
inline std::vector<std::int64_t> term_offsets(const Windows& windows, std::int64_t channels) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t c = 0; c < channels; ++c)
    for (const std::int64_t tap : windows.taps) offsets.push_back(c * windows.plane() + tap);
  return offsets;
}

/// w (=, +=) its gradient from x and y.
void run_weight(const Convolution& call, float);
void run_weight(const Convolution& call, double);

}  // namespace luge::cpu
