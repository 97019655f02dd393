#pragma once
// Reductions that are made of others: truth, counts, moments and covariances. var and std are Tensor's members, too.

#include <luge/tensor/tensor.h>

namespace luge {

/// Whether all (any) elements over `dims` are not zero: bool, of uint8 tensors uint8, as in PyTorch. Over nothing all is
/// true and any is false. Throws IndexError for a dim that is not there or is given twice.
Tensor all(const Tensor& x, const DimList& dims, bool keepdim = false);
Tensor any(const Tensor& x, const DimList& dims, bool keepdim = false);

/// How many elements are not zero: int64.
Tensor count_nonzero(const Tensor& x);
Tensor count_nonzero(const Tensor& x, const DimList& dims);

/// The mean of what is no NaN, NaN where there is nothing else; floating dtypes.
Tensor nanmean(const Tensor& x);
Tensor nanmean(const Tensor& x, const DimList& dims, bool keepdim = false);

struct Bounds {
  Tensor min, max;
};
/// The smallest and the largest value; NaN if there is one. Equal ones share the gradient. ShapeError over nothing.
Bounds aminmax(const Tensor& x);
Bounds aminmax(const Tensor& x, int dim, bool keepdim = false);

/// A variance or standard deviation, and the mean that it was computed with.
struct Spread {
  Tensor value, mean;
};
/// Divided by n - correction, or by 0 where that is less. Floating dtypes.
Spread var_mean(const Tensor& x, double correction = 1);
Spread var_mean(const Tensor& x, const DimList& dims, double correction = 1, bool keepdim = false);
Spread std_mean(const Tensor& x, double correction = 1);
Spread std_mean(const Tensor& x, const DimList& dims, double correction = 1, bool keepdim = false);

/// Covariances of the rows of x, (variables, observations), or the variance of a 1-d or 0-d one: those of the rows'
/// deviations from their means over n - correction. Integers become float32. `frequencies` (integers, 0 or more) say how
/// often each observation counts, `weights` how much; both (observations) or undefined. Throws ShapeError for more than
/// 2 dimensions, DTypeError, ValueError for negative frequencies or weights, which a captured step does not look for.
Tensor cov(const Tensor& x, double correction = 1, const Tensor& frequencies = {}, const Tensor& weights = {});
/// Correlations of the rows of x, in [-1, 1]; NaN for a constant row.
Tensor corrcoef(const Tensor& x);

}  // namespace luge
