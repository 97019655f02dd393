// Tile functions of the ops with one input.
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(elementwise_unary.cpp)
#include <hwy/foreach_target.h>

#include "tile_loops.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

void add_unary_tiles(TileTable& table) {
#define LUGE_ROW(function, Formula, dtypes, ...) add_tiles<formula::Formula, DTypes::dtypes, 1>(table, Op::Formula);
  LUGE_OPS(LUGE_ROW)
#undef LUGE_ROW
}

bool vectors_have_formulas() { return !kUseLibm; }

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(add_unary_tiles);
void add_unary_tiles(TileTable& table) { HWY_DYNAMIC_DISPATCH(add_unary_tiles)(table); }
HWY_EXPORT(vectors_have_formulas);
bool vectors_have_formulas() { return HWY_DYNAMIC_DISPATCH(vectors_have_formulas)(); }
}  // namespace luge::cpu
#endif
