#pragma once
// Values that are put at, or folded into, places of a tensor. x's are copies; those that end with _ change x itself and
// return it, as a part of the graph.
//
// In the functions named scatter the index has x's number of dimensions, is in no dimension larger than the source, and
// but along `dim` not larger than x: source[.., i, ..] goes to [.., index[.., i, ..], ..]. In those named index it is a
// vector, and whole slices go. Indices are int32 or int64 in [0, size); one outside is an IndexError, on the CPU before
// anything is written, on a GPU at the next synchronisation. Source and x have one dtype, else DTypeError; other faults are
// ShapeError, or IndexError for `dim`. What meets at one place is folded in the order of positions.

#include <string_view>

#include <luge/ops/index.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// The value at the index; of several the last one stays, and gets the gradient.
Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& source);
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value);
/// What is there with the values added, or multiplied: `reduce` is "add" or "multiply", else ValueError.
Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce);
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value, std::string_view reduce);
Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source);
/// `reduce` is "sum", "prod", "mean", "amax" or "amin", else ValueError, of the values and, with include_self, of what
/// is there. A mean of integers is rounded down. NaN stays; equal extremes share the gradient evenly.
Tensor scatter_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                      bool include_self = true);

/// x with alpha times the slices of the source added.
Tensor index_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
/// x with a number in the slices; the index may count from the end. A tensor as value has no dimensions.
Tensor index_fill(const Tensor& x, int dim, const Tensor& index, Scalar value);
Tensor index_fill(const Tensor& x, int dim, const Tensor& index, const Tensor& value);
/// As scatter_reduce, with "prod", "mean", "amax" or "amin".
Tensor index_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                    bool include_self = true);

Tensor& scatter_(Tensor& x, int dim, const Tensor& index, const Tensor& source);
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, Scalar value);
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce);
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, Scalar value, std::string_view reduce);
Tensor& scatter_add_(Tensor& x, int dim, const Tensor& index, const Tensor& source);
Tensor& scatter_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                        bool include_self = true);
Tensor& index_add_(Tensor& x, int dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
Tensor& index_copy_(Tensor& x, int dim, const Tensor& index, const Tensor& source);
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, Scalar value);
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, const Tensor& value);
Tensor& index_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                      bool include_self = true);

}  // namespace luge
