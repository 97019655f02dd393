#pragma once
// The order of elements along a dimension. Everywhere NaN counts as the largest, 0.0 and -0.0 as equal, false as less
// than true, and equal elements stay in the order in which they stand, in both directions.

#include <cstdint>

#include <luge/tensor/tensor.h>

namespace luge {

/// Elements in order along a dimension, and where they stood.
struct Sorted {
  Tensor values;   ///< of the tensor's dtype; their gradients go back to where they stood
  Tensor indices;  ///< int64
};

/// x in order along `dim`; any dtype. A 0-d tensor is as it was, with index 0. Throws IndexError for a dim out of
/// range.
Sorted sort(const Tensor& x, int dim = -1, bool descending = false);

/// The indices of sort().
Tensor argsort(const Tensor& x, int dim = -1, bool descending = false);

/// The first k of sort(x, dim, largest), without sorting the rest: the k largest, the largest first, or the k smallest,
/// the smallest first. Throws IndexError as sort does, ValueError unless 0 <= k <= x's size along dim (1 if it is 0-d,
/// whose k is 1).
Sorted topk(const Tensor& x, std::int64_t k, int dim = -1, bool largest = true);

}  // namespace luge
