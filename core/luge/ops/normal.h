#pragma once
// The scaled tail of the normal distribution, and its inverse. Integers and bool are converted to float32; both are computed
// in float64 and rounded to the dtype, within 4 units in the last place of float64.

#include <luge/tensor/tensor.h>

namespace luge {

/// exp(x^2) erfc(x), which does not underflow for large x.
Tensor erfcx(const Tensor& x);
/// The x with ndtr(x) = p; -inf at 0, inf at 1, NaN outside [0, 1].
Tensor ndtri(const Tensor& p);

}  // namespace luge
