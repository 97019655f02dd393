#pragma once
// Walks (index.cuh) over the operands of a call.

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>

#include <luge/seam/call.h>

#include "index.cuh"

namespace luge::cuda {

/// Tests run every kernel for any layout, also where a faster one would do: LUGE_ANY_LAYOUT=1.
inline bool any_layout() {
  static const bool wanted = std::getenv("LUGE_ANY_LAYOUT") != nullptr;
  return wanted;
}

static_assert(kWalkDims == kMaxDims);

/// The sizes of an iteration space and the strides of the operands that are walked over it, in as few dimensions as say
/// the same: none of size 1 (but for the only one), and no two that every operand walks evenly.
template <int operands>
struct Space {
  int ndim = 1;
  std::int64_t sizes[kWalkDims] = {1};
  std::int64_t strides[operands][kWalkDims] = {};

  /// Over `all`; windows[o] are operand o's strides, null for one that does not move.
  Space(std::span<const std::int64_t> all, const std::int64_t* const (&windows)[operands]) {
    int last = -1;
    for (std::size_t d = 0; d < all.size(); ++d) {
      if (all[d] == 1) continue;
      bool merges = last >= 0;
      for (const std::int64_t* window : windows)
        merges = merges && (!window || window[before(all, d)] == window[d] * all[d]);
      last += merges ? 0 : 1;
      sizes[last] = merges ? sizes[last] * all[d] : all[d];
      for (int o = 0; o < operands; ++o) strides[o][last] = windows[o] ? windows[o][d] : 0;
    }
    ndim = last < 0 ? 1 : last + 1;
  }

  std::int64_t count() const {
    std::int64_t product = 1;
    for (int d = 0; d < ndim; ++d) product *= sizes[d];
    return product;
  }
  /// Whether positions and offsets fit into 32 bits.
  bool is_narrow() const {
    constexpr std::int64_t kNarrow = std::numeric_limits<int>::max();
    if (any_layout() || count() == 0 || count() > kNarrow) return false;  // nothing to walk: no size to divide by either
    for (const auto& window : strides) {
      std::int64_t reach = 0;
      for (int d = 0; d < ndim; ++d) reach += std::abs(window[d]) * (sizes[d] - 1);
      if (reach > kNarrow) return false;
    }
    return true;
  }

 private:
  /// The dimension before d whose size is not 1.
  static std::size_t before(std::span<const std::int64_t> all, std::size_t d) {
    do --d;
    while (all[d] == 1);
    return d;
  }
};

template <int operands>
Walk<operands> make_walk(const Space<operands>& space) {
  Walk<operands> walk;
  walk.ndim = space.ndim;
  walk.count = space.count();
  walk.narrow = space.is_narrow();
  for (int d = 0; d < space.ndim; ++d) {
    walk.sizes[d] = space.sizes[d];
    for (int o = 0; o < operands; ++o) walk.strides[o][d] = space.strides[o][d];
    if (walk.narrow) walk.divide[d] = Divider(static_cast<unsigned>(space.sizes[d]));
  }
  return walk;
}

/// Over `sizes`; strides[o] are operand o's, null for one that does not move.
template <int operands>
Walk<operands> make_walk(std::span<const std::int64_t> sizes, const std::int64_t* const (&strides)[operands]) {
  return make_walk(Space<operands>(sizes, strides));
}

template <int operands>
ShortWalk<operands> make_short_walk(const Space<operands>& space) {
  ShortWalk<operands> walk;
  walk.count = static_cast<unsigned>(space.count());
  for (int d = 0; d < space.ndim; ++d) {
    const int from = space.ndim - 1 - d;
    if (d < walk.kDims - 1) {
      walk.sizes[d] = static_cast<unsigned>(space.sizes[from]);
      walk.divide[d] = Divider(walk.sizes[d]);
    }
    for (int o = 0; o < operands; ++o) walk.strides[o][d] = static_cast<int>(space.strides[o][from]);
  }
  return walk;
}

/// use(walk) with the walk that suits the space; in 32 bits only where it is narrow.
template <int operands>
void with_walk(const Space<operands>& space, bool narrow, const auto& use) {
  if (narrow && space.ndim <= ShortWalk<operands>::kDims)
    use(make_short_walk(space));
  else
    use(make_walk(space));
}

inline std::span<const std::int64_t> dims(const Extent& extent) {
  return {extent.sizes.data(), static_cast<std::size_t>(extent.ndim)};
}

/// The strides of an operand, or null where it is not memory.
inline const std::int64_t* strides_of(const Operand& operand) {
  return operand.is_memory() ? operand.strides.data() : nullptr;
}

}  // namespace luge::cuda
