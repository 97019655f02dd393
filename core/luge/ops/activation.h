#pragma once
// Activations that are made of the elementwise operations, beside the rows of core/luge/math/op_table.h. Values and
// gradients are PyTorch's, at kinks, at infinities and of NaN, too. All keep the dtype; of halves all steps but the last
// are float32. Dtypes are the floating ones where nothing else is said; DTypeError.

#include <luge/tensor/tensor.h>

namespace luge {

/// max(low, min(x, high)). Integers, too, with bounds that are cut off. The gradient is 0 at both bounds. Throws ValueError
/// for low > high.
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);
/// hardtanh from 0 to 6.
Tensor relu6(const Tensor& x);
/// x where x > 0, alpha (exp(x) - 1) elsewhere.
Tensor elu(const Tensor& x, double alpha = 1);
/// The self-normalising elu of Klambauer et al. (2017): 1.0507 elu(x, 1.6733).
Tensor selu(const Tensor& x);
/// x where x > 0, alpha (exp(x / alpha) - 1) elsewhere. Throws ValueError for alpha = 0.
Tensor celu(const Tensor& x, double alpha = 1);
/// min(max(x + 3, 0), 6) / 6.
Tensor hardsigmoid(const Tensor& x);
/// x hardsigmoid(x).
Tensor hardswish(const Tensor& x);
/// x tanh(softplus(x)).
Tensor mish(const Tensor& x);
/// x / (1 + |x|). Integers are float32.
Tensor softsign(const Tensor& x);
/// x - tanh(x). Integers are float32.
Tensor tanhshrink(const Tensor& x);
/// x - lambd above lambd, x + lambd below -lambd, 0 between. Throws ValueError for lambd < 0.
Tensor softshrink(const Tensor& x, double lambd = 0.5);
/// log(sigmoid(x)), exact for large |x|.
Tensor logsigmoid(const Tensor& x);
/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 of Hendrycks and Gimpel (2016), without cancellation below 0.
Tensor gelu_tanh(const Tensor& x);
/// log(1 + exp(beta x)) / beta, and x itself where beta x > threshold.
Tensor softplus(const Tensor& x, double beta, double threshold);
/// x where x > 0, weight x elsewhere. weight: one number, or one for each index of dimension 1. Throws ShapeError,
/// DTypeError for different dtypes.
Tensor prelu(const Tensor& x, const Tensor& weight);
/// leaky_relu with slopes drawn uniformly from [lower, upper), or, unless `training`, with the mean of both.
Tensor rrelu(const Tensor& x, double lower = 1.0 / 8, double upper = 1.0 / 3, bool training = false);
/// a sigmoid(b), with a and b the first and the second half of x along dim. Throws ShapeError for an odd size.
Tensor glu(const Tensor& x, int dim = -1);
/// softmax(-x).
Tensor softmin(const Tensor& x, int dim);

}  // namespace luge
