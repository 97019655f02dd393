// How Python's arguments become luge's.

#include <limits>

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

[[noreturn]] void refuse(const char* op, const char* argument, nb::handle given, const char* wanted) {
  throw TypeError(fmt::format("{}: {} is {}; it must be {}", op, argument,
                              given.is_none() ? "None" : "of type " + type_of(given), wanted));
}

/// An int that fits; nothing where `object` is no integer, as a bool is none.
std::optional<std::int64_t> whole(const char* op, const char* argument, nb::handle object) {
  nb::object index = nb::borrow(object);
  if (PyBool_Check(object.ptr())) return std::nullopt;
  if (!PyLong_Check(object.ptr())) {
    if (is_tensor(object) || !PyIndex_Check(object.ptr())) return std::nullopt;
    index = nb::steal(PyNumber_Index(object.ptr()));
    if (!index.is_valid()) nb::raise_python_error();
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow != 0)
    throw ValueError(fmt::format("{}: {} is {}; it must fit into 64 bits", op, argument, nb::str(index).c_str()));
  if (value == -1 && PyErr_Occurred()) nb::raise_python_error();
  return value;
}

}  // namespace

std::string PathArgument::native(const char* op) const {
  if (!fault.empty()) throw ValueError(fmt::format("{}: the path {} names no file: {}", op, shown, fault));
  return bytes;
}

nb::str path_object(const std::string& path) {
  nb::str result =
      nb::steal<nb::str>(PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
  if (!result.is_valid()) nb::raise_python_error();
  return result;
}

std::string text_of(const char* op, const std::string& what, nb::handle text) {
  Py_ssize_t size = 0;
  if (const char* const bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &size))
    return {bytes, static_cast<std::size_t>(size)};
  PyErr_Clear();
  const nb::object shown = nb::steal(PyObject_ASCII(text.ptr()));
  if (!shown.is_valid()) nb::raise_python_error();
  throw ValueError(fmt::format("{}: {} is {}, which holds a lone surrogate", op, what, PyUnicode_AsUTF8(shown.ptr())));
}

std::string type_of(nb::handle object) { return nb::cast<std::string>(object.type().attr("__name__")); }

std::optional<Scalar> number(nb::handle object) {
  PyObject* const p = object.ptr();
  if (PyFloat_Check(p)) return Scalar(PyFloat_AS_DOUBLE(p));
  if (PyBool_Check(p)) return Scalar(p == Py_True);
  if (PyLong_Check(p)) return Scalar(*whole("number", "an int", object));
  // NumPy's scalars and its arrays without dimensions say themselves which number they are.
  if (is_tensor(object) || !nb::hasattr(object, "dtype") || !nb::hasattr(object, "item") ||
      nb::len(nb::object(object.attr("shape"))) != 0)
    return std::nullopt;
  const nb::object item = object.attr("item")();
  if (!PyFloat_Check(item.ptr()) && !PyLong_Check(item.ptr())) return std::nullopt;  // a date, for instance
  return number(item);
}

Scalar scalar(const char* op, const char* argument, nb::handle object) {
  if (const std::optional<Scalar> value = number(object)) return *value;
  refuse(op, argument, object, "a number");
}

std::int64_t integer(const char* op, const char* argument, nb::handle object) {
  if (const std::optional<std::int64_t> value = whole(op, argument, object)) return *value;
  refuse(op, argument, object, "an int");
}

namespace {

/// Where ints may stand: a tuple, a list, a range, and whatever else is a sequence of numbers.
bool is_sequence(nb::handle object) {
  return PySequence_Check(object.ptr()) && !PyUnicode_Check(object.ptr()) && !PyBytes_Check(object.ptr()) &&
         !is_tensor(object);
}

Shape integers(const char* op, const char* argument, nb::handle given) {
  Shape shape;
  if (const std::optional<std::int64_t> one = whole(op, argument, given)) {
    shape.push_back(*one);
    return shape;
  }
  if (!is_sequence(given)) refuse(op, argument, given, "an int, or a tuple, list or range of ints");
  std::size_t number = 0;
  for (const nb::handle one : nb::borrow(given))
    shape.push_back(integer(op, fmt::format("{}[{}]", argument, number++).c_str(), one));
  return shape;
}

}  // namespace

Shape sizes(const char* op, nb::handle given) { return integers(op, "size", given); }

Shape sizes_of(const char* op, const nb::args& given) {
  if (given.size() == 1) return sizes(op, given[0]);
  Shape shape;
  for (std::size_t i = 0; i < given.size(); ++i)
    shape.push_back(integer(op, fmt::format("size[{}]", i).c_str(), given[i]));
  return shape;
}

std::vector<int> dimensions(const char* op, nb::handle given) {
  std::vector<int> result;
  const Shape dims = integers(op, "dim", given);
  for (const std::int64_t dim : dims) {
    if (dim < std::numeric_limits<int>::min() || dim > std::numeric_limits<int>::max())
      throw IndexError(fmt::format("{}: dim is {}; a tensor has at most {} dimensions", op, dim, kMaxDims));
    result.push_back(static_cast<int>(dim));
  }
  return result;
}

PerSet per_set(const char* op, const char* argument, nb::handle given) {
  if (is_tensor(given)) return PerSet(as_tensor(given));
  const std::optional<Scalar> value = number(given);
  if (!value) refuse(op, argument, given, "a number or a tensor with one for each set");
  return PerSet(value->to_double());
}

SourceLocation location_in(nb::object file, int line) {
  PyObject* name = file.release().ptr();  // never given back: errors name it later
  PyUnicode_InternInPlace(&name);
  const char* const text = PyUnicode_AsUTF8(name);
  if (!text) PyErr_Clear();
  return {text ? text : "", static_cast<std::uint32_t>(line)};
}

namespace {

/// Whether the frame runs a function of the package itself: the user's line is that of whoever called it.
bool is_of_package(PyFrameObject* frame) {
  const nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  const std::string file = nb::cast<std::string>(code.attr("co_filename"));
  const std::string folder = nb::cast<std::string>(nb::module_::import_("luge").attr("__path__")[0]);
  return file.size() > folder.size() && file.starts_with(folder) && (file[folder.size()] == '/' || file[folder.size()] == '\\');
}

}  // namespace

SourceLocation location() {
  PyFrameObject* const innermost = observer ? PyEval_GetFrame() : nullptr;
  if (!innermost) return {};
  nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(innermost));
  const auto as_frame = [](const nb::object& object) { return reinterpret_cast<PyFrameObject*>(object.ptr()); };
  while (is_of_package(as_frame(frame))) {
    const nb::object caller = frame.attr("f_back");
    if (caller.is_none()) break;
    frame = caller;
  }
  const nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(as_frame(frame))));
  return location_in(code.attr("co_filename"), PyFrame_GetLineNumber(as_frame(frame)));
}

}  // namespace luge::python
