#include <luge/nn/upsample.h>

#include <cmath>
#include <utility>

#include <luge/base/detail/check.h>

namespace luge::nn {

Upsample::Upsample(UpsampleOptions options) : options_(std::move(options)) {
  LUGE_CHECK(ValueError, options_.size.empty() != options_.scale.empty(), "Upsample: {} of size and scale are given; one is needed",
             options_.size.empty() ? "neither" : "both");
}

Tensor Upsample::operator()(const Tensor& x) const {
  LUGE_CHECK(ValueError, x.defined(), "Upsample: x is an undefined tensor");
  std::vector<std::int64_t> sizes = options_.size;
  const int spatial = static_cast<int>(options_.scale.size());
  LUGE_CHECK(ShapeError, x.ndim() >= spatial, "Upsample: x has shape {}; it must have {} dimensions or more", to_string(x.shape()), spatial);
  for (int d = 0; d < spatial; ++d)
    sizes.push_back(static_cast<std::int64_t>(
        std::floor(static_cast<double>(x.size(d - spatial)) * options_.scale[static_cast<std::size_t>(d)])));
  return resize(x, sizes, {.mode = options_.mode, .align_corners = options_.align_corners, .scales = options_.scale});
}

}  // namespace luge::nn
