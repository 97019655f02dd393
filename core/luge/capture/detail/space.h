#pragma once
// Internal: iteration spaces of calls, brought together. Core merges the dimensions of every call for itself;
// two calls walk the same elements in the same order if their sizes have a common refinement.

#include <optional>

#include <luge/seam/call.h>

namespace luge {

/// The coarsest extent that both can be cut into: (6) and (2, 3) give (2, 3); (4, 3) and (6, 2) give none.
std::optional<Extent> common_refinement(const Extent& a, const Extent& b);

/// The same window over a refinement of its extent.
Operand refined(const Operand& operand, const Extent& extent, const Extent& refinement);

/// Whether two windows over one extent are the same memory element by element.
bool same_window(const Operand& a, const Operand& b, const Extent& extent);

/// Whether a walk touches each element at most once, along the last dimension one after the other or always
/// the same: what fused loops are fast at.
bool walks_evenly(const Operand& operand, const Extent& extent);

}  // namespace luge
