#pragma once
// Our own kernel for matrix products, which computes thousands of small ones at once, and what both ways need.

#include <cstddef>
#include <cstdint>

#include <luge/seam/call.h>

#include "context.h"

namespace luge::cuda {

struct MatrixStrides {
  std::int64_t row = 0, column = 0;
};
inline MatrixStrides matrix_strides(const MatMul& call, const Operand& operand) {
  const auto at = static_cast<std::size_t>(call.batch.ndim);
  return {operand.strides[at], operand.strides[at + 1]};
}

/// Whether our own kernel is used: where two of the three sizes are up to 128 and the third up to 512.
bool is_small(const MatMul& call);

inline constexpr std::int64_t kMostTiled = std::int64_t{1} << 30;  ///< the kernel counts in 32 bits

/// Every element of c is one chain of fused multiply-adds in the order of k: its bits depend on its row, its column
/// and k alone. Any strides, and sizes below kMostTiled.
void tiled_matmul(const Context& context, const MatMul& call);

}  // namespace luge::cuda
