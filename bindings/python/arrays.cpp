// NumPy's arrays, and the array interface of NumPy and of Numba, by which others offer their memory.

#include <bit>
#include <charconv>

#include <fmt/format.h>

#include "interchange.h"

namespace luge::python {

namespace {

constexpr char kNative = std::endian::native == std::endian::little ? '<' : '>';

/// NumPy's code of a dtype: "<f4", "|b1". NumPy itself knows no bfloat16; its code is that of the words.
std::string code_of(DType dtype) {
  const bool is_unsigned = dtype == DType::UInt8 || dtype == DType::BFloat16;
  const char kind = dtype == DType::Bool ? 'b' : is_unsigned ? 'u' : is_floating(dtype) ? 'f' : 'i';
  return fmt::format("{}{}{}", dtype == DType::Bool ? '|' : kNative, kind, size_of(dtype));
}

nb::tuple tuple_of(const Dims& values, std::int64_t factor = 1) {
  nb::list result;
  for (const std::int64_t value : values) result.append(value * factor);
  return nb::tuple(result);
}

/// The dictionary of the array interface; `nowhere` is the address of a tensor without elements.
nb::dict interface_of(const Tensor& x, const void* nowhere) {
  const void* const data = x.numel() > 0 ? x.data() : nowhere;
  const auto itemsize = static_cast<std::int64_t>(size_of(x.dtype()));
  nb::dict result;
  result["version"] = 3;
  result["shape"] = tuple_of(x.shape());
  result["typestr"] = code_of(x.dtype());
  result["data"] = nb::make_tuple(reinterpret_cast<std::uintptr_t>(data), false);
  result["strides"] = x.is_contiguous() ? nb::none() : nb::object(tuple_of(x.strides(), itemsize));
  return result;
}

// ---- to NumPy

/// What a NumPy array is made of and keeps alive.
struct Memory {
  Tensor tensor;
};

nb::object numpy_module(const char* op) {
  try {
    return nb::module_::import_("numpy");
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ModuleNotFoundError)) throw;
    nb::raise_from(error, PyExc_ImportError, "%s: NumPy is not installed; `pip install numpy` brings it", op);
  }
}

/// The dtype that the package ml_dtypes gives to NumPy.
nb::object bfloat16_type(const char* op) {
  try {
    return nb::module_::import_("ml_dtypes").attr("bfloat16");
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ModuleNotFoundError)) throw;
    nb::raise_from(error, PyExc_TypeError,
                   "%s: the tensor is bfloat16, which NumPy has by way of the package ml_dtypes only; `pip install "
                   "ml_dtypes` brings it, or convert the tensor with .float()",
                   op);
  }
}

nb::object to_numpy(const char* op, const Tensor& x, bool force) {
  refuse_capture(op, kHostRead, location());
  if (!force && x.device().is_cuda())
    throw nb::type_error(
        fmt::format("{}: the tensor is on {}, whose memory NumPy cannot read; copy it with .cpu() first", op,
                    to_string(x.device()))
            .c_str());
  if (!force && x.requires_grad())
    throw AutogradError(
        fmt::format("{}: the tensor requires a gradient, which NumPy would lose; call detach() first", op));
  const nb::object numpy = numpy_module(op);
  Tensor values = held(x);
  if (x.device().is_cuda()) {
    const Unlocked unlocked(x);
    values = values.to(Device::cpu());
  }
  const bool is_bfloat16 = values.dtype() == DType::BFloat16;
  const nb::object dtype = is_bfloat16 ? bfloat16_type(op) : nb::none();
  const nb::object array = numpy.attr("asarray")(Memory{std::move(values)});
  return is_bfloat16 ? array.attr("view")(dtype) : array;
}

nb::object to_array(const Tensor& x, nb::handle dtype, std::optional<bool> copy) {
  const nb::object same = to_numpy("__array__", x, false);
  nb::object result = same;
  if (!dtype.is_none()) result = same.attr("astype")(dtype, "copy"_a = false);
  if (!result.is(same)) {
    const nb::object wanted = result.attr("dtype");
    if (copy && !*copy)
      throw ValueError(fmt::format(
          "__array__: the tensor is {}, dtype {} is asked for and copy is False; it must be copied to get there",
          name(x.dtype()), nb::str(wanted).c_str()));
    return result;
  }
  return copy.value_or(false) ? result.attr("copy")() : result;
}

// ---- from NumPy and the array interface

