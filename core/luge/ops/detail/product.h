#pragma once
// Internal: products that are written where they belong.

#include <luge/seam/operand.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// out (=, +=) a b for tensors of at least two dimensions, whose shapes fit and whose leading dimensions broadcast to those
/// of `out`. The rows of out are contiguous.
void multiply(const Tensor& a, const Tensor& b, const Tensor& out, Store store);

}  // namespace luge
