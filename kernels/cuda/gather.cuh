#pragma once
// What picking along one dimension (gather.cu) and putting back (scatter.cu) share.

#include <array>
#include <cstdint>

#include <luge/base/detail/dispatch.h>

#include "context.h"
#include "device.h"
#include "packs.cuh"
#include "walk.cuh"

namespace luge::cuda {

/// What is walked: source (not along the picked dimension), out and labels, and for sums the number of the column, which
/// is the place among all that share a label.
enum Window : int { kSource, kOut, kLabels, kColumn };

/// Strides along the picked dimension, apart from the walk over everything.
struct Steps {
  std::int64_t source = 0, source_size = 0;
  std::int64_t out = 0;  ///< where a chain says the position
};

__device__ inline bool exists(std::int64_t label, std::int64_t size) { return label >= 0 && label < size; }

__device__ inline void report(IndexFault* fault, std::int64_t label, std::int64_t size) {
  if (atomicCAS(&fault->reported, 0, 1) != 0) return;
  fault->index = label;
  fault->size = size;
}

/// How many neighbours of a row can move at once, up to 16 bytes; 1 where rows are not picked as a whole.
template <int operands>
int neighbours(const Space<operands>& windows, const Steps& steps, const Gather& call) {
  const int last = windows.ndim - 1;
  if (windows.strides[kSource][last] != 1 || windows.strides[kOut][last] != 1 || windows.strides[kLabels][last] != 0)
    return 1;
  const auto bytes = static_cast<std::int64_t>(size_of(call.source.dtype));
  for (std::int64_t n = 16 / bytes; n > 1; n /= 2) {
    const auto aligned = [&](const void* data) {
      return reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(n * bytes) == 0;
    };
    bool fits = aligned(call.source.data) && aligned(call.out.data) && windows.sizes[last] % n == 0 &&
                steps.source % n == 0 && steps.out % n == 0;
    for (int d = 0; d < last; ++d)
      fits = fits && windows.strides[kSource][d] % n == 0 && windows.strides[kOut][d] % n == 0;
    if (fits) return static_cast<int>(n);
  }
  return 1;
}

/// The same windows with n neighbours for an element.
template <int operands>
void widen(Space<operands>& windows, Steps& steps, int n) {
  const int last = windows.ndim - 1;
  if (n == 1) return;
  windows.sizes[last] /= n;
  for (int d = 0; d < last; ++d)
    for (int window = 0; window < operands; ++window)
      if (window != kLabels) windows.strides[window][d] /= n;
  steps.source /= n;
  steps.out /= n;
}

/// use.template operator()<Word>() with words of 1 to 16 bytes.
void with_wide_word(std::size_t bytes, const auto& use) {
  if (bytes == 16) return use.template operator()<Pack<std::uint64_t, 2>>();
  with_word(bytes, use);
}

using Strides = std::array<std::int64_t, kMaxDims>;

/// Puts back: source is not walked along the picked dimension, whose stride there is 0.
void put_back(const Context& context, const Gather& call, const Strides& source, const Steps& steps);

}  // namespace luge::cuda
