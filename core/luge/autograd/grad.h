#pragma once

#include <optional>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The sum over all outputs of d(output)/d(input), weighted by `grad_outputs`, for each input, as torch.autograd.grad.
/// No leaf's grad() changes. An input is a leaf that requires a gradient, or the result of a recorded op; of an input
/// that the outputs do not depend on the gradient is undefined with `allow_unused`, else AutogradError names its
/// number. `grad_outputs` is empty or has one entry per output, of its shape and dtype; an undefined one stands for 1
/// and wants an output of one element. With `create_graph` the gradients are results of recorded ops and can be
/// differentiated in turn; the graph is freed unless `retain_graph`, which is `create_graph` where it is not given.
/// Throws AutogradError, ShapeError, DTypeError, ValueError.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {}, std::optional<bool> retain_graph = {},
                         bool create_graph = false, bool allow_unused = false);

/// What functions of functions hand on.
struct FunctionArgument {
  Tensor input;   ///< what gradients are taken with respect to
  Tensor inside;  ///< the same result of the same operation for the function, which may change it in place
};
/// The values of `x`, which are floating, as the result of an operation, whether or not x requires a gradient. grad()
/// with respect to it looks at nothing before it; if x has a history, gradients go on to it.
FunctionArgument as_argument(const Tensor& x);

/// Whether all that the graphs of `outputs` lead to lies behind `inputs`, which are results of recorded ops: then
/// gradients with respect to the inputs depend on no tensor beyond them that requires a gradient.
bool stands_alone(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs);

}  // namespace luge
