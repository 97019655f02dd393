#pragma once
// Tile functions: one elementwise formula over short contiguous arrays. The driver in elementwise.cpp
// brings operands of any layout into this form; whoever fuses chains of calls uses the same functions,
// so fusing cannot change a bit.

#include <cstddef>

#include <luge/seam/op.h>
#include <luge/base/dtype.h>

namespace luge::cpu {

/// in and out as in struct Elementwise (for its direction), each contiguous or null where absent; an
/// output may be the very same array as an input. The result of element i depends on element i alone,
/// never on n or on its position.
using TileFn = void (*)(const void* const* in, void* const* out, const double* parameters, std::size_t n);

/// Whether tile functions compute exp and its like by functions.h, rather than by the C library.
bool vectors_have_formulas();

/// The tile of an op for value inputs of `dtype`; null where the op does not take it. For Where `dtype`
/// is that of the two values.
TileFn forward_tile(Op op, DType dtype);
/// The tile of its derivative, float32 and float64; null for an op without one.
TileFn backward_tile(Op op, DType dtype);

/// Alignment of outputs that are written past the caches: a vector of any instruction set.
inline constexpr std::size_t kPastCaches = 64;

/// [op][dtype]; filled by the three files that hold the tile functions.
struct TileTable {
  TileFn forward[kOpCount][kDTypeCount] = {};
  TileFn backward[kOpCount][kDTypeCount] = {};
  /// Those of floating ops with one input, whose operands are fetched ahead from memory, and whose output is aligned to
  /// kPastCaches bytes and written past the caches.
  TileFn past_caches[kOpCount][kDTypeCount] = {};
  TileFn past_caches_backward[kOpCount][kDTypeCount] = {};
};
void add_unary_tiles(TileTable& table);
void add_binary_tiles(TileTable& table);
void add_choice_tiles(TileTable& table);  ///< three inputs, and where

}  // namespace luge::cpu
