// DLPack: tensors lent to other libraries, and their arrays borrowed, as the Python array API standard says.

#include <cstring>

#include <fmt/format.h>

#include "dlpack_abi.h"
#include "interchange.h"

namespace luge::python {

namespace {

// ---- lending

dlpack::Device device_of(const Tensor& x) {
  return x.device().is_cpu() ? dlpack::Device{dlpack::kCpu, 0} : dlpack::Device{dlpack::kCuda, x.device().index};
}

dlpack::DataType dtype_of(const Tensor& x) {
  const std::uint8_t code = x.dtype() == DType::Bool       ? dlpack::kBool
                            : x.dtype() == DType::UInt8    ? dlpack::kUInt
                            : is_integral(x.dtype())       ? dlpack::kInt
                            : x.dtype() == DType::BFloat16 ? dlpack::kBfloat
                                                           : dlpack::kFloat;
  return {code, static_cast<std::uint8_t>(8 * size_of(x.dtype())), 1};
}

/// A tensor that is lent, with all that a capsule points to.
template <class Managed>
struct Lent {
  Tensor tensor;
  Shape shape;
  Strides strides;
  Managed managed{};

  ~Lent() {
    if (!tensor.defined() || !tensor.device().is_cuda()) return;
    try {
      finish_gpu(tensor.device());  // kernels of the borrower may still be queued on a stream of its own
    } catch (const std::exception&) {
      // Whatever failed there is reported where it is waited for next.
    }
  }
};

/// What Python calls for a capsule: one that nobody has used still owns the tensor.
template <class Managed>
void destroy_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, Managed::kName)) return;
  auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  const nb::error_scope kept;
  if (managed->deleter) managed->deleter(managed);
}

template <class Managed>
nb::object lend(const Tensor& tensor, bool copied) {
  auto lent = std::make_unique<Lent<Managed>>();
  lent->tensor = tensor;
  lent->shape = tensor.shape();
  lent->strides = tensor.strides();
  Managed& managed = lent->managed;
  // The first element is at `data`, not at an offset, because some readers overlook the offset.
  managed.array = {tensor.numel() > 0 ? tensor.data() : nullptr,
                   device_of(tensor),
                   tensor.ndim(),
                   dtype_of(tensor),
                   lent->shape.begin(),
                   lent->strides.begin(),
                   0};
  managed.context = lent.get();
  managed.deleter = [](Managed* self) { delete static_cast<Lent<Managed>*>(self->context); };
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>) {
    managed.version = {1, 0};
    managed.flags = copied ? dlpack::kIsCopied : 0;
  }
  nb::object capsule = nb::steal(PyCapsule_New(&managed, Managed::kName, &destroy_capsule<Managed>));
  if (!capsule.is_valid()) nb::raise_python_error();
  lent.release();
  return capsule;
}

/// A tuple of two ints.
std::pair<std::int64_t, std::int64_t> two_ints(const char* argument, nb::handle given) {
  if (!nb::isinstance<nb::tuple>(given) || nb::len(given) != 2)
    throw nb::type_error(
        fmt::format("__dlpack__: {} is {}; it must be a tuple of two ints or None", argument, nb::repr(given).c_str())
            .c_str());
  const nb::tuple pair = nb::borrow<nb::tuple>(given);
  return {integer("__dlpack__", argument, pair[0]), integer("__dlpack__", argument, pair[1])};
}

/// Whether the borrower leaves it to the lender that the values are there.
bool wants_synchronization(nb::handle stream, bool on_gpu) {
  if (stream.is_none()) return on_gpu;
  const std::int64_t value = integer("__dlpack__", "stream", stream);
  if (!on_gpu && value != -1)
    throw ValueError(fmt::format("__dlpack__: stream is {}; on the CPU it must be None", value));
  if (value == 0 || value < -1)
    throw ValueError(
        fmt::format("__dlpack__: stream is {}; allowed are None, -1, 1, 2 and the address of a CUDA stream", value));
  return on_gpu && value != -1;
}

