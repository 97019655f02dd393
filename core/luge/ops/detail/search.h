#pragma once
// Internal: places in sorted rows, and sums by places, below autograd.

#include <luge/tensor/tensor.h>

namespace luge {

/// How many elements of a sorted row (the last dimension of `sorted`, which is not empty in the others) stand before
/// each value: those that are less, or with `right` those that are less or equal. int64, of the values' shape. `sorted`
/// is one row for all values, or has the values' sizes in all dimensions but the last. Both have one dtype. NaN among
/// the values stands behind everything, NaN in a row is greater than any number.
Tensor bisect(const Tensor& sorted, const Tensor& values, bool right);

/// x[.., index[.., i]] along the last dimension, of which x is one row for all, or as gather() wants it; the int64
/// indices are known to exist.
Tensor pick(const Tensor& x, const Tensor& index);

/// 0, 1, ... n - 1, int64, on x's device.
Tensor places(std::int64_t n, const Tensor& x);

/// total[i] = the sum of the values whose int64 index, known to exist, is i: of `size` totals. 1-d; values are floating.
/// They are added one after the other in the order in which they stand.
Tensor totals(const Tensor& values, const Tensor& index, std::int64_t size);

/// How often each of 0, 1, ... size - 1 stands in the 1-d int64 index: exact, as float64 numbers.
Tensor occurrences(const Tensor& index, std::int64_t size);

}  // namespace luge
