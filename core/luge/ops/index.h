#pragma once

#include <luge/tensor/tensor.h>

namespace luge {

/// x's slices along `dim` in the order of `index` (1-d, int32 or int64). Throws IndexError for an index
/// outside [0, size) on the CPU at once, on a GPU at the next synchronisation.
Tensor index_select(const Tensor& x, int dim, const Tensor& index);

/// A copy of x in which slice index[i] along `dim` is source's slice i: of source's shape, x with index.numel() along dim.
/// Of equal indices the last one stays, and gets the gradient. Throws as index_select does.
Tensor index_copy(const Tensor& x, int dim, const Tensor& index, const Tensor& source);

/// out[.., i, ..] = x[.., index[.., i, ..], ..] along `dim`; index has x's number of dimensions and its
/// sizes do not exceed x's in the others.
Tensor gather(const Tensor& x, int dim, const Tensor& index);

}  // namespace luge
