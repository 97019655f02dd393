#pragma once
// Images at places that a grid names: for spatial transformers (Jaderberg et al., arXiv:1506.02025).

#include <cstdint>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// What lies between elements.
enum class GridMode : std::uint8_t {
  Linear,   ///< 4 neighbours of an image, 8 of a volume
  Nearest,  ///< halves go to even elements
  Cubic     ///< 16 neighbours of an image, by Keys' kernel with a = -3/4
};
/// What lies outside.
enum class GridPadding : std::uint8_t { Zeros, Border, Reflection };

struct GridSampleOptions {
  GridMode mode = GridMode::Linear;
  GridPadding padding = GridPadding::Zeros;
  bool align_corners = false;  ///< -1 and 1 are the middles of the outermost elements, else their outer edges
};

/// input (batch, channels, height, width) at grid (batch, rows, columns, 2), whose last dimension holds x and y from -1 to 1, ->
/// (batch, channels, rows, columns); or volumes (batch, channels, depth, height, width) at (batch, ..., 3). As
/// torch.nn.functional.grid_sample. Throws ShapeError, DTypeError, ValueError for Cubic of volumes.
Tensor grid_sample(const Tensor& input, const Tensor& grid, const GridSampleOptions& options = {});

/// The grid of an affine map: theta (batch, 2, 3) and size {batch, channels, height, width} -> (batch, height, width, 2), or theta
/// (batch, 3, 4) of volumes. Throws ShapeError, DTypeError, ValueError.
Tensor affine_grid(const Tensor& theta, const std::vector<std::int64_t>& size, bool align_corners = false);

}  // namespace luge
