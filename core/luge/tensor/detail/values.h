#pragma once
// Internal: moving values about, below autograd. Shapes, dtypes and devices have been checked.

#include <luge/seam/backend.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// destination (=, +=) source, broadcast and converted; both on one device.
void copy_values(const Tensor& source, const Tensor& destination, Store store);

/// Every element of `destination` becomes `value`. Throws ValueError, in which `op` was called, where its dtype
/// cannot hold the value.
void fill_values(const Tensor& destination, Scalar value, const char* op = "fill_");

/// out (=, +=) x reduced over the dimensions that are 1 in out's shape and not in x's. Both have the same
/// number of dimensions; x is not empty.
void reduce_values(ReduceOp op, const Tensor& x, const Tensor& out, Store store);

}  // namespace luge
