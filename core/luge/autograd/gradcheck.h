#pragma once

#include <functional>
#include <string>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

struct GradcheckOptions {
  double epsilon = 1e-6;             ///< step of the central difference
  double absolute_tolerance = 1e-5;
  double relative_tolerance = 1e-3;
};

struct GradcheckResult {
  bool passed = true;
  double worst_error = 0;            ///< largest |analytic - numeric|
  std::string message;               ///< names the input, the element and both values of the worst failure
  explicit operator bool() const { return passed; }
};

/// Compares the gradients that backward() computes with central differences, in the manner of
/// torch.autograd.gradcheck. `function` takes the inputs to one tensor; the inputs that require a
/// gradient must be float64 (DTypeError otherwise) and not expanded (ValueError). Their values are
/// moved by epsilon and put back; their gradients are not touched.
GradcheckResult gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& function,
                          const std::vector<Tensor>& inputs, GradcheckOptions options = {},
                          SourceLocation location = SourceLocation::current());

/// gradcheck of the gradients themselves, as a function of the inputs and of the gradient of the output: whether what
/// grad() with create_graph gives has right gradients, in the manner of torch.autograd.gradgradcheck. Conditions are
/// gradcheck's. Throws AutogradError in addition where an op of the graph has no gradient of its gradient.
GradcheckResult gradgradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& function,
                              const std::vector<Tensor>& inputs, GradcheckOptions options = {},
                              SourceLocation location = SourceLocation::current());

}  // namespace luge