/// What `typestr` says, "<f4" for instance.
DType dtype_from(const char* op, nb::handle array, const std::string& code) {
  if (code.size() > 1 && code[1] == 'V' && nb::hasattr(array, "dtype") &&
      std::string_view(nb::str(nb::object(array.attr("dtype"))).c_str()) == name(DType::BFloat16))
    return DType::BFloat16;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (dtype == DType::BFloat16) continue;
    const std::string own = code_of(dtype);
    if (code.size() < 2 || code.substr(1) != own.substr(1)) continue;
    if (code[0] == own[0] || code[0] == '|' || own[0] == '|' || code[0] == '=') return dtype;
    throw ValueError(
        fmt::format("{}: the array is {} in the byte order of another machine; bring it into this one's with "
                    "array.astype(array.dtype.newbyteorder(\"=\"))",
                    op, name(dtype)));
  }
  if (!nb::hasattr(array, "dtype")) refuse_dtype(op, code);
  const nb::object dtype = array.attr("dtype");
  refuse_dtype(op, nb::str(dtype).c_str());
}

/// Strides in elements of those in bytes.
Strides in_elements(const char* op, const Shape& shape, nb::handle bytes, std::size_t itemsize) {
  if (bytes.is_none() || element_count(shape) == 0) return row_major(shape);
  Strides strides = sizes(op, bytes);
  if (strides.ndim() != shape.ndim())
    throw ValueError(fmt::format("{}: the array has shape {} and {} strides", op, to_string(shape), strides.ndim()));
  const auto size = static_cast<std::int64_t>(itemsize);
  for (int d = 0; d < shape.ndim(); ++d) {
    if (shape[d] > 1 && strides[d] % size != 0)
      throw ValueError(
          fmt::format("{}: the array has a stride of {} bytes in dimension {}, which is no multiple of the {} bytes "
                      "of an element; copy it first",
                      op, strides[d], d, size));
    strides[d] /= size;
  }
  return strides;
}

/// An entry of the dictionary; None where it is missing.
nb::object entry(const nb::dict& interface, const char* key) {
  return interface.contains(key) ? nb::object(interface[key]) : nb::none();
}

/// numpy.ndarray, or null while nobody has imported NumPy: then there are no arrays either.
nb::object array_type() {
  PyObject* const modules = PyImport_GetModuleDict();
  PyObject* const numpy = PyDict_GetItemString(modules, "numpy");
  return numpy && nb::hasattr(numpy, "ndarray") ? nb::object(nb::handle(numpy).attr("ndarray")) : nb::object();
}

Tensor from_numpy(nb::handle array) {
  refuse_capture("from_numpy", kHostWrite, location());
  if (!nb::isinstance(array, numpy_module("from_numpy").attr("ndarray")))
    throw nb::type_error(
        fmt::format("from_numpy: the object is of type {}; it must be a numpy.ndarray", name_of_type(array)).c_str());
  ForeignMemory memory =
      from_interface("from_numpy", resolved("from_numpy", array, true), "__array_interface__", Device::Type::Cpu);
  const bool read_only = memory.read_only;
  Tensor result = share("from_numpy", std::move(memory));
  if (read_only &&
      PyErr_WarnEx(PyExc_UserWarning,
                   "from_numpy: the array is read-only, but the tensor that shares its memory can be written, "
                   "which has undefined effects; copy it with luge.tensor() instead",
                   1) != 0)
    nb::raise_python_error();
  return result;
}

nb::dict cuda_interface(const Tensor& x) {
  if (x.device().is_cpu())
    raise_as(PyExc_AttributeError, "__cuda_array_interface__: the tensor is on the CPU; only tensors on a GPU have it");
  refuse_capture("__cuda_array_interface__", kHostRead, location());
  if (x.dtype() == DType::BFloat16)
    raise_as(PyExc_AttributeError, "__cuda_array_interface__: the tensor is bfloat16, which it has no code for");
  if (x.requires_grad())
    throw AutogradError(
        "__cuda_array_interface__: the tensor requires a gradient, which other libraries would lose; call "
        "detach() first");
  {
    const Unlocked unlocked(x);
    backend(x.device()).synchronize();
  }
  nb::dict result = interface_of(x, nullptr);
  result["stream"] = nb::none();  // there is nothing left to wait for
  return result;
}

}  // namespace

