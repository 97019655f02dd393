#include <luge/nn/convolution.h>

#include <cmath>

#include <luge/base/detail/check.h>
#include <luge/ops/detail/spatial.h>

namespace luge::nn {

namespace {

/// The shape of weights whose first two sizes are of all and of a group's channels.
Shape weight_shape(const char* kind, std::string_view name, std::int64_t in, std::int64_t out, std::int64_t groups, bool transposed,
                   const Spatial& kernel_size, int dims) {
  LUGE_CHECK(ValueError, in >= 1 && out >= 1 && groups >= 1,
             "{} {}: in_channels is {}, out_channels {} and groups {}; all must be 1 or more", kind, name, in, out, groups);
  LUGE_CHECK(ValueError, in % groups == 0 && out % groups == 0,
             "{} {}: in_channels is {} and out_channels {}; both must be multiples of groups, which is {}", kind, name, in, out, groups);
  const Convolution::Sizes taps = spatial(kind, "kernel_size", kernel_size, dims, 1, 1);
  Shape shape{transposed ? in : out, (transposed ? out : in) / groups};
  for (int d = 3 - dims; d < 3; ++d) shape.push_back(taps[static_cast<std::size_t>(d)]);
  return shape;
}

ConvolutionOptions options_of(const char* kind, const ConvOptions& given, int dims) {
  spatial(kind, "stride", given.stride, dims, 1, 1);
  spatial(kind, "dilation", given.dilation, dims, 1, 1);
  spatial(kind, "padding", given.padding.zeros(), dims, 0, 0);
  return {.stride = given.stride, .padding = given.padding, .dilation = given.dilation, .groups = given.groups};
}

ConvolutionTransposeOptions options_of(const char* kind, const ConvTransposeOptions& given, int dims) {
  spatial(kind, "stride", given.stride, dims, 1, 1);
  spatial(kind, "padding", given.padding, dims, 0, 0);
  spatial(kind, "output_padding", given.output_padding, dims, 0, 0);
  spatial(kind, "dilation", given.dilation, dims, 1, 1);
  return {.stride = given.stride,
          .padding = given.padding,
          .output_padding = given.output_padding,
          .groups = given.groups,
          .dilation = given.dilation};
}

}  // namespace

void Convolving::add(Parameters& params, const Shape& weight, std::int64_t channels, bool bias, const std::optional<Init>& weight_init,
                     const std::optional<Init>& bias_init) {
  std::int64_t fan_in = 1;
  for (int d = 1; d < weight.ndim(); ++d) fan_in *= weight[d];
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  std::vector<ParameterSpec> specs{
      {name_ + ".weight", weight, weight_init.value_or(init::kaiming_uniform(fan_in, std::sqrt(5.0)))}};
  if (bias) specs.push_back({name_ + ".bias", {channels}, bias_init.value_or(init::uniform(-bound, bound))});
  const std::vector<Tensor> added = params.add(specs);
  weight_ = added[0];
  if (bias) bias_ = added[1];
}

Conv1d::Conv1d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels, const Spatial& kernel_size,
               ConvOptions options)
    : Convolving(name), options_(options_of("Conv1d", options, 1)) {
  add(params, weight_shape("Conv1d", name, in_channels, out_channels, options.groups, false, kernel_size, 1), out_channels, options.bias,
      options.weight_init, options.bias_init);
}
Tensor Conv1d::operator()(const Tensor& x) const { return conv1d(x, weight_, bias_, options_); }

Conv2d::Conv2d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels, const Spatial& kernel_size,
               ConvOptions options)
    : Convolving(name), options_(options_of("Conv2d", options, 2)) {
  add(params, weight_shape("Conv2d", name, in_channels, out_channels, options.groups, false, kernel_size, 2), out_channels, options.bias,
      options.weight_init, options.bias_init);
}
Tensor Conv2d::operator()(const Tensor& x) const { return conv2d(x, weight_, bias_, options_); }

Conv3d::Conv3d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels, const Spatial& kernel_size,
               ConvOptions options)
    : Convolving(name), options_(options_of("Conv3d", options, 3)) {
  add(params, weight_shape("Conv3d", name, in_channels, out_channels, options.groups, false, kernel_size, 3), out_channels, options.bias,
      options.weight_init, options.bias_init);
}
Tensor Conv3d::operator()(const Tensor& x) const { return conv3d(x, weight_, bias_, options_); }

ConvTranspose1d::ConvTranspose1d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
                                 const Spatial& kernel_size, ConvTransposeOptions options)
    : Convolving(name), options_(options_of("ConvTranspose1d", options, 1)) {
  add(params, weight_shape("ConvTranspose1d", name, in_channels, out_channels, options.groups, true, kernel_size, 1), out_channels,
      options.bias, options.weight_init, options.bias_init);
}
Tensor ConvTranspose1d::operator()(const Tensor& x) const { return conv_transpose1d(x, weight_, bias_, options_); }

ConvTranspose2d::ConvTranspose2d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
                                 const Spatial& kernel_size, ConvTransposeOptions options)
    : Convolving(name), options_(options_of("ConvTranspose2d", options, 2)) {
  add(params, weight_shape("ConvTranspose2d", name, in_channels, out_channels, options.groups, true, kernel_size, 2), out_channels,
      options.bias, options.weight_init, options.bias_init);
}
Tensor ConvTranspose2d::operator()(const Tensor& x) const { return conv_transpose2d(x, weight_, bias_, options_); }

ConvTranspose3d::ConvTranspose3d(Parameters& params, std::string_view name, std::int64_t in_channels, std::int64_t out_channels,
                                 const Spatial& kernel_size, ConvTransposeOptions options)
    : Convolving(name), options_(options_of("ConvTranspose3d", options, 3)) {
  add(params, weight_shape("ConvTranspose3d", name, in_channels, out_channels, options.groups, true, kernel_size, 3), out_channels,
      options.bias, options.weight_init, options.bias_init);
}
Tensor ConvTranspose3d::operator()(const Tensor& x) const { return conv_transpose3d(x, weight_, bias_, options_); }

}  // namespace luge::nn
