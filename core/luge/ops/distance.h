#pragma once
// Distances between vectors: the p-norm of their difference, sum(|x - y|^p)^(1/p). p = 0 counts differences, p = inf takes the largest.
// The gradient is 0 where a difference is. ValueError for a negative p.

#include <luge/tensor/tensor.h>

namespace luge {

/// How a 2-norm is computed.
enum class DistanceBy : std::uint8_t {
  ProductWhereLarge, ///< by a matrix product where one side has more than 25 vectors, as PyTorch does; close vectors lose digits
  Product,
  Difference
};

/// Between all of a and all of b: (..., n, d) and (..., m, d) give (..., n, m); what comes before broadcasts. Floating dtypes.
Tensor cdist(const Tensor& a, const Tensor& b, double p = 2, DistanceBy by = DistanceBy::ProductWhereLarge);
/// Between the rows of a matrix, each pair once: 0 and 1, 0 and 2, ..., 1 and 2, ...
Tensor pdist(const Tensor& x, double p = 2);
/// Of two tensors, broadcast, as one number; p may be negative.
Tensor dist(const Tensor& a, const Tensor& b, double p = 2);

}  // namespace luge
