// Sorting. PyTorch's arguments `stable` and `sorted` are taken and change nothing: the order is always stable, and what
// topk finds is always sorted.

#include "python.h"

namespace luge::python {

namespace {

nb::object named(Sorted&& found) {
  static const nb::object& pair =
      *new nb::object(nb::module_::import_("collections").attr("namedtuple")("sorted", "values indices"));
  return pair(wrap(std::move(found.values)), wrap(std::move(found.indices)));
}

nb::object in_order(const Tensor& x, int dim, bool descending, bool) {
  Sorted found;
  {
    const Unlocked unlocked(x);
    found = sort(x, dim, descending);
  }
  return named(std::move(found));
}

Tensor places_in_order(const Tensor& x, int dim, bool descending, bool) {
  const Unlocked unlocked(x);
  return argsort(x, dim, descending);
}

nb::object first_of_all(const Tensor& x, std::int64_t k, int dim, bool largest, bool) {
  Sorted found;
  {
    const Unlocked unlocked(x);
    found = topk(x, k, dim, largest);
  }
  return named(std::move(found));
}

}  // namespace

void bind_sort(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const sort_text =
      "The elements in order along `dim`, as a pair (values, indices). NaN counts as the largest; equal ones stay in "
      "their order, whatever `stable` says. Gradients go back to where the values stood.\n\n"
      ">>> luge.sort(luge.tensor([3, 1, 2])).values\ntensor([1, 2, 3])";
  const char* const argsort_text =
      "Where the elements of sort() stand (int64).\n\n>>> luge.argsort(luge.tensor([3, 1, 2]))\ntensor([1, 2, 0])";
  const char* const topk_text =
      "The `k` largest (smallest) elements along `dim`, the largest (smallest) first whatever `sorted` says, as a pair "
      "(values, indices): the first k of sort(). Raises ValueError unless 0 <= k <= size.\n\n"
      ">>> luge.topk(luge.tensor([3, 1, 2]), 2).values\ntensor([3, 2])";
  m.def("sort", &in_order, "input"_a, "dim"_a = -1, "descending"_a = false, "stable"_a = false, sort_text,
        nb::sig("def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> _Sorted"));
  tensor.def("sort", &in_order, "dim"_a = -1, "descending"_a = false, "stable"_a = false, sort_text,
             nb::sig("def sort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> _Sorted"));
  m.def("argsort", &places_in_order, "input"_a, "dim"_a = -1, "descending"_a = false, "stable"_a = false, argsort_text);
  tensor.def("argsort", &places_in_order, "dim"_a = -1, "descending"_a = false, "stable"_a = false, argsort_text);
  m.def(
      "topk", &first_of_all, "input"_a, "k"_a, "dim"_a = -1, "largest"_a = true, "sorted"_a = true, topk_text,
      nb::sig("def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> _Sorted"));
  tensor.def("topk", &first_of_all, "k"_a, "dim"_a = -1, "largest"_a = true, "sorted"_a = true, topk_text,
             nb::sig("def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> _Sorted"));
}

}  // namespace luge::python
