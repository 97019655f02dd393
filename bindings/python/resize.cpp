// Interpolation.

#include <luge/ops/grid_sample.h>
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
  m.def(
      "_grid_sample",
      [](const Tensor& input, const Tensor& grid, const std::string& mode, const std::string& padding, bool align_corners) {
        const GridMode how = mode == "nearest" ? GridMode::Nearest : mode == "bicubic" ? GridMode::Cubic : GridMode::Linear;
        const GridPadding outside = padding == "border"       ? GridPadding::Border
                                    : padding == "reflection" ? GridPadding::Reflection
                                                              : GridPadding::Zeros;
        const Unlocked unlocked(input, grid);
        return grid_sample(input, grid, {.mode = how, .padding = outside, .align_corners = align_corners});
      },
      "input"_a, "grid"_a, "mode"_a, "padding"_a, "align_corners"_a, "What luge.nn.functional.grid_sample is made of.");
  m.def(
      "_affine_grid",
      [](const Tensor& theta, const std::vector<std::int64_t>& size, bool align_corners) {
        const Unlocked unlocked(theta);
        return affine_grid(theta, size, align_corners);
      },
      "theta"_a, "size"_a, "align_corners"_a, "What luge.nn.functional.affine_grid is made of.");
}

}  // namespace luge::python
