#pragma once
// Internal: calls cut so that their first dimension is that of parameter sets.

#include <cstdint>
#include <span>

#include <luge/seam/call.h>

namespace luge {

/// Cuts an extent so that its first dimension is that of the sets, with the windows on it; false where they do not lie
/// evenly from set to set.
bool divide(Extent& extent, std::int64_t sets, std::span<Operand* const> windows);

/// The same for a call, so that part_of takes it; false also for kinds that it does not take.
bool divide(Call& call, std::int64_t sets);

}  // namespace luge
