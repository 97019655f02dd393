#pragma once

#include <hwy/highway.h>

#include "kernels/cpu/tile.h"

namespace luge::test {

/// Calls test(name) with every instruction set of this machine that is compiled for chosen.
template <class Test>
void for_every_target(const Test& test) {
  const std::int64_t supported = hwy::SupportedTargets() & ~std::int64_t{HWY_DISABLED_TARGETS};
  for (std::int64_t targets = supported & (HWY_AVX3 | HWY_AVX2 | HWY_NEON | HWY_SCALAR); targets != 0;
       targets &= targets - 1) {
    const std::int64_t target = targets & -targets;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    test(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

/// Runs a test with the unary and binary tiles of every instruction set of this machine, by name.
inline void on_every_target(void (*test)(const cpu::TileTable&, const char*)) {
  for_every_target([test](const char* target) {
    cpu::TileTable table;
    cpu::add_unary_tiles(table);
    cpu::add_binary_tiles(table);
    test(table, target);
  });
}

}  // namespace luge::test
