#pragma once
// Special functions that are made of the elementwise operations. Integers and bool are converted to float32; halves are
// computed in float32, and what would lose digits in float32 in float64.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// sin(pi x) / (pi x), 1 at 0; exactly 0 at the other integers.
Tensor sinc(const Tensor& x);
/// log(x / (1 - x)), with x between eps and 1 - eps where eps is given; NaN outside [0, 1].
Tensor logit(const Tensor& x, std::optional<double> eps = {});
/// a log(1 + b); 0 where a is 0, unless b is NaN.
Tensor xlog1py(const Tensor& a, const Tensor& b);
Tensor xlog1py(const Tensor& a, Scalar b);
Tensor xlog1py(Scalar a, const Tensor& b);
/// -x log(x); 0 at 0, -inf below.
Tensor entr(const Tensor& x);
/// The part of the standard normal distribution below x.
Tensor ndtr(const Tensor& x);
/// log(ndtr(x)), also where ndtr(x) underflows.
Tensor log_ndtr(const Tensor& x);
/// The logarithm of the multivariate gamma function of dimension p. Throws ValueError for p < 1.
Tensor multigammaln(const Tensor& x, std::int64_t p);

}  // namespace luge
