#include "out.h"

#include <fmt/format.h>

namespace luge::python {

void check_castable(const char* op, const char* argument, DType result, DType target) {
  const bool loses = is_floating(result) ? !is_floating(target) : target == DType::Bool && result != DType::Bool;
  if (loses)
    throw DTypeError(fmt::format("{}: the result is {} and {} is {}; {} cannot be cast to {}", op, name(result), argument,
                                 name(target), name(result), name(target)));
}

nb::object written(const char* op, Tensor result, nb::handle out) {
  if (out.is_none()) return wrap(std::move(result));
  if (!is_tensor(out)) throw TypeError(fmt::format("{}: out is of type {}; it must be a Tensor", op, type_of(out)));
  Tensor target = as_tensor(out);
  if (result.requires_grad() || (target.requires_grad() && grad_enabled()))
    throw AutogradError(
        fmt::format("{}: out= is not part of a graph, and {} requires a gradient; use no_grad() or leave out= away", op,
                    result.requires_grad() ? "an argument" : "out"));
  if (target.shape() != result.shape())
    throw ShapeError(fmt::format("{}: the result has shape {} and out has shape {}; they must be equal", op,
                                 to_string(result.shape()), to_string(target.shape())));
  check_castable(op, "out", result.dtype(), target.dtype());
  if (target.device() != result.device())
    throw DeviceError(fmt::format("{}: the result is on {} and out is on {}; they must be on one device", op,
                                  to_string(result.device()), to_string(target.device())));
  target.copy_(result, location());
  return nb::borrow(out);
}

Tensor read_before(const Tensor& x, std::initializer_list<nb::handle> others) {
  bool recorded = x.requires_grad();
  for (const nb::handle other : others) recorded |= is_tensor(other) && as_tensor(other).requires_grad();
  return recorded && grad_enabled() ? x.clone() : x;
}

Tensor& overwrite(const char* op, Tensor& x, const Tensor& result) {
  if (x.shape() != result.shape())
    throw ShapeError(fmt::format("{}: the tensor has shape {} and the result has shape {}; in place they must be equal", op,
                                 to_string(x.shape()), to_string(result.shape())));
  check_castable(op, "the tensor", result.dtype(), x.dtype());
  return x.copy_(result, location());
}

}  // namespace luge::python
