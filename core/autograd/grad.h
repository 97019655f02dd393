#pragma once

#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// The sum over all outputs of d(output)/d(input), weighted by `grad_outputs`, for each input, as torch.autograd.grad.
/// No leaf's grad() changes. An input is a leaf that requires a gradient, or the result of a recorded op; of an input that
/// the outputs do not depend on the gradient is undefined with `allow_unused`, else AutogradError names its number.
/// `grad_outputs` is empty or has one entry per output, of its shape and dtype; an undefined one stands for 1 and wants
/// an output of one element. The graph is freed unless `retain_graph`. Throws AutogradError, ShapeError, DTypeError,
/// ValueError.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {}, bool retain_graph = false,
                         bool allow_unused = false);

}  // namespace luge
