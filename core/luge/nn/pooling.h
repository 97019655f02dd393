#pragma once
// Pooling layers, for Sequential. Every dimension of x before the channels is batch, one of sets among them.

#include <luge/ops/pooling.h>

namespace luge::nn {

/// MaxPool2d{{2}}(x) is max_pool2d(x, {2}); so is MaxPool2d{{3}, {.stride = {2}, .padding = {1}}}.
struct MaxPool2d {
  Window kernel;
  MaxPoolOptions options = {};
  Tensor operator()(const Tensor& x) const { return max_pool2d(x, kernel, options); }
};

/// avg_pool2d(x, kernel, options).
struct AvgPool2d {
  Window kernel;
  AvgPoolOptions options = {};
  Tensor operator()(const Tensor& x) const { return avg_pool2d(x, kernel, options); }
};

/// adaptive_avg_pool2d(x, size).
struct AdaptiveAvgPool2d {
  Window size;
  Tensor operator()(const Tensor& x) const { return adaptive_avg_pool2d(x, size); }
};

}  // namespace luge::nn
