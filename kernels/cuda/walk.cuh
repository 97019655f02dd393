#pragma once
// Walks (index.cuh) over the operands of a call.

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>

#include <luge/seam/call.h>

#include "index.cuh"

namespace luge::cuda {

static_assert(kWalkDims == kMaxDims);

/// Over `sizes`; strides[o] are operand o's, null for one that does not move.
template <int operands>
Walk<operands> make_walk(std::span<const std::int64_t> sizes, const std::int64_t* const (&strides)[operands]) {
  constexpr std::int64_t kNarrow = std::numeric_limits<int>::max();
  Walk<operands> walk;
  walk.ndim = sizes.empty() ? 1 : static_cast<int>(sizes.size());
  walk.sizes[0] = 1;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    walk.sizes[d] = sizes[d];
    walk.count *= sizes[d];
  }
  walk.narrow = walk.count > 0 && walk.count <= kNarrow;  // nothing to walk: no size to divide by either
  for (int o = 0; o < operands; ++o) {
    std::int64_t reach = 0;
    walk.strides[o][0] = 0;
    for (std::size_t d = 0; d < sizes.size(); ++d) {
      walk.strides[o][d] = strides[o] ? strides[o][d] : 0;
      reach += std::abs(walk.strides[o][d]) * (sizes[d] - 1);
    }
    walk.narrow = walk.narrow && reach <= kNarrow;
  }
  if (walk.narrow)
    for (int d = 0; d < walk.ndim; ++d) walk.divide[d] = Divider(static_cast<unsigned>(walk.sizes[d]));
  return walk;
}

inline std::span<const std::int64_t> dims(const Extent& extent) {
  return {extent.sizes.data(), static_cast<std::size_t>(extent.ndim)};
}

/// The strides of an operand, or null where it is not memory.
inline const std::int64_t* strides_of(const Operand& operand) {
  return operand.is_memory() ? operand.strides.data() : nullptr;
}

}  // namespace luge::cuda
