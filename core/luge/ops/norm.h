#pragma once
// Norms of vectors; those of matrices are in linalg.h.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// |x| of order p over everything, or over `dims`: (sum |x|^p)^(1/p); for p = 0 how many elements are not 0; for infinite
/// p the largest or the smallest |x|. Floating dtypes; x is converted to `dtype` first. The gradient is 0 where the norm
/// is. Over nothing it is 0, and a ShapeError for p that is negative or infinite. Throws IndexError, DTypeError.
Tensor vector_norm(const Tensor& x, double p = 2, std::optional<DType> dtype = {});
Tensor vector_norm(const Tensor& x, double p, const DimList& dims, bool keepdim = false, std::optional<DType> dtype = {});

}  // namespace luge
