#pragma once

#include <luge/tensor/tensor.h>

namespace luge {

/// exp(x) / sum(exp(x)) along `dim`, shifted by the maximum so that nothing overflows.
Tensor softmax(const Tensor& x, int dim);
/// log(softmax(x)) without the rounding of going through it.
Tensor log_softmax(const Tensor& x, int dim);

}  // namespace luge
