#pragma once
// Internal: places in sorted rows, and sums by places, below autograd.

#include <algorithm>
#include <cstdint>

#include <luge/seam/observer.h>
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

/// The running sums, or the places of the running maxima, along the last dimension of an int64 tensor.
Tensor running_sums(const Tensor& x);
Tensor places_of_running_maxima(const Tensor& x);

/// Adds each value to the one of the sums that its int64 index, known to exist, names. 1-d, of one dtype but bool. They are
/// added one after the other in the order in which they stand.
void add_at(const Tensor& sums, const Tensor& index, const Tensor& values);

/// Calls body(begin, end) for parts of n elements that stay in the cache from one operation of the body to the next, or for
/// all at once where that is no gain: on a GPU, and while a step is captured.
template <class Body>
void for_parts(std::int64_t n, const Tensor& x, const Body& body) {
  constexpr std::int64_t kPart = std::int64_t{1} << 15;
  const std::int64_t part = observer || !x.device().is_cpu() ? n : kPart;
  for (std::int64_t begin = 0; begin < n; begin += part) body(begin, std::min(n, begin + part));
}

}  // namespace luge
