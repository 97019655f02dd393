#pragma once
// Internal: convolutions and their gradients as one recorded op with three roles.

#include <luge/seam/call.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// The sizes that the three tensors of a convolution have in common. With sets all have a leading dimension of them, or images
/// that are an input have none and are the same for all.
///   x  (batch, groups * in_channels, in...)
///   w  (groups * out_channels, in_channels, kernel...)
///   y  (batch, groups * out_channels, out...)
struct ConvolutionSizes {
  const char* op = "conv2d";       ///< whose derivative it is, for messages
  int dims = 2;
  bool has_sets = false;
  std::int64_t sets = 1, batch = 1, groups = 1, in_channels = 1, out_channels = 1;
  Convolution::Sizes in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, padding{0, 0, 0};
};

/// Output: y of x and w; Input: x of y and w; Weight: w of x and y; recorded. The bias, of the result's channels and led by sets
/// as w is, may be undefined.
Tensor convolve(Convolution::Role role, const ConvolutionSizes& sizes, const Tensor& first, const Tensor& second,
                const Tensor& bias = {});

}  // namespace luge
