#pragma once
// Internal: windows of the last dimensions of a tensor, for pooling.

#include <array>
#include <cstdint>
#include <vector>

#include <luge/ops/pooling.h>

namespace luge {

/// How windows stand along one dimension.
struct Along {
  std::int64_t in = 0, out = 0;
  std::int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  bool adaptive = false;  ///< windows from floor(i in / out) to ceil((i + 1) in / out); kernel: the longest

  std::int64_t span() const { return dilation * (kernel - 1) + 1; }
  /// Whether windows lie side by side and cover nothing else than x.
  bool tiles() const;
  /// Whether every window lies in x.
  bool inside() const;
};

/// Checked arguments: the windows along each dimension, first to last.
std::vector<Along> along_dims(const char* op, const Tensor& x, int dims, const Window& kernel, const Window& stride,
                              const Window& padding, const Window& dilation, bool ceil_mode);
std::vector<Along> adaptive_dims(const char* op, const Tensor& x, int dims, const Window& size);

/// A tensor with two dimensions, windows and their elements, in place of each one of x that windows are in.
struct Windows {
  Tensor values;
  std::vector<int> counts;    ///< the dimension that counts windows, of each
  std::vector<int> elements;  ///< the dimension that counts a window's elements, of each
};

/// Of x (batch, dims...). Padding is `value`.
Windows windows_of(const Tensor& x, const std::vector<Along>& along, Scalar value);

/// (batch, sizes of the dimensions), whatever comes before them; and the shape of what comes out.
Tensor as_batch(const Tensor& x, const std::vector<Along>& along);
Shape pooled_shape(const Tensor& x, const std::vector<Along>& along);

/// Where windows begin and end in x, (out), int64: before 0 and behind x where they do.
Tensor starts(const Along& along, Device device);
Tensor ends(const Along& along, Device device);

}  // namespace luge
