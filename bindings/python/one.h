#pragma once
// Functions of one tensor and of arguments that are no tensors: function, method, and change in place.

#include <string>
#include <utility>

#include <fmt/format.h>

#include "operands.h"

namespace luge::python {

/// luge.f(input, ..., out=), x.f(...) and x.f_(...) for a composite. `call` is called as call(x, numbers...);
/// `parameters` are the declarations of the numbers in Python, each behind a comma.
template <class... P, class... Argument>
void def_unary(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const char* parameters, const char* doc,
               Tensor (*f)(const Tensor&, P...), const Argument&... arguments) {
  m.def(
      name,
      [name, f](const Tensor& x, P... numbers, nb::handle out) {
        Tensor result;
        {
          const Unlocked unlocked(x);
          result = f(x, numbers...);
        }
        return written(name, std::move(result), out);
      },
      "input"_a, arguments..., nb::kw_only(), "out"_a = nb::none(), doc,
      nb::sig(fmt::format("def {}(input: Tensor{}, *, out: Tensor | None = None) -> Tensor", name, parameters).c_str()));
  tensor.def(
      name,
      [f](const Tensor& x, P... numbers) {
        const Unlocked unlocked(x);
        return f(x, numbers...);
      },
      arguments..., doc, nb::sig(fmt::format("def {}(self{}) -> Tensor", name, parameters).c_str()));
  const std::string changed = std::string(name) + "_";
  tensor.def(
      changed.c_str(),
      [name, f](nb::handle self, P... numbers) {
        return in_place(name, self, {}, [&](const Tensor& x) {
          const Unlocked unlocked(x);
          return f(x, numbers...);
        });
      },
      arguments..., "In place; returns the tensor itself.",
      nb::sig(fmt::format("def {}(self{}) -> Tensor", changed, parameters).c_str()));
}

}  // namespace luge::python
