// What arrays of other libraries do not say through the protocols by which they lend their memory.

#include <string_view>

#include <fmt/format.h>

#include "interchange.h"

namespace luge::python {

namespace {

/// Whether the array's class, or one that it is derived from, is of this package.
bool comes_from(nb::handle array, std::string_view package) {
  for (const nb::handle base : nb::borrow<nb::tuple>(array.type().attr("__mro__"))) {
    const nb::object name = nb::getattr(base, "__module__", nb::none());
    if (!nb::isinstance<nb::str>(name)) continue;
    const std::string_view module = nb::borrow<nb::str>(name).c_str();
    if (module.substr(0, module.find('.')) == package) return true;
  }
  return false;
}

bool is_true(nb::handle array, const char* question) { return nb::cast<bool>(nb::bool_(array.attr(question)())); }

/// Whether an array of NumPy has elements that its mask takes out.
bool is_masked(nb::handle array) {
  PyObject* const module = PyDict_GetItemString(PyImport_GetModuleDict(), "numpy.ma");
  if (!module) return false;  // nobody has made one
  const nb::handle masked(module);
  return nb::isinstance(array, masked.attr("MaskedArray")) && nb::cast<bool>(masked.attr("is_masked")(array));
}

}  // namespace

void refuse_mask(const char* op) {
  throw ValueError(
      fmt::format("{}: the array has a mask; tensors have none; put values in its place first, with "
                  "array.filled(value) for instance",
                  op));
}

nb::object resolved(const char* op, nb::handle array, bool may_copy) {
  if (is_masked(array)) refuse_mask(op);
  nb::object result = nb::borrow(array);
  // A conjugated view is complex, which no tensor is: resolved it is refused for that.
  if (nb::hasattr(result, "is_conj") && nb::hasattr(result, "resolve_conj") && is_true(result, "is_conj"))
    result = result.attr("resolve_conj")();
  if (nb::hasattr(result, "is_neg") && nb::hasattr(result, "resolve_neg") && is_true(result, "is_neg")) {
    if (!may_copy)
      raise_as(PyExc_BufferError,
               fmt::format("{}: the array's memory holds its values with the opposite sign, which PyTorch changes when "
                           "it reads them, and copy is False; call resolve_neg() first",
                           op));
    result = result.attr("resolve_neg")();
  }
  return result;
}

void mark_kept(ForeignMemory& memory, nb::handle array, bool silent) {
  if (comes_from(array, "mlx")) memory.read_later = true;
  if (!silent) return;
  // From a GPU the array that NumPy gets would have to be copied, so there only JAX is known.
  if (memory.device.is_cuda()) {
    if (comes_from(array, "jax") || comes_from(array, "jaxlib")) memory.read_only = true;
    return;
  }
  if (!nb::hasattr(array, "__array__")) return;
  try {
    const nb::object flags = nb::getattr(array.attr("__array__")(), "flags", nb::none());
    if (!flags.is_none() && nb::hasattr(flags, "writeable") && !nb::cast<bool>(flags.attr("writeable")))
      memory.read_only = true;
  } catch (nb::python_error&) {
    // It gives none to NumPy.
  }
}

}  // namespace luge::python
