#pragma once
// Internal: the gradient of a broadcast.

#include <luge/autograd/detail/node.h>

namespace luge {

/// Adds `gradient`, summed over the dimensions that broadcasting had repeated, to the slot of an input
/// of shape `shape`. `fresh` as in GradSlot::add.
void sum_to(const Tensor& gradient, const Shape& shape, GradSlot& slot, bool fresh);

/// The same as a recorded op.
Tensor sum_to(const Tensor& gradient, const Shape& shape);

/// `shape` with leading dimensions of size 1 up to `ndim`.
Shape pad_front(const Shape& shape, int ndim);

}  // namespace luge
