#pragma once
// Internal: what the losses have in common.

#include <string>

#include <luge/ops/loss.h>

namespace luge {

/// The losses of single samples as the reduction says. Throws ShapeError, in which `op` was called.
Tensor reduced(const char* op, const Tensor& losses, Reduction reduction);

/// Whether a target of this shape goes with values of shape `full`: equal, or, with PerSet, without the leading sets.
bool goes_with(const Shape& target, const Shape& full, Reduction reduction);
/// The shapes that do, for an error.
std::string allowed_shapes(const Shape& full, Reduction reduction);
/// Throws ShapeError unless the tensor goes with `full`.
void check_goes_with(const char* op, const char* argument, const Tensor& tensor, const char* other, const Shape& full,
                     Reduction reduction);

}  // namespace luge
