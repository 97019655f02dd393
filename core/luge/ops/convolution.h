#pragma once
// Convolutions with one, two and three spatial dimensions, and transposed ones.
//
// Shapes are PyTorch's: x (batch, in, ...), or one image (in, ...); the spatial dimensions come last. Each has a form for sets of
// weights: with a leading dimension of sets in weight and bias, x is (batch, in, ...), the same for all sets, or
// (sets, batch, in, ...), and the result (sets, batch, out, ...). All are of one floating dtype. An image's result depends on
// that image and its set's weights alone, bit for bit.

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// One number for each spatial dimension, or one for all of them.
class Spatial {
 public:
  Spatial(std::int64_t all) : numbers_{all} {}                               // NOLINT(google-explicit-constructor)
  Spatial(int all) : numbers_{all} {}                                        // NOLINT(google-explicit-constructor)
  Spatial(std::initializer_list<std::int64_t> each) : numbers_(each) {}
  Spatial(std::vector<std::int64_t> each) : numbers_(std::move(each)) {}     // NOLINT(google-explicit-constructor)

  const std::vector<std::int64_t>& numbers() const { return numbers_; }

 private:
  std::vector<std::int64_t> numbers_;
};

/// Zeros around an image: as many before as behind each spatial dimension, or "valid", none, or "same", as many as give the
/// result x's size, the odd one behind. With "same" the stride must be 1.
class Padding {
 public:
  Padding(std::int64_t all) : zeros_(all) {}                                 // NOLINT(google-explicit-constructor)
  Padding(int all) : zeros_(all) {}                                          // NOLINT(google-explicit-constructor)
  Padding(std::initializer_list<std::int64_t> each) : zeros_(each) {}
  Padding(Spatial zeros) : zeros_(std::move(zeros)) {}                       // NOLINT(google-explicit-constructor)
  Padding(const char* rule) : Padding(std::string_view(rule)) {}             // NOLINT(google-explicit-constructor)
  /// Throws ValueError for another rule.
  Padding(std::string_view rule);                                            // NOLINT(google-explicit-constructor)

  const Spatial& zeros() const { return zeros_; }
  bool is_same() const { return same_; }

 private:
  Spatial zeros_ = 0;
  bool same_ = false;
};

struct ConvolutionOptions {
  Spatial stride = 1;
  Padding padding = 0;
  Spatial dilation = 1;
  std::int64_t groups = 1;
};

/// result[k, o] = bias[k] + sum over c and t of weight[k, c, t] x[c, o * stride - padding + t * dilation]: cross-correlation, as
/// torch.conv2d. weight is (out, in / groups, taps...), bias (out) or undefined. Each group's outputs see its channels of x only.
/// ShapeError for shapes that do not fit and a window larger than the padded x, ValueError for numbers out of range, DTypeError.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvolutionOptions& options = {});
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvolutionOptions& options = {});
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvolutionOptions& options = {});

struct ConvolutionTransposeOptions {
  Spatial stride = 1;
  Spatial padding = 0;
  Spatial output_padding = 0;  ///< that the result is larger by, behind; less than stride or dilation
  std::int64_t groups = 1;
  Spatial dilation = 1;
};

/// The gradient of a convolution with respect to its input, plus bias: each element of x spreads the weights around it, as
/// torch.conv_transpose2d. weight is (in, out / groups, taps...), bias (out) or undefined; a spatial size of the result is
/// (x's - 1) * stride - 2 padding + dilation * (taps - 1) + output_padding + 1. Errors as above.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvolutionTransposeOptions& options = {});
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvolutionTransposeOptions& options = {});
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvolutionTransposeOptions& options = {});

struct ColumnsOptions {
  Spatial dilation = 1;
  Spatial padding = 0;
  Spatial stride = 1;
};

/// The windows of images as columns: (batch, channels, height, width) -> (batch, channels * taps, windows), as
/// torch.nn.functional.unfold. One image (channels, height, width) gives one matrix. Any dtype. ShapeError, ValueError.
Tensor im2col(const Tensor& x, const Spatial& kernel_size, const ColumnsOptions& options = {});
/// The other way: what stands in columns is added up where windows overlap, (batch, channels * taps, windows) ->
/// (batch, channels, height, width) with `output_size` {height, width}, as torch.nn.functional.fold. ShapeError, ValueError.
Tensor col2im(const Tensor& x, const Spatial& output_size, const Spatial& kernel_size, const ColumnsOptions& options = {});

}  // namespace luge
