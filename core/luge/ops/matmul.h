#pragma once

#include <cstdint>

#include <luge/tensor/tensor.h>

namespace luge {

/// What a GPU may do with the factors of large float32 products, as PyTorch names it.
enum class MatmulPrecision : std::uint8_t {
  Highest,  ///< they stay float32: the default
  High,     ///< rounded to TF32, which keeps 11 bits of 24, for the tensor cores; sums stay float32
  Medium    ///< the same as High
};

/// For products from now on. A captured step keeps what it was captured with. The CPU, and products small enough for
/// luge's own kernel, stay at float32; halves fit TF32 and may always go there.
void set_float32_matmul_precision(MatmulPrecision precision);
MatmulPrecision float32_matmul_precision();

/// Matrix product with PyTorch's rules: 1-d operands are a row (left) or a column (right) whose
/// dimension disappears; leading dimensions broadcast: (..., m, k) x (..., k, n) -> (..., m, n).
/// Floating dtypes, of which halves are summed in float32. Throws ShapeError naming both shapes.
Tensor matmul(const Tensor& a, const Tensor& b);

/// x weight^T + bias, as torch.nn.functional.linear, with an optional leading axis of sets:
///   weight (out, in), bias (out):              x (..., in)                      -> (..., out)
///   weight (sets, out, in), bias (sets, out):  x (batch, in) -> (sets, batch, out), or (sets, ..., in) -> (sets, ..., out)
/// The gradients of weight and bias are written where they belong without a temporary.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace luge
