#pragma once
// Products of vectors, matrices and batches of them, on top of matmul(): of tensors of one dtype, floating or integers, which wrap.

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The sum over the last `dims` dimensions of a with the first of b, or over the pairs dims_a[i], dims_b[i]. What is left of a comes
/// first. ShapeError for sizes that differ (a size of 1 broadcasts), ValueError for dims.
Tensor tensordot(const Tensor& a, const Tensor& b, int dims = 2);
Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int>& dims_a, const std::vector<int>& dims_b);
/// a[i] b[j] of two vectors; dtypes are promoted.
Tensor outer(const Tensor& a, const Tensor& b);
/// The sum over the last dimensions; a product of elements where one tensor is 0-d.
Tensor inner(const Tensor& a, const Tensor& b);
/// The sum of products of two vectors of one size.
Tensor dot(const Tensor& a, const Tensor& b);
/// A matrix times a vector.
Tensor mv(const Tensor& matrix, const Tensor& vector);

/// beta input + alpha product, where input broadcasts to the product's shape. beta = 0: input counts for nothing, NaN included. For
/// integers beta and alpha are whole numbers, or ValueError.
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
Tensor addmv(const Tensor& input, const Tensor& matrix, const Tensor& vector, Scalar beta = 1, Scalar alpha = 1);
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
/// The products of a batch are summed.
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);
/// The outer product of two vectors; dtypes are promoted.
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1);

/// Every element of a times the whole of b, side by side: (m, n) and (p, q) give (m p, n q). Dtypes are promoted.
Tensor kron(const Tensor& a, const Tensor& b);
/// The product of two or more matrices in the order that takes the fewest multiplications; the first may be a row, the last a column.
Tensor multi_dot(const std::vector<Tensor>& tensors);
/// x1 weight[o] x2 + bias[o]: (..., m), (..., n) and (out, m, n) give (..., out).
Tensor bilinear(const Tensor& x1, const Tensor& x2, const Tensor& weight, const Tensor& bias = {});

}  // namespace luge
