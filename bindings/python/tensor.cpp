// luge.Tensor: what it is, its values on the host, its place in the graph.

#include <fmt/format.h>

#include "hooks.h"
#include "layers.h"

namespace luge::python {

namespace {

PyTypeObject* tensor_type = nullptr;

nb::tuple tuple(const Dims& dims) {
  nb::object result = nb::steal(PyTuple_New(dims.ndim()));
  for (int d = 0; d < dims.ndim(); ++d) PyTuple_SET_ITEM(result.ptr(), d, PyLong_FromLongLong(dims[d]));
  return nb::borrow<nb::tuple>(result);
}

/// The value of a tensor of one element as Python's bool, int or float.
nb::object item(const Tensor& x) {
  const SourceLocation at = location();
  if (x.dtype() == DType::Bool) return nb::bool_(x.item<bool>(at));
  if (!is_floating(x.dtype())) return nb::int_(x.item<std::int64_t>(at));
  return nb::float_(x.item<double>(at));
}

template <class T>
nb::object nested(const std::vector<T>& values, const Shape& shape, int dim, std::size_t& at) {
  if (dim == shape.ndim()) {
    const T value = values[at++];
    if constexpr (std::is_same_v<T, bool>) return nb::bool_(value);
    if constexpr (std::is_integral_v<T>) return nb::int_(value);
    if constexpr (std::is_floating_point_v<T>) return nb::float_(value);
  }
  nb::list list;
  for (std::int64_t i = 0; i < shape[dim]; ++i) list.append(nested(values, shape, dim + 1, at));
  return list;
}

nb::object to_list(const Tensor& x) {
  const SourceLocation at = location();
  std::size_t next = 0;
  if (is_floating(x.dtype())) return nested(x.to_vector<double>(at), x.shape(), 0, next);
  if (x.dtype() == DType::Bool) return nested(x.to_vector<bool>(at), x.shape(), 0, next);
  return nested(x.to_vector<std::int64_t>(at), x.shape(), 0, next);
}

std::int64_t length(const Tensor& x) {
  if (x.ndim() == 0) throw TypeError("len: the tensor is 0-d; it has no length");
  return x.size(0);
}

/// x.to(...) and its relatives: a dtype, a device or both, or like another tensor.
Tensor converted(const Tensor& x, std::optional<PyDType> dtype, std::optional<Device> device, bool copy) {
  const SourceLocation at = location();
  const Unlocked unlocked(x);
  Tensor result = device && *device != x.device() ? x.to(*device, at) : x;
  if (dtype && dtype->value != x.dtype()) result = result.to(dtype->value);
  return copy && result.impl() == x.impl() ? result.clone() : result;
}

Tensor to(const Tensor& x, const nb::args& args, std::optional<PyDType> dtype, std::optional<DeviceArgument> device,
          bool /*non_blocking*/, bool copy) {
  std::size_t flags = 0;  // non_blocking, and copy
  const auto once = [](const char* what, bool known) {
    if (known) throw TypeError(fmt::format("to: {} is given twice", what));
  };
  for (const nb::handle given : args) {
    if (nb::isinstance<nb::bool_>(given) && flags < 2) {
      if (++flags == 2) copy = copy || nb::cast<bool>(given);
    } else if (is_tensor(given)) {
      once("dtype", dtype.has_value());
      once("device", device.has_value());
      dtype = PyDType{as_tensor(given).dtype()};
      device = DeviceArgument(as_tensor(given).device());
    } else if (nb::isinstance<PyDType>(given)) {
      once("dtype", dtype.has_value());
      dtype = nb::cast<PyDType>(given);
    } else if (nb::isinstance<Device>(given) || nb::isinstance<nb::str>(given)) {
      once("device", device.has_value());
      device = nb::cast<DeviceArgument>(given);
    } else {
      throw TypeError(fmt::format(
          "to: an argument is of type {}; it must be a dtype, a device, or a tensor whose dtype and device are meant",
          type_of(given)));
    }
  }
  return converted(x, dtype, device, copy);
}

void bind_attributes(nb::class_<Tensor>& tensor) {
  tensor
      .def_prop_ro(
          "shape", [](const Tensor& x) { return tuple(x.shape()); }, nb::sig("def shape(self) -> tuple[int, ...]"),
          "The sizes, outermost first.")
      .def_prop_ro(
          "dtype", [](const Tensor& x) { return dtype_object(x.dtype()); }, nb::sig("def dtype(self) -> dtype"),
          "The type of the elements.")
      .def_prop_ro("device", &Tensor::device, "Where the elements are.")
      .def_prop_ro("ndim", &Tensor::ndim, "The number of dimensions.")
      .def("dim", &Tensor::ndim, "The number of dimensions.")
      .def("numel", &Tensor::numel, "The number of elements.")
      .def("nelement", &Tensor::numel, "The number of elements.")
      .def(
          "element_size", [](const Tensor& x) { return size_of(x.dtype()); }, "Bytes of one element.")
      .def_prop_ro(
          "itemsize", [](const Tensor& x) { return size_of(x.dtype()); }, "Bytes of one element.")
      .def_prop_ro(
          "nbytes", [](const Tensor& x) { return static_cast<std::int64_t>(size_of(x.dtype())) * x.numel(); },
          "Bytes of all elements.")
      .def(
          "size",
          [](const Tensor& x, std::optional<int> dim) -> nb::object {
            return dim ? nb::object(nb::int_(x.size(*dim))) : nb::object(tuple(x.shape()));
          },
          "dim"_a = nb::none(), "The shape, or the size along `dim`. Raises IndexError.")
      .def(
          "stride",
          [](const Tensor& x, std::optional<int> dim) -> nb::object {
            if (!dim) return tuple(x.strides());
            return nb::int_(x.strides()[normalize_dim("stride", *dim, x.ndim())]);
          },
          "dim"_a = nb::none(), "Steps between neighbours along each dimension, in elements.")
      .def("storage_offset", &Tensor::storage_offset, "Elements between the memory's beginning and the first element.")
      .def(
          "data_ptr", [](const Tensor& x) { return reinterpret_cast<std::uintptr_t>(x.data()); },
          "Address of the first element, on the tensor's device.")
      .def("is_contiguous", &Tensor::is_contiguous, "Whether the elements lie in row-major order without gaps.")
      .def("is_floating_point", [](const Tensor& x) { return is_floating(x.dtype()); })
      .def_prop_ro(
          "is_cpu", [](const Tensor& x) { return x.device().is_cpu(); }, "Whether it is in the host's memory.")
      .def("get_device", [](const Tensor& x) { return x.device().is_cuda() ? x.device().index : -1; },
           "The number of its GPU; -1 in the host's memory.")
      .def("ndimension", &Tensor::ndim, "The number of dimensions.")
      .def("is_same_size", [](const Tensor& x, const Tensor& other) { return x.shape() == other.shape(); }, "other"_a,
           "Whether both have the same shape.")
      .def_prop_ro(
          "is_cuda", [](const Tensor& x) { return x.device().is_cuda(); }, "Whether it is on a GPU.")
      .def_prop_ro("_version", &Tensor::version, "How often the memory has been written in place.");
}

void bind_values(nb::class_<Tensor>& tensor) {
  tensor
      .def("item", &item, nb::sig("def item(self) -> int | float | bool"),
           "The value of a tensor of one element, as a Python number; waits for the device.\n\n"
           "Raises ShapeError for any other number of elements.\n\n>>> luge.tensor([2.5]).item()\n2.5")
      .def("tolist", &to_list,
           "All values as nested lists of Python numbers; a number for a 0-d tensor. Waits for the device.\n\n"
           ">>> luge.tensor([[1, 2], [3, 4]]).tolist()\n[[1, 2], [3, 4]]")
      .def("__repr__", [](const Tensor& x) { return to_string(x, location()); })
      .def("__len__", &length)
      .def("__bool__", [](const Tensor& x) { return x.item<bool>(location()); })
      .def("__float__", [](const Tensor& x) { return x.item<double>(location()); })
      .def("__int__", [](const Tensor& x) { return nb::int_(item(x)); })
      .def("__index__",
           [](const Tensor& x) {
             if (x.ndim() != 0 || is_floating(x.dtype()) || x.dtype() == DType::Bool)
               throw TypeError(
                   fmt::format("index: the tensor is {} of shape {}; only 0-d integer tensors can be used as an index",
                               luge::name(x.dtype()), to_string(x.shape())));
             return x.item<std::int64_t>(location());
           })
      .def("__format__",
           [](const Tensor& x, const nb::str& format) -> nb::object {
             if (x.ndim() == 0 && nb::len(format) > 0) return nb::steal(PyObject_Format(item(x).ptr(), format.ptr()));
             return nb::str(to_string(x, location()).c_str());
           })
      .def("__hash__", [](const Tensor& x) { return reinterpret_cast<std::uintptr_t>(x.impl()) >> 4; })
      .def(
          "equal",
          [](const Tensor& x, const Tensor& other) {
            return x.shape() == other.shape() && x.eq(other).all().item<bool>(location());
          },
          "other"_a,
          "Whether shape and all values are the same.\n\n>>> luge.ones(2).equal(luge.tensor([1.0, 1.0]))\nTrue")
      .def(
          "to", &to, "args"_a, "dtype"_a = nb::none(), "device"_a = nb::none(), "non_blocking"_a = false,
          "copy"_a = false,
          nb::sig("def to(self, *args: object, dtype: object = None, device: object = None, non_blocking: bool = False, "
                  "copy: bool = False) -> Tensor"),
          "A tensor of another dtype, on another device, or like another tensor; itself where nothing changes, unless "
          "`copy`. `non_blocking` changes nothing: copies are in the order of the calls.\n\n>>> luge.tensor([1, 2]).to(luge.float64).dtype\nluge.float64")
      .def(
          "type_as",
          [](const Tensor& x, const Tensor& other) { return converted(x, PyDType{other.dtype()}, {}, false); },
          "other"_a, "As the dtype of `other`.")
      .def(
          "cpu", [](const Tensor& x) { return converted(x, {}, Device::cpu(), false); }, "On the CPU.")
      .def(
          "cuda", [](const Tensor& x, int index) { return converted(x, {}, Device::cuda(index), false); },
          "device"_a = 0, "On a GPU. Raises DeviceError where there is none.");
  const std::pair<const char*, DType> conversions[] = {{"bool", DType::Bool},
                                                       {"byte", DType::UInt8},
                                                       {"char", DType::Int8},
                                                       {"short", DType::Int16},
                                                       {"int", DType::Int32},
                                                       {"long", DType::Int64},
                                                       {"half", DType::Float16},
                                                       {"bfloat16", DType::BFloat16},
                                                       {"float", DType::Float32},
                                                       {"double", DType::Float64}};
  for (const auto& [name, dtype] : conversions)
    tensor.def(
        name, [d = PyDType{dtype}](const Tensor& x) { return converted(x, d, {}, false); },
        "As this dtype; itself where it is.");
}

/// Throws unless `value` is a tensor like x.
Tensor like_this(const char* attribute, const Tensor& x, nb::handle value) {
  if (!is_tensor(value)) throw TypeError(fmt::format("{}: it was set to {}; it must be a Tensor", attribute, type_of(value)));
  const Tensor given = as_tensor(value).detach();
  if (given.shape() != x.shape())
    throw ShapeError(fmt::format("{}: a tensor of shape {} was assigned; this one has shape {}", attribute, to_string(given.shape()),
                                 to_string(x.shape())));
  if (given.dtype() != x.dtype())
    throw DTypeError(fmt::format("{}: a tensor of {} was assigned; this one is {}", attribute, name(given.dtype()), name(x.dtype())));
  if (given.device() != x.device())
    throw DeviceError(fmt::format("{}: a tensor on {} was assigned; this one is on {}", attribute, to_string(given.device()),
                                  to_string(x.device())));
  return given;
}

void set_gradient(Tensor& x, nb::handle value) {
  if (!x.is_leaf() || !x.requires_grad()) throw AutogradError("grad: it can be set on a leaf that requires a gradient only");
  const Tensor gradient = like_this("grad", x, value).clone();  // it may be made of the gradient that goes
  x.zero_grad();
  x.backward(gradient);
}

void set_data(Tensor& x, nb::handle value) {
  const Tensor given = like_this("data", x, value);
  Tensor elements = x.detach();
  elements.copy_(given);
}

void bind_graph(nb::class_<Tensor>& tensor) {
  tensor
      .def_prop_rw(
          "requires_grad", &Tensor::requires_grad, [](Tensor& x, bool on) { x.requires_grad_(on); },
          "Whether operations on it are recorded. Setting it raises AutogradError for what is no leaf.")
      .def(
          "requires_grad_",
          [](nb::handle self, bool on) {
            self_of(self).requires_grad_(on);
            return nb::borrow(self);
          },
          "requires_grad"_a = true, nb::sig("def requires_grad_(self, requires_grad: bool = True) -> Tensor"),
          "Turns recording on or off for a leaf of a floating dtype.")
      .def_prop_ro("is_leaf", &Tensor::is_leaf, "Whether no recorded operation made it.")
      .def_prop_rw(
          "grad", [](const Tensor& x) { return wrap(x.grad()); },
          [](Tensor& x, nb::handle value) {
            if (value.is_none()) return x.zero_grad();
            set_gradient(x, value);
          },
          nb::for_getter(nb::sig("def grad(self) -> Tensor | None")),
          nb::for_setter(nb::sig("def grad(self, value: Tensor | None) -> None")), nb::for_setter("value"_a.none()),
          "The gradient accumulated in a leaf, or after retain_grad() in an operation's result; None before the first backward() of "
          "a tensor that no optimizer owns. A tensor that is assigned is copied; None forgets it.")
      .def_prop_rw(
          "data", [](const Tensor& x) { return x.detach(); }, &set_data, nb::for_getter(nb::sig("def data(self) -> Tensor")),
          nb::for_setter(nb::sig("def data(self, value: Tensor) -> None")),
          "The same elements outside the graph. What is assigned must have the shape, dtype and device, and is copied: the memory "
          "stays, so that optimizers and captured steps see it.")
      .def(
          "backward",
          [](const Tensor& x, std::optional<Tensor> gradient, std::optional<bool> retain_graph, bool create_graph) {
            const nb::gil_scoped_release unlocked;
            x.backward(gradient.value_or(Tensor()), retain_graph, create_graph);
          },
          "gradient"_a = nb::none(), "retain_graph"_a = nb::none(), "create_graph"_a = false,
          "Adds d(self)/d(leaf) to the gradient of every leaf it depends on.\n\n"
          "`gradient` is d(result)/d(self), of this shape and dtype; it may be left out for a tensor of one element. "
          "The graph is freed unless `retain_graph`, which is `create_graph` where it is None.\n\n"
          "With `create_graph` .grad can be differentiated in turn. A leaf then keeps a graph that leads back to "
          "itself, "
          "until its .grad is set to None; autograd.grad() makes no such cycle. Parameters of an optimizer raise "
          "AutogradError, because their gradients are memory that is written in place.\n\n"
          ">>> x = luge.tensor([1.0, 2.0], requires_grad=True)\n>>> (x * x).sum().backward()\n>>> x.grad\ntensor([2., "
          "4.])")
      .def("zero_grad", &Tensor::zero_grad, "Forgets the gradient of a leaf: the next backward() overwrites it.")
      .def("detach", &Tensor::detach, "The same data outside the graph.");
}

/// Values are seen by the cycle collector through nothing: a graph holds no Python objects but those of
/// luge.autograd.Function, which hold no tensors of their own result.
nb::class_<Tensor> make_type(nb::module_& m) {
  nb::class_<Tensor> tensor(m, "Tensor", nb::type_slots(operator_slots()), nb::is_weak_referenceable(),
                            "A multi-dimensional array on a device, with its place in the graph.\n\n"
                            "Made by luge.tensor, luge.zeros, ...; names and meanings are PyTorch's.");
  return tensor;
}

}  // namespace

void set_tensor_type(nb::handle type) { tensor_type = reinterpret_cast<PyTypeObject*>(type.ptr()); }
bool is_tensor(nb::handle object) noexcept {
  PyTypeObject* const type = Py_TYPE(object.ptr());
  // An object that Tensor.__new__ made has a tensor's type and no tensor.
  return (type == tensor_type || PyType_IsSubtype(type, tensor_type)) && nb::inst_ready(object);
}
Tensor& self_of(nb::handle object) {
  if (!is_tensor(object)) throw TypeError("Tensor: self is of type " + type_of(object) + "; it must be Tensor");
  return *nb::inst_ptr<Tensor>(object);
}
const Tensor& as_tensor(nb::handle object) noexcept { return *nb::inst_ptr<Tensor>(object); }

nb::object wrap(Tensor tensor) {
  if (!tensor.defined()) return nb::none();
  nb::object object = nb::inst_alloc(nb::handle(reinterpret_cast<PyObject*>(tensor_type)));
  new (nb::inst_ptr<Tensor>(object)) Tensor(std::move(tensor));
  nb::inst_mark_ready(object);
  return object;
}

void bind_tensor(nb::module_& m) {
  nb::class_<Tensor> tensor = make_type(m);
  set_tensor_type(tensor);
  tensor.attr("__array_priority__") = 1000.0;  // NumPy leaves an operator between its own and a tensor to the tensor
  bind_attributes(tensor);
  bind_values(tensor);
  bind_graph(tensor);
  bind_hooks(m, tensor);
  bind_views(tensor);
  bind_view_functions(m, tensor);
  bind_splits(m, tensor);
  bind_rearrangements(m, tensor);
  bind_diagonals(m, tensor);
  bind_joins(m);
  bind_padding(m, tensor);
  bind_contractions(m, tensor);
  bind_distances(m, tensor);
  bind_more_creation(m, tensor);
  bind_random(m, tensor);
  bind_indexing(tensor);
  bind_elementwise(m, tensor);
  bind_in_place(tensor);
  bind_arithmetic(m, tensor);
  bind_composites(m, tensor);
  bind_activations(m, tensor);
  bind_attention(m);
  bind_recurrent(m);
  bind_special(m, tensor);
  bind_dtype_facts(m, tensor);
  bind_pointwise_losses(m);
  bind_reductions(m, tensor);
  bind_products(m, tensor);
  bind_picking(m, tensor);
  bind_scattering(m, tensor);
  bind_losses(m);
  bind_sort(m, tensor);
  bind_search(m, tensor);
  bind_quantiles(m, tensor);
  bind_linalg(m, tensor);
  bind_interchange(m, tensor);
}

}  // namespace luge::python
