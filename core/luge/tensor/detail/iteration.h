#pragma once
// Internal: from tensors to the operands and extents of a kernel call.

#include <span>

#include <luge/seam/backend.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// A window on a tensor's memory; the strides are filled in by set_extent.
Operand operand(const Tensor& tensor);

/// A number of `dtype`. Throws ValueError, in which `op` was called, for an integer dtype that cannot hold it.
Operand immediate(Scalar value, DType dtype, const char* op = "number");

/// One operand of a call and the tensor it shows (null where it is not memory).
struct Binding {
  Operand* operand;
  const Tensor* tensor;
};

/// Lays every binding out over `shape` (broadcasting where needed), drops dimensions of size 1 and
/// merges those that all operands walk evenly. The shapes must broadcast; core has checked that.
void set_extent(Extent& extent, const Shape& shape, std::span<const Binding> bindings);

/// The same without merging: one extent dimension per dimension of `shape`.
void set_plain_extent(Extent& extent, const Shape& shape, std::span<const Binding> bindings);

/// Drops dimensions of size 1 from dimension `first` of the extent on and merges those that all
/// operands walk evenly. May leave no dimension.
void merge_dims(Extent& extent, int first, std::span<Operand* const> operands);

}  // namespace luge
