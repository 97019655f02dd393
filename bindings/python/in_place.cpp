// Changes in place: x.f_(...) of the elementwise operations.

#include <string_view>

#include <fmt/format.h>

#include "operands.h"

namespace luge::python {

namespace {

constexpr const char* kText = "In place; returns the tensor itself.";

/// x.f_() of a row of one input and numbers.
template <class... P, class... Argument>
void def_one(nb::class_<Tensor>& tensor, const char* row, const char* parameters, Tensor& (Tensor::*f)(P...),
             const Argument&... arguments) {
  for (const std::string& name : names_of(row))
    tensor.def(
        (name + "_").c_str(),
        [f](nb::handle self, P... numbers) {
          Tensor& x = self_of(self);
          {
            const Unlocked unlocked(x);
            (x.*f)(numbers...);
          }
          return nb::borrow(self);
        },
        arguments..., kText, nb::sig(fmt::format("def {}_(self{}) -> Tensor", name, parameters).c_str()));
}

/// x.f_(other) of a row of two inputs, whose result has x's dtype or a narrower one.
void def_two(nb::class_<Tensor>& tensor, const char* row, Tensor& (Tensor::*by_tensor)(const Tensor&),
             Tensor& (Tensor::*by_number)(Scalar)) {
  for (const std::string& name : names_of(row))
    tensor.def(
        (name + "_").c_str(),
        [row, by_tensor, by_number](nb::handle self, nb::handle other) {
          Tensor& x = self_of(self);
          if (is_tensor(other)) {
            const Unlocked unlocked(x);
            (x.*by_tensor)(as_tensor(other));
          } else {
            const Scalar value = scalar(row, "other", other);
            const Unlocked unlocked(x);
            (x.*by_number)(value);
          }
          return nb::borrow(self);
        },
        nb::arg(second_name(row)).none(), kText,
        nb::sig(fmt::format("def {}_(self, {}: Tensor | float) -> Tensor", name, second_name(row)).c_str()));
}

/// The same of a row whose result is bool, as 0 and 1 of x's dtype.
void def_test(nb::class_<Tensor>& tensor, const Two& row) {
  for (const std::string& name : names_of(row.name))
    tensor.def(
        (name + "_").c_str(),
        [f = &row](nb::handle self, nb::handle other) {
          return in_place(f->name, self, {},
                          [&](const Tensor& x) { return called(f->name, *f, wrap(x), other); });
        },
        "other"_a.none(),
        "In place: 1 and 0 of the tensor's own dtype for true and false; returns the tensor itself.",
        nb::sig(fmt::format("def {}_(self, other: Tensor | float) -> Tensor", name).c_str()));
}

/// Rows that have arguments of their own: arithmetic.cpp.
bool is_own(std::string_view name) {
  return name == "add" || name == "sub" || name == "div" || name == "round" || name == "polygamma";
}

}  // namespace

void bind_in_place(nb::class_<Tensor>& tensor) {
#define LUGE_WORDS(name, value) ", " #name ": float = " #value
#define LUGE_ARGUMENT(name, value) , nb::arg(#name) = value
#define LUGE_ROW(function, Formula, dtypes, text, ...)                                     \
  if (!is_own(#function))                                                                  \
    def_one(tensor, #function, "" LUGE_PARAMETERS(LUGE_WORDS, LUGE_WORDS, __VA_ARGS__),    \
            &Tensor::function##_ LUGE_PARAMETERS(LUGE_ARGUMENT, LUGE_ARGUMENT, __VA_ARGS__));
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#undef LUGE_ARGUMENT
#undef LUGE_WORDS
#define LUGE_ROW(function, ...) \
  if (!is_own(#function)) def_two(tensor, #function, &Tensor::function##_, &Tensor::function##_);
  LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...) def_test(tensor, two::function);
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
  tensor.def(
      "polygamma_",
      [](nb::handle self, int n) {
        return in_place("polygamma_", self, {}, [n](const Tensor& x) { return polygamma(x, n); });
      },
      "n"_a, nb::sig("def polygamma_(self, n: int) -> Tensor"), kText);
  tensor.def(
      "logical_not_",
      [](nb::handle self) {
        return in_place("logical_not_", self, {}, [](const Tensor& x) { return logical_not(x); });
      },
      nb::sig("def logical_not_(self) -> Tensor"), kText);
  tensor.def(
      "bitwise_not_",
      [](nb::handle self) {
        return in_place("bitwise_not_", self, {}, [](const Tensor& x) { return bitwise_not(x); });
      },
      nb::sig("def bitwise_not_(self) -> Tensor"), kText);
  for (const char* const name : {"clamp_", "clip_"})
    tensor.def(
        name,
        [](nb::handle self, nb::handle low, nb::handle high) {
          return in_place("clamp_", self, {low, high},
                          [&](const Tensor& x) { return clamped("clamp_", x, low, high); });
        },
        "min"_a.none() = nb::none(), "max"_a.none() = nb::none(),
        nb::sig(fmt::format(
                    "def {}(self, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor", name)
                    .c_str()),
        kText);
#define LUGE_ROW(function, Formula, dtypes, text, second, third)                      \
  tensor.def(                                                                         \
      #function "_",                                                                  \
      [](nb::handle self, const Tensor& b, nb::handle c) {                            \
        if (is_tensor(c))                                                             \
          self_of(self).function##_(b, as_tensor(c));                                 \
        else                                                                          \
          self_of(self).function##_(b, scalar(#function "_", #third, c));             \
        return nb::borrow(self);                                                      \
      },                                                                              \
      nb::arg(#second), nb::arg(#third).none(), kText,                                \
      nb::sig("def " #function "_(self, " #second ": Tensor, " #third ": Tensor | float) -> Tensor"));
  LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
}

}  // namespace luge::python
