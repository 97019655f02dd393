#pragma once
// What every part of the extension module shares: how arguments come in, how tensors and errors go out, and when
// the interpreter's lock is held.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <luge/luge.h>

namespace nb = nanobind;

namespace luge::python {

using namespace nb::literals;

/// A DType as Python sees it.
struct PyDType {
  DType value = DType::Float32;
  friend bool operator==(PyDType, PyDType) = default;
};

/// A device as an argument: luge.device, or what it is made of, which is read where an error can be raised.
struct DeviceArgument {
  DeviceArgument() = default;
  DeviceArgument(Device given) : device(given) {}  // NOLINT(google-explicit-constructor)
  operator Device() const {
    return text.empty() ? device : Device::parse(text);
  }  // NOLINT(google-explicit-constructor)

  Device device;
  std::string text;
};

/// A path as an argument: str, bytes or os.PathLike. Whether it can name a file is said where an error can be raised.
struct PathArgument {
  /// As the system takes it. Throws ValueError for a path with a zero byte or a lone surrogate.
  std::string native(const char* op) const;

  std::string bytes;
  std::string shown, fault;  ///< for the error; empty: there is none
};
/// A path as Python shows it.
nb::str path_object(const std::string& path);

/// The one object that stands for it.
nb::object dtype_object(DType dtype);

// ---- tensors

/// Remembers the type that `luge.Tensor` is; called when it is made.
void set_tensor_type(nb::handle type);
bool is_tensor(nb::handle object) noexcept;
/// Of an object for which is_tensor() holds.
const Tensor& as_tensor(nb::handle object) noexcept;
/// Of the object that a method is called for, which may be anything: TypeError.
Tensor& self_of(nb::handle object);
/// A new Python object; None for an undefined tensor.
nb::object wrap(Tensor tensor);
/// A dict of names, which may hold any character, and tensors.
nb::dict as_dict(const std::map<std::string, Tensor>& tensors);
/// The other way. Throws TypeError for what is no dict of names and tensors.
std::map<std::string, Tensor> named_tensors(const char* op, const char* argument, nb::handle given);

/// An array of another library as a tensor that shares its memory: by __dlpack__, __cuda_array_interface__ or
/// __array_interface__ (interchange.cpp).
Tensor from_foreign(const char* op, nb::handle array);

// ---- arguments; `op` and `argument` are for the message of a TypeError

/// An argument of a type that is not taken: Python's TypeError.
class TypeError : public Error {
 public:
  using Error::Error;
};

/// A str as UTF-8. Throws ValueError for one with a lone surrogate; `what` says which one it is.
std::string text_of(const char* op, const std::string& what, nb::handle text);
/// The name of an object's type.
std::string type_of(nb::handle object);
/// A Python number: bool, int, float, or what converts itself (NumPy's scalars).
std::optional<Scalar> number(nb::handle object);
/// A number, or TypeError.
Scalar scalar(const char* op, const char* argument, nb::handle object);
std::int64_t integer(const char* op, const char* argument, nb::handle object);
/// Sizes given as (2, 3), as one tuple or list, or as one int.
Shape sizes(const char* op, nb::handle given);
/// The same for a function that takes `*size`.
Shape sizes_of(const char* op, const nb::args& given);
/// Dimensions: an int or a sequence of ints.
std::vector<int> dimensions(const char* op, nb::handle given);
/// A hyperparameter: a number or a tensor of shape (sets).
PerSet per_set(const char* op, const char* argument, nb::handle given);

// ---- errors

/// Sets the Python error for the C++ exception being handled. To be called in a catch block.
void set_error() noexcept;
/// The error comes from C++ code that a function of this module ran: the function's own name will replace the
/// operation's.
void note_raised() noexcept;
/// Makes every function of the module word its errors for the user (calls.cpp); called when all are defined.
void guard_calls(nb::module_& m);
/// The line of the Python program that is running; looked up only while a step is captured.
SourceLocation location();
/// A line of a file whose name lives as long as the interpreter from here on.
SourceLocation location_in(nb::object file, int line);

// ---- the interpreter's lock

/// Below this number of elements a CPU kernel is over before other threads could use the lock.
inline constexpr std::int64_t kQuick = 4096;

/// Releases the lock while it lives, where the work is worth it.
class Unlocked {
 public:
  explicit Unlocked(std::int64_t elements) {
    if (elements >= kQuick) state_ = PyEval_SaveThread();
  }
  explicit Unlocked(const Tensor& x) : Unlocked(x.device().is_cuda() ? kQuick : x.numel()) {}
  Unlocked(const Tensor& a, const Tensor& b)
      : Unlocked(a.device().is_cuda()    ? kQuick
                 : a.numel() > b.numel() ? a.numel()
                                         : b.numel()) {}
  /// A product: every element of `a` is used for each column of `b`.
  static std::int64_t product(const Tensor& a, const Tensor& b) {
    return a.device().is_cuda() ? kQuick : a.numel() * (b.ndim() > 1 ? b.shape()[b.ndim() - 1] : 1);
  }
  ~Unlocked() {
    if (state_) PyEval_RestoreThread(state_);
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

// ---- the parts, each of which adds its names to the module
void bind_errors(nb::module_& m);
void bind_types(nb::module_& m);
void bind_tensor(nb::module_& m);
void bind_elementwise(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_in_place(nb::class_<Tensor>& tensor);
void bind_arithmetic(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_composites(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_activations(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_special(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_dtype_facts(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_pointwise_losses(nb::module_& m);
void bind_reductions(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_products(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_picking(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_scattering(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_losses(nb::module_& m);
void bind_sort(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_linalg(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_search(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_quantiles(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_views(nb::class_<Tensor>& tensor);
void bind_splits(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_rearrangements(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_view_functions(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_diagonals(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_joins(nb::module_& m);
void bind_padding(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_contractions(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_distances(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_more_creation(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_random(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_indexing(nb::class_<Tensor>& tensor);
void bind_interchange(nb::module_& m, nb::class_<Tensor>& tensor);
void bind_creation(nb::module_& m);
void bind_autograd(nb::module_& m);
void bind_training(nb::module_& m);
void bind_optimizers(nb::module_& m);
void bind_capture(nb::module_& m);
void bind_npy(nb::module_& m);
void bind_system(nb::module_& m);
void bind_files(nb::module_& m);
void bind_checkpoint(nb::module_& m);
void bind_fit(nb::module_& m);
void bind_population(nb::module_& m);
void bind_stop(nb::module_& m);
void bind_stop_train(nb::module_& m);
void bind_sweep(nb::module_& m);

/// What an iterable of tensors gives. `op` and `argument` are the names for errors.
std::vector<Tensor> leaves_in(const char* op, const char* argument, nb::handle given);

/// Operators of the tensor type, as slots.
PyType_Slot* operator_slots();

}  // namespace luge::python

/// Wherever an int is an argument, a bool is a TypeError, as in PyTorch: `x.std(False)` asks for something that `dim`
/// is not.
#define LUGE_INT_CASTER(T, load)                                                                         \
  template <>                                                                                            \
  struct nanobind::detail::type_caster<T> {                                                              \
    NB_TYPE_CASTER(T, const_name("int"))                                                                 \
    bool from_python(handle given, uint8_t flags, cleanup_list*) noexcept {                              \
      return !PyBool_Check(given.ptr()) && load(given.ptr(), flags, &value);                             \
    }                                                                                                    \
    static handle from_cpp(T number, rv_policy, cleanup_list*) noexcept {                                \
      return std::is_signed_v<T> ? PyLong_FromLongLong(static_cast<long long>(number))                   \
                                 : PyLong_FromUnsignedLongLong(static_cast<unsigned long long>(number)); \
    }                                                                                                    \
  };
LUGE_INT_CASTER(std::int32_t, load_i32)
LUGE_INT_CASTER(std::int64_t, load_i64)
LUGE_INT_CASTER(std::uint64_t, load_u64)
#undef LUGE_INT_CASTER

/// luge.device or a str.
template <>
struct nanobind::detail::type_caster<luge::python::DeviceArgument> {
  NB_TYPE_CASTER(luge::python::DeviceArgument, const_name("device | str"))

  bool from_python(handle given, uint8_t, cleanup_list*) noexcept {
    if (nb::isinstance<luge::Device>(given)) {
      value.device = *nb::inst_ptr<luge::Device>(given);
      return nb::inst_ready(given);
    }
    if (!PyUnicode_Check(given.ptr())) return false;
    const char* const text = PyUnicode_AsUTF8(given.ptr());
    if (!text) {
      PyErr_Clear();
      return false;
    }
    value.text = *text ? text : "(nothing)";
    return true;
  }
  static handle from_cpp(const luge::python::DeviceArgument& device, rv_policy policy, cleanup_list* cleanup) noexcept {
    return make_caster<luge::Device>::from_cpp(luge::Device(device), policy, cleanup);
  }
};

/// str, bytes or os.PathLike.
template <>
struct nanobind::detail::type_caster<luge::python::PathArgument> {
  NB_TYPE_CASTER(luge::python::PathArgument, const_name("str | os.PathLike"))

  bool from_python(handle given, uint8_t, cleanup_list*) noexcept {
    const object path = steal(PyOS_FSPath(given.ptr()));
    if (!path.is_valid()) {
      PyErr_Clear();
      return false;
    }
    PyObject* native = nullptr;
    if (PyUnicode_FSConverter(path.ptr(), &native)) {
      value.bytes.assign(PyBytes_AS_STRING(native), static_cast<size_t>(PyBytes_GET_SIZE(native)));
      Py_DECREF(native);
      return true;
    }
    value.fault = PyErr_ExceptionMatches(PyExc_UnicodeError) ? "it holds a lone surrogate" : "it holds a zero byte";
    PyErr_Clear();
    const object shown = steal(PyObject_ASCII(path.ptr()));
    if (!shown.is_valid())
      PyErr_Clear();
    else
      value.shown = PyUnicode_AsUTF8(shown.ptr());
    return true;
  }
  static handle from_cpp(const luge::python::PathArgument& path, rv_policy, cleanup_list*) noexcept {
    return PyUnicode_DecodeFSDefaultAndSize(path.bytes.data(), static_cast<Py_ssize_t>(path.bytes.size()));
  }
};
