// Sorting, and elements by their rank. PyTorch's arguments `stable` and `sorted` are taken and change nothing: the order
// is always stable, and what topk finds is always sorted.

#include <luge/ops/order.h>

#include "out.h"
#include "python.h"
#include "results.h"

namespace luge::python {

namespace {

template <class Find>
Sorted unlocked(const Tensor& x, const Find& find) {
  const Unlocked guard(x);
  return find();
}

nb::object pair(const char* op, Sorted&& found, nb::handle out) {
  return written_pair(op, "values indices", std::move(found.values), std::move(found.indices), out);
}

nb::object in_order(const Tensor& x, int dim, bool descending, nb::handle, nb::handle out) {
  return pair("sort", unlocked(x, [&] { return sort(x, dim, descending); }), out);
}

nb::object places_in_order(const Tensor& x, int dim, bool descending, nb::handle, nb::handle out) {
  Sorted found = unlocked(x, [&] { return Sorted{{}, argsort(x, dim, descending)}; });
  return written("argsort", std::move(found.indices), out);
}

nb::object rows_in_order(const Tensor& x, nb::handle out) {
  Sorted found = unlocked(x, [&] { return Sorted{msort(x), {}}; });
  return written("msort", std::move(found.values), out);
}

nb::object first_of_all(const Tensor& x, std::int64_t k, int dim, bool largest, bool, nb::handle out) {
  return pair("topk", unlocked(x, [&] { return topk(x, k, dim, largest); }), out);
}

nb::object kth(const Tensor& x, std::int64_t k, int dim, bool keepdim, nb::handle out) {
  return pair("kthvalue", unlocked(x, [&] { return kthvalue(x, k, dim, keepdim); }), out);
}

nb::object most_frequent(const Tensor& x, int dim, bool keepdim, nb::handle out) {
  return pair("mode", unlocked(x, [&] { return mode(x, dim, keepdim); }), out);
}

/// median and nanmedian: of all elements a tensor, along a dimension a pair.
template <Tensor (*of_all)(const Tensor&), Sorted (*along)(const Tensor&, int, bool)>
nb::object middle(const char* op, const Tensor& x, std::optional<int> dim, bool keepdim, nb::handle out) {
  if (dim) return pair(op, unlocked(x, [&] { return along(x, *dim, keepdim); }), out);
  if (keepdim) throw TypeError(std::string(op) + ": keepdim is given without dim");
  Sorted found = unlocked(x, [&] { return Sorted{of_all(x), {}}; });
  return written(op, std::move(found.values), out);
}

/// An operation as a function and as a method, which has no `out`. `parameters` is what stands behind the tensor.
template <class Function, class Method, class... Extra>
void def_both(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const Function& function,
              const Method& method, const char* text, const std::string& parameters, const char* result,
              const char* out_type, const Extra&... extra) {
  const std::string signature = std::string("def ") + name + "(input: Tensor, " + parameters +
                                (parameters.empty() ? "" : ", ") + "*, out: " + out_type + " | None = None) -> " + result;
  const std::string self = std::string("def ") + name + "(self" + (parameters.empty() ? "" : ", ") + parameters + ") -> " +
                           result;
  m.def(name, function, "input"_a, extra..., nb::kw_only(), "out"_a = nb::none(), text, nb::sig(signature.c_str()));
  tensor.def(name, method, extra..., text, nb::sig(self.c_str()));
}

constexpr const char* kPair = "tuple[Tensor, Tensor]";
constexpr const char* kOrder = "dim: int = -1, descending: bool = False, stable: bool | None = False";
constexpr const char* kDim = "dim: int = -1, keepdim: bool = False";

void bind_order(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_both(
      m, tensor, "sort", &in_order,
      [](const Tensor& x, int dim, bool descending, nb::handle stable) {
        return in_order(x, dim, descending, stable, nb::none());
      },
      "The elements in order along `dim`, as a pair (values, indices). NaN counts as the largest; equal ones stay in "
      "their order, whatever `stable` says. Gradients go back to where the values stood.\n\n"
      ">>> luge.sort(luge.tensor([3, 1, 2])).values\ntensor([1, 2, 3])",
      kOrder, "_Sorted", kPair, "dim"_a = -1, "descending"_a = false, "stable"_a.none() = false);
  def_both(
      m, tensor, "argsort", &places_in_order,
      [](const Tensor& x, int dim, bool descending, nb::handle stable) {
        return places_in_order(x, dim, descending, stable, nb::none());
      },
      "Where the elements of sort() stand (int64).\n\n>>> luge.argsort(luge.tensor([3, 1, 2]))\ntensor([1, 2, 0])",
      kOrder, "Tensor", "Tensor", "dim"_a = -1, "descending"_a = false, "stable"_a.none() = false);
  def_both(
      m, tensor, "msort", &rows_in_order, [](const Tensor& x) { return rows_in_order(x, nb::none()); },
      "sort() along the first dimension: its values.\n\n>>> luge.msort(luge.tensor([[3, 1], [1, 2]]))\n"
      "tensor([[1, 1],\n        [3, 2]])",
      "", "Tensor", "Tensor");
  def_both(
      m, tensor, "topk", &first_of_all,
      [](const Tensor& x, std::int64_t k, int dim, bool largest, bool sorted) {
        return first_of_all(x, k, dim, largest, sorted, nb::none());
      },
      "The `k` largest (smallest) elements along `dim`, the largest (smallest) first whatever `sorted` says, as a pair "
      "(values, indices): the first k of sort(). Raises ValueError unless 0 <= k <= size.\n\n"
      ">>> luge.topk(luge.tensor([3, 1, 2]), 2).values\ntensor([3, 2])",
      "k: int, dim: int = -1, largest: bool = True, sorted: bool = True", "_Sorted", kPair, "k"_a, "dim"_a = -1,
      "largest"_a = true, "sorted"_a = true);
}

}  // namespace

void bind_sort(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_order(m, tensor);
  def_both(
      m, tensor, "kthvalue", &kth,
      [](const Tensor& x, std::int64_t k, int dim, bool keepdim) { return kth(x, k, dim, keepdim, nb::none()); },
      "The `k`-th smallest element along `dim`, counted from 1, as a pair (values, indices); NaN counts as the largest. "
      "Gradients go back to where it stood. Raises ValueError unless 1 <= k <= size.\n\n"
      ">>> luge.kthvalue(luge.tensor([3, 1, 2]), 2).values\ntensor(2)",
      "k: int, dim: int = -1, keepdim: bool = False", "_Sorted", kPair, "k"_a, "dim"_a = -1, "keepdim"_a = false);
  def_both(
      m, tensor, "mode", &most_frequent,
      [](const Tensor& x, int dim, bool keepdim) { return most_frequent(x, dim, keepdim, nb::none()); },
      "The most frequent value along `dim`, of equally frequent ones the smallest, and where it stands last: a pair "
      "(values, indices). Every NaN is a value of its own.\n\n"
      ">>> luge.mode(luge.tensor([3, 1, 3, 2])).values\ntensor(3)",
      kDim, "_Sorted", kPair, "dim"_a = -1, "keepdim"_a = false);
  const char* const parameters = "dim: int | None = None, keepdim: bool = False";
  const auto median_of = [](const Tensor& x, std::optional<int> dim, bool keepdim, nb::handle out) {
    return middle<&median, &median>("median", x, dim, keepdim, out);
  };
  const auto nanmedian_of = [](const Tensor& x, std::optional<int> dim, bool keepdim, nb::handle out) {
    return middle<&nanmedian, &nanmedian>("nanmedian", x, dim, keepdim, out);
  };
  def_both(
      m, tensor, "median", median_of,
      [=](const Tensor& x, std::optional<int> dim, bool keepdim) { return median_of(x, dim, keepdim, nb::none()); },
      "The median of all elements, or along `dim` as a pair (values, indices): of an even number the lower one of the "
      "two in the middle, NaN where there is one. Of all elements equal ones share the gradient.\n\n"
      ">>> luge.median(luge.tensor([3, 1, 2, 9]))\ntensor(2)",
      parameters, "Tensor | _Sorted", "Tensor | tuple[Tensor, Tensor]", "dim"_a.none() = nb::none(), "keepdim"_a = false);
  def_both(
      m, tensor, "nanmedian", nanmedian_of,
      [=](const Tensor& x, std::optional<int> dim, bool keepdim) { return nanmedian_of(x, dim, keepdim, nb::none()); },
      "median() of the elements that are not NaN; NaN where all are.\n\n"
      ">>> luge.nanmedian(luge.tensor([3.0, float('nan'), 2.0]))\ntensor(2.)",
      parameters, "Tensor | _Sorted", "Tensor | tuple[Tensor, Tensor]", "dim"_a.none() = nb::none(), "keepdim"_a = false);
}

}  // namespace luge::python
