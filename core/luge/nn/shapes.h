#pragma once
// Layers that change the shape alone, for Sequential.

#include <luge/tensor/tensor.h>

namespace luge::nn {

/// x itself.
struct Identity {
  Tensor operator()(const Tensor& x) const { return x; }
};

/// The dimensions from `start` to `end` as one; by default all but the first. A model of sets takes Flatten{2}.
struct Flatten {
  int start = 1, end = -1;
  Tensor operator()(const Tensor& x) const { return x.flatten(start, end); }
};

}  // namespace luge::nn
