#pragma once
// Elements by their places: lists of indices for several dimensions at once, flat positions, and masks.
//
// Indices are int32 or int64 and may count from the end; one outside [-size, size) is an IndexError, on the CPU before anything is written, on a GPU at the next synchronisation. Functions that end with _ change
// x itself and return it, as a part of the graph.

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// x[indices[0], indices[1], ...] as NumPy has it. An undefined tensor stands for all of a dimension; a mask of bools (or
/// uint8) for as many dimensions as it has, whose sizes are its own, else IndexError. Indices are broadcast against one
/// another; their dimensions take the place of those indexed, or come first where these are not neighbours. A mask is read
/// on the host, so it cannot be captured: CaptureError.
Tensor index(const Tensor& x, const std::vector<Tensor>& indices);
/// x with `values`, which are broadcast, in those places: of several in one place the last one stays and gets the
/// gradient, or they are added to what is there. Values are of x's dtype: DTypeError.
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate = false);
Tensor& index_put_(Tensor& x, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate = false);

/// The elements at flat positions, in the index's shape.
Tensor take(const Tensor& x, const Tensor& index);
/// x with the source's elements, in order, at flat positions, or added there. ShapeError unless source and index have
/// equally many elements.
Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);
Tensor& put_(Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);
/// gather() with the dimensions other than `dim` broadcast; without `dim` of the flat tensor by the flat index.
Tensor take_along_dim(const Tensor& x, const Tensor& index);
Tensor take_along_dim(const Tensor& x, const Tensor& index, int dim);

/// The elements for which the mask (bool) is true, in order, 1-d; both are broadcast. The mask is read on the host.
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// x with the first elements of the source in place of those for which the mask (bool) is true; both are broadcast.
/// ShapeError, on the CPU, where the source has too few.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);

/// Where x is not 0, in order: int64 of shape (count, x.ndim()). Reads x on the host: CaptureError while a step is captured.
Tensor nonzero(const Tensor& x);
/// The same.
Tensor argwhere(const Tensor& x);
/// The columns of nonzero(), one for each dimension; a 0-d condition is one of a single element.
std::vector<Tensor> where(const Tensor& condition);

}  // namespace luge
