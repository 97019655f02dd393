#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <luge/train/parameters.h>

namespace luge::nn {

/// x where x > 0, weight x elsewhere, with a slope "name.weight" that is learned (He et al., arXiv:1502.01852): one, or one for
/// each channel.
///   ordinary Parameters   weight (channels):        x (batch, channels, ...) -> the same; of one slope x (...)
///   Parameters with sets  weight (sets, channels):  x (sets, batch, channels, ...) -> the same; of one slope (sets, ...)
class Prelu {
 public:
  /// Throws ValueError for channels below 1 and a name in use; then nothing has been added.
  Prelu(Parameters& params, std::string_view name, std::int64_t channels = 1, double start = 0.25);
  /// Throws ShapeError, DTypeError for another dtype than the slope's.
  Tensor operator()(const Tensor& x) const;

  const Tensor& weight() const { return weight_; }

 private:
  std::string name_;
  Tensor weight_;
};

}  // namespace luge::nn
