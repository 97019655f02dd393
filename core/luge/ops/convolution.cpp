#include <luge/ops/convolution.h>

#include <algorithm>
#include <string>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/convolve.h>
#include <luge/ops/detail/spatial.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Padding::Padding(std::string_view rule) : same_(rule == "same") {
  LUGE_CHECK(ValueError, rule == "same" || rule == "valid", "padding: '{}' is no rule; allowed are 'same' and 'valid'", rule);
}

namespace {

using Role = Convolution::Role;

/// The names of an op and of what it calls its images.
struct Called {
  const char* op;
  int dims;
};

void check_tensors(const Called& called, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const char* const op = called.op;
  const DType dtype = checked(x, op).dtype;
  checked(weight, op, "weight");
  LUGE_CHECK(DTypeError, is_floating(dtype) && weight.dtype() == dtype && (!bias.defined() || bias.dtype() == dtype),
             "{}: input is {}, weight {} and bias {}; all must be of one floating dtype", op, name(dtype), name(weight.dtype()),
             bias.defined() ? name(bias.dtype()) : "absent");
  LUGE_CHECK(DeviceError, weight.device() == x.device() && (!bias.defined() || bias.device() == x.device()),
             "{}: input is on {}, weight on {} and bias on {}; bring them together with to()", op, to_string(x.device()),
             to_string(weight.device()), bias.defined() ? to_string(bias.device()) : "none");
  const int dims = called.dims;
  LUGE_CHECK(ShapeError, weight.ndim() == dims + 2 || weight.ndim() == dims + 3,
             "{}: weight has shape {}; it must have {} dimensions, or {} with sets", op, to_string(weight.shape()), dims + 2, dims + 3);
  const bool sets = weight.ndim() == dims + 3;
  if (sets)
    LUGE_CHECK(ShapeError, x.ndim() == dims + 2 || (x.ndim() == dims + 3 && x.size(0) == weight.size(0)),
               "{}: input has shape {} and weight {}; with sets input must be (batch, channels, ...) or ({}, batch, channels, ...)", op,
               to_string(x.shape()), to_string(weight.shape()), weight.size(0));
  else
    LUGE_CHECK(ShapeError, x.ndim() == dims + 2 || x.ndim() == dims + 1,
               "{}: input has shape {}; it must have {} dimensions, or {} without a batch", op, to_string(x.shape()), dims + 2, dims + 1);
  for (int d = 0; d < weight.ndim(); ++d)
    LUGE_CHECK(ShapeError, weight.shape()[d] > 0, "{}: weight has shape {}; no size may be 0", op, to_string(weight.shape()));
  for (int d = x.ndim() - dims; d < x.ndim(); ++d)
    LUGE_CHECK(ShapeError, x.shape()[d] > 0, "{}: input has shape {}; only the batch may be 0", op, to_string(x.shape()));
}

void check_bias(const char* op, const Tensor& bias, bool sets, std::int64_t count, std::int64_t channels) {
  if (!bias.defined()) return;
  Shape wanted;
  if (sets) wanted.push_back(count);
  wanted.push_back(channels);
  LUGE_CHECK(ShapeError, bias.shape() == wanted, "{}: bias has shape {}; it must be {}", op, to_string(bias.shape()), to_string(wanted));
}

/// What x and the weights tell of the sizes.
ConvolutionSizes sizes_of(const Called& called, const Tensor& x, const Tensor& weight, std::int64_t groups) {
  const char* const op = called.op;
  LUGE_CHECK(ValueError, groups >= 1, "{}: groups is {}; it must be 1 or more", op, groups);
  ConvolutionSizes sizes;
  sizes.op = op;
  sizes.dims = called.dims;
  sizes.has_sets = weight.ndim() == called.dims + 3;
  sizes.sets = sizes.has_sets ? weight.size(0) : 1;
  sizes.batch = x.shape()[x.ndim() - called.dims - 2];
  sizes.groups = groups;
  const std::int64_t first = weight.shape()[sizes.has_sets ? 1 : 0];
  LUGE_CHECK(ShapeError, first % groups == 0, "{}: weight has shape {}, whose {} {} channels are no multiple of groups, which is {}", op,
             to_string(weight.shape()), first, "first", groups);
  sizes.out_channels = first / groups;
  sizes.in_channels = weight.shape()[sizes.has_sets ? 2 : 1];
  for (int d = 0; d < called.dims; ++d)
    sizes.kernel[static_cast<std::size_t>(3 - called.dims + d)] = weight.shape()[weight.ndim() - called.dims + d];
  return sizes;
}

Tensor convolution(const Called& called, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionOptions& options) {
  const char* const op = called.op;
  const int dims = called.dims;
  check_tensors(called, x, weight, bias);
  if (x.ndim() == dims + 1) return convolution(called, x.unsqueeze(0), weight, bias, options).squeeze(0);
  ConvolutionSizes sizes = sizes_of(called, x, weight, options.groups);
  const std::int64_t channels = x.shape()[x.ndim() - dims - 1];
  LUGE_CHECK(ShapeError, channels == sizes.groups * sizes.in_channels,
             "{}: input has shape {} and weight {}; with groups {} input must have {} channels and not {}", op, to_string(x.shape()),
             to_string(weight.shape()), sizes.groups, sizes.groups * sizes.in_channels, channels);
  check_bias(op, bias, sizes.has_sets, sizes.sets, sizes.groups * sizes.out_channels);
  sizes.stride = spatial(op, "stride", options.stride, dims, 1, 1);
  sizes.dilation = spatial(op, "dilation", options.dilation, dims, 1, 1);
  sizes.padding = spatial(op, "padding", options.padding.zeros(), dims, 0, 0);
  for (std::size_t d = 3 - static_cast<std::size_t>(dims); d < 3; ++d) {
    sizes.in[d] = x.shape()[x.ndim() - 3 + static_cast<int>(d)];
    const std::int64_t reach = sizes.dilation[d] * (sizes.kernel[d] - 1);
    std::int64_t behind = sizes.padding[d];
    if (options.padding.is_same()) {
      LUGE_CHECK(ValueError, sizes.stride[d] == 1, "{}: stride is {} and padding 'same'; the stride must be 1", op, sizes.stride[d]);
      sizes.padding[d] = reach / 2;
      behind = reach - reach / 2;
    }
    const std::int64_t padded = sizes.in[d] + sizes.padding[d] + behind;
    LUGE_CHECK(ShapeError, padded > reach, "{}: a window of {} is larger than the padded input of {}", op, reach + 1, padded);
    sizes.out[d] = (padded - reach - 1) / sizes.stride[d] + 1;
  }
  check_volume(op, sizes);
  return convolve(Role::Output, sizes, x, weight, bias);
}

Tensor transposed(const Called& called, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionTransposeOptions& options) {
  const char* const op = called.op;
  const int dims = called.dims;
  check_tensors(called, x, weight, bias);
  if (x.ndim() == dims + 1) return transposed(called, x.unsqueeze(0), weight, bias, options).squeeze(0);
  ConvolutionSizes sizes = sizes_of(called, x, weight, options.groups);
  const std::int64_t channels = x.shape()[x.ndim() - dims - 1];
  LUGE_CHECK(ShapeError, channels == sizes.groups * sizes.out_channels,
             "{}: input has shape {} and weight {}; input must have {} channels and not {}", op, to_string(x.shape()),
             to_string(weight.shape()), sizes.groups * sizes.out_channels, channels);
  check_bias(op, bias, sizes.has_sets, sizes.sets, sizes.groups * sizes.in_channels);
  sizes.stride = spatial(op, "stride", options.stride, dims, 1, 1);
  sizes.dilation = spatial(op, "dilation", options.dilation, dims, 1, 1);
  sizes.padding = spatial(op, "padding", options.padding, dims, 0, 0);
  const Convolution::Sizes more = spatial(op, "output_padding", options.output_padding, dims, 0, 0);
  for (std::size_t d = 3 - static_cast<std::size_t>(dims); d < 3; ++d) {
    sizes.out[d] = x.shape()[x.ndim() - 3 + static_cast<int>(d)];
    LUGE_CHECK(ValueError, more[d] < std::max(sizes.stride[d], sizes.dilation[d]),
               "{}: output_padding is {}, stride {} and dilation {}; output_padding must be less than one of them", op, more[d],
               sizes.stride[d], sizes.dilation[d]);
    std::int64_t spread = 0;
    LUGE_CHECK(ShapeError, !__builtin_mul_overflow(sizes.out[d] - 1, sizes.stride[d], &spread) && spread < kMostSpace,
               "{}: the result of a stride of {} is too large", op, sizes.stride[d]);
    sizes.in[d] = spread - 2 * sizes.padding[d] + sizes.dilation[d] * (sizes.kernel[d] - 1) + more[d] + 1;
    LUGE_CHECK(ShapeError, sizes.in[d] >= 1, "{}: the result would have a spatial size of {}; padding {} leaves nothing of it", op,
               sizes.in[d], sizes.padding[d]);
  }
  check_volume(op, sizes);
  return convolve(Role::Input, sizes, x, weight, bias);
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionOptions& options) {
  const Operation called("conv1d");
  return convolution({"conv1d", 1}, autocast_low(x), autocast_low(weight), autocast_low(bias), options);
}
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionOptions& options) {
  const Operation called("conv2d");
  return convolution({"conv2d", 2}, autocast_low(x), autocast_low(weight), autocast_low(bias), options);
}
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionOptions& options) {
  const Operation called("conv3d");
  return convolution({"conv3d", 3}, autocast_low(x), autocast_low(weight), autocast_low(bias), options);
}
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionTransposeOptions& options) {
  const Operation called("conv_transpose1d");
  return transposed({"conv_transpose1d", 1}, autocast_low(x), autocast_low(weight), autocast_low(bias), options);
}
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionTransposeOptions& options) {
  const Operation called("conv_transpose2d");
  return transposed({"conv_transpose2d", 2}, autocast_low(x), autocast_low(weight), autocast_low(bias), options);
}
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvolutionTransposeOptions& options) {
  const Operation called("conv_transpose3d");
  return transposed({"conv_transpose3d", 3}, autocast_low(x), autocast_low(weight), autocast_low(bias), options);
}

}  // namespace luge
