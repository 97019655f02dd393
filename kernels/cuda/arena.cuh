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

/// Parameters begin at multiples of so many bytes, and the arena ends at one. None has less room.
inline constexpr std::int64_t kParameterAlignment = 64;

/// Whether the layout leaves parameters out, which nobody may touch. Without gaps all that lies between parameters is
/// padding, which nobody reads, so a step need not ask to which parameter an element belongs.
inline bool has_gaps(const ArenaLayout& layout, DType dtype) {
  const std::int64_t room = kParameterAlignment / static_cast<std::int64_t>(size_of(dtype));
  std::int64_t end = 0;
  for (int p = 0; p < layout.parameters; ++p) {
    if (layout.offset[p] - end >= room) return true;
    end = layout.offset[p] + layout.sets * layout.per_set[p];
  }
  return layout.size - end >= room;
}

/// The first parameter that begins behind an element.
__device__ inline int first_parameter_behind(const Arena& arena, std::int64_t element) {
  int low = 0, high = arena.parameters;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (arena.offset[middle] <= element)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/// The set of one element and, step by step, of those behind it.
class ArenaCursor {
 public:
  __device__ ArenaCursor(const Arena& arena, std::int64_t element) : arena_(arena), element_(element) {
    enter(first_parameter_behind(arena, element) - 1);
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

/// The sets of packs of neighbours, of which each lies in one parameter, and the next one `stride` elements behind it.
/// A division where another parameter begins; then additions.
class SetCursor {
 public:
  __device__ SetCursor(const Arena& arena, std::int64_t element, std::int64_t stride)
      : arena_(arena), element_(element), stride_(stride) {
    enter();
  }

  /// How many of the pack's n elements belong to a parameter: the first ones.
  __device__ int inside(int n) const {
    const std::int64_t left = end_ - element_;
    return left >= n ? n : left > 0 ? static_cast<int>(left) : 0;
  }
  /// That of the pack's first element, and how many of its own follow from there on.
  __device__ std::int64_t set() const { return set_; }
  __device__ std::int64_t left_in_set() const { return left_; }
  __device__ std::int64_t per_set() const { return per_set_; }

  __device__ void advance() {
    element_ += stride_;
    if (element_ >= next_) return enter();
    set_ += sets_in_stride_;
    left_ -= rest_of_stride_;
    if (left_ > 0) return;
    ++set_;
    left_ += per_set_;
  }

 private:
  __device__ void enter() {
    if (element_ >= arena_.size) return;
    const int behind = first_parameter_behind(arena_, element_);
    next_ = behind < arena_.parameters ? arena_.offset[behind] : arena_.size;
    end_ = 0;
    if (behind == 0 || arena_.per_set[behind - 1] == 0) return;
    const std::int64_t begin = arena_.offset[behind - 1];
    per_set_ = arena_.per_set[behind - 1];
    end_ = begin + arena_.sets * per_set_;
    set_ = quick_quotient(element_ - begin, per_set_);
    left_ = (set_ + 1) * per_set_ - (element_ - begin);
    sets_in_stride_ = quick_quotient(stride_, per_set_);
    rest_of_stride_ = stride_ - sets_in_stride_ * per_set_;
  }

  const Arena& arena_;
  std::int64_t element_, stride_;
  std::int64_t next_ = 0, end_ = 0, per_set_ = 1, set_ = 0, left_ = 1, sets_in_stride_ = 0, rest_of_stride_ = 0;
};

}  // namespace luge::cuda
