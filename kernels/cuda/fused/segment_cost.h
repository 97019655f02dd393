#pragma once
// Whether one kernel for a whole segment is faster than one for each of its items.

#include <cstdint>
#include <vector>

#include "segment_layout.h"
#include "segment_parts.h"
#include "segment_product.h"
#include "segment_source.h"

namespace luge::cuda {

/// About how many cycles a step of all sets takes: of the segment's kernel with so many blocks on a multiprocessor, and of
/// a kernel for each item.
double segment_cycles(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles,
                      const SegmentLayout& layout, std::int64_t sets, int blocks, const SegmentMachine& machine);
double separate_cycles(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles, std::int64_t sets,
                       std::size_t items, const SegmentMachine& machine);

}  // namespace luge::cuda
