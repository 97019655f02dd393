#pragma once
// What dlpack.cpp, arrays.cpp and pickle.cpp share: memory of other libraries, and when to let go of it.

#include <memory>
#include <string>
#include <utility>

#include "python.h"

namespace luge::python {

/// Memory that another library lends.
struct ForeignMemory {
  void* data = nullptr;  ///< the first element
  Shape shape;
  Strides strides;  ///< in elements
  DType dtype = DType::Float32;
  Device device;
  bool read_only = false;
  bool read_later = false;      ///< its library takes it to be constant and computes from it later: see mark_kept()
  std::shared_ptr<void> owner;  ///< gives it back when nobody has it any more
};

/// The strides where nobody says them. Throws ShapeError for sizes that no tensor has.
Strides row_major(const Shape& shape);

/// A tensor over it. Throws ValueError for what no tensor can look like, and then gives the memory back.
Tensor share(const char* op, ForeignMemory memory);
/// The same for a caller that may get a copy: memory that is read-only or read later is copied, because every tensor
/// can be written.
Tensor share_or_copy(const char* op, ForeignMemory memory);

/// The array with the values that its library shows. PyTorch's conjugate views and the like share the memory that they
/// show with another sign, and nothing in it says so; they are copied, or refused with BufferError unless `may_copy`.
/// NumPy's masked arrays are refused, because the memory holds values where none are.
nb::object resolved(const char* op, nb::handle array, bool may_copy);
/// Says of memory that was lent whether its library takes it to be constant. `silent`: it was lent by a protocol that
/// cannot say that it is read-only.
void mark_kept(ForeignMemory& memory, nb::handle array, bool silent);

/// A NumPy array as an operand beside a tensor; nothing for anything else, subclasses of the array included.
std::optional<Tensor> numpy_operand(const char* op, nb::handle object);

/// The tensor outside the graph, over the memory that it has now. Its own storage moves elsewhere when Parameters grow,
/// and whoever was given an address must not lose what is there.
Tensor held(const Tensor& x);

/// Keeps a Python object alive; may be let go of on any thread.
std::shared_ptr<void> keep(nb::handle object);

/// Whether this thread has the interpreter's lock or can get it: not any more while the interpreter ends.
bool can_lock() noexcept;

/// Runs `body`, which must not throw, with the interpreter's lock and with no Python error set; not at all when the
/// interpreter is gone, and with it whatever `body` would have given back.
template <class Body>
void with_lock(const Body& body) noexcept {
  if (!can_lock()) return;
  const nb::gil_scoped_acquire locked;
  const nb::error_scope kept;
  body();
}

/// Waits for all that is queued on a GPU, by luge and by others, whose streams luge does not know.
void finish_gpu(Device device);
/// The GPU whose memory this is.
Device gpu_of(const void* data);

[[noreturn]] void raise_as(PyObject* type, const std::string& message);
[[noreturn]] void refuse_dtype(const char* op, const std::string& given);
[[noreturn]] void refuse_mask(const char* op);
std::string name_of_type(nb::handle object);

/// By __dlpack__, or from a DLPack capsule, on `device` where it is said. `copy`: always, never (BufferError), or
/// nothing for where it is needed.
Tensor from_dlpack(const char* op, nb::handle array, std::optional<Device> device, std::optional<bool> copy);
/// By the dictionary that the attribute `protocol` holds, for memory of this kind of device.
ForeignMemory from_interface(const char* op, nb::handle array, const char* protocol, Device::Type type);

void bind_dlpack(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_arrays(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_pickle(nb::module_& m, nb::class_<Tensor>& tensor);

}  // namespace luge::python
