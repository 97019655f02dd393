#pragma once
// Internal: what all normalizations share.

#include <luge/tensor/tensor.h>

namespace luge {

/// Over some dimensions, which stay with size 1; in the dtype that arithmetic is done in.
struct Moments {
  Tensor mean;      ///< undefined where nothing was centred
  Tensor variance;  ///< divided by n; the mean square where nothing was centred
  Tensor rstd;      ///< 1 / sqrt(variance + eps)
};

/// The result, of x's dtype, and, if they are wanted, mean and variance, which have no history.
struct Standardized {
  Tensor value;
  Moments moments;
};

/// (x - mean) * rstd * weight + bias, with the moments of x over `dims`; not `centred`, x * rstd * weight. Weight and bias
/// are undefined or broadcast against x; a dimension in which x is 1 and they are not is none of `dims`. The first dimension
/// is that of sets, of all three.
Standardized standardized(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const DimList& dims,
                          double eps, bool centred = true, bool wants_moments = false);

}  // namespace luge
