#pragma once
// Internal: from the calls of a step to fewer passes over memory.

#include <functional>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge {

/// What fusing needs to know of memory.
struct Memory {
  /// Whether somebody may look at this address after the step.
  std::function<bool(const void*)> outlives;
};

/// Joins calls over one iteration space into chains where that changes nothing of what outlives the step,
/// moves calls before others that they do not depend on for that, and drops what nobody reads. The result,
/// run in order, computes the same bits.
std::vector<Plan::Item> fuse(const std::vector<Call>& calls, const Memory& memory);

}  // namespace luge
