#pragma once
// Dropout: random elements, or whole channels, are 0, so that no unit can rely on another (Srivastava et al. 2014).
//
// Floating dtypes; the result has x's shape and dtype. Outside of training, and for p = 0, it is x itself. Numbers are the
// next ones of the global generator, so that every call draws others, and so does every replay of a captured step. With a
// `draw` the first dimension is that of sets: set i draws what set first_set + i of a larger batch draws (draw.h). All throw
// ValueError for a p outside [0, 1], DTypeError, and ShapeError where a dimension is missing.

#include <optional>

#include <luge/ops/draw.h>

namespace luge {

/// Each element with probability p 0, else x / (1 - p). What is dropped is multiplied with 0, so that NaN stays NaN.
Tensor dropout(const Tensor& x, double p = 0.5, bool train = true, const std::optional<Draw>& draw = {});
/// The same, and all elements of a channel fall together: x (batch, channels, ...), with sets (sets, batch, channels, ...)
/// (Tompson et al., "Efficient object localization using convolutional networks", 2015).
Tensor feature_dropout(const Tensor& x, double p = 0.5, bool train = true, const std::optional<Draw>& draw = {});
/// For selu, keeps mean 0 and variance 1: what is dropped takes selu's lower bound, and all goes through one affine map
/// (Klambauer et al., "Self-normalizing neural networks", 2017).
Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool train = true, const std::optional<Draw>& draw = {});
/// alpha_dropout of whole channels.
Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool train = true, const std::optional<Draw>& draw = {});

}  // namespace luge
