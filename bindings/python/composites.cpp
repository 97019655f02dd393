// Values that replace others, bounds, comparisons with a tolerance, and functions that PyTorch has beside methods.

#include <fmt/format.h>

#include <luge/ops/arithmetic.h>
#include <luge/ops/replace.h>

#include "one.h"

namespace luge::python {

namespace {

constexpr const char* kInPlace = "In place; returns the tensor itself.";

Tensor filled(const Tensor& x, const Tensor& mask, nb::handle value) {
  if (is_tensor(value)) {
    const Unlocked unlocked(x, mask);
    return masked_fill(x, mask, as_tensor(value));
  }
  const Scalar number = scalar("masked_fill", "value", value);
  const Unlocked unlocked(x, mask);
  return masked_fill(x, mask, number);
}

void bind_masked_fill(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const doc =
      "`value` where the mask (bool) is true, input elsewhere; of input's dtype. `value` is a number or a tensor without "
      "dimensions. Raises DTypeError for another mask, ValueError for a number that the dtype cannot hold.\n\n"
      ">>> luge.masked_fill(luge.tensor([1., 2.]), luge.tensor([True, False]), 0)\ntensor([0., 2.])";
  m.def("masked_fill", &filled, "input"_a, "mask"_a, "value"_a.none(), doc,
        nb::sig("def masked_fill(input: Tensor, mask: Tensor, value: Tensor | float) -> Tensor"));
  tensor.def("masked_fill", &filled, "mask"_a, "value"_a.none(), doc,
             nb::sig("def masked_fill(self, mask: Tensor, value: Tensor | float) -> Tensor"));
  tensor.def(
      "masked_fill_",
      [](nb::handle self, const Tensor& mask, nb::handle value) {
        return in_place("masked_fill_", self, {value}, [&](const Tensor& x) { return filled(x, mask, value); });
      },
      "mask"_a, "value"_a.none(), kInPlace,
      nb::sig("def masked_fill_(self, mask: Tensor, value: Tensor | float) -> Tensor"));
}

void bind_one_bound(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, bool low) {
  const auto bounded = [name, low](const Tensor& x, nb::handle bound) {
    if (bound.is_none()) throw TypeError(fmt::format("{}: {} is None; it must be a tensor or a number", name, low ? "min" : "max"));
    return low ? clamped(name, x, bound, nb::none()) : clamped(name, x, nb::none(), bound);
  };
  const char* const argument = low ? "min" : "max";
  const std::string doc = fmt::format(
      "clamp with one bound, a number or a tensor, which is broadcast.\n\n>>> luge.{}(luge.tensor([1, 5]), 3)\ntensor([{}])",
      name, low ? "3, 5" : "1, 3");
  m.def(
      name,
      [name, bounded](const Tensor& x, nb::handle bound, nb::handle out) { return written(name, bounded(x, bound), out); },
      "input"_a, nb::arg(argument).none(), nb::kw_only(), "out"_a = nb::none(), doc.c_str(),
      nb::sig(fmt::format("def {}(input: Tensor, {}: Tensor | float, *, out: Tensor | None = None) -> Tensor", name,
                          argument)
                  .c_str()));
  tensor.def(name, bounded, nb::arg(argument).none(), doc.c_str(),
             nb::sig(fmt::format("def {}(self, {}: Tensor | float) -> Tensor", name, argument).c_str()));
  const std::string changed = std::string(name) + "_";
  tensor.def(
      changed.c_str(),
      [name, bounded](nb::handle self, nb::handle bound) {
        return in_place(name, self, {bound}, [&](const Tensor& x) { return bounded(x, bound); });
      },
      nb::arg(argument).none(), kInPlace,
      nb::sig(fmt::format("def {}(self, {}: Tensor | float) -> Tensor", changed, argument).c_str()));
}

void bind_closeness(nb::module_& m, nb::class_<Tensor>& tensor) {
  const auto close = [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
    const Unlocked unlocked(a, b);
    return isclose(a, b, rtol, atol, equal_nan);
  };
  const auto all_close = [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
    return allclose(a, b, rtol, atol, equal_nan, location());
  };
  const char* const close_doc =
      "Whether |input - other| <= atol + rtol * |other|, element by element (bool); with `equal_nan` NaN is close to NaN. "
      "Raises DTypeError for different dtypes, ValueError for a negative tolerance.\n\n"
      ">>> luge.isclose(luge.tensor([1.0, 2.0]), luge.tensor([1.0, 2.1]))\ntensor([ True, False])";
  const char* const all_doc =
      "Whether all elements are close, as isclose() says; waits for the device.\n\n"
      ">>> luge.allclose(luge.tensor([1.0]), luge.tensor([1.00001]), rtol=1e-3)\nTrue";
  m.def("isclose", close, "input"_a, "other"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false, close_doc);
  m.def("allclose", all_close, "input"_a, "other"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false, all_doc);
  tensor.def("isclose", close, "other"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false, close_doc);
  tensor.def("allclose", all_close, "other"_a, "rtol"_a = 1e-5, "atol"_a = 1e-8, "equal_nan"_a = false, all_doc);
}

/// A tensor of x's shape and dtype, full of a number or of the value of a tensor without dimensions.
Tensor full_of(const Tensor& x, nb::handle value) {
  if (!is_tensor(value)) return full_like(x, scalar("fill", "value", value));
  const Tensor& given = as_tensor(value);
  if (given.ndim() != 0)
    throw ShapeError(fmt::format("fill: the value has shape {}; it must be a number or have no dimensions",
                                 to_string(given.shape())));
  const Unlocked unlocked(x);
  return given.to(x.dtype()).expand(x.shape()).clone();
}

/// Functions that are methods under other circumstances.
void bind_functions(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def("fill", &full_of, "input"_a, "value"_a.none(),
        "A tensor of input's shape and dtype with `value` everywhere, a number or a tensor without dimensions.\n\n"
        ">>> luge.fill(luge.zeros(2), 3)\ntensor([3., 3.])",
        nb::sig("def fill(input: Tensor, value: Tensor | float) -> Tensor"));
  m.def(
      "equal", [](const Tensor& x, const Tensor& other) { return nb::cast<bool>(wrap(x).attr("equal")(wrap(other))); },
      "input"_a, "other"_a,
      "Whether shape and all values are the same; waits for the device.\n\n"
      ">>> luge.equal(luge.ones(2), luge.tensor([1.0, 1.0]))\nTrue");
  m.def("numel", [](const Tensor& x) { return x.numel(); }, "input"_a,
        "The number of elements.\n\n>>> luge.numel(luge.zeros(2, 3))\n6");
  m.def(
      "is_tensor", [](nb::handle object) { return is_tensor(object); }, "obj"_a.none(),
      "Whether it is a Tensor.\n\n>>> luge.is_tensor(1)\nFalse");
  m.def(
      "clone",
      [](const Tensor& x) {
        const Unlocked unlocked(x);
        return x.clone();
      },
      "input"_a, "A copy of its own memory, recorded in the graph.\n\n>>> luge.clone(luge.ones(2))\ntensor([1., 1.])");
  m.def("detach", [](const Tensor& x) { return x.detach(); }, "input"_a,
        "The same data outside the graph.\n\n>>> luge.detach(luge.ones(2, requires_grad=True)).requires_grad\nFalse");
  m.def(
      "is_nonzero", [](const Tensor& x) { return x.item<bool>(location()); }, "input"_a,
      "Whether the one element is not zero; waits for the device. Raises ShapeError for more.\n\n"
      ">>> luge.is_nonzero(luge.tensor([2.0]))\nTrue");
  const auto same = [](nb::handle x) {
    if (self_of(x).dtype() == DType::Bool)
      throw DTypeError("positive: the tensor is bool; allowed are integer and floating dtypes");
    return nb::borrow(x);
  };
  m.def("positive", same, "input"_a,
        "The tensor itself. Raises DTypeError for bool.\n\n>>> luge.positive(luge.tensor([-1]))\ntensor([-1])",
        nb::sig("def positive(input: Tensor) -> Tensor"));
  tensor.def("positive", same, "The tensor itself. Raises DTypeError for bool.",
             nb::sig("def positive(self) -> Tensor"));
  tensor.def(
      "is_nonzero", [](const Tensor& x) { return x.item<bool>(location()); },
      "Whether the one element is not zero; waits for the device. Raises ShapeError for more.");
}

}  // namespace

void bind_composites(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_masked_fill(m, tensor);
  bind_one_bound(m, tensor, "clamp_min", true);
  bind_one_bound(m, tensor, "clamp_max", false);
  bind_closeness(m, tensor);
  bind_functions(m, tensor);
  def_unary(m, tensor, "nan_to_num", ", nan: float = 0.0, posinf: float | None = None, neginf: float | None = None",
            "Numbers in place of NaN, inf and -inf; without `posinf` and `neginf` the dtype's largest and smallest "
            "number. Integers and bool stay as they are.\n\n"
            ">>> luge.nan_to_num(luge.tensor([1.0, float('nan')]), nan=5.0)\ntensor([1., 5.])",
            +[](const Tensor& x, std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) {
              return nan_to_num(x, nan.value_or(0), posinf, neginf);
            },
            "nan"_a = nb::none(), "posinf"_a = nb::none(), "neginf"_a = nb::none());
  def_unary(m, tensor, "deg2rad", "",
            "Degrees in radians; integers and bool are float32.\n\n>>> luge.deg2rad(luge.tensor([180.0]))\ntensor([3.1416])",
            &deg2rad);
  def_unary(m, tensor, "rad2deg", "",
            "Radians in degrees; integers and bool are float32.\n\n>>> luge.rad2deg(luge.tensor([1.0]))\ntensor([57.2958])",
            &rad2deg);
}

}  // namespace luge::python
