#pragma once
// The elements of a tensor repeated or in another order.

#include <optional>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The whole tensor side by side repeats[d] times along each dimension; more repeats than dimensions add leading ones.
/// ShapeError for fewer, ValueError for a negative one.
Tensor repeat(const Tensor& x, const std::vector<std::int64_t>& repeats);
/// repeat() with missing leading repeats taken as 1, as numpy.tile.
Tensor tile(const Tensor& x, const std::vector<std::int64_t>& repeats);
/// Every slice along `dim` `repeats` times in a row; without a dimension, of the flattened tensor.
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<int> dim = {});
/// Slice i along `dim` repeats[i] times in a row; `repeats` is int32 or int64 with one element for each slice, or one for
/// all. They are read on the host (CaptureError in a captured step), and add up to `output_size` where that is given.
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int> dim = {},
                         std::optional<std::int64_t> output_size = {},
                         SourceLocation location = SourceLocation::current());

/// The order along these dimensions reversed: a copy. IndexError, and ValueError for a dimension that is given twice.
Tensor flip(const Tensor& x, const std::vector<int>& dims);
/// Moved by shifts[i] places along dims[i], and what leaves at an end comes in at the other; without dimensions, of the
/// flattened tensor by one shift. A copy.
Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const std::vector<int>& dims = {});
/// Turned `times` by 90 degrees from the first of two dimensions towards the second.
Tensor rot90(const Tensor& x, std::int64_t times = 1, const std::vector<int>& dims = {0, 1});

/// A view with each dimension source[i] at the place destination[i]; the others stay in order.
Tensor movedim(const Tensor& x, const std::vector<int>& source, const std::vector<int>& destination);
/// A view with dimension `dim` in place of several: of these sizes, one of which may be -1.
Tensor unflatten(const Tensor& x, int dim, const Shape& sizes);
/// A view without those of the dimensions that have size 1.
Tensor squeeze(const Tensor& x, const std::vector<int>& dims);
/// `length` indices from `start` on along `dim`: a view. IndexError where they are not there.
Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length);

}  // namespace luge
