#pragma once

#include "python.h"

namespace luge::python {

void bind_convolutions(nb::module_& m);

}  // namespace luge::python
