#pragma once
// Running sums, products and extremes along a dimension, and differences, their inverse.

#include <optional>

#include <luge/ops/reduce.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// out[i] = x[0] + ... + x[i] along `dim`, of x's shape. Integers and bool give int64, unless `dtype` says otherwise: x is
/// then converted first. Floats are carried in float64. Throws IndexError for a dim that is not there.
Tensor cumsum(const Tensor& x, int dim, std::optional<DType> dtype = {});
/// The same with products. Its gradient divides by nothing, so that zeros do it no harm.
Tensor cumprod(const Tensor& x, int dim, std::optional<DType> dtype = {});
/// log(exp(x[0]) + ... + exp(x[i])) along `dim`, without overflow; floating dtypes, else a DTypeError.
Tensor logcumsumexp(const Tensor& x, int dim);

/// The largest (smallest) of x[0] to x[i] along `dim`, and where it stands: the last of equals, the last NaN where there is
/// one. The gradient goes to the elements that the indices name.
Extremes cummax(const Tensor& x, int dim);
Extremes cummin(const Tensor& x, int dim);

/// x[i + 1] - x[i] along `dim`, `n` times over; exclusive or for bool. `prepend` and `append`, where they are defined, are
/// joined to x first. Throws ShapeError for a 0-d x, ValueError for a negative n, IndexError.
Tensor diff(const Tensor& x, std::int64_t n = 1, int dim = -1, const Tensor& prepend = {}, const Tensor& append = {});

/// Integrals of y up to each point by the trapezoidal rule: cumsum of dx (y[i] + y[i + 1]) / 2; one less along `dim`.
Tensor cumulative_trapezoid(const Tensor& y, double dx = 1, int dim = -1);
/// With dx = x[i + 1] - x[i], of points x: of y's size along `dim` if 1-d, else of a shape that broadcasts with y's.
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int dim = -1);
/// The last of these: the integral as a whole; `dim` is gone.
Tensor trapezoid(const Tensor& y, double dx = 1, int dim = -1);
Tensor trapezoid(const Tensor& y, const Tensor& x, int dim = -1);

}  // namespace luge
