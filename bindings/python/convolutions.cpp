// Convolutions, and windows of images as columns.

#include <algorithm>

#include <fmt/format.h>

#include <luge/ops/convolution.h>

#include "both.h"
#include "convolutions.h"

namespace luge::python {

namespace {

Spatial spatial_of(const char* op, const char* argument, nb::handle given) { return whole_numbers(op, argument, given); }

Padding padding_of(const char* op, nb::handle given) {
  if (!nb::isinstance<nb::str>(given)) return spatial_of(op, "padding", given);
  const std::string rule = text_of(op, "padding", given);
  if (rule != "same" && rule != "valid")
    throw ValueError(fmt::format("{}: padding is '{}'; it must be 'same', 'valid', an int or a tuple of ints", op, rule));
  return Padding(std::string_view(rule));
}

/// The lock is released for the work of all of the result.
std::int64_t work_of(const Tensor& x, const Tensor& weight) {
  return x.device().is_cuda() ? kQuick : std::max(x.numel(), weight.numel());
}

using Convolve = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvolutionOptions&);
using Transpose = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const ConvolutionTransposeOptions&);

void def_convolution(nb::module_& m, const char* name, Convolve call, const char* sizes, const char* text) {
  m.def(
      name,
      [name, call](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias, nb::handle stride, nb::handle padding,
                   nb::handle dilation, std::int64_t groups) {
        const ConvolutionOptions options{.stride = spatial_of(name, "stride", stride), .padding = padding_of(name, padding),
                                         .dilation = spatial_of(name, "dilation", dilation), .groups = groups};
        const Unlocked unlocked(work_of(x, weight));
        return call(x, weight, bias.value_or(Tensor()), options);
      },
      "input"_a, "weight"_a, "bias"_a = nb::none(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1,
      nb::sig(fmt::format("def {}(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1, padding: str | "
                          "int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, groups: int = 1) -> Tensor",
                          name)
                  .c_str()),
      fmt::format("A convolution (cross-correlation) of images (batch, in, {0}) or one image (in, {0}) with weight (out, in / groups, taps...) "
                  "plus bias (out). `padding` zeros are before and behind each spatial dimension; 'same' keeps the size, 'valid' is none. With sets, "
                  "weight (sets, out, in / groups, taps...), input is (batch, ...), the same for all, or (sets, batch, ...). Raises ShapeError, ValueError, "
                  "DTypeError.\n\n{1}",
                  sizes, text)
          .c_str());
}

void def_transpose(nb::module_& m, const char* name, Transpose call, const char* sizes, const char* text) {
  m.def(
      name,
      [name, call](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias, nb::handle stride, nb::handle padding,
                   nb::handle output_padding, std::int64_t groups, nb::handle dilation) {
        const ConvolutionTransposeOptions options{.stride = spatial_of(name, "stride", stride),
                                                  .padding = spatial_of(name, "padding", padding),
                                                  .output_padding = spatial_of(name, "output_padding", output_padding),
                                                  .groups = groups,
                                                  .dilation = spatial_of(name, "dilation", dilation)};
        const Unlocked unlocked(work_of(x, weight));
        return call(x, weight, bias.value_or(Tensor()), options);
      },
      "input"_a, "weight"_a, "bias"_a = nb::none(), "stride"_a = 1, "padding"_a = 0, "output_padding"_a = 0, "groups"_a = 1,
      "dilation"_a = 1,
      nb::sig(fmt::format("def {}(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Sequence[int] = 1, padding: int | "
                          "Sequence[int] = 0, output_padding: int | Sequence[int] = 0, groups: int = 1, dilation: int | Sequence[int] = 1) -> Tensor",
                          name)
                  .c_str()),
      fmt::format("A transposed convolution of images (batch, in, {0}) or one image (in, {0}) with weight (in, out / groups, taps...) plus bias (out): the "
                  "gradient of a convolution with respect to its input. Spatial sizes become (size - 1) * stride - 2 padding + dilation * (taps - 1) + "
                  "output_padding + 1. Sets as in a convolution. Raises ShapeError, ValueError, DTypeError.\n\n{1}",
                  sizes, text)
          .c_str());
}

}  // namespace

