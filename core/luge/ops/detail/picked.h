#pragma once
// Internal: values that an op has picked along a dimension, as gather() does.

#include <luge/tensor/tensor.h>

namespace luge {

/// Makes `values`, which are gather(x, dim, index) already, a result of `op` where x's gradient is recorded. No index
/// stands twice in a line along `dim`.
void record_picked(const char* op, Tensor& values, const Tensor& x, int dim, const Tensor& index);

}  // namespace luge
