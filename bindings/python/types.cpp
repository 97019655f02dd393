// luge.dtype and luge.device.

#include <nanobind/operators.h>

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

/// One object for each, so that `x.dtype is luge.float32`; the module keeps them alive.
PyObject* dtypes[kDTypeCount];

Device parse_device(const std::string& text, std::optional<int> index) {
  Device device = Device::parse(text);
  if (!index) return device;
  if (text.find(':') != std::string::npos)
    throw ValueError(fmt::format("device: '{}' has an index already; another one, {}, is given", text, *index));
  if (*index < 0 || (device.is_cpu() && *index != 0))
    throw ValueError(fmt::format("device: there is no {} number {}", text, *index));
  device.index = *index;
  return device;
}

}  // namespace

nb::object dtype_object(DType dtype) { return nb::borrow(dtypes[static_cast<int>(dtype)]); }

void bind_types(nb::module_& m) {
  nb::class_<PyDType> dtype(m, "dtype", "The type of a tensor's elements: `luge.float32`, `luge.int64`, ...");
  dtype.def("__repr__", [](PyDType d) { return fmt::format("luge.{}", name(d.value)); })
      .def(
          "__eq__", [](PyDType a, nb::handle b) { return nb::isinstance<PyDType>(b) && a == nb::cast<PyDType>(b); },
          "other"_a.none())
      .def("__hash__", [](PyDType d) { return static_cast<std::size_t>(d.value); })
      .def(
          "__reduce__",
          [](PyDType d) { return d.value == DType::Bool ? std::string("bool_") : std::string(name(d.value)); },
          "Pickles as the name in `luge`.")
      .def_prop_ro(
          "itemsize", [](PyDType d) { return size_of(d.value); }, "Bytes of one element.")
      .def_prop_ro("is_floating_point", [](PyDType d) { return is_floating(d.value); })
      .def_prop_ro("is_signed", [](PyDType d) { return d.value != DType::Bool && d.value != DType::UInt8; });
  for (int i = 0; i < kDTypeCount; ++i) {
    const PyDType value{static_cast<DType>(i)};
    nb::object object = nb::cast(value);
    // "bool" would hide the type from the module's own stub; luge/__init__.py gives it its name.
    m.attr(value.value == DType::Bool ? "bool_" : std::string(name(value.value)).c_str()) = object;
    dtypes[i] = object.ptr();
  }

  nb::class_<Device> device(m, "device", "Where a tensor lives: `luge.device(\"cpu\")`, `luge.device(\"cuda\", 1)`.");
  device
      .def(
          "__init__",
          [](Device* self, const std::string& type, std::optional<int> index) {
            new (self) Device(parse_device(type, index));
          },
          "type"_a, "index"_a = nb::none(),
          "Reads \"cpu\", \"cuda\" or \"cuda:n\". Raises ValueError for anything else.")
      .def("__repr__",
           [](Device d) {
             return d.is_cpu() ? std::string("device(type='cpu')")
                               : fmt::format("device(type='cuda', index={})", d.index);
           })
      .def("__str__", [](Device d) { return to_string(d); })
      .def(
          "__eq__", [](Device a, nb::handle b) { return nb::isinstance<Device>(b) && a == nb::cast<Device>(b); },
          "other"_a.none())
      .def("__hash__", [](Device d) { return static_cast<std::size_t>(d.index) * 2 + (d.is_cuda() ? 1 : 0); })
      .def("__reduce__", [](Device d) { return nb::make_tuple(nb::type<Device>(), nb::make_tuple(to_string(d))); })
      .def_prop_ro("type", [](Device d) { return d.is_cpu() ? "cpu" : "cuda"; })
      .def_prop_ro("index", [](Device d) { return d.is_cpu() ? nb::none() : nb::object(nb::int_(d.index)); });
}

}  // namespace luge::python
