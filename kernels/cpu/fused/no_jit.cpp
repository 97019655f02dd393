// What stands in for jit/ on processors that it does not know.

#include "../fit/fit_code.h"
#include "segment.h"

namespace luge::cpu {

std::unique_ptr<Segment> compile_segment(const SegmentContext&, std::span<const Link>) { return nullptr; }
std::unique_ptr<FitCode> compile_fit(const FitSource&) { return nullptr; }

}  // namespace luge::cpu
