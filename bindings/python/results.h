#pragma once
// Operations with two results: a tuple whose parts have names, too, as PyTorch's return_types.

#include "python.h"

namespace luge::python {

/// The results under their names, "values indices" for instance; `op` is the name of the tuple's type.
nb::object named_pair(const char* op, const char* names, nb::object first, nb::object second);

/// The same, with the results copied into `out`, a tuple or list of two tensors, unless that is None. Throws as written()
/// does (out.h), and nothing is written then.
nb::object written_pair(const char* op, const char* names, Tensor first, Tensor second, nb::handle out);

}  // namespace luge::python
