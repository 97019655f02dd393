#pragma once

#include <luge/tensor/tensor.h>

namespace luge {

/// Matrix product with PyTorch's rules: 1-d operands are a row (left) or a column (right) whose
/// dimension disappears; leading dimensions broadcast: (..., m, k) x (..., k, n) -> (..., m, n).
/// Floating dtypes, of which halves are summed in float32. Throws ShapeError naming both shapes.
Tensor matmul(const Tensor& a, const Tensor& b);

/// x weight^T + bias, as torch.nn.functional.linear, with an optional leading axis of sets:
///   weight (out, in), bias (out):              x (..., in)                      -> (..., out)
///   weight (sets, out, in), bias (sets, out):  x (batch, in) or (sets, batch, in) -> (sets, batch, out)
/// The gradients of weight and bias are written where they belong without a temporary.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace luge
