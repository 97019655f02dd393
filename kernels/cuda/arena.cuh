#pragma once
// Walking an arena element by element: to which set does element i belong?

#include <cstdint>

#include <luge/seam/call.h>

#include "walk.cuh"

namespace luge::cuda {

/// The layout as the device sees it.
struct Arena {
  const std::int64_t* offset;
  const std::int64_t* per_set;
  int parameters;
  std::int64_t sets, size;
};

inline Arena arena_of(const ArenaLayout& layout) {
  return {layout.device_table, layout.device_table + layout.parameters, layout.parameters, layout.sets, layout.size};
}

/// The set of one element and, step by step, of those behind it.
class ArenaCursor {
 public:
  __device__ ArenaCursor(const Arena& arena, std::int64_t element) : arena_(arena), element_(element) {
    // The last parameter whose offset is not beyond the element.
    int low = 0, high = arena.parameters;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (arena.offset[middle] <= element)
        low = middle + 1;
      else
        high = middle;
    }
    enter(low - 1);
  }

  /// False in the padding between parameters.
  __device__ bool inside() const { return set_ < arena_.sets; }
  __device__ std::int64_t set() const { return set_; }

  __device__ void advance() {
    if (++element_ == next_) {
      enter(parameter_ + 1);
    } else if (inside() && --left_in_set_ == 0) {
      ++set_;
      left_in_set_ = per_set_;
    }
  }

 private:
  __device__ void enter(int parameter) {
    while (parameter + 1 < arena_.parameters && arena_.offset[parameter + 1] <= element_) ++parameter;  // empty ones
    parameter_ = parameter;
    next_ = parameter + 1 < arena_.parameters ? arena_.offset[parameter + 1] : arena_.size;
    set_ = arena_.sets;
    if (parameter < 0 || parameter == arena_.parameters || arena_.per_set[parameter] == 0) return;
    per_set_ = arena_.per_set[parameter];
    const std::int64_t within = element_ - arena_.offset[parameter];
    set_ = quick_quotient(within, per_set_);
    left_in_set_ = per_set_ - (within - set_ * per_set_);
  }

  const Arena& arena_;
  std::int64_t element_, next_ = 0, set_ = 0, per_set_ = 1, left_in_set_ = 1;
  int parameter_ = -1;
};

}  // namespace luge::cuda
