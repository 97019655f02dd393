#pragma once
// Draws from distributions: formulas over the numbers of rand() and randn(). Each call takes the global generator's next
// numbers, a captured step new ones at each replay. None has a gradient.

#include <cstdint>

#include <luge/ops/create.h>

namespace luge {

/// 1 with probability p and otherwise 0, element by element; of p's shape and floating dtype. Throws DTypeError, and on
/// the CPU ValueError for a p outside [0, 1], which a captured step does not look for.
Tensor bernoulli(const Tensor& p);

/// Indices of categories, int64: `count` for each row of weights (categories) or (rows, categories), floating, which
/// need not add up to 1. Drawn one after the other with the probabilities that the weights of those still there give,
/// or with replacement. Throws ShapeError, DTypeError, ValueError for a count below 1 or, without replacement, above the
/// categories, and on the CPU for weights that are negative, not finite or all 0 (which a captured step does not look for).
///
/// Without replacement those with the largest w / e come first, with e exponential (Efraimidis, Spirakis 2006).
Tensor multinomial(const Tensor& weights, std::int64_t count, bool replacement = false);

/// mean + std * a standard normal number, element by element; mean and std broadcast. Throws DTypeError unless they are
/// floating, and ValueError on the CPU for a negative std.
Tensor normal(const Tensor& mean, const Tensor& std);
Tensor normal(double mean, const Tensor& std);
Tensor normal(const Tensor& mean, double std = 1);
/// The same numbers for all elements. Throws ValueError for a negative std.
Tensor normal(double mean, double std, const Shape& shape, TensorOptions options = {});

/// Uniform in [low, high). Throws ValueError unless low <= high.
Tensor uniform(double low, double high, const Shape& shape, TensorOptions options = {});
/// Density rate * exp(-rate x). Throws ValueError unless rate > 0.
Tensor exponential(double rate, const Shape& shape, TensorOptions options = {});
/// How many trials of probability p the first success takes, 1 or more. Throws ValueError unless 0 < p < 1.
Tensor geometric(double p, const Shape& shape, TensorOptions options = {});
/// exp of normal numbers. Throws ValueError unless std > 0.
Tensor log_normal(double mean, double std, const Shape& shape, TensorOptions options = {});
/// median + scale * tan(pi (u - 1/2)) with u uniform. Throws ValueError unless scale > 0.
Tensor cauchy(double median, double scale, const Shape& shape, TensorOptions options = {});

}  // namespace luge
