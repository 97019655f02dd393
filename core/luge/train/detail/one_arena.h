#pragma once
// Internal: what changes the sets of an optimizer, and not those of all of its arenas.

#include <luge/train/optimizer.h>

namespace luge {

/// Throws ValueError unless all parameter groups are of the arena of group 0.
void expect_one_arena(const char* op, const Optimizer& optimizer);

}  // namespace luge
