#pragma once
// Where a result goes: into a tensor that the caller gives (`out=`), or into the tensor itself (`x.f_()`).

#include <initializer_list>

#include "python.h"

namespace luge::python {

/// Throws DTypeError where PyTorch's can_cast says no: a floating result into integers, any other one into bool.
void check_castable(const char* op, const char* argument, DType result, DType target);

/// The result as a Python object: a new one, or `out` with the result copied into it. `out` has the result's shape and
/// device and a dtype that the result can be cast to. Throws AutogradError where the result is part of a graph, as
/// PyTorch does, TypeError where `out` is no tensor, ShapeError (PyTorch resizes), DTypeError, DeviceError.
nb::object written(const char* op, Tensor result, nb::handle out);

/// What `x.f_(others...)` is to be computed from: x, or a copy where the way back may need the values that go.
Tensor read_before(const Tensor& x, std::initializer_list<nb::handle> others = {});

/// Overwrites `x` with a result of its shape: what `x.f_()` does for a composite. A part of the graph, as copy_() is.
/// Throws ShapeError, and DTypeError where the result cannot be cast.
Tensor& overwrite(const char* op, Tensor& x, const Tensor& result);

}  // namespace luge::python
