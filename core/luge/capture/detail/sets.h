#pragma once
// Internal: plans and parts of plans whose parameter sets never meet.

#include <optional>
#include <vector>

#include <luge/capture/detail/range.h>
#include <luge/seam/detail/plan.h>

namespace luge {

/// The plan of many steps of these items: as their addresses are, which are to be final. None where sets meet, where
/// there is no update, where a call is none that a chain can be made of, and where there is one item, or very many.
std::optional<SetPlan> by_sets(const std::vector<Plan::Item>& items);

/// The same where one chain alone takes part in every step, whatever its sets do.
std::optional<ChainPlan> by_chain(const std::vector<Plan::Item>& items);

/// Runs of items that act on each set alone, as their addresses are.
std::vector<SetSegment> set_segments(const std::vector<Plan::Item>& items);

/// Those of some temporaries of a segment that lie set after set.
std::vector<SetSegment::Local> locals_of(const SetSegment& segment, const std::vector<Range>& temporaries);

}  // namespace luge
