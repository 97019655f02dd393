#pragma once

#include <cstdint>
#include <vector>

#include <luge/ops/window.h>

namespace luge::nn {

/// Borders around the last dimensions: {before, after} of the last one, then of the one before it, ..., as pad(). Negative ones
/// cut off. What is before the channels is batch, sets among it. One class for PyTorch's twelve:
///   ConstantPad2d(1, 7.0)          Pad({1, 1, 1, 1}, PadMode::Constant, 7)
///   ReflectionPad1d((2, 3))        Pad({2, 3}, PadMode::Reflect)
///   ReplicationPad3d, CircularPad2d ...  PadMode::Replicate, PadMode::Circular
class Pad {
 public:
  /// Throws ValueError for an odd number of borders, and for more than those of 3 dimensions unless constant.
  explicit Pad(std::vector<std::int64_t> borders, PadMode mode = PadMode::Constant, double value = 0);
  /// Throws ValueError for borders that do not fit the mode, ShapeError.
  Tensor operator()(const Tensor& x) const;

 private:
  std::vector<std::int64_t> borders_;
  PadMode mode_;
  double value_;
};

}  // namespace luge::nn
