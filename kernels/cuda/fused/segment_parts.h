#pragma once
// A segment (luge/seam/detail/plan.h) as its kernel does it: everything but products is a chain or sums of columns.

#include <cstdint>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge::cuda {

/// A part of a segment. A Reduce is one whose elements lie further apart than its sums do. The first dimension of every
/// extent is that of the sets.
using SegmentPart = std::variant<MatMul, Chain, Reduce>;

/// The parts of a segment in order; none where one of them is of a kind that the kernel does not do.
std::optional<std::vector<SegmentPart>> parts_of(const SetSegment& segment);

/// What a part does with some memory.
struct SegmentTouch {
  const Operand* window;
  Extent extent;        ///< that the window has strides for
  bool reads, writes;
  bool is_element;      ///< a load or store of a chain: a thread takes each element by itself
};

/// Calls visit for every window of a part.
void for_each_touch(const SegmentPart& part, const std::function<void(const SegmentTouch&)>& visit);

/// Elements of a set in a window's extent, and whether they lie one after the other in row-major order.
std::int64_t per_set(const Extent& extent);
bool is_dense(const Extent& extent, const Operand& window);

}  // namespace luge::cuda
