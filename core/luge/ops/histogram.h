#pragma once
// Counts of elements: by value, and by intervals. No gradient goes through.

#include <cstdint>
#include <optional>
#include <utility>

#include <luge/tensor/tensor.h>

namespace luge {

/// How often each of 0, 1, 2, ... stands in x, a 1-d tensor of integers that are not negative: as many counts as the
/// largest one asks for, at least `minlength`; int64. With `weights` of x's shape their sums: float32 for float32
/// weights, else float64. Reads the largest one on the host: CaptureError while a step is captured. Throws DTypeError,
/// ShapeError, DeviceError, ValueError for a negative number or minlength.
Tensor bincount(const Tensor& x, const Tensor& weights = {}, std::int64_t minlength = 0,
                SourceLocation location = SourceLocation::current());

/// How many elements lie in each of `bins` intervals of one width from `min` to `max`, both included, of x's dtype
/// (floating). Others, and NaN, are left out. Where min and max are equal the least and the largest element take their
/// place, which are read on the host (CaptureError while a step is captured), and where these are equal, too, 1 less and
/// 1 more. Throws ValueError for a range that is not finite or empty, or without bins; DTypeError.
Tensor histc(const Tensor& x, std::int64_t bins = 100, double min = 0, double max = 0,
             SourceLocation location = SourceLocation::current());

/// What histogram() finds.
struct Histogram {
  Tensor hist;       ///< of x's dtype, 1-d
  Tensor bin_edges;  ///< the same; one more
};

/// How many elements lie between neighbouring edges: edge i <= element < edge i + 1, the last edge included. With
/// `weight`, of x's shape and dtype, the sums of their weights; with `density` divided by the sum of all and by the
/// interval's width. x is float32 or float64, the edges are 1-d, of x's dtype, and ascend. Throws DTypeError,
/// ShapeError, DeviceError.
Histogram histogram(const Tensor& x, const Tensor& bins, const Tensor& weight = {}, bool density = false);
/// With `bins` (100) intervals of one width over a range, or from the least to the largest element, which are read on the host
/// (CaptureError while a step is captured); equal ends are moved apart by 1. Throws also ValueError for a range that is
/// not finite or descends, or without bins.
Histogram histogram(const Tensor& x, std::int64_t bins = 100, std::optional<std::pair<double, double>> range = {},
                    const Tensor& weight = {}, bool density = false, SourceLocation location = SourceLocation::current());

}  // namespace luge