nb::object to_dlpack(const Tensor& x, nb::handle stream, nb::handle max_version, nb::handle dl_device,
                     std::optional<bool> copy) {
  refuse_capture("__dlpack__", kHostRead, location());
  if (x.requires_grad())
    raise_as(PyExc_BufferError,
             "__dlpack__: the tensor requires a gradient, which other libraries would lose; call detach() first");
  const dlpack::Device own = device_of(x);
  bool moves = false;
  if (!dl_device.is_none()) {
    const auto [type, id] = two_ints("dl_device", dl_device);
    moves = type != own.type || id != own.id;
    if (moves && (type != dlpack::kCpu || id != 0))
      raise_as(
          PyExc_BufferError,
          fmt::format("__dlpack__: dl_device is ({}, {}) and the tensor is on {}; allowed are {}(1, 0), which is the "
                      "CPU",
                      type, id, to_string(x.device()),
                      own.type == dlpack::kCpu ? "" : fmt::format("({}, {}) and ", own.type, own.id)));
    if (moves && copy && !*copy)
      raise_as(PyExc_BufferError,
               fmt::format("__dlpack__: the tensor is on {} and must be copied to get to the CPU, but copy "
                           "is False",
                           to_string(x.device())));
  }
  const bool waits = wants_synchronization(stream, x.device().is_cuda() && !moves);
  const bool versioned = !max_version.is_none() && two_ints("max_version", max_version).first >= 1;
  const bool copies = moves || copy.value_or(false);
  Tensor lent = held(x);
  {
    const Unlocked unlocked(x);
    if (copies) lent = moves ? lent.to(Device::cpu()) : lent.clone();
    if (waits) backend(x.device()).synchronize();
  }
  return versioned ? lend<dlpack::ManagedVersioned>(lent, copies) : lend<dlpack::Managed>(lent, copies);
}

// ---- borrowing

std::string name_of(dlpack::DataType dtype) {
  static constexpr const char* kNames[] = {"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
  std::string result = dtype.code < std::size(kNames)
                           ? fmt::format("{}{}", kNames[dtype.code], dtype.bits)
                           : fmt::format("number {} of DLPack, {} bits", dtype.code, dtype.bits);
  if (dtype.lanes != 1) result += fmt::format(" with {} lanes", dtype.lanes);
  return result;
}

DType dtype_from(const char* op, dlpack::DataType dtype) {
  if (dtype.lanes == 1) {
    if (dtype.code == dlpack::kBool && dtype.bits == 8) return DType::Bool;
    if (dtype.code == dlpack::kUInt && dtype.bits == 8) return DType::UInt8;
    if (dtype.code == dlpack::kInt && dtype.bits == 8) return DType::Int8;
    if (dtype.code == dlpack::kInt && dtype.bits == 16) return DType::Int16;
    if (dtype.code == dlpack::kInt && dtype.bits == 32) return DType::Int32;
    if (dtype.code == dlpack::kInt && dtype.bits == 64) return DType::Int64;
    if (dtype.code == dlpack::kFloat && dtype.bits == 16) return DType::Float16;
    if (dtype.code == dlpack::kBfloat && dtype.bits == 16) return DType::BFloat16;
    if (dtype.code == dlpack::kFloat && dtype.bits == 32) return DType::Float32;
    if (dtype.code == dlpack::kFloat && dtype.bits == 64) return DType::Float64;
  }
  refuse_dtype(op, name_of(dtype));
}

/// Where luge can reach it.
std::optional<Device> device_from(dlpack::Device device) {
  if (device.type == dlpack::kCpu || device.type == dlpack::kCudaHost) return Device::cpu();
  if (device.type == dlpack::kCuda) return Device::cuda(device.id);
  return std::nullopt;
}

/// All but who owns it.
ForeignMemory described(const char* op, const dlpack::Array& array) {
  ForeignMemory result;
  const std::optional<Device> device = device_from(array.device);
  if (!device)
    throw DeviceError(
        fmt::format("{}: the array is on DLPack's device type {}; allowed are the CPU (1), CUDA (2) and the host "
                    "memory of CUDA (3)",
                    op, array.device.type));
  result.device = *device;
  backend(*device);  // says why, if it cannot be used
  result.dtype = dtype_from(op, array.dtype);
  if (array.ndim < 0 || (array.ndim > 0 && !array.shape))
    throw ValueError(
        fmt::format("{}: the array has {} dimensions and {} shape", op, array.ndim, array.shape ? "a" : "no"));
  for (int d = 0; d < array.ndim; ++d) result.shape.push_back(array.shape[d]);
  if (array.strides)
    for (int d = 0; d < array.ndim; ++d) result.strides.push_back(array.strides[d]);
  else
    result.strides = row_major(result.shape);
  if (array.data) result.data = static_cast<char*>(array.data) + array.byte_offset;
  return result;
}

/// Takes what a capsule holds. One that is refused stays as it is, and its destructor gives the memory back.
template <class Managed>
ForeignMemory take(const char* op, PyObject* capsule) {
  auto* const managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  if (!managed) nb::raise_python_error();
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>)
    if (managed->version.major != 1)
      raise_as(PyExc_BufferError,
               fmt::format("{}: the capsule has version {}.{} of DLPack; allowed are 1.x and older ones", op,
                           managed->version.major, managed->version.minor));
  ForeignMemory result = described(op, managed->array);
  if constexpr (std::is_same_v<Managed, dlpack::ManagedVersioned>)
    result.read_only = managed->flags & dlpack::kReadOnly;
  if (PyCapsule_SetName(capsule, Managed::kUsedName) != 0) nb::raise_python_error();
  result.owner = std::shared_ptr<void>(managed, [](void* taken) {
    auto* const owned = static_cast<Managed*>(taken);
    if (owned->deleter) with_lock([owned] { owned->deleter(owned); });
  });
  return result;
}

