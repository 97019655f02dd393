#pragma once
// The reducers, as kernels call them.

#include <luge/math/reducers.h>

#include "device.h"

namespace luge::cuda {

using math::scalar::ArgExtreme;
using math::scalar::Extreme;
using math::scalar::kFloating;
using math::scalar::LastExtreme;
using math::scalar::LogSumExp;
using math::scalar::Product;
using math::scalar::Sum;
using math::scalar::SumSquares;

}  // namespace luge::cuda
