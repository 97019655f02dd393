#pragma once
// Pooling layers, for Sequential, under PyTorch's names: each is the function of luge/ops/pooling.h that its comment says, with
// its shapes, dtypes and errors. Every dimension of x before the channels is batch, one of sets among them.

#include <luge/ops/pooling.h>

namespace luge::nn {

/// MaxPool2d{{2}}(x) is max_pool2d(x, {2}); so is MaxPool2d{{3}, {.stride = {2}, .padding = {1}}}. MaxPool1d and MaxPool3d
/// alike.
#define LUGE_LAYER(Layer, function)                                                    \
  struct Layer {                                                                       \
    Window kernel;                                                                     \
    MaxPoolOptions options = {};                                                       \
    Tensor operator()(const Tensor& x) const { return function(x, kernel, options); }  \
  };
LUGE_LAYER(MaxPool1d, max_pool1d)
LUGE_LAYER(MaxPool2d, max_pool2d)
LUGE_LAYER(MaxPool3d, max_pool3d)
#undef LUGE_LAYER

/// AvgPool2d{{2}}(x) is avg_pool2d(x, {2}); AvgPool1d and AvgPool3d alike.
#define LUGE_LAYER(Layer, function)                                                    \
  struct Layer {                                                                       \
    Window kernel;                                                                     \
    AvgPoolOptions options = {};                                                       \
    Tensor operator()(const Tensor& x) const { return function(x, kernel, options); }  \
  };
LUGE_LAYER(AvgPool1d, avg_pool1d)
LUGE_LAYER(AvgPool2d, avg_pool2d)
LUGE_LAYER(AvgPool3d, avg_pool3d)
#undef LUGE_LAYER

/// AdaptiveAvgPool2d{{7}}(x) is adaptive_avg_pool2d(x, {7}), AdaptiveMaxPool2d{{7}}(x) the values of adaptive_max_pool2d.
#define LUGE_LAYER(Layer, function, part)                                      \
  struct Layer {                                                               \
    Window size;                                                               \
    Tensor operator()(const Tensor& x) const { return function(x, size) part; } \
  };
LUGE_LAYER(AdaptiveAvgPool1d, adaptive_avg_pool1d, )
LUGE_LAYER(AdaptiveAvgPool2d, adaptive_avg_pool2d, )
LUGE_LAYER(AdaptiveAvgPool3d, adaptive_avg_pool3d, )
LUGE_LAYER(AdaptiveMaxPool1d, adaptive_max_pool1d, .values)
LUGE_LAYER(AdaptiveMaxPool2d, adaptive_max_pool2d, .values)
LUGE_LAYER(AdaptiveMaxPool3d, adaptive_max_pool3d, .values)
#undef LUGE_LAYER

/// LpPool2d{2, {3}}(x) is lp_pool2d(x, 2, {3}); LpPool1d and LpPool3d alike.
#define LUGE_LAYER(Layer, function)                                                                 \
  struct Layer {                                                                                    \
    double p;                                                                                       \
    Window kernel;                                                                                  \
    Window stride = {};                                                                             \
    bool ceil_mode = false;                                                                         \
    Tensor operator()(const Tensor& x) const { return function(x, p, kernel, stride, ceil_mode); }  \
  };
LUGE_LAYER(LpPool1d, lp_pool1d)
LUGE_LAYER(LpPool2d, lp_pool2d)
LUGE_LAYER(LpPool3d, lp_pool3d)
#undef LUGE_LAYER

/// Puts what a MaxPool with the same kernel, stride and padding took back to its places, with zeros around it: max_unpool() to
/// the sizes (n - 1) stride - 2 padding + kernel, or to `size`. `dims` windows have: 1, 2 or 3.
class MaxUnpool {
 public:
  /// Throws ValueError for other `dims`, and for windows that have neither one number nor one for each dimension.
  MaxUnpool(int dims, Window kernel, Window stride = {}, Window padding = {0});
  /// `indices` of max_pool2d_with_indices and the others. Throws ShapeError, IndexError.
  Tensor operator()(const Tensor& x, const Tensor& indices, const Window& size = {}) const;

 private:
  Window kernel_, stride_, padding_;
};

}  // namespace luge::nn
