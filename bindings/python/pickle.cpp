// Tensors as bytes: pickle, and all that stands on it.

#include <cstring>

#include <fmt/format.h>

#include <luge/autograd/detail/node.h>

#include "interchange.h"

namespace luge::python {

namespace {

/// (rebuild, (values, dtype, shape, device, requires_grad)): names rather than objects, which outlive versions. A
/// parameter, which may be frozen, also says so and gives the number of its sets, or None.
nb::object reduce_values(const Tensor& x) {
  refuse_capture("pickle", kHostRead, location());
  if (!x.is_leaf())
    throw AutogradError(
        "pickle: the tensor was made by a recorded operation; only leaves of the graph can be pickled; call "
        "detach() first");
  const std::size_t bytes = static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
  const nb::object values = nb::steal(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(bytes)));
  if (!values.is_valid()) nb::raise_python_error();
  {
    const Unlocked unlocked(x);
    const Tensor packed = x.detach().contiguous();
    if (bytes > 0) packed.storage()->backend().copy_to_host(PyBytes_AS_STRING(values.ptr()), packed.data(), bytes);
  }
  nb::list shape;
  for (const std::int64_t size : x.shape()) shape.append(size);
  // Looked up anew: a method that holds a function of its own module would keep both alive for ever.
  const nb::object rebuild = nb::module_::import_("luge._C").attr("_rebuild_tensor");
  nb::list arguments = nb::list(
      nb::make_tuple(values, std::string(name(x.dtype())), nb::tuple(shape), to_string(x.device()), x.requires_grad()));
  if (const auto& leaf = x.impl()->leaf) {
    arguments.append(true);
    arguments.append(leaf->sets() ? nb::object(nb::int_(*leaf->sets())) : nb::none());
  }
  return nb::make_tuple(rebuild, nb::tuple(arguments));
}

/// Python knows which objects are one leaf, and that a parameter of an arena comes with the arena.
nb::object reduce(nb::handle self) {
  const Tensor& x = self_of(self);
  if (!x.impl()->leaf) return reduce_values(x);
  refuse_capture("pickle", kHostRead, location());
  return nb::module_::import_("luge._pickle").attr("reduce_leaf")(self);
}

/// A leaf of its own with the same values, whether it requires a gradient or is a frozen parameter.
Tensor copied_values(const Tensor& x) {
  const Unlocked unlocked(x);
  Tensor copy = x.detach().clone();
  if (const auto& leaf = x.impl()->leaf) {
    copy.impl()->leaf = std::make_unique<LeafGradient>();
    if (leaf->sets()) copy.impl()->leaf->set_sets(*leaf->sets());
  }
  return copy.requires_grad_(x.requires_grad());
}

nb::object deep_copy(nb::handle self, nb::handle memo) {
  const Tensor& x = self_of(self);
  if (!x.is_leaf()) throw AutogradError("deepcopy: only leaves of the graph can be copied; call detach() first");
  if (!x.impl()->leaf) return wrap(copied_values(x));
  return nb::module_::import_("luge._pickle").attr("copy_leaf")(self, memo);
}

DType dtype_named(const std::string& text) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (text == name(static_cast<DType>(i))) return static_cast<DType>(i);
  throw ValueError(fmt::format("unpickle: there is no dtype \"{}\"", text));
}