std::optional<Tensor> numpy_operand(const char* op, nb::handle object) {
  const nb::object type = array_type();
  if (!type.is_valid() || !object.type().is(type)) return std::nullopt;
  return from_foreign(op, object);
}

ForeignMemory from_interface(const char* op, nb::handle array, const char* protocol, Device::Type type) {
  const nb::object given = array.attr(protocol);
  if (!nb::isinstance<nb::dict>(given))
    throw nb::type_error(fmt::format("{}: {} of {} is of type {}; it must be a dict", op, protocol, name_of_type(array),
                                     name_of_type(given))
                             .c_str());
  const nb::dict interface = nb::borrow<nb::dict>(given);
  const nb::object code = entry(interface, "typestr"), shape = entry(interface, "shape"),
                   data = entry(interface, "data");
  if (!nb::isinstance<nb::str>(code) || !nb::isinstance<nb::tuple>(shape) || !nb::isinstance<nb::tuple>(data) ||
      nb::len(data) != 2)
    throw ValueError(fmt::format("{}: {} of {} must have a \"typestr\", a tuple \"shape\" and a pair \"data\"", op,
                                 protocol, name_of_type(array)));
  if (!entry(interface, "mask").is_none()) refuse_mask(op);
  ForeignMemory memory;
  memory.dtype = dtype_from(op, array, nb::cast<std::string>(code));
  memory.shape = sizes(op, shape);
  memory.strides = in_elements(op, memory.shape, entry(interface, "strides"), size_of(memory.dtype));
  const nb::object address = data[0], read_only = data[1];
  memory.data = PyLong_AsVoidPtr(address.ptr());
  memory.read_only = PyObject_IsTrue(read_only.ptr()) == 1;
  if (PyErr_Occurred()) nb::raise_python_error();
  if (type == Device::Type::Cuda) {
    memory.device = gpu_of(memory.data);
    const nb::gil_scoped_release unlocked;
    finish_gpu(memory.device);  // covers the "stream" that the dictionary may name
  }
  memory.owner = keep(array);
  return memory;
}

void bind_arrays(nb::module_& m, nb::class_<Tensor>& tensor) {
  nb::class_<Memory>(m, "_Memory", "A tensor's memory, as NumPy asks for it.")
      .def_prop_ro("__array_interface__", [](const Memory& memory) {
        static constexpr double kNowhere = 0;  // NumPy takes a null for "no memory given"
        return interface_of(memory.tensor, &kNowhere);
      });
  tensor
      .def(
          "numpy", [](const Tensor& x, bool force) { return to_numpy("numpy", x, force); }, nb::kw_only(),
          "force"_a = false, nb::sig("def numpy(self, *, force: bool = False) -> Any"),
          "A NumPy array that shares this memory: writes show on both sides, and the memory lives as long as "
          "either.\n\n"
          "Raises TypeError for a tensor on a GPU and AutogradError for one that requires a gradient; `force` detaches "
          "and "
          "copies to the CPU instead.\n\n"
          ">>> x = luge.zeros(3)\n>>> x.numpy()[1] = 5\n>>> x\ntensor([0., 5., 0.])")
      .def("__array__", &to_array, "dtype"_a = nb::none(), "copy"_a = nb::none(),
           nb::sig("def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any"),
           "What numpy.asarray() calls: numpy(), converted to `dtype`.\n\n"
           ">>> import numpy\n>>> numpy.asarray(luge.ones(2)).tolist()\n[1.0, 1.0]")
      .def_prop_ro("__cuda_array_interface__", &cuda_interface,
                   nb::sig("def __cuda_array_interface__(self) -> dict[str, Any]"),
                   "Version 3 of the CUDA array interface, for Numba and others; tensors on the CPU do not have it.\n\n"
                   ">>> hasattr(luge.ones(2), \"__cuda_array_interface__\")\nFalse");
  m.def("from_numpy", &from_numpy, "array"_a.none(), nb::sig("def from_numpy(array: Any) -> Tensor"),
        "A tensor that shares the memory of a NumPy array, with its strides.\n\n"
        "Raises DTypeError for a dtype that luge lacks, and ValueError for negative strides, for strides that are no "
        "multiple "
        "of an element, and for another machine's byte order. A read-only array gives a warning, as in PyTorch.\n\n"
        ">>> import numpy\n>>> array = numpy.arange(3)\n>>> luge.from_numpy(array)[0] = 7\n>>> array.tolist()\n[7, 1, "
        "2]");
}

}  // namespace luge::python
