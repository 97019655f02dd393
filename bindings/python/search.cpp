// Places in sorted sequences, membership, and distinct elements.

#include <fmt/format.h>

#include <luge/ops/search.h>
#include <luge/ops/unique.h>

#include "out.h"
#include "python.h"

namespace luge::python {

namespace {

/// `right` and NumPy's `side`, which must not contradict each other.
SearchOptions search_options(const char* op, bool out_int32, bool right, const std::optional<std::string>& side) {
  if (side && *side != "left" && *side != "right")
    throw ValueError(fmt::format("{}: side is {}; allowed are left and right", op, *side));
  if (side && *side == "left" && right) throw ValueError(fmt::format("{}: side is left and right is True", op));
  return {.out_int32 = out_int32, .right = right || (side && *side == "right")};
}

Tensor tensor_argument(const char* op, const char* argument, nb::handle given) {
  if (given.is_none()) return {};
  if (!is_tensor(given))
    throw TypeError(fmt::format("{}: {} is of type {}; it must be a Tensor", op, argument, type_of(given)));
  return as_tensor(given);
}

nb::object search(const Tensor& sequence, nb::handle input, bool out_int32, bool right, std::optional<std::string> side,
                  nb::handle out, nb::handle sorter) {
  const SearchOptions options = search_options("searchsorted", out_int32, right, side);
  const Tensor order = tensor_argument("searchsorted", "sorter", sorter);
  const auto found = [&]() -> Tensor {
    if (!is_tensor(input)) return searchsorted(sequence, scalar("searchsorted", "input", input), options, order);
    const Tensor& values = as_tensor(input);
    const Unlocked unlocked(values, sequence);
    return searchsorted(sequence, values, options, order);
  };
  return written("searchsorted", found(), out);
}

nb::object bucket(nb::handle input, const Tensor& boundaries, bool out_int32, bool right, nb::handle out) {
  const SearchOptions options{.out_int32 = out_int32, .right = right};
  const auto found = [&]() -> Tensor {
    if (!is_tensor(input)) return bucketize(scalar("bucketize", "input", input), boundaries, options);
    const Tensor& values = as_tensor(input);
    const Unlocked unlocked(values, boundaries);
    return bucketize(values, boundaries, options);
  };
  return written("bucketize", found(), out);
}

/// A tensor, or a number beside one.
Tensor tensor_or_number(const char* argument, nb::handle given, nb::handle other) {
  if (is_tensor(given)) return as_tensor(given);
  const Scalar value = scalar("isin", argument, given);
  if (!is_tensor(other)) throw TypeError("isin: elements and test_elements are numbers; one of them must be a Tensor");
  const Device device = as_tensor(other).device();
  return luge::scalar(value).to(device, location());
}

nb::object is_in(nb::handle elements, nb::handle tests, bool, bool invert, nb::handle element, nb::handle test,
                 nb::handle out) {
  if ((elements.is_none() == element.is_none()) || (tests.is_none() == test.is_none()))
    throw TypeError("isin: elements and test_elements are missing; isin takes one of each");
  const nb::handle all = elements.is_none() ? element : elements, among = tests.is_none() ? test : tests;
  const Tensor x = tensor_or_number("elements", all, among), y = tensor_or_number("test_elements", among, all);
  const auto found = [&] {
    const Unlocked unlocked(x, y);
    return isin(x, y, invert);
  };
  return written("isin", found(), out);
}

/// The tensor alone, or a tuple with what else is wanted.
nb::object distinct(Distinct&& found) {
  if (!found.inverse.defined() && !found.counts.defined()) return wrap(std::move(found.values));
  nb::list all;
  for (Tensor* const tensor : {&found.values, &found.inverse, &found.counts})
    if (tensor->defined()) all.append(wrap(std::move(*tensor)));
  return nb::tuple(all);
}

nb::object all_distinct(const Tensor& x, bool, bool inverse, bool counts, std::optional<int> dim) {
  const SourceLocation here = location();
  Distinct found;
  {
    const Unlocked unlocked(x);
    const DistinctOptions options{.inverse = inverse, .counts = counts};
    found = dim ? unique_along(x, *dim, options, here) : unique(x, options, here);
  }
  return distinct(std::move(found));
}

nb::object runs(const Tensor& x, bool inverse, bool counts, std::optional<int> dim) {
  const SourceLocation here = location();
  Distinct found;
  {
    const Unlocked unlocked(x);
    const DistinctOptions options{.inverse = inverse, .counts = counts};
    found = dim ? unique_consecutive_along(x, *dim, options, here) : unique_consecutive(x, options, here);
  }
  return distinct(std::move(found));
}

void bind_unique(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const unique_text =
      "The distinct elements in ascending order (whatever `sorted` says), or the distinct slices along `dim` in "
      "lexicographic order; with `return_inverse` also where each element stands among them, with `return_counts` how "
      "often each occurs. Every NaN is distinct. Cannot be captured.\n\n"
      ">>> luge.unique(luge.tensor([3, 1, 3]), return_counts=True)\n(tensor([1, 3]), tensor([1, 2]))";
  const char* const runs_text =
      "One element for each run of equal ones, or one slice for each run along `dim`; the rest is unique()'s.\n\n"
      ">>> luge.unique_consecutive(luge.tensor([3, 3, 1, 3]))\ntensor([3, 1, 3])";
#define LUGE_RESULT "Tensor | tuple[Tensor, ...]"
#define LUGE_UNIQUE "sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None"
#define LUGE_RUNS "return_inverse: bool = False, return_counts: bool = False, dim: int | None = None"
  m.def("unique", &all_distinct, "input"_a, "sorted"_a = true, "return_inverse"_a = false, "return_counts"_a = false,
        "dim"_a.none() = nb::none(), unique_text, nb::sig("def unique(input: Tensor, " LUGE_UNIQUE ") -> " LUGE_RESULT));
  tensor.def("unique", &all_distinct, "sorted"_a = true, "return_inverse"_a = false, "return_counts"_a = false,
             "dim"_a.none() = nb::none(), unique_text, nb::sig("def unique(self, " LUGE_UNIQUE ") -> " LUGE_RESULT));
  m.def("unique_consecutive", &runs, "input"_a, "return_inverse"_a = false, "return_counts"_a = false,
        "dim"_a.none() = nb::none(), runs_text,
        nb::sig("def unique_consecutive(input: Tensor, " LUGE_RUNS ") -> " LUGE_RESULT));
  tensor.def("unique_consecutive", &runs, "return_inverse"_a = false, "return_counts"_a = false,
             "dim"_a.none() = nb::none(), runs_text,
             nb::sig("def unique_consecutive(self, " LUGE_RUNS ") -> " LUGE_RESULT));
#undef LUGE_RESULT
#undef LUGE_UNIQUE
#undef LUGE_RUNS
}

}  // namespace

void bind_search(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def("searchsorted", &search, "sorted_sequence"_a, "input"_a, nb::kw_only(), "out_int32"_a = false,
        "right"_a = false, "side"_a.none() = nb::none(), "out"_a = nb::none(), "sorter"_a = nb::none(),
        "Where each value of `input` belongs in `sorted_sequence`, which ascends along its last dimension: before equal "
        "elements, or behind them with `right` or side=\"right\". The sequence is 1-d or has the values' sizes in all "
        "dimensions but the last; `sorter` (int64) is the order that sorts it. int64, or int32 with `out_int32`.\n\n"
        ">>> luge.searchsorted(luge.tensor([1, 3, 5]), luge.tensor([3, 4]))\ntensor([1, 2])",
        nb::sig("def searchsorted(sorted_sequence: Tensor, input: Tensor | float, *, out_int32: bool = False, right: bool "
                "= False, side: str | None = None, out: Tensor | None = None, sorter: Tensor | None = None) -> Tensor"));
  m.def("bucketize", &bucket, "input"_a, "boundaries"_a, nb::kw_only(), "out_int32"_a = false, "right"_a = false,
        "out"_a = nb::none(),
        "searchsorted() in 1-d `boundaries`: bucket i holds what is greater than boundary i - 1 and at most boundary i; "
        "with `right` at least boundary i - 1 and less than boundary i.\n\n"
        ">>> luge.bucketize(luge.tensor([3, 6, 9]), luge.tensor([1, 3, 5, 7]))\ntensor([1, 3, 4])",
        nb::sig("def bucketize(input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False, "
                "out: Tensor | None = None) -> Tensor"));
  m.def("isin", &is_in, "elements"_a = nb::none(), "test_elements"_a = nb::none(), nb::kw_only(),
        "assume_unique"_a = false, "invert"_a = false, "element"_a = nb::none(), "test_element"_a = nb::none(),
        "out"_a = nb::none(),
        "Whether each of `elements` is among `test_elements` (bool), with `invert` whether it is not; one of the two may "
        "be a number. NaN is among nothing. `assume_unique` is taken and changes nothing.\n\n"
        ">>> luge.isin(luge.tensor([1, 2, 3]), luge.tensor([2, 5]))\ntensor([False,  True, False])",
        nb::sig("def isin(elements: Tensor | float | None = None, test_elements: Tensor | float | None = None, *, "
                "assume_unique: bool = False, invert: bool = False, element: float | None = None, test_element: float | "
                "None = None, out: Tensor | None = None) -> Tensor"));
  bind_unique(m, tensor);
}

}  // namespace luge::python
