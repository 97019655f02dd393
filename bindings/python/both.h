#pragma once
// What is a function of a tensor and its method, and arguments that several such functions take.

#include "python.h"

namespace luge::python {

/// luge.name(input, ...) and Tensor.name(...).
template <class Call, class... Extra>
void def_both(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const Call& call, const char* text,
              const Extra&... extra) {
  m.def(name, call, "input"_a, extra..., text);
  tensor.def(name, call, extra..., text);
}

/// Python's tuple of tensors.
inline nb::tuple tuple_of(const std::vector<Tensor>& tensors) {
  nb::object result = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
  for (std::size_t i = 0; i < tensors.size(); ++i)
    PyTuple_SET_ITEM(result.ptr(), static_cast<Py_ssize_t>(i), wrap(tensors[i]).release().ptr());
  return nb::borrow<nb::tuple>(result);
}

/// An int, or any number of them.
inline std::vector<std::int64_t> whole_numbers(const char* op, const char* argument, nb::handle given) {
  std::vector<std::int64_t> result;
  if (!nb::isinstance<nb::list>(given) && !nb::isinstance<nb::tuple>(given) && !PyRange_Check(given.ptr())) {
    result.push_back(integer(op, argument, given));
    return result;
  }
  for (const nb::handle one : nb::borrow(given)) result.push_back(integer(op, argument, one));
  return result;
}

/// f(2, 3) and f((2, 3)): the numbers that `*args` stands for.
inline nb::handle gathered(const nb::args& args) {
  return args.size() == 1 ? nb::handle(args[0]) : nb::handle(args);
}

/// f(a, b) and f([a, b]): the tensors that `*tensors` stands for.
inline std::vector<Tensor> tensors_of(const char* op, const nb::args& args) {
  const bool one_list = args.size() == 1 && (nb::isinstance<nb::list>(args[0]) || nb::isinstance<nb::tuple>(args[0]));
  std::vector<Tensor> result;
  for (const nb::handle one : one_list ? nb::object(args[0]) : nb::object(args)) {
    if (!is_tensor(one))
      throw TypeError(std::string(op) + ": an argument is of type " + type_of(one) + "; all must be tensors");
    result.push_back(as_tensor(one));
  }
  return result;
}

}  // namespace luge::python
