#pragma once
// Internal: slices that are written in place.

#include <luge/tensor/tensor.h>

namespace luge {

/// Slice index[i] along `dim` of x becomes slice i of `values`, which has x's dtype and, elsewhere, its sizes. The
/// index is 1-d, in range and without repetitions. Records no graph.
void overwrite_slices(const Tensor& x, int dim, const Tensor& index, const Tensor& values);

}  // namespace luge
