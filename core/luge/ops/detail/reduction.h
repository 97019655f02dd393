#pragma once
// Internal: reductions, for the operations that are made of them.

#include <luge/seam/call.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// What a reduction does to the shape.
struct Reduced {
  Shape kept;    ///< reduced dimensions have size 1
  Shape result;  ///< reduced dimensions are gone (unless keepdim)
  std::int64_t count = 1;
};

/// `dims` null: all. Throws IndexError for a dim that is not there or is given twice, in which `op` was called.
Reduced reduced_shapes(const char* op, const Tensor& x, const DimList* dims, bool keepdim);

/// Any reduction, recorded. Throws DTypeError, ShapeError where nothing is reduced that has to be something, IndexError.
Tensor reduce(ReduceOp op, const Tensor& x, const DimList* dims, bool keepdim);

/// The same memory with size 1 in the dimensions that only repeat (of stride 0).
Tensor without_repeats(const Tensor& x);

}  // namespace luge
