#pragma once
// What layers are made of, in luge._C._functional.

#include "python.h"

namespace luge::python {

void bind_attention(nb::module_& m);

}  // namespace luge::python
