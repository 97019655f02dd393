#pragma once
// Internal: composites whose derivative is not the one that their steps would give.

#include <functional>
#include <initializer_list>
#include <span>
#include <vector>

#include <luge/autograd/detail/node.h>

namespace luge {

/// Gradients of the inputs (an undefined one is none), of their shapes, from the result's: in ops that can be recorded.
using Derivative = std::function<std::vector<Tensor>(const Tensor& gradient, std::span<const Tensor> inputs)>;

/// What `formula` computes without recording, as the result of one op of this name. It has no history where no input
/// wants a gradient or none is recorded. `formula` must not return one of the inputs.
Tensor with_derivative(const char* name, std::initializer_list<Tensor> inputs, const std::function<Tensor()>& formula,
                       Derivative derivative);

}  // namespace luge
