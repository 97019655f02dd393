#pragma once
// The reductions that give more than one tensor; the others are Tensor's members.

#include <luge/tensor/tensor.h>

namespace luge {

/// What lies at the ends along a dimension, and where.
struct Extremes {
  Tensor values;
  Tensor indices;  ///< int64: the first of equals, or the first NaN
};

/// PyTorch's max(dim) and min(dim). The whole gradient of a value goes to the element at its index, where
/// Tensor::max and Tensor::min share it among equals. Throws IndexError; ShapeError where `dim` has size 0.
Extremes max_along(const Tensor& x, int dim, bool keepdim = false);
Extremes min_along(const Tensor& x, int dim, bool keepdim = false);

}  // namespace luge
