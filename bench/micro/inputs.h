#pragma once

#include <luge/tensor/tensor.h>

namespace luge::bench {

/// Random numbers in [low, high); random, because constant data can be faster than any real one.
Tensor uniform(const Shape& shape, double low = -1, double high = 1, Device device = Device::cpu());

}  // namespace luge::bench
