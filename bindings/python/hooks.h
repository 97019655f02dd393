#pragma once

#include "python.h"

namespace luge::python {

/// Hooks of tensors, and their places in the graph.
void bind_hooks(nb::module_& m, nb::class_<Tensor>& tensor);

}  // namespace luge::python
