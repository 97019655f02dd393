#include <luge/nn/prelu.h>

#include <luge/base/detail/check.h>
#include <luge/ops/activation.h>
#include <luge/ops/elementwise.h>

namespace luge::nn {

Prelu::Prelu(Parameters& params, std::string_view name, std::int64_t channels, double start) : name_(name) {
  LUGE_CHECK(ValueError, channels >= 1, "Prelu {}: channels is {}; it must be 1 or more", name, channels);
  weight_ = params.add(name_ + ".weight", {channels}, init::constant(start));
}

Tensor Prelu::operator()(const Tensor& x) const {
  LUGE_CHECK(ValueError, x.defined(), "Prelu {}: x is an undefined tensor", name_);
  if (weight_.ndim() == 1) return prelu(x, weight_);
  LUGE_CHECK(DTypeError, x.dtype() == weight_.dtype(), "Prelu {}: x is {} and the slope is {}; both must be one dtype", name_,
             luge::name(x.dtype()), luge::name(weight_.dtype()));
  const std::int64_t sets = weight_.size(0), channels = weight_.size(1);
  const bool fits = channels == 1 ? x.ndim() >= 1 && x.size(0) == sets : x.ndim() >= 3 && x.size(0) == sets && x.size(2) == channels;
  LUGE_CHECK(ShapeError, fits, "Prelu {}: x has shape {}; it must be ({}, {}...)", name_, to_string(x.shape()), sets,
             channels == 1 ? "" : "batch, " + std::to_string(channels) + ", ");
  Shape shape{sets};
  for (int d = 1; d < x.ndim(); ++d) shape.push_back(d == 2 ? channels : 1);
  const Tensor positive = x > 0;
  // What is not multiplied with the slope is 0 in the product, so that an infinity leaves no NaN in the gradient.
  return where(positive, x, where(positive, 0, x) * weight_.reshape(shape));
}

}  // namespace luge::nn
