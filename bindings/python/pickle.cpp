// Tensors as bytes: pickle, and all that stands on it.

#include <cstring>

#include <fmt/format.h>

#include "interchange.h"

namespace luge::python {

namespace {

/// (rebuild, (values, dtype, shape, device, requires_grad)): names rather than objects, which outlive versions.
nb::object reduce(const Tensor& x) {
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
  return nb::make_tuple(rebuild, nb::make_tuple(values, std::string(name(x.dtype())), nb::tuple(shape),
                                                to_string(x.device()), x.requires_grad()));
}

DType dtype_named(const std::string& text) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (text == name(static_cast<DType>(i))) return static_cast<DType>(i);
  throw ValueError(fmt::format("unpickle: there is no dtype \"{}\"", text));
}

Tensor rebuilt(const nb::bytes& values, const std::string& dtype_name, nb::handle shape, const std::string& device,
               bool requires_grad) {
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
  return result;
}

/// A function of CPython's own kind, because pickle knows those by name, and nanobind's not.
PyObject* rebuild_tensor(PyObject*, PyObject* arguments) {
  try {
    PyObject *values, *shape;
    const char *dtype, *device;
    int requires_grad;
    if (!PyArg_ParseTuple(arguments, "SsOsp:_rebuild_tensor", &values, &dtype, &shape, &device, &requires_grad))
      return nullptr;
    return wrap(rebuilt(nb::borrow<nb::bytes>(values), dtype, shape, device, requires_grad != 0)).release().ptr();
  } catch (...) {
    set_error();
    return nullptr;
  }
}

PyMethodDef functions[] = {
    {"_rebuild_tensor", &rebuild_tensor, METH_VARARGS,
     "_rebuild_tensor(values, dtype, shape, device, requires_grad)\n--\n\nA tensor as it was pickled."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void bind_pickle(nb::module_& m, nb::class_<Tensor>& tensor) {
  if (PyModule_AddFunctions(m.ptr(), functions) != 0) nb::raise_python_error();
  tensor.def(
      "__reduce_ex__", [](const Tensor& x, int) { return reduce(x); }, "protocol"_a,
      nb::sig("def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]"),
      "Pickles values, dtype, shape, device and whether it requires a gradient; not the gradient itself, and no "
      "sharing of memory.\n\nRaises AutogradError for what a recorded operation made.\n\n"
      ">>> import pickle\n>>> pickle.loads(pickle.dumps(luge.ones(2)))\ntensor([1., 1.])");
}

}  // namespace luge::python
