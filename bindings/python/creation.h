#pragma once
// luge.tensor(), for what is made by means of it.

#include "python.h"

namespace luge::python {

/// A copy of numbers, lists, an array or a tensor: luge.tensor(data, ...).
Tensor tensor(nb::handle data, std::optional<PyDType> dtype, std::optional<DeviceArgument> device, bool requires_grad);

}  // namespace luge::python
