// Tile functions of the ops with two inputs of one type.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(elementwise_binary.cpp)
#include <hwy/foreach_target.h>

#include "tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

void add_binary_tiles(TileTable& table) {
#define LUGE_ROW(function, Formula, dtypes, ...) add_tiles<formula::Formula, DTypes::dtypes, 2>(table, Op::Formula);
  LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(add_binary_tiles);
void add_binary_tiles(TileTable& table) { HWY_DYNAMIC_DISPATCH(add_binary_tiles)(table); }
}  // namespace luge::cpu
#endif
