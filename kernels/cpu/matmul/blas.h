#pragma once
// Products by OpenBLAS.

#include "product.h"

namespace luge::cpu {

/// c's rows are contiguous, or it has one column; `before` is c or nothing.
void blas_product(const Product<float>& p);
void blas_product(const Product<double>& p);

}  // namespace luge::cpu
