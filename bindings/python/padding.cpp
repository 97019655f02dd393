// Windows, borders, and channels traded for resolution.

#include <fmt/format.h>

#include <luge/ops/window.h>

#include "both.h"

namespace luge::python {

void bind_padding(nb::module_& m, nb::class_<Tensor>& tensor) {
  tensor.def(
      "unfold", [](const Tensor& x, int dimension, std::int64_t size, std::int64_t step) { return unfold(x, dimension, size, step); },
      "dimension"_a, "size"_a, "step"_a,
      "A view of windows of `size` along a dimension, `step` apart: the dimension counts windows, a new last one their elements. "
      "Raises ValueError for a size beyond the dimension and a step below 1.\n\n"
      ">>> luge.arange(4).unfold(0, 2, 1)\ntensor([[0, 1],\n        [1, 2],\n        [2, 3]])");
  m.def(
      "pad",
      [](const Tensor& x, nb::handle pads, const std::string& mode, nb::handle value) {
        const std::vector<std::int64_t> borders = whole_numbers("pad", "pad", pads);
        const PadMode how = mode == "constant"    ? PadMode::Constant
                            : mode == "reflect"   ? PadMode::Reflect
                            : mode == "replicate" ? PadMode::Replicate
                            : mode == "circular"
                                ? PadMode::Circular
                                : throw ValueError(fmt::format("pad: mode is '{}'; it must be 'constant', 'reflect', 'replicate' or "
                                                               "'circular'",
                                                               mode));
        if (how != PadMode::Constant && !value.is_none() && scalar("pad", "value", value).to_double() != 0)
          throw ValueError(fmt::format("pad: a value is given and mode is '{}'; it must be 'constant'", mode));
        const Scalar filled = value.is_none() ? Scalar(0) : scalar("pad", "value", value);
        const Unlocked unlocked(x);
        return pad(x, borders, how, filled);
      },
      "input"_a, "pad"_a, "mode"_a = "constant", "value"_a = nb::none(),
      nb::sig("def pad(input: Tensor, pad: Sequence[int], mode: str = 'constant', value: float | None = None) -> Tensor"),
      "Borders before and after the last dimension, then the one before it, ...; negative ones cut off. mode 'constant' fills them "
      "with `value` or 0; 'reflect', 'replicate' and 'circular' pad the last 1, 2 or 3 dimensions of a tensor with one or two "
      "before them. Raises ValueError for borders that do not fit, ShapeError.\n\n"
      ">>> luge.nn.functional.pad(luge.tensor([[1, 2, 3]]), (1, 1), mode='reflect')\ntensor([[2, 1, 2, 3, 2]])");
  m.def(
      "one_hot", [](const Tensor& x, std::int64_t num_classes) { return one_hot(x, num_classes, location()); }, "input"_a,
      "num_classes"_a = -1,
      "int64 vectors with a 1 at each label's place, in a new last dimension of `num_classes`; -1: the largest label plus 1, which is "
      "read on the host. Labels are int64. Raises ValueError or IndexError for labels outside.\n\n"
      ">>> luge.nn.functional.one_hot(luge.tensor([1, 0]), 3)\ntensor([[0, 1, 0],\n        [1, 0, 0]])");
  m.def(
      "pixel_shuffle", [](const Tensor& x, std::int64_t factor) { return pixel_shuffle(x, factor); }, "input"_a, "upscale_factor"_a,
      "(..., c r^2, h, w) -> (..., c, h r, w r). Raises ShapeError where the channels are no multiple of r^2.\n\n"
      ">>> luge.pixel_shuffle(luge.zeros(1, 8, 2, 3), 2).shape\n(1, 2, 4, 6)");
  m.def(
      "pixel_unshuffle", [](const Tensor& x, std::int64_t factor) { return pixel_unshuffle(x, factor); }, "input"_a,
      "downscale_factor"_a,
      "(..., c, h r, w r) -> (..., c r^2, h, w). Raises ShapeError where height or width is no multiple of r.\n\n"
      ">>> luge.pixel_unshuffle(luge.zeros(1, 2, 4, 6), 2).shape\n(1, 8, 2, 3)");
  m.def(
      "channel_shuffle", [](const Tensor& x, std::int64_t groups) { return channel_shuffle(x, groups); }, "input"_a, "groups"_a,
      "(n, c, ...) with channels dealt from `groups` groups in turn. Raises ShapeError where they do not divide c.\n\n"
      ">>> luge.channel_shuffle(luge.arange(4).view(1, 4, 1), 2).flatten()\ntensor([0, 2, 1, 3])");
}

}  // namespace luge::python
