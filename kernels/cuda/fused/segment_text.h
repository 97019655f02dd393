#pragma once
// The source of a segment's kernel: a block takes a set at a time through all parts of the segment. What is in the text
// is what the parts do, the tiles of their products, which of them are in shared memory, and what is moved 16 bytes at a
// time; sizes, strides and addresses are arguments, so that one compiled kernel serves sets of many sizes and numbers.

#include <string>
#include <vector>

#include "segment_layout.h"
#include "segment_parts.h"
#include "segment_product.h"
#include "segment_source.h"

namespace luge::cuda {

/// Bytes of shared memory that each part needs for itself.
std::vector<int> scratch_of(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles);

/// `tiles`: by part, those of products. `blocks`: that a multiprocessor runs at once. `finished`: Gpu::finished_blocks().
SegmentKernel segment_text(const std::vector<SegmentPart>& parts, const std::vector<ProductTile>& tiles,
                           const SegmentLayout& layout, std::int64_t sets, int blocks, unsigned* finished);

}  // namespace luge::cuda
