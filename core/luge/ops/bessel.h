#pragma once
// Modified Bessel functions of the first kind. Integers and bool are converted to float32; all are computed in float64 and
// rounded to the dtype, within 4 units in the last place of float64.

#include <luge/tensor/tensor.h>

namespace luge {

/// The modified Bessel function of the first kind, of order 0.
Tensor i0(const Tensor& x);
/// exp(-|x|) i0(x), which does not overflow.
Tensor i0e(const Tensor& x);
/// The modified Bessel function of the first kind, of order 1.
Tensor i1(const Tensor& x);
/// exp(-|x|) i1(x), which does not overflow.
Tensor i1e(const Tensor& x);

}  // namespace luge
