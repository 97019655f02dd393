#pragma once
// The parts of floating numbers.

#include <luge/tensor/tensor.h>

namespace luge {

/// What frexp() finds.
struct MantissaAndExponent {
  Tensor mantissa;  ///< of x's dtype: |mantissa| from 1/2 up to 1
  Tensor exponent;  ///< int32
};

/// x = mantissa 2^exponent. Zeros, infinities and NaN are their own mantissa, with exponent 0. The gradient goes through the
/// mantissa. Throws DTypeError for what is not floating.
MantissaAndExponent frexp(const Tensor& x);

}  // namespace luge
