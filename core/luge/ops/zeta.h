#pragma once
// The zeta function of Hurwitz.

#include <luge/tensor/tensor.h>

namespace luge {

/// The sum of (q + k)^-x over k = 0, 1, 2, ...; broadcast. Infinite for x = 1 and for q = 0, -1, -2, ...; NaN for x < 1, and for
/// q < 0 unless x is an integer. Integers and bool are converted to float32. Within 4 units in the last place of float64 for
/// q > 0. The gradient of both is computed.
Tensor zeta(const Tensor& x, const Tensor& q);
Tensor zeta(const Tensor& x, Scalar q);
Tensor zeta(Scalar x, const Tensor& q);

}  // namespace luge