ForeignMemory take(const char* op, nb::handle capsule) {
  if (PyCapsule_IsValid(capsule.ptr(), dlpack::ManagedVersioned::kName))
    return take<dlpack::ManagedVersioned>(op, capsule.ptr());
  if (PyCapsule_IsValid(capsule.ptr(), dlpack::Managed::kName)) return take<dlpack::Managed>(op, capsule.ptr());
  const char* const name = PyCapsule_GetName(capsule.ptr());
  if (name &&
      (!std::strcmp(name, dlpack::Managed::kUsedName) || !std::strcmp(name, dlpack::ManagedVersioned::kUsedName)))
    throw ValueError(fmt::format("{}: the capsule has been used; each can be used once", op));
  throw ValueError(fmt::format("{}: the capsule is named \"{}\"; it must be \"{}\" or \"{}\"", op, name ? name : "",
                               dlpack::Managed::kName, dlpack::ManagedVersioned::kName));
}

/// Asks for a capsule. `to_cpu`: luge cannot reach the array where it is.
nb::object request(const char* op, nb::handle array, dlpack::Device device, bool to_cpu, std::optional<bool> copy) {
  nb::dict keywords;
  // The work is to be queued, at the least; that it is done is waited for here.
  if (device.type == dlpack::kCuda && !to_cpu) keywords["stream"] = 1;
  nb::dict all;
  all.update(keywords);
  all["max_version"] = nb::make_tuple(1, 0);
  if (to_cpu) all["dl_device"] = nb::make_tuple(dlpack::kCpu, 0);
  if (copy && !*copy) all["copy"] = false;
  const nb::object method = array.attr("__dlpack__");
  nb::object capsule;
  try {
    capsule = method(**all);
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_TypeError)) throw;
    capsule = method(**keywords);  // of a library from before DLPack 1.0, which knows no other arguments
  }
  if (!PyCapsule_CheckExact(capsule.ptr()))
    throw nb::type_error(fmt::format("{}: __dlpack__ of {} returned an object of type {}; it must be a capsule", op,
                                     name_of_type(array), name_of_type(capsule))
                             .c_str());
  return capsule;
}

bool can_reach(dlpack::Device device) {
  return device.type == dlpack::kCpu || device.type == dlpack::kCudaHost ||
         (device.type == dlpack::kCuda && cuda_status().usable);
}

ForeignMemory borrow(const char* op, nb::handle array, std::optional<Device> device, std::optional<bool> copy) {
  if (PyCapsule_CheckExact(array.ptr())) return take(op, array);
  if (!nb::hasattr(array, "__dlpack__") || !nb::hasattr(array, "__dlpack_device__"))
    raise_as(PyExc_AttributeError,
             fmt::format("{}: the object is of type {}; it must have __dlpack__ and __dlpack_device__, or "
                         "be a DLPack capsule",
                         op, name_of_type(array)));
  const nb::object where = array.attr("__dlpack_device__")();
  const nb::tuple pair = nb::borrow<nb::tuple>(where);
  if (!nb::isinstance<nb::tuple>(where) || nb::len(where) != 2)
    throw nb::type_error(fmt::format("{}: __dlpack_device__ of {} returned {}; it must be a tuple of two ints", op,
                                     name_of_type(array), nb::repr(where).c_str())
                             .c_str());
  const dlpack::Device own{static_cast<std::int32_t>(integer(op, "the device type", pair[0])),
                           static_cast<std::int32_t>(integer(op, "the device number", pair[1]))};
  const nb::object capsule = request(op, array, own, device == Device::cpu() && !can_reach(own), copy);
  const bool silent = PyCapsule_IsValid(capsule.ptr(), dlpack::Managed::kName);  // capsules of old have no flags
  ForeignMemory memory = take(op, capsule);
  mark_kept(memory, array, silent);
  return memory;
}

}  // namespace

