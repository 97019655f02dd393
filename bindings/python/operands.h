#pragma once
// Calls of functions of two operands, one of which may be a number or a NumPy array; operands.cpp and operators.cpp.

#include <string_view>

#include "out.h"

namespace luge::python {

/// A function of two operands in its three forms.
struct Two {
  const char* name;
  Tensor (*tensors)(const Tensor&, const Tensor&);
  Tensor (*number)(const Tensor&, Scalar);
  Tensor (*reflected)(Scalar, const Tensor&);
};

/// Nothing where one is a tensor and the other neither a tensor, a number nor a NumPy array.
std::optional<Tensor> apply(const Two& f, nb::handle a, nb::handle b);
/// The same; TypeError where there is nothing.
Tensor called(const char* name, const Two& f, nb::handle a, nb::handle b);

/// By name: two::add, two::lt, ...
namespace two {
#define LUGE_ROW(function, ...) \
  inline constexpr Two function{#function, &luge::function, &luge::function, &luge::function};
LUGE_BINARY_OPS(LUGE_ROW)
LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
}  // namespace two

/// What PyTorch calls the second operand of a row.
constexpr const char* second_name(std::string_view row) {
  return row == "pow" ? "exponent" : row == "heaviside" ? "values" : "other";
}

/// A tensor, a NumPy array as one, or a number as one without dimensions.
Tensor operand(const char* op, const char* argument, nb::handle given);

/// x between bounds that are tensors, numbers or None.
Tensor clamped(const char* op, const Tensor& x, nb::handle low, nb::handle high);

/// The names that PyTorch has for the function `name`, that one first.
std::vector<std::string> names_of(const std::string& name);

/// `x.f_(...)`: overwrites the tensor with what `call` computes from it, and returns it. `others` are the other
/// arguments, which may be tensors.
template <class Call>
nb::object in_place(const char* op, nb::handle self, std::initializer_list<nb::handle> others, const Call& call) {
  Tensor& x = self_of(self);
  overwrite(op, x, call(read_before(x, others)));
  return nb::borrow(self);
}

}  // namespace luge::python
