// Views, copies and changes in place.

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

nb::object changed(nb::handle self) { return nb::borrow(self); }

/// Those of a call f(2, 3), f((2, 3)) or f(name=(2, 3)): one list, or the positional ones.
nb::object listed(const char* op, const char* name, const nb::args& given, nb::handle by_name) {
  if (by_name.is_none()) return given.size() == 1 ? nb::object(given[0]) : nb::object(given);
  if (given.size() > 0) throw TypeError(fmt::format("{}: {} is given twice", op, name));
  return nb::borrow(by_name);
}

}  // namespace

void bind_views(nb::class_<Tensor>& tensor) {
  const auto sized = [](const char* name, const char* keyword) {
    return fmt::format("def {}(self, *sizes: int | Sequence[int], {}: Sequence[int] | None = None) -> Tensor", name, keyword);
  };
  tensor
      .def(
          "view",
          [](const Tensor& x, const nb::args& given, nb::handle by_name) {
            return x.view(by_name.is_none() ? sizes_of("view", given) : sizes("view", listed("view", "size", given, by_name)));
          },
          "sizes"_a, "size"_a.none() = nb::none(),
          nb::sig(sized("view", "size").c_str()),
          "The same elements as `shape`; one size may be -1. Raises ShapeError where the strides do not allow it.\n\n"
          ">>> luge.arange(4).view(2, 2)\ntensor([[0, 1],\n        [2, 3]])")
      .def(
          "reshape",
          [](const Tensor& x, const nb::args& given, nb::handle by_name) {
            return x.reshape(by_name.is_none() ? sizes_of("reshape", given) : sizes("reshape", listed("reshape", "shape", given, by_name)));
          },
          "sizes"_a, "shape"_a.none() = nb::none(), nb::sig(sized("reshape", "shape").c_str()),
          "A view as `shape` where the strides allow it, else a copy; one size may be -1.")
      .def(
          "expand",
          [](const Tensor& x, const nb::args& given, nb::handle by_name) {
            return x.expand(by_name.is_none() ? sizes_of("expand", given) : sizes("expand", listed("expand", "size", given, by_name)));
          },
          "sizes"_a, "size"_a.none() = nb::none(), nb::sig(sized("expand", "size").c_str()),
          "Repeats dimensions of size 1, and new leading ones, without copying; -1 keeps a size.\n\n"
          ">>> luge.tensor([[1], [2]]).expand(2, 3)\ntensor([[1, 1, 1],\n        [2, 2, 2]])")
      .def(
          "permute",
          [](const Tensor& x, const nb::args& given, nb::handle dims) {
            return x.permute(dimensions("permute", listed("permute", "dims", given, dims)));
          },
          "order"_a, "dims"_a.none() = nb::none(),
          nb::sig("def permute(self, *order: int | Sequence[int], dims: Sequence[int] | None = None) -> Tensor"),
          "The dimensions in another order.\n\n>>> luge.zeros(2, 3, 4).permute(2, 0, 1).shape\n(4, 2, 3)")
      .def_prop_ro(
          "T",
          [](const Tensor& x) {
            std::vector<int> dims;
            for (int d = x.ndim() - 1; d >= 0; --d) dims.push_back(d);
            return x.permute(dims);
          },
          "All dimensions in reverse order.")
      .def(
          "contiguous",
          [](const Tensor& x) {
            const Unlocked unlocked(x);
            return x.contiguous();
          },
          "Row-major without gaps; the tensor itself where it already is.")
      .def(
          "clone",
          [](const Tensor& x) {
            const Unlocked unlocked(x);
            return x.clone();
          },
          "A copy of its own memory, recorded in the graph.")
      .def("__copy__", [](const Tensor& x) { return x; })
      .def(
          "copy_",
          [](nb::handle self, nb::handle source, bool /*non_blocking*/) {
            Tensor& x = self_of(self);
            if (!is_tensor(source)) {
              x.fill_(scalar("copy_", "src", source));
              return changed(self);
            }
            const SourceLocation at = location();
            const Unlocked unlocked(x);
            x.copy_(as_tensor(source), at);
            return changed(self);
          },
          "src"_a.none(), "non_blocking"_a = false,
          nb::sig("def copy_(self, src: Tensor | float, non_blocking: bool = False) -> Tensor"),
          "Overwrites the values; `src` is broadcast, converted and brought to this device. `non_blocking` changes "
          "nothing: copies are in the order of the calls.")
      .def(
          "fill_",
          [](nb::handle self, nb::handle value) {
            Tensor& x = self_of(self);
            if (is_tensor(value)) {
              const Tensor& given = as_tensor(value);
              if (given.ndim() != 0)
                throw ShapeError(fmt::format("fill_: value has {} dimensions; it must be a number or 0-d", given.ndim()));
              x.copy_(given, location());
            } else {
              x.fill_(scalar("fill_", "value", value));
            }
            return changed(self);
          },
          "value"_a.none(), nb::sig("def fill_(self, value: Tensor | float) -> Tensor"),
          "Overwrites all values with a number, or with that of a 0-d tensor.")
      .def(
          "zero_",
          [](nb::handle self) {
            self_of(self).zero_();
            return changed(self);
          },
          nb::sig("def zero_(self) -> Tensor"), "Overwrites all values with 0.");
}

}  // namespace luge::python
