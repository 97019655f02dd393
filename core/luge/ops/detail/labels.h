#pragma once
// Internal: tensors of indices and class labels.

#include <luge/tensor/tensor.h>

namespace luge {

/// `index` as int64. Throws DTypeError unless it is int32 or int64; on the CPU also IndexError for a
/// value outside [low, size), naming it and where it stands. (On a GPU the kernels guard themselves.)
Tensor checked_labels(const char* op, const Tensor& index, std::int64_t size, std::int64_t low = 0);

}  // namespace luge
