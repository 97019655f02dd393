#pragma once

#include <luge/tensor/tensor.h>

namespace luge {

/// The product of matrices of one integer dtype, modulo 2^bits as sums of integers are, from exact products in float64.
/// Shapes are those that matmul() takes with two dimensions or more.
Tensor integer_product(const Tensor& a, const Tensor& b);

}  // namespace luge
