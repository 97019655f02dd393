#pragma once
// Norms of vectors along a dimension, and distances and angles between vectors.

#include <luge/tensor/tensor.h>

namespace luge {

/// x / max(|x|_p, eps), with the p-norm along dim. Throws DTypeError for anything but floating dtypes.
Tensor normalize(const Tensor& x, double p = 2, int dim = 1, double eps = 1e-12);
/// The cosine of the angle between vectors along dim, which are broadcast: a b / (max(|a|, eps) max(|b|, eps)). The
/// gradient of what is below eps is as if it were not. Throws DTypeError for anything but floating dtypes.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int dim = 1, double eps = 1e-8);
/// |a - b + eps|_p along the last dimension; broadcast.
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6, bool keepdim = false);

}  // namespace luge
