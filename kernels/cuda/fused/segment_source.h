#pragma once
// One kernel for a whole segment (luge/seam/detail/plan.h): a block takes a set at a time through all parts of it.

#include <cstdint>
#include <optional>
#include <string>

#include <luge/seam/detail/plan.h>

#include "source.h"

namespace luge::cuda {

/// What a segment's kernel finds on the GPU.
struct SegmentMachine {
  int multiprocessors = 1;
  std::int64_t shared_of_block = 0, shared_of_multiprocessor = 0, reserved_by_block = 0;

  /// Bytes of dynamic shared memory that each of so many blocks of a multiprocessor may have.
  std::int64_t budget(int blocks) const;
};

struct SegmentKernel {
  static constexpr const char* kName = "luge_segment";

  std::string source;
  KernelArguments arguments;
  int blocks = 1;  ///< of a multiprocessor at once
  int shared = 0;  ///< bytes of dynamic shared memory
};

/// None where the segment has parts that no kernel does, and where a kernel for each of its items is faster
/// (segment_cost.h). `finished`: Gpu::finished_blocks().
std::optional<SegmentKernel> generate(const SetSegment& segment, const SegmentMachine& machine, unsigned* finished);

}  // namespace luge::cuda