Tensor from_dlpack(const char* op, nb::handle array, std::optional<Device> device, std::optional<bool> copy) {
  refuse_capture(op, kHostWrite, location());
  const bool never = copy && !*copy;
  ForeignMemory memory = borrow(op, resolved(op, array, !never), device, copy);
  if (never) memory.read_later = false;  // sharing is what was asked for
  if (never && memory.read_only)
    raise_as(PyExc_BufferError,
             fmt::format("{}: the array is read-only and copy is False; a tensor can always be written", op));
  if (never && device && *device != memory.device)
    raise_as(PyExc_BufferError,
             fmt::format("{}: the array is on {}, device is {} and copy is False; it must be copied to get "
                         "there",
                         op, to_string(memory.device), to_string(*device)));
  if (memory.device.is_cuda()) {
    const nb::gil_scoped_release unlocked;
    finish_gpu(memory.device);
  }
  const void* const lent = memory.data;
  Tensor result = share_or_copy(op, std::move(memory));
  const Unlocked unlocked(result);
  if (device) result = result.to(*device);
  return copy.value_or(false) && result.data() == lent ? result.clone() : result;
}

void bind_dlpack(nb::module_& m, nb::class_<Tensor>& tensor) {
  tensor
      .def("__dlpack__", &to_dlpack, nb::kw_only(), "stream"_a = nb::none(), "max_version"_a = nb::none(),
           "dl_device"_a = nb::none(), "copy"_a = nb::none(),
           nb::sig("def __dlpack__(self, *, stream: int | None = None, max_version: tuple[int, int] | None = None, "
                   "dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> object"),
           "A DLPack capsule that shares this memory, for from_dlpack() of other libraries.\n\n"
           "A tensor on a GPU is waited for, whichever `stream` is given, unless it is -1. `dl_device` (1, 0) asks for "
           "the "
           "values on the CPU. Raises BufferError for a tensor that requires a gradient, for another `dl_device`, and "
           "where "
           "a copy is needed but `copy` is False.\n\n"
           ">>> x = luge.ones(2)\n>>> luge.from_dlpack(x.__dlpack__()).data_ptr() == x.data_ptr()\nTrue")
      .def(
          "__dlpack_device__",
          [](const Tensor& x) {
            const dlpack::Device device = device_of(x);
            return std::pair(device.type, device.id);
          },
          "DLPack's numbers for the device: (1, 0) is the CPU, (2, n) is cuda:n.\n\n"
          ">>> luge.ones(2).__dlpack_device__()\n(1, 0)");
  m.def(
      "from_dlpack",
      [](nb::handle x, std::optional<DeviceArgument> device, std::optional<bool> copy) {
        return from_dlpack("from_dlpack", x, device, copy);
      },
      "x"_a.none(), nb::kw_only(), "device"_a = nb::none(), "copy"_a = nb::none(),
      nb::sig("def from_dlpack(x: object, *, device: device | str | None = None, copy: bool | None = None) -> Tensor"),
      "An array of another library as a tensor that shares its memory, or a DLPack capsule, which is used up.\n\n"
      "It is copied where it must be: to get to `device`, because it is read-only, because PyTorch negates it when it "
      "is read, because it is MLX's, which computes from it later; always, if `copy`; never, if `copy` is False, which "
      "shares MLX's and raises BufferError for the others. Raises DTypeError and DeviceError for what no tensor can "
      "be.\n\n"
      ">>> x = luge.arange(3)\n>>> y = luge.from_dlpack(x)\n>>> y.zero_()\ntensor([0, 0, 0])\n>>> x\ntensor([0, 0, "
      "0])");
}

}  // namespace luge::python
