#pragma once
// Places in sorted sequences, and membership.

#include <luge/tensor/tensor.h>

namespace luge {

/// What searchsorted() and bucketize() take beside tensors.
struct SearchOptions {
  bool out_int32 = false;  ///< int32 places in place of int64 ones
  bool right = false;      ///< behind equal elements, else before them
};

/// Where each value belongs in `sorted_sequence`, which ascends along its last dimension: the number of its elements
/// that are less than the value (right: less or equal). The result has the values' shape. The sequence is 1-d, or has
/// the values' sizes in all dimensions but the last. `sorter`, if defined, is an int64 tensor of the sequence's shape
/// with the order that sorts it, as argsort() gives it. NaN belongs behind everything, and no number behind a NaN of the
/// sequence. Dtypes are promoted as in a comparison. Throws ShapeError, DeviceError, DTypeError for another sorter,
/// IndexError for one that points outside the sequence, ValueError where places do not fit into int32.
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, const SearchOptions& options = {},
                    const Tensor& sorter = {});
/// Of one number in a 1-d sequence; 0-d.
Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, const SearchOptions& options = {},
                    const Tensor& sorter = {});

/// searchsorted() with a 1-d sequence, by PyTorch's other name.
Tensor bucketize(const Tensor& input, const Tensor& boundaries, const SearchOptions& options = {});
Tensor bucketize(Scalar input, const Tensor& boundaries, const SearchOptions& options = {});

/// Whether each of the elements is among the test elements (with `invert`: is not); bool, of the elements' shape. Dtypes
/// are promoted as in a comparison; NaN is among nothing.
Tensor isin(const Tensor& elements, const Tensor& test_elements, bool invert = false);

}  // namespace luge
