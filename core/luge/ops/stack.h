#pragma once
// Joins with PyTorch's and NumPy's conveniences around cat() and stack(). Dtypes are promoted, and ValueError is thrown
// for no tensors.

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Side by side: along dim 1, or dim 0 of 1-d tensors; 0-d ones are taken as 1-d.
Tensor hstack(const std::vector<Tensor>& tensors);
/// On top of each other: along dim 0; 0-d and 1-d tensors are rows.
Tensor vstack(const std::vector<Tensor>& tensors);
/// Behind each other: along dim 2; 1-d and 2-d tensors become (1, n, 1) and (m, n, 1).
Tensor dstack(const std::vector<Tensor>& tensors);
/// Along dim 1; 0-d and 1-d tensors are columns.
Tensor column_stack(const std::vector<Tensor>& tensors);
/// A matrix with these matrices along its diagonal and zeros elsewhere; 0-d and 1-d tensors are rows. No tensors give
/// (1, 0).
Tensor block_diag(const std::vector<Tensor>& tensors);

}  // namespace luge
