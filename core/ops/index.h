#pragma once

#include <luge/tensor/tensor.h>

namespace luge {

/// x's slices along `dim` in the order of `index` (1-d, int32 or int64). Throws IndexError for an index
/// outside [0, size) on the CPU at once, on a GPU at the next synchronisation.
Tensor index_select(const Tensor& x, int dim, const Tensor& index);

/// out[.., i, ..] = x[.., index[.., i, ..], ..] along `dim`; index has x's number of dimensions and its
/// sizes do not exceed x's in the others.
Tensor gather(const Tensor& x, int dim, const Tensor& index);

}  // namespace luge
