// x[...] and x[...] = y, as NumPy and PyTorch have them. Integers, slices, ... and None make views; boolean masks and
// tensors of integers pick copies.

#include <algorithm>

#include <fmt/format.h>

#include <luge/autograd/detail/node.h>
#include <luge/seam/observer.h>
#include <luge/ops/indexing.h>

#include "python.h"

namespace luge::python {

namespace {

constexpr const char* kOp = "indexing";

/// What an index has come to: a view, and lists of places for some of its dimensions.
struct Indexed {
  Tensor view;
  std::vector<Tensor> indices;  ///< by dimension, undefined for all of it
  bool picks = false;           ///< whether there is any
};

/// An int that is not Python's own, such as np.int64(1).
bool is_foreign_int(nb::handle item) {
  if (!PyIndex_Check(item.ptr()) || !nb::hasattr(item, "ndim") || !nb::hasattr(item, "dtype")) return false;
  const std::string kind = nb::cast<std::string>(nb::str(nb::getattr(item.attr("dtype"), "kind", nb::str(""))));
  return (kind == "i" || kind == "u") && nb::cast<int>(item.attr("ndim")) == 0;
}

bool is_array_index(nb::handle item) {
  return is_tensor(item) || nb::isinstance<nb::list>(item) || PyRange_Check(item.ptr()) ||
         (nb::hasattr(item, "__array_interface__") && !is_foreign_int(item));
}

Tensor index_tensor(nb::handle item) {
  if (is_tensor(item)) return as_tensor(item);
  const nb::object made = nb::module_::import_("luge").attr("as_tensor")(item);
  Tensor index = as_tensor(made);
  if (index.numel() == 0 && is_floating(index.dtype())) index = index.to(DType::Int64);  // []
  return index;
}

bool is_mask(const Tensor& index) { return index.dtype() == DType::Bool || index.dtype() == DType::UInt8; }

/// A bool, also as an array or tensor without dimensions: all of the tensor, or nothing of it.
std::optional<bool> one_bool(nb::handle item) {
  if (nb::isinstance<nb::bool_>(item)) return item.ptr() == Py_True;
  if (!is_array_index(item) || nb::isinstance<nb::list>(item)) return std::nullopt;
  const Tensor index = index_tensor(item);
  if (!is_mask(index) || index.ndim() > 0) return std::nullopt;
  refuse_capture("indexing by a mask", kHostRead, location());
  return index.item<bool>(location());
}

/// How many dimensions of the tensor an item takes.
int taken(nb::handle item) {
  if (item.is_none() || item.ptr() == Py_Ellipsis || nb::isinstance<nb::bool_>(item)) return 0;
  if (is_array_index(item)) {
    const Tensor index = index_tensor(item);
    return is_mask(index) ? index.ndim() : 1;
  }
  return 1;
}

Tensor sliced(const Tensor& x, int dim, nb::handle item) {
  Py_ssize_t start = 0, stop = 0, step = 0;
  if (PySlice_Unpack(item.ptr(), &start, &stop, &step) < 0) {
    const bool is_zero = PyErr_ExceptionMatches(PyExc_ValueError), is_no_int = PyErr_ExceptionMatches(PyExc_TypeError);
    if (!is_zero && !is_no_int) nb::raise_python_error();
    PyErr_Clear();
    if (is_zero) throw ValueError(fmt::format("{}: the step of a slice is 0; it must be positive", kOp));
    throw TypeError(fmt::format("{}: a slice is {}; its parts must be int or None", kOp, nb::repr(item).c_str()));
  }
  if (step < 0) throw ValueError(fmt::format("{}: the step of a slice is {}; it must be positive", kOp, step));
  const Py_ssize_t count = PySlice_AdjustIndices(x.size(dim), &start, &stop, step);
  return x.slice(dim, start, count == 0 ? start : stop, step);
}

std::vector<nb::object> items_of(nb::handle key, int ndim) {
  std::vector<nb::object> items;
  if (nb::isinstance<nb::tuple>(key))
    for (const nb::handle item : nb::borrow(key)) items.push_back(nb::borrow(item));
  else
    items.push_back(nb::borrow(key));
  int dims = 0, ellipses = 0;
  for (const nb::object& item : items) {
    dims += taken(item);
    ellipses += item.ptr() == Py_Ellipsis ? 1 : 0;
  }
  if (ellipses > 1) throw IndexError(fmt::format("{}: an index can have one ellipsis ('...') only", kOp));
  if (dims > ndim) throw IndexError(fmt::format("{}: {} indices for a tensor of {} dimensions", kOp, dims, ndim));
  const nb::object all = nb::steal(PySlice_New(nullptr, nullptr, nullptr));
  const auto open = static_cast<std::size_t>(ndim - dims);
  auto at = std::find_if(items.begin(), items.end(), [](const nb::object& item) { return item.ptr() == Py_Ellipsis; });
  if (at != items.end()) at = items.erase(at);
  items.insert(at, open, all);
  return items;
}

Indexed resolve(const Tensor& x, nb::handle key) {
  Indexed result{x, {}, false};
  int dim = 0, listed = 0;  // of the view; how many of them result.indices speaks of
  const auto pick = [&](const Tensor& index, int dims) {
    result.indices.resize(result.indices.size() + static_cast<std::size_t>(dim - listed));
    result.indices.push_back(index);
    result.picks = true;
    listed = dim += dims;
  };
  for (const nb::object& item : items_of(key, x.ndim())) {
    Tensor& view = result.view;
    if (item.is_none()) {
      view = view.unsqueeze(dim++);
    } else if (const std::optional<bool> all = one_bool(item)) {
      view = view.unsqueeze(dim);
      pick(zeros({*all ? 1 : 0}, {.dtype = DType::Int64, .device = x.device()}), 1);
    } else if (nb::isinstance<nb::slice>(item)) {
      view = sliced(view, dim++, item);
    } else if (is_array_index(item)) {
      const Tensor index = index_tensor(item);
      if (is_mask(index)) refuse_capture("indexing by a mask", kHostRead, location());
      const Tensor own = index.device() == x.device() ? index : index.to(x.device(), location());
      // A mask of several dimensions stands for as many indices.
      pick(own, is_mask(index) ? index.ndim() : 1);
    } else if (PyIndex_Check(item.ptr())) {
      view = view.select(dim, integer(kOp, "an index", item));
    } else {
      throw nb::type_error(
          fmt::format("{}: an index is of type {}; allowed are int, slice, ..., None, bool and integer "
                      "tensors, lists and arrays",
                      kOp, type_of(item))
              .c_str());
    }
  }
  return result;
}

Tensor get(const Tensor& x, nb::handle key) {
  if (PyLong_CheckExact(key.ptr())) return x.select(0, integer(kOp, "the index", key));
  const Indexed at = resolve(x, key);
  if (!at.picks) return at.view;
  const Unlocked unlocked(x);
  return index(at.view, at.indices);
}

/// A list, an array or whatever else holds numbers.
Tensor tensor_of(nb::handle value) {
  if (value.is_none() || PyUnicode_Check(value.ptr()) || PyBytes_Check(value.ptr()) || PyDict_Check(value.ptr()))
    throw TypeError(fmt::format("{}: the value is of type {}; it must be a tensor, a number, a list or an array", kOp,
                                type_of(value)));
  return as_tensor(nb::object(nb::module_::import_("luge").attr("as_tensor")(value)));
}

/// The value of an assignment as a tensor of x's dtype and device.
Tensor assigned(const Tensor& x, nb::handle value) {
  if (is_tensor(value)) return as_tensor(value).to(x.dtype()).to(x.device(), location());
  if (const std::optional<Scalar> given = number(value)) return full({}, *given, {.dtype = x.dtype(), .device = x.device()});
  return tensor_of(value).to(x.dtype()).to(x.device(), location());
}

/// Whether the key is one mask over leading dimensions of x, and which.
std::optional<Tensor> whole_mask(const Tensor& x, nb::handle key) {
  if (nb::isinstance<nb::bool_>(key))
    return full({}, key.ptr() == Py_True, {.dtype = DType::Bool, .device = x.device()});
  if (!is_array_index(key)) return std::nullopt;
  const Tensor mask = index_tensor(key);
  if (!is_mask(mask) || mask.ndim() > x.ndim()) return std::nullopt;
  for (int d = 0; d < mask.ndim(); ++d)
    if (mask.size(d) != x.size(d)) return std::nullopt;  // resolve() says what is wrong
  return mask.to(DType::Bool).to(x.device(), location());
}

/// x[mask] = value, if the value does not count the places where the mask is true: nothing has to be read on the host.
bool put_mask(Tensor& x, const Tensor& mask, const Tensor& value) {
  const int rest = x.ndim() - mask.ndim();
  Tensor given = value;
  if (given.ndim() == rest + 1 && given.size(0) == 1) given = given.select(0, 0);
  if (given.ndim() > rest) return false;
  Shape shape = mask.shape();
  for (int d = 0; d < rest; ++d) shape.push_back(1);
  Shape wanted;
  for (int d = mask.ndim(); d < x.ndim(); ++d) wanted.push_back(x.size(d));
  x.copy_(where(mask.reshape(shape), given.expand(wanted), x), location());
  return true;
}

/// Without leading dimensions of size 1 that a target of `ndim` dimensions has no place for.
Tensor fitted(Tensor value, int ndim) {
  while (value.ndim() > ndim && value.size(0) == 1) value = value.select(0, 0);
  return value;
}

void set(Tensor& x, nb::handle key, nb::handle value) {
  if (key.ptr() == Py_False) {  // nothing of it: no change, also of a leaf that requires a gradient
    assigned(x, value);
    return;
  }
  if (const std::optional<Tensor> mask = whole_mask(x, key)) {
    check_writable(x, kOp);
    if (put_mask(x, *mask, assigned(x, value))) return;
  }
  const Indexed at = resolve(x, key);
  Tensor target = at.view;
  if (at.picks) {
    check_writable(target, kOp);
    const Tensor values = assigned(x, value);
    const Unlocked unlocked(target, values);
    index_put_(target, at.indices, values);
    return;
  }
  if (!is_tensor(value)) {
    if (const std::optional<Scalar> given = number(value)) {
      target.fill_(*given);
      return;
    }
  }
  const Tensor values = fitted(is_tensor(value) ? as_tensor(value) : tensor_of(value), target.ndim());
  const Unlocked unlocked(x);
  target.copy_(values, SourceLocation{});
}

}  // namespace

void bind_indexing(nb::class_<Tensor>& tensor) {
  tensor
      .def("__getitem__", &get, "key"_a.none(), nb::sig("def __getitem__(self, key: object, /) -> Tensor"),
           "Ints, slices, ... and None make views; boolean masks and tensors or lists of ints pick copies.\n\n"
           ">>> luge.arange(6).view(2, 3)[:, 1]\ntensor([1, 4])")
      .def("__setitem__", &set, "key"_a.none(), "value"_a.none(),
           nb::sig("def __setitem__(self, key: object, value: object, /) -> None"),
           "Writes in place; where several picked places are one, the last value stays.")
      .def(
          "__iter__",
          [](const Tensor& x) {
            if (x.ndim() == 0) throw nb::type_error("iteration over a 0-d tensor");
            nb::list parts;
            for (std::int64_t i = 0; i < x.size(0); ++i) parts.append(wrap(x.select(0, i)));
            return nb::iter(parts);
          },
          nb::sig("def __iter__(self) -> Iterator[Tensor]"))
      .def("__contains__", [](const Tensor& x, nb::handle value) {
        if (is_tensor(value)) return x.eq(as_tensor(value)).any().item<bool>(location());
        return x.eq(scalar("in", "value", value)).any().item<bool>(location());
      });
}

}  // namespace luge::python
