#pragma once
// Pooling: one value for each window of the last 1, 2 or 3 dimensions. Everything before them is batch: x is
// (..., channels, sizes of the window's dimensions), with as many dimensions before as there are, those of sets among them.
//
// Window arguments (kernel, stride, padding, dilation, output size) have one number for all dimensions or one for each. No
// stride: the kernel's size. Padding is at most half of the kernel, whose elements are
// `dilation` apart. With ceil_mode
// a window may begin inside x or its padding and end behind it. Throws ShapeError, ValueError, DTypeError.

#include <cstdint>
#include <optional>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// One number for all dimensions, or one for each.
using Window = std::vector<std::int64_t>;

struct MaxPoolOptions {
  Window stride = {};  ///< empty: the kernel
  Window padding = {0};
  Window dilation = {1};
  bool ceil_mode = false;
};

struct AvgPoolOptions {
  Window stride = {};  ///< empty: the kernel
  Window padding = {0};
  bool ceil_mode = false;
  bool count_include_pad = true;  ///< whether padding counts as zeros or not at all
  std::optional<std::int64_t> divisor_override = {};  ///< what sums are divided by; 2 and 3 dimensions
};

/// The largest value of each window; the gradient goes to the first of equals. NaN is the largest, of several the last.
/// Numbers of any dtype.
Tensor max_pool1d(const Tensor& x, const Window& kernel, const MaxPoolOptions& options = {});
Tensor max_pool2d(const Tensor& x, const Window& kernel, const MaxPoolOptions& options = {});
Tensor max_pool3d(const Tensor& x, const Window& kernel, const MaxPoolOptions& options = {});

/// What the largest values are, and their row-major places (int64) in the dimensions that windows have.
struct Pooled {
  Tensor values;
  Tensor indices;
};
Pooled max_pool1d_with_indices(const Tensor& x, const Window& kernel, const MaxPoolOptions& options = {});
Pooled max_pool2d_with_indices(const Tensor& x, const Window& kernel, const MaxPoolOptions& options = {});
Pooled max_pool3d_with_indices(const Tensor& x, const Window& kernel, const MaxPoolOptions& options = {});

/// The mean of each window; floating dtypes.
Tensor avg_pool1d(const Tensor& x, const Window& kernel, const AvgPoolOptions& options = {});
Tensor avg_pool2d(const Tensor& x, const Window& kernel, const AvgPoolOptions& options = {});
Tensor avg_pool3d(const Tensor& x, const Window& kernel, const AvgPoolOptions& options = {});

/// The mean or the largest value of windows that divide each dimension into as many parts as `size` says, from
/// floor(i in / out) to ceil((i + 1) in / out); -1 keeps a dimension.
Tensor adaptive_avg_pool1d(const Tensor& x, const Window& size);
Tensor adaptive_avg_pool2d(const Tensor& x, const Window& size);
Tensor adaptive_avg_pool3d(const Tensor& x, const Window& size);
Pooled adaptive_max_pool1d(const Tensor& x, const Window& size);
Pooled adaptive_max_pool2d(const Tensor& x, const Window& size);
Pooled adaptive_max_pool3d(const Tensor& x, const Window& size);

/// (sum of x^p)^(1/p) of each window, PyTorch's formula: the sign of the sum stays, and what is below 0 is 0.
Tensor lp_pool1d(const Tensor& x, double p, const Window& kernel, const Window& stride = {}, bool ceil_mode = false);
Tensor lp_pool2d(const Tensor& x, double p, const Window& kernel, const Window& stride = {}, bool ceil_mode = false);
Tensor lp_pool3d(const Tensor& x, double p, const Window& kernel, const Window& stride = {}, bool ceil_mode = false);

/// Zeros of the last sizes `size`, with x's values at the places that max_pool's indices name; of several in one place the
/// last one stays, and all get its gradient. IndexError for a place outside.
Tensor max_unpool(const Tensor& x, const Tensor& indices, const std::vector<std::int64_t>& size);

}  // namespace luge
