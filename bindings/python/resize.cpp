// Interpolation.

#include <luge/ops/resize.h>

#include <fmt/format.h>

#include "layers.h"

namespace luge::python {

void bind_resize(nb::module_& m) {
  m.def(
      "_resize",
      [](const Tensor& input, const std::vector<std::int64_t>& size, const std::string& mode, bool align_corners,
         const std::vector<double>& scales) {
        const Resize how = mode == "nearest"         ? Resize::Nearest
                           : mode == "nearest-exact" ? Resize::NearestExact
                           : mode == "area"          ? Resize::Area
                           : mode == "bicubic"       ? Resize::Cubic
                                                     : Resize::Linear;
        const Unlocked unlocked(input);
        return resize(input, size, {.mode = how, .align_corners = align_corners, .scales = scales});
      },
      "input"_a, "size"_a, "mode"_a, "align_corners"_a, "scales"_a, "What luge.nn.functional.interpolate is made of.");
}

}  // namespace luge::python
