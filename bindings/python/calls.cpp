// What a call that fails says. Every function of the extension module is entered through call() below, which costs a
// branch where the call succeeds. Where it fails, the error names what the user called and the argument that is to
// blame.
//
// nanobind's functions keep the address that the interpreter calls (PEP 590) in each object. guard_calls() puts call()
// there.

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <luge/base/detail/check.h>

#include "python.h"

namespace luge::python {

namespace {

/// nanobind has a few ways to enter a function, for few arguments and for many; call<i> stands before the i-th of them.
constexpr std::size_t kEntries = 8;
std::array<vectorcallfunc, kEntries> entries;

/// Interned, as the keywords of a call are.
PyObject *axis, *dim, *keepdims, *keepdim;

/// Whether the error that is set came from C++ in the call that returns now, not from Python code that the call ran.
thread_local bool raised = false;

/// A property's functions have no names; the property has.
std::unordered_map<PyObject*, std::string> properties;

// ---- names

/// What the user calls it: "sum", also for Tensor.sum; "SGD" for its constructor; "Parameters.add". Empty for `_grad`
/// and most of `__...__`, whose errors C++ words as they are.
std::string spoken(nb::handle function) {
  if (const auto property = properties.find(function.ptr()); property != properties.end()) return property->second;
  std::string name = nb::cast<std::string>(function.attr("__name__"));
  std::string whole = nb::cast<std::string>(function.attr("__qualname__"));
  const std::size_t dot = whole.find('.');
  const std::string_view owner = std::string_view(whole).substr(0, dot == std::string::npos ? 0 : dot);
  if (name == "__init__") return std::string(owner);
  if (name.starts_with("__")) {
    static constexpr std::pair<const char*, const char*> kNames[] = {
        {"__getitem__", "indexing"}, {"__setitem__", "indexing"}, {"__contains__", "in"}, {"__bool__", "bool"},
        {"__float__", "float"},      {"__int__", "int"},          {"__index__", "index"}, {"__len__", "len"}};
    if (owner == "Tensor")
      for (const auto& [slot, word] : kNames)
        if (name == slot) return word;
    return {};
  }
  if (name.starts_with("_")) return {};
  if (owner == "Tensor") return name;
  return whole.starts_with("_") ? whole.substr(1) : whole;  // Monitor derives from _Monitor
}

// ---- errors

/// The Python error that is set, taken away so that Python can be asked meanwhile.
struct Pending {
  Pending() { PyErr_Fetch(&type, &value, &trace); }
  ~Pending() {
    if (type && !PyErr_Occurred()) {
      PyErr_Restore(type, value, trace);
      return;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  std::string text() {
    PyErr_NormalizeException(&type, &value, &trace);
    return nb::str(nb::handle(value)).c_str();
  }

  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
};

void name_error(nb::handle function) {
  Pending error;
  const std::string name = spoken(function);
  if (!name.empty()) PyErr_SetString(error.type, renamed(name, error.text()).c_str());
}

/// nanobind found no function for the arguments; luge/_calls.py says why.
void explain(nb::handle function, PyObject* const* args, std::size_t nargsf, PyObject* keywords) {
  Pending error;
  if (error.text().find("(): incompatible function arguments") == std::string::npos) return;
  const std::size_t count = nargsf & 0xffff'ffff;  // above are flags: PEP 590's and nanobind's own
  nb::list positional;
  for (std::size_t i = 0; i < count; ++i) positional.append(nb::borrow(args[i]));
  nb::dict named;
  if (keywords)
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); ++i)
      named[nb::handle(PyTuple_GET_ITEM(keywords, i))] = nb::borrow(args[count + static_cast<std::size_t>(i)]);
  std::string name = spoken(function);
  if (name.empty()) name = nb::cast<std::string>(function.attr("__name__"));
  if (name.starts_with("_") && !name.starts_with("__")) name.erase(0, 1);
  const nb::object words = nb::module_::import_("luge._calls").attr("refused")(function, name, positional, named);
  PyErr_SetObject(PyExc_TypeError, words.ptr());
}

[[gnu::cold, gnu::noinline]] PyObject* failed(PyObject* function, PyObject* const* args, std::size_t nargsf,
                                              PyObject* keywords) noexcept {
  try {
    if (std::exchange(raised, false))
      name_error(function);
    else if (PyErr_ExceptionMatches(PyExc_TypeError))
      explain(function, args, nargsf, keywords);
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// ---- calls

/// Keywords are interned, unless they come from a dict made at run time.
bool is(PyObject* keyword, PyObject* known) {
  return keyword == known || (!PyUnicode_CHECK_INTERNED(keyword) && PyUnicode_Compare(keyword, known) == 0);
}

/// The keywords with `dim` for `axis` and `keepdim` for `keepdims`, as NumPy's users write them; null where there is
/// none.
PyObject* translated(PyObject* keywords) noexcept {
  const Py_ssize_t count = PyTuple_GET_SIZE(keywords);
  PyObject* result = nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* const keyword = PyTuple_GET_ITEM(keywords, i);
    const bool to_dim = is(keyword, axis);
    if (!to_dim && !is(keyword, keepdims)) continue;
    if (!result) {
      result = PyTuple_New(count);
      if (!result) return nullptr;
      for (Py_ssize_t j = 0; j < count; ++j) {
        PyObject* const same = PyTuple_GET_ITEM(keywords, j);
        Py_INCREF(same);
        PyTuple_SET_ITEM(result, j, same);
      }
    }
    PyObject* const known = to_dim ? dim : keepdim;
    Py_INCREF(known);
    Py_DECREF(keyword);
    PyTuple_SET_ITEM(result, i, known);
  }
  return result;
}

template <std::size_t i>
PyObject* call(PyObject* function, PyObject* const* args, std::size_t nargsf, PyObject* keywords) noexcept {
  PyObject* const known = keywords ? translated(keywords) : nullptr;
  PyObject* const result = entries[i](function, args, nargsf, known ? known : keywords);
  Py_XDECREF(known);
  return result ? result : failed(function, args, nargsf, keywords);
}

template <std::size_t... i>
constexpr std::array<vectorcallfunc, kEntries> calls(std::index_sequence<i...>) {
  return {&call<i>...};
}
constexpr std::array<vectorcallfunc, kEntries> kCalls = calls(std::make_index_sequence<kEntries>());

void guard(nb::handle function) {
  const auto place = reinterpret_cast<vectorcallfunc*>(reinterpret_cast<char*>(function.ptr()) +
                                                       Py_TYPE(function.ptr())->tp_vectorcall_offset);
  for (const vectorcallfunc known : kCalls)
    if (*place == known) return;
  std::size_t i = 0;
  while (i < kEntries && entries[i] && entries[i] != *place) ++i;
  if (i == kEntries) return;  // a nanobind with more entries: its own messages
  entries[i] = *place;
  *place = kCalls[i];
}

bool is_function(nb::handle value) {
  const std::string type = type_of(value);
  return type == "nb_func" || type == "nb_method";
}

void guard_all(nb::handle owner) {
  const nb::object all = nb::steal(PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PyDict_Type),
                                                                nb::object(owner.attr("__dict__")).ptr(), nullptr));
  for (const auto& [key, value] : nb::borrow<nb::dict>(all)) {
    if (is_function(value)) {
      guard(value);
    } else if (nb::isinstance<nb::module_>(value) || (PyType_Check(value.ptr()) && nb::type_check(value))) {
      guard_all(value);
    } else if (PyObject_TypeCheck(value.ptr(), &PyProperty_Type)) {
      for (const char* const part : {"fget", "fset"}) {
        const nb::object accessor = value.attr(part);
        if (!is_function(accessor)) continue;
        properties.emplace(accessor.ptr(), nb::cast<std::string>(key));
        guard(accessor);
      }
    }
  }
}

}  // namespace

void note_raised() noexcept { raised = true; }

void guard_calls(nb::module_& m) {
  const std::pair<PyObject**, const char*> words[] = {
      {&axis, "axis"}, {&dim, "dim"}, {&keepdims, "keepdims"}, {&keepdim, "keepdim"}};
  for (const auto& [word, text] : words) *word = PyUnicode_InternFromString(text);
  guard_all(m);
}

}  // namespace luge::python
