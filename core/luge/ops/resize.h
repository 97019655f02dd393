#pragma once
// Images, signals and volumes at another resolution, by interpolation along one dimension after the other.

#include <cstdint>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// What a new element is made of.
enum class Resize : std::uint8_t {
  Nearest,       ///< the element at floor(i scale)
  NearestExact,  ///< the element at floor((i + 1/2) scale)
  Linear,        ///< two elements along each dimension
  Cubic,         ///< four, by Keys' kernel with a = -3/4 (IEEE Trans. ASSP 29, 1981)
  Area           ///< the mean of all that its area meets
};

struct ResizeOptions {
  Resize mode = Resize::Nearest;
  bool align_corners = false;       ///< corners keep their places, of Linear and Cubic; else edges do
  std::vector<double> scales = {};  ///< how much larger the result is, for the places; absent: ratios of the sizes
};

/// x (..., spatial), whose last sizes.size() dimensions become `sizes`; floating dtypes. As torch.nn.functional.interpolate has
/// it. Throws ValueError for a size below 1 and for options that do not go together, ShapeError for too few or for empty
/// dimensions, DTypeError.
Tensor resize(const Tensor& x, const std::vector<std::int64_t>& sizes, const ResizeOptions& options = {});

}  // namespace luge
