#pragma once
// Angles and distances between vectors, as layers of two inputs.

#include <luge/ops/similarity.h>

namespace luge::nn {

/// cosine_similarity(a, b, dim, eps).
struct CosineSimilarity {
  int dim = 1;
  double eps = 1e-8;
  Tensor operator()(const Tensor& a, const Tensor& b) const { return cosine_similarity(a, b, dim, eps); }
};

/// pairwise_distance(a, b, p, eps, keepdim).
struct PairwiseDistance {
  double p = 2, eps = 1e-6;
  bool keepdim = false;
  Tensor operator()(const Tensor& a, const Tensor& b) const { return pairwise_distance(a, b, p, eps, keepdim); }
};

}  // namespace luge::nn
