#pragma once
// The dtype that an elementwise operation computes in, as PyTorch promotes.

#include <span>

#include <luge/base/dtype.h>
#include <luge/ops/detail/elementwise_node.h>
#include <luge/seam/op.h>

namespace luge {

/// The dtype the formula is computed in. Throws DTypeError, in which `op_name` was called, where there is none.
DType compute_dtype(Op op, const char* op_name, std::span<const ElementwiseArgument> arguments);

/// Throws DTypeError for a floating dtype: its numbers have no bits to work on.
void check_integral(const char* op_name, DType dtype);

/// The logic that an arithmetic or bitwise formula of two truth values is.
Op logic_of(Op op);

/// Throws ValueError where integers are divided by the number 0. By a number the host sees what it would be. By an
/// element that is 0, quotient and remainder are 0 (core/luge/math/dialect.h).
void check_divisor(Op op, const char* op_name, DType dtype, std::span<const ElementwiseArgument> arguments);

}  // namespace luge
