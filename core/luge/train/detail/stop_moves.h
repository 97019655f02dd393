#pragma once
// Internal: whose sets can move.

#include <luge/train/optimizer.h>

namespace luge::stop {

/// Throws ValueError for an optimizer that cannot be made anew for some of its sets.
void expect_movable(const Optimizer& optimizer);

}  // namespace luge::stop
