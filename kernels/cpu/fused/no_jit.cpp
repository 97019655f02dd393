// What stands in for jit/ on processors that it does not know.

#include "segment.h"

namespace luge::cpu {

std::unique_ptr<Segment> compile_segment(const SegmentContext&, std::span<const Link>) { return nullptr; }

}  // namespace luge::cpu
