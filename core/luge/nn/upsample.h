#pragma once

#include <cstdint>
#include <vector>

#include <luge/ops/resize.h>

namespace luge::nn {

struct UpsampleOptions {
  /// Sizes of the last dimensions, as many as there are; empty: `scale`.
  std::vector<std::int64_t> size = {};
  /// How much larger they become, rounded down; one of both is given.
  std::vector<double> scale = {};
  Resize mode = Resize::Nearest;
  bool align_corners = false;  ///< of Linear and Cubic
};

/// Images, signals or volumes (..., spatial) at another resolution, as torch.nn.Upsample: `Upsample({.scale = {2, 2}})`. What is
/// before the spatial dimensions is batch, sets among it. See resize() for shapes and errors.
class Upsample {
 public:
  /// Throws ValueError unless one of size and scale is given.
  explicit Upsample(UpsampleOptions options);
  Tensor operator()(const Tensor& x) const;

 private:
  UpsampleOptions options_;
};

}  // namespace luge::nn
