#pragma once

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Joins along an existing dimension; all other sizes equal. Dtypes are promoted.
Tensor cat(const std::vector<Tensor>& tensors, int dim = 0);
/// Joins along a new dimension; all shapes equal.
Tensor stack(const std::vector<Tensor>& tensors, int dim = 0);

}  // namespace luge
