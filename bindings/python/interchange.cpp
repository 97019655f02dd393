// Arrays of other libraries as tensors: what all ways in have in common.

#include "interchange.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace luge::python {

bool can_lock() noexcept {
  if (!Py_IsInitialized()) return false;
  if (PyGILState_Check()) return true;
#if PY_VERSION_HEX >= 0x030D0000
  return !Py_IsFinalizing();
#else
  return !_Py_IsFinalizing();
#endif
}

void raise_as(PyObject* type, const std::string& message) {
  PyErr_SetString(type, message.c_str());
  throw nb::python_error();
}

void refuse_dtype(const char* op, const std::string& given) {
  std::string names;
  for (int i = 0; i < kDTypeCount; ++i)
    names += fmt::format("{}{}", i == 0 ? "" : i + 1 < kDTypeCount ? ", " : " and ", name(static_cast<DType>(i)));
  throw DTypeError(fmt::format("{}: the array's dtype is {}; allowed are {}", op, given, names));
}

std::string name_of_type(nb::handle object) { return nb::cast<std::string>(object.type().attr("__name__")); }

std::shared_ptr<void> keep(nb::handle object) {
  object.inc_ref();
  return {object.ptr(), [](void* kept) { with_lock([kept] { Py_DECREF(static_cast<PyObject*>(kept)); }); }};
}

Strides row_major(const Shape& shape) {
  // The sizes of an array without elements may have any product.
  return element_count(shape) == 0 ? Strides::filled(shape.ndim(), 1) : contiguous_strides(shape);
}

Tensor share(const char* op, ForeignMemory memory) {
  const Device device = memory.device;
  if (element_count(memory.shape) == 0) {
    memory.data = nullptr;
    memory.strides = row_major(memory.shape);
  } else {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data);
    if (address == 0)
      throw ValueError(fmt::format("{}: the array has shape {} and no memory", op, to_string(memory.shape)));
    if (address % size_of(memory.dtype) != 0)
      throw ValueError(
          fmt::format("{}: the array's memory begins at {:#x}, which is no multiple of the {} bytes of {}; "
                      "copy it first",
                      op, address, size_of(memory.dtype), name(memory.dtype)));
    for (int d = 0; d < memory.shape.ndim(); ++d) {
      if (memory.shape[d] == 1 && memory.strides[d] < 0) memory.strides[d] = 1;  // never used
      if (memory.strides[d] < 0)
        throw ValueError(
            fmt::format("{}: the array has stride {} in dimension {}; strides must not be negative; copy it first", op,
                        memory.strides[d], d));
    }
  }
  // The owner is let go of by the storage, or with the function itself where there comes to be none.
  return from_memory(memory.data, memory.shape, memory.strides, memory.dtype, device,
                     [device, owner = std::move(memory.owner)]() mutable {
                       try {
                         if (device.is_cuda()) finish_gpu(device);  // kernels that use it may still be queued
                       } catch (const std::exception&) {
                         // Whatever failed there is reported where it is waited for next.
                       }
                       owner.reset();
                     });
}

Tensor share_or_copy(const char* op, ForeignMemory memory) {
  const bool kept = memory.read_only || memory.read_later;
  Tensor result = share(op, std::move(memory));
  if (!kept) return result;
  const Unlocked unlocked(result);
  return result.clone();
}

Tensor held(const Tensor& x) {
  if (x.numel() == 0) return x.detach();
  const Ref<Storage>& block = x.storage()->keep_in_place();
  const auto bytes = static_cast<char*>(x.data()) - static_cast<char*>(block->data());
  return Tensor(new TensorImpl(block, x.dtype(), x.shape(), x.strides(),
                               bytes / static_cast<std::int64_t>(size_of(x.dtype())), x.numel()));
}

Tensor from_foreign(const char* op, nb::handle given) {
  refuse_capture(op, kHostWrite, location());
  const nb::object array = resolved(op, given, true);
  const bool on_gpu = nb::hasattr(array, "__cuda_array_interface__");
  const bool on_host = !on_gpu && nb::hasattr(array, "__array_interface__");
  // NumPy before 2.1 exports no read-only arrays and before 1.25 no bools, PyTorch before 2.0 no bools.
  const bool as_numpy = !on_gpu && !on_host && nb::hasattr(array, "__array__");
  if (nb::hasattr(array, "__dlpack__")) {
    try {
      return from_dlpack(op, array, {}, {});
    } catch (nb::python_error& error) {
      if (!(on_gpu || on_host || as_numpy) || !error.matches(PyExc_Exception)) throw;
    }
  }
  if (on_gpu) return share_or_copy(op, from_interface(op, array, "__cuda_array_interface__", Device::Type::Cuda));
  if (on_host) return share_or_copy(op, from_interface(op, array, "__array_interface__", Device::Type::Cpu));
  if (as_numpy) {
    const nb::object numpy = array.attr("__array__")();
    ForeignMemory memory = from_interface(op, numpy, "__array_interface__", Device::Type::Cpu);
    mark_kept(memory, array, false);
    return share_or_copy(op, std::move(memory));
  }
  throw nb::type_error(fmt::format("{}: the object is of type {}; it must be an array with __dlpack__, "
                                   "__cuda_array_interface__ or __array_interface__",
                                   op, name_of_type(array))
                           .c_str());
}

void bind_interchange(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_arrays(m, tensor);
  bind_dlpack(m, tensor);
  bind_pickle(m, tensor);

  tensor.def(
      "__array_namespace__",
      [](const Tensor&, nb::handle api_version) {
        static constexpr std::array kVersions = {"2021.12", "2022.12", "2023.12", "2024.12"};
        if (!api_version.is_none()) {
          const std::string version = nb::cast<std::string>(nb::str(api_version));
          if (std::find(kVersions.begin(), kVersions.end(), version) == kVersions.end())
            throw ValueError(fmt::format(
                "__array_namespace__: api_version is '{}'; allowed are 2021.12, 2022.12, 2023.12, 2024.12 and None",
                version));
        }
        return nb::module_::import_("luge.array_api");
      },
      nb::kw_only(), "api_version"_a = nb::none(),
      nb::sig("def __array_namespace__(self, *, api_version: str | None = None) -> Any"),
      "The functions of the array API standard for this tensor: luge.array_api.");
  tensor.def(
      "to_device",
      [](const Tensor& x, const DeviceArgument& device, nb::handle stream) {
        if (!stream.is_none()) throw ValueError("to_device: stream must be None; copies are in order by themselves");
        return x.to(Device(device), location());
      },
      "device"_a, nb::kw_only(), "stream"_a = nb::none(),
      nb::sig("def to_device(self, device: device | str, /, *, stream: object = None) -> Tensor"),
      "The tensor on another device, as the array API standard spells it.\n\n"
      ">>> luge.ones(1).to_device('cpu')\ntensor([1.])");
}

}  // namespace luge::python
