#pragma once
// Elements by their rank: what sort() would put at one place, and what it would find most often. NaN counts as the
// largest. `dim` of a 0-d tensor is 0 or -1.

#include <cstdint>

#include <luge/ops/sort.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// sort(x, 0).values; a 0-d tensor is as it was.
Tensor msort(const Tensor& x);

/// The k-th smallest along `dim`, counted from 1, and where it stands: of equals the k-th in stable order. Its gradient
/// goes there. Throws IndexError for a dim out of range, ShapeError where its size is 0, ValueError unless 1 <= k <= size.
Sorted kthvalue(const Tensor& x, std::int64_t k, int dim = -1, bool keepdim = false);

/// The median of all elements: of an even number the lower one of the two in the middle, NaN if there is a NaN or there
/// are no elements. Equals share the gradient evenly. 0-d. Throws ShapeError for an empty tensor whose dtype has no NaN.
Tensor median(const Tensor& x);
/// The median along `dim`, and where it stands: the first NaN if there is one. The gradient goes there. Throws
/// IndexError, and ShapeError where the size along `dim` is 0.
Sorted median(const Tensor& x, int dim, bool keepdim = false);

/// median() of those that are not NaN; NaN where all are.
Tensor nanmedian(const Tensor& x);
Sorted nanmedian(const Tensor& x, int dim, bool keepdim = false);

/// The most frequent value along `dim`, of equally frequent ones the smallest, and where it stands last. Its gradient
/// goes there. A NaN is equal to nothing, so that it is found only among NaN. Throws as median() does.
Sorted mode(const Tensor& x, int dim = -1, bool keepdim = false);

}  // namespace luge
