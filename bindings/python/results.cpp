#include "results.h"

#include <fmt/format.h>

#include "out.h"

namespace luge::python {

namespace {

/// Types of tuples that were made, by the operation's name; never freed.
nb::dict& types() {
  static nb::dict& types = *new nb::dict();
  return types;
}

void check_out(const char* op, const Tensor& result, nb::handle out) {
  if (!is_tensor(out)) throw TypeError(fmt::format("{}: out has a {}; it must hold two tensors", op, type_of(out)));
  const Tensor& target = as_tensor(out);
  if (target.shape() != result.shape())
    throw ShapeError(fmt::format("{}: a result has shape {} and its out has shape {}; they must be equal", op,
                                 to_string(result.shape()), to_string(target.shape())));
  check_castable(op, "its out", result.dtype(), target.dtype());
}

}  // namespace

nb::object named_pair(const char* op, const char* names, nb::object first, nb::object second) {
  const nb::str name(op);
  if (!types().contains(name)) types()[name] = nb::module_::import_("collections").attr("namedtuple")(op, names);
  return nb::object(types()[name])(std::move(first), std::move(second));
}

nb::object written_pair(const char* op, const char* names, Tensor first, Tensor second, nb::handle out) {
  if (out.is_none()) return named_pair(op, names, wrap(std::move(first)), wrap(std::move(second)));
  if (!(nb::isinstance<nb::tuple>(out) || nb::isinstance<nb::list>(out)) || nb::len(out) != 2)
    throw TypeError(fmt::format("{}: out is of type {}; it must be a tuple of two tensors", op, type_of(out)));
  const nb::object to_first = out[0], to_second = out[1];
  check_out(op, first, to_first);
  check_out(op, second, to_second);
  written(op, std::move(first), to_first);
  written(op, std::move(second), to_second);
  return named_pair(op, names, to_first, to_second);
}

}  // namespace luge::python
