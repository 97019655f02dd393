#pragma once
// Distinct elements. How many there are is read on the host, so none of these can be captured: CaptureError. NaN is equal
// to nothing, so that each one counts as distinct; 0.0 and -0.0 are equal.

#include <luge/tensor/tensor.h>

namespace luge {

/// Distinct elements, or slices along a dimension.
struct Distinct {
  Tensor values;   ///< of the tensor's dtype; no gradient goes through
  Tensor inverse;  ///< int64: at which place of `values` each element (of the tensor's shape) or slice (1-d) stands
  Tensor counts;   ///< int64, 1-d: how often each one occurs
};

/// Which of inverse and counts are wanted; the others are undefined.
struct DistinctOptions {
  bool inverse = false, counts = false;
};

/// All distinct elements in ascending order, 1-d.
Distinct unique(const Tensor& x, const DistinctOptions& options = {}, SourceLocation location = SourceLocation::current());
/// All distinct slices along `dim` in lexicographic order. Throws IndexError for a dim out of range, ShapeError where
/// another dimension is empty.
Distinct unique_along(const Tensor& x, int dim, const DistinctOptions& options = {},
                      SourceLocation location = SourceLocation::current());

/// One element for each run of equal ones in row-major order, 1-d.
Distinct unique_consecutive(const Tensor& x, const DistinctOptions& options = {},
                            SourceLocation location = SourceLocation::current());
/// One slice for each run of equal ones along `dim`. Throws as unique_along() does.
Distinct unique_consecutive_along(const Tensor& x, int dim, const DistinctOptions& options = {},
                                  SourceLocation location = SourceLocation::current());

}  // namespace luge
