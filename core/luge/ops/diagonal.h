#pragma once
// Diagonals and triangles of matrices, and tensors of which a part is replaced. Diagonal k is |k| places above the main one,
// below it where k < 0. Leading dimensions are a batch.

#include <luge/tensor/tensor.h>

namespace luge {

/// Zero above / below diagonal k. ShapeError for fewer than 2 dimensions.
Tensor tril(const Tensor& x, std::int64_t k = 0);
Tensor triu(const Tensor& x, std::int64_t k = 0);
/// Rows and columns, as (2, count), of the elements that tril() / triu() keep of a matrix. int64, or int32 if asked for.
Tensor tril_indices(std::int64_t rows, std::int64_t columns, std::int64_t k = 0, TensorOptions options = {.dtype = DType::Int64});
Tensor triu_indices(std::int64_t rows, std::int64_t columns, std::int64_t k = 0, TensorOptions options = {.dtype = DType::Int64});

/// Diagonal k of the matrices in two dimensions, which becomes the last dimension: a view.
Tensor diagonal(const Tensor& x, std::int64_t k = 0, int dim1 = 0, int dim2 = 1);
/// A matrix with the last dimension as diagonal k and zeros elsewhere, in dimensions dim1 and dim2 of the result.
Tensor diag_embed(const Tensor& x, std::int64_t k = 0, int dim1 = -2, int dim2 = -1);
/// The matrix of a vector, or a copy of the diagonal of a matrix. ShapeError for other numbers of dimensions.
Tensor diag(const Tensor& x, std::int64_t k = 0);
/// diag_embed() of the flattened tensor.
Tensor diagflat(const Tensor& x, std::int64_t k = 0);
/// The sum of the diagonal of a matrix; of integers and bool in int64.
Tensor trace(const Tensor& x);
/// The main diagonal, in place: of a matrix, from its first row on again with `wrap` once it is through (one row stays out),
/// or of a tensor with all sizes equal.
Tensor& fill_diagonal_(Tensor& x, Scalar value, bool wrap = false);

/// A copy of x with `source` in the place of x.select(dim, index), of diagonal(x, ...) or of x.slice(...), whose shape it has.
Tensor select_scatter(const Tensor& x, const Tensor& source, int dim, std::int64_t index);
Tensor diagonal_scatter(const Tensor& x, const Tensor& source, std::int64_t k = 0, int dim1 = 0, int dim2 = 1);
Tensor slice_scatter(const Tensor& x, const Tensor& source, int dim = 0, std::int64_t start = 0,
                     std::optional<std::int64_t> stop = {}, std::int64_t step = 1);

}  // namespace luge