Tensor rebuilt(const nb::bytes& values, const std::string& dtype_name, nb::handle shape, const std::string& device,
               bool requires_grad, bool is_parameter, std::optional<std::int64_t> sets) {
  refuse_capture("unpickle", kHostWrite, location());
  const Shape given_shape = sizes("unpickle", shape);
  const DType dtype = dtype_named(dtype_name);
  const auto bytes = static_cast<std::int64_t>(values.size());
  const std::int64_t count = element_count(given_shape), itemsize = static_cast<std::int64_t>(size_of(dtype));
  if (bytes % itemsize != 0 || bytes / itemsize != count)
    throw ValueError(fmt::format("unpickle: there are {} bytes of values; {} of shape {} has {} elements of {} bytes",
                                 bytes, dtype_name, to_string(given_shape), count, itemsize));
  Tensor result = empty(given_shape, {.dtype = dtype});
  if (result.dtype() == DType::Bool) {
    // Whatever the file holds, a bool is 0 or 1.
    const auto* const from = static_cast<const unsigned char*>(values.data());
    for (std::int64_t i = 0; i < bytes; ++i) static_cast<bool*>(result.data())[i] = from[i] != 0;
  } else if (bytes > 0) {
    std::memcpy(result.data(), values.data(), values.size());
  }
  try {
    const Unlocked unlocked(result);
    result = result.to(Device::parse(device));
  } catch (const DeviceError& error) {
    throw DeviceError(
        fmt::format("unpickle: the tensor was on {} when it was pickled, and there is none here ({}); pickle "
                    "tensor.cpu() for other machines",
                    device, error.what()));
  }
  if (requires_grad) result.requires_grad_();
  TensorImpl& impl = *result.impl();
  if (is_parameter && !impl.leaf) impl.leaf = std::make_unique<LeafGradient>();
  if (sets) {
    if (!impl.leaf || impl.shape.empty() || impl.shape[0] != *sets || *sets < 1)
      throw ValueError(fmt::format("unpickle: a tensor of shape {} has no {} sets along its first axis",
                                   to_string(impl.shape), *sets));
    impl.leaf->set_sets(*sets);
  }
  return result;
}

/// A function of CPython's own kind, because pickle knows those by name, and nanobind's not.
PyObject* rebuild_tensor(PyObject*, PyObject* arguments) {
  try {
    PyObject *values, *shape;
    const char *dtype, *device;
    PyObject* sets = Py_None;
    int requires_grad, is_parameter = 0;
    if (!PyArg_ParseTuple(arguments, "SsOsp|pO:_rebuild_tensor", &values, &dtype, &shape, &device, &requires_grad,
                          &is_parameter, &sets))
      return nullptr;
    std::optional<std::int64_t> count;
    if (sets != Py_None) count = integer("unpickle", "sets", sets);
    return wrap(rebuilt(nb::borrow<nb::bytes>(values), dtype, shape, device, requires_grad != 0, is_parameter != 0,
                        count))
        .release()
        .ptr();
  } catch (...) {
    set_error();
    return nullptr;
  }
}

PyMethodDef functions[] = {{"_rebuild_tensor", &rebuild_tensor, METH_VARARGS,
                            "_rebuild_tensor(values, dtype, shape, device, requires_grad, is_parameter=False, "
                            "sets=None)\n--\n\nA tensor as it was pickled."},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void bind_pickle(nb::module_& m, nb::class_<Tensor>& tensor) {
  if (PyModule_AddFunctions(m.ptr(), functions) != 0) nb::raise_python_error();
  m.def("_reduce_values", &reduce_values, "x"_a, nb::sig("def _reduce_values(x: Tensor) -> tuple[Any, ...]"),
        "How a tensor is pickled that stands for itself.");
  m.def("_copy_values", &copied_values, "x"_a, "A deep copy of a tensor that stands for itself.");
  tensor.def("__deepcopy__", &deep_copy, "memo"_a.none());
  tensor.def(
      "__reduce_ex__", [](nb::handle self, int) { return reduce(self); }, "protocol"_a,
      nb::sig("def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]"),
      "Pickles values, dtype, shape, device and whether it requires a gradient; not the gradient itself, and no "
      "sharing of memory. A parameter of a luge.Parameters comes with all of that.\n\nRaises AutogradError for what a "
      "recorded operation made.\n\n"
      ">>> import pickle\n>>> pickle.loads(pickle.dumps(luge.ones(2)))\ntensor([1., 1.])");
}

}  // namespace luge::python
