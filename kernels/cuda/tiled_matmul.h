#pragma once
// Our own kernel for matrix products, which computes thousands of small ones at once.

#include <luge/seam/call.h>

#include "context.h"

namespace luge::cuda {

/// Whether it is used: where two of the three sizes are up to 128 and the third up to 512.
bool is_small(const MatMul& call);

/// Every element of c is one chain of fused multiply-adds in the order of k: its bits depend on its row, its column
/// and k alone. Any sizes and strides.
void tiled_matmul(const Context& context, const MatMul& call);

}  // namespace luge::cuda
