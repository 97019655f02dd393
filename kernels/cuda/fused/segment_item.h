#pragma once

#include <memory>

#include <luge/seam/detail/plan.h>

#include "../context.h"
#include "../item.h"

namespace luge::cuda {

/// A segment as one kernel. Null where it has parts that no kernel does, where a kernel for each of its items is faster
/// (segment_cost.h), and where NVRTC does not compile it.
std::unique_ptr<const Item> make_segment_item(Gpu& gpu, const SetSegment& segment);

}  // namespace luge::cuda
