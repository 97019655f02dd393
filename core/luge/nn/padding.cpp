#include <luge/nn/padding.h>

#include <utility>

#include <luge/base/detail/check.h>

namespace luge::nn {

Pad::Pad(std::vector<std::int64_t> borders, PadMode mode, double value) : borders_(std::move(borders)), mode_(mode), value_(value) {
  const std::size_t count = borders_.size();
  LUGE_CHECK(ValueError, count % 2 == 0 && count > 0 && (mode == PadMode::Constant || count <= 6),
             "Pad: there are {} borders; there must be two for each padded dimension, of which a mode besides Constant has 3 or fewer", count);
}

Tensor Pad::operator()(const Tensor& x) const {
  LUGE_CHECK(ValueError, x.defined(), "Pad: x is an undefined tensor");
  if (mode_ == PadMode::Constant) return pad(x, borders_, mode_, value_);
  const int rest = static_cast<int>(borders_.size()) / 2 + 1, lead = x.ndim() - rest;  // dimensions before the channels
  if (lead <= 1) return pad(x, borders_, mode_);
  Shape shape = x.shape();
  const Tensor padded = pad(x.flatten(0, lead - 1), borders_, mode_);
  for (int d = 0; d < rest; ++d) shape[lead + d] = padded.size(1 + d);
  return padded.reshape(shape);
}

}  // namespace luge::nn
