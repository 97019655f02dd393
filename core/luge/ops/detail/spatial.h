#pragma once
// Internal: numbers for each spatial dimension, checked.

#include <luge/ops/convolution.h>
#include <luge/ops/detail/convolve.h>

namespace luge {

/// The largest number that is taken, and the most elements of an image with its zeros around.
inline constexpr std::int64_t kMostSpace = std::int64_t{1} << 31;

/// One number for each of the last `dims` of three spatial dimensions, `rest` for those before. ShapeError, which says `argument`, for
/// another count of numbers, ValueError for one below `least` or beyond what memory could hold.
Convolution::Sizes spatial(const char* op, const char* argument, const Spatial& given, int dims, std::int64_t least, std::int64_t rest);

/// ShapeError for images whose padding no memory could hold.
void check_volume(const char* op, const ConvolutionSizes& sizes);

}  // namespace luge
