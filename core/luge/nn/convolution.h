#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <luge/ops/convolution.h>
#include <luge/train/parameters.h>

namespace luge::nn {

struct ConvOptions {
  Spatial stride = 1;
  Padding padding = 0;
  Spatial dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  /// Absent: PyTorch's default, uniform within 1 / sqrt(in_channels / groups * taps), for weight and bias.
  std::optional<Init> weight_init = {};
  std::optional<Init> bias_init = {};
};

/// What convolutions have in common: parameters "name.weight" and "name.bias" in an arena. With sets x is (batch, in, ...), the
/// same for all sets, or (sets, batch, in, ...), and the result (sets, batch, out, ...).
class Convolving {
 public:
  const Tensor& weight() const { return weight_; }
  /// Undefined without a bias.
  const Tensor& bias() const { return bias_; }

 protected:
  explicit Convolving(std::string_view name) : name_(name) {}
  /// Adds the parameters, the bias of `channels`. Throws ValueError, after which nothing has been added.
  void add(Parameters& params, const Shape& weight, std::int64_t channels, bool bias, const std::optional<Init>& weight_init,
           const std::optional<Init>& bias_init);

  std::string name_;
  Tensor weight_, bias_;
};

/// Convolutions of signals (batch, in, length) and of images (batch, in, height, width), as conv1d and conv2d.
class Conv1d : public Convolving {
 public:
  /// Throws ValueError for sizes below 1, channels that are no multiple of groups, and names in use; then nothing has been added.
  Conv1d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels, const Spatial& kernel_size,
         ConvOptions options = {});
  /// Throws ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionOptions options_;
};

class Conv2d : public Convolving {
 public:
  /// As Conv1d's.
  Conv2d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels, const Spatial& kernel_size,
         ConvOptions options = {});
  /// Throws ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionOptions options_;
};

/// Convolutions of volumes (batch, in, depth, height, width), as conv3d.
class Conv3d : public Convolving {
 public:
  /// As Conv1d's.
  Conv3d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels, const Spatial& kernel_size,
         ConvOptions options = {});
  /// Throws ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionOptions options_;
};

struct ConvTransposeOptions {
  Spatial stride = 1;
  Spatial padding = 0;
  Spatial output_padding = 0;
  std::int64_t groups = 1;
  Spatial dilation = 1;
  bool bias = true;
  /// Absent: PyTorch's default, uniform within 1 / sqrt(out_channels / groups * taps), for weight and bias.
  std::optional<Init> weight_init = {};
  std::optional<Init> bias_init = {};
};

/// Transposed convolutions of signals, images (batch, in, height, width) and volumes, as conv_transpose1d, conv_transpose2d and
/// conv_transpose3d.
class ConvTranspose1d : public Convolving {
 public:
  /// As Conv1d's.
  ConvTranspose1d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
                  const Spatial& kernel_size, ConvTransposeOptions options = {});
  /// Throws ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionTransposeOptions options_;
};

class ConvTranspose2d : public Convolving {
 public:
  /// As Conv1d's.
  ConvTranspose2d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
                  const Spatial& kernel_size, ConvTransposeOptions options = {});
  /// Throws ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionTransposeOptions options_;
};

class ConvTranspose3d : public Convolving {
 public:
  /// As Conv1d's.
  ConvTranspose3d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
                  const Spatial& kernel_size, ConvTransposeOptions options = {});
  /// Throws ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  ConvolutionTransposeOptions options_;
};

/// im2col(x, kernel_size, options): the windows of images as columns.
struct Unfold {
  Spatial kernel_size;
  ColumnsOptions options = {};
  Tensor operator()(const Tensor& x) const { return im2col(x, kernel_size, options); }
};

/// col2im(x, output_size, kernel_size, options): what stands in columns, added up where windows overlap.
struct Fold {
  Spatial output_size, kernel_size;
  ColumnsOptions options = {};
  Tensor operator()(const Tensor& x) const { return col2im(x, output_size, kernel_size, options); }
};

}  // namespace luge::nn
