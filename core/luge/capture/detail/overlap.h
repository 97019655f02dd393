#pragma once
// Internal: whether tensors lie in the same memory.

#include <luge/capture/detail/range.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// The bytes from the tensor's first element in memory to its last; none of an empty one.
Range range_of(const Tensor& tensor);

/// Whether an element of one is, or partly is, an element of the other: columns of one matrix share none. True as well where
/// windows overlap in so many ways that it takes too long to tell.
bool share_elements(const Tensor& a, const Tensor& b);

}  // namespace luge