void bind_convolutions(nb::module_& m) {
  def_convolution(m, "conv1d", conv1d, "length", ">>> luge.conv1d(luge.ones(1, 1, 4), luge.ones(1, 1, 2))\ntensor([[[2., 2., 2.]]])");
  def_convolution(m, "conv2d", conv2d, "height, width",
                  ">>> luge.conv2d(luge.zeros(5, 3, 8, 8), luge.zeros(4, 3, 3, 3), padding=1).shape\n(5, 4, 8, 8)");
  def_convolution(m, "conv3d", conv3d, "depth, height, width",
                  ">>> luge.conv3d(luge.zeros(5, 3, 4, 8, 8), luge.zeros(4, 3, 3, 3, 3), stride=2, padding=1).shape\n(5, 4, 2, 4, 4)");
  def_transpose(m, "conv_transpose1d", conv_transpose1d, "length",
                ">>> luge.conv_transpose1d(luge.ones(1, 1, 2), luge.ones(1, 1, 2))\ntensor([[[1., 2., 1.]]])");
  def_transpose(m, "conv_transpose2d", conv_transpose2d, "height, width",
                ">>> luge.conv_transpose2d(luge.zeros(5, 4, 4, 4), luge.zeros(4, 3, 2, 2), stride=2).shape\n(5, 3, 8, 8)");
  def_transpose(m, "conv_transpose3d", conv_transpose3d, "depth, height, width",
                ">>> luge.conv_transpose3d(luge.zeros(5, 4, 2, 4, 4), luge.zeros(4, 3, 2, 2, 2), stride=2).shape\n(5, 3, 4, 8, 8)");

  nb::module_ own = nb::borrow<nb::module_>(m.attr("_functional"));
  own.def(
      "unfold",
      [](const Tensor& x, nb::handle kernel_size, nb::handle dilation, nb::handle padding, nb::handle stride) {
        const Spatial kernel = spatial_of("unfold", "kernel_size", kernel_size);
        const ColumnsOptions options{.dilation = spatial_of("unfold", "dilation", dilation),
                                     .padding = spatial_of("unfold", "padding", padding),
                                     .stride = spatial_of("unfold", "stride", stride)};
        const Unlocked unlocked(x);
        return im2col(x, kernel, options);
      },
      "input"_a, "kernel_size"_a, "dilation"_a = 1, "padding"_a = 0, "stride"_a = 1,
      nb::sig("def unfold(input: Tensor, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, stride: "
              "int | Sequence[int] = 1) -> Tensor"),
      "The windows of images as columns: (batch, channels, height, width) -> (batch, channels * taps, windows); one image "
      "(channels, height, width) gives one matrix. Raises ShapeError, ValueError.\n\n"
      ">>> luge.nn.functional.unfold(luge.arange(4.0).view(1, 1, 2, 2), (1, 2))\ntensor([[[0., 2.],\n         [1., 3.]]])");
  own.def(
      "fold",
      [](const Tensor& x, nb::handle output_size, nb::handle kernel_size, nb::handle dilation, nb::handle padding, nb::handle stride) {
        const Spatial size = spatial_of("fold", "output_size", output_size), kernel = spatial_of("fold", "kernel_size", kernel_size);
        const ColumnsOptions options{.dilation = spatial_of("fold", "dilation", dilation),
                                     .padding = spatial_of("fold", "padding", padding),
                                     .stride = spatial_of("fold", "stride", stride)};
        const Unlocked unlocked(x);
        return col2im(x, size, kernel, options);
      },
      "input"_a, "output_size"_a, "kernel_size"_a, "dilation"_a = 1, "padding"_a = 0, "stride"_a = 1,
      nb::sig("def fold(input: Tensor, output_size: int | Sequence[int], kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1, padding: "
              "int | Sequence[int] = 0, stride: int | Sequence[int] = 1) -> Tensor"),
      "Columns as unfold makes them, added up where their windows overlap: (batch, channels * taps, windows) -> (batch, channels, height, width) with "
      "output_size (height, width). Raises ShapeError, ValueError.\n\n"
      ">>> luge.nn.functional.fold(luge.ones(1, 2, 2), (1, 3), (1, 2))\ntensor([[[[1., 2., 1.]]]])");
}

}  // namespace luge::python
