// Reductions.

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

/// Dimensions as Python gives them; nothing stands for all.
std::optional<DimList> dims_of(const char* op, nb::handle dim) {
  if (dim.is_none()) return std::nullopt;
  std::vector<int> dims = dimensions(op, dim);
  if (dims.empty()) return std::nullopt;
  return DimList(std::move(dims));
}

std::vector<int> all_dims(const Tensor& x) {
  std::vector<int> dims;
  for (int d = 0; d < x.ndim(); ++d) dims.push_back(d);
  return dims;
}

/// A reduction over everything or over some dimensions.
template <class All, class Some>
Tensor reduced(const char* op, const Tensor& x, nb::handle dim, bool keepdim, const All& all, const Some& some) {
  std::optional<DimList> dims = dims_of(op, dim);
  if (!dims && keepdim && x.ndim() > 0) dims = DimList(all_dims(x));
  const Unlocked unlocked(x);
  return dims ? some(x, *dims) : all(x);
}

constexpr const char* kDim =
    "\n\n`dim`: an int or a tuple of ints; None: all. With `keepdim` reduced dimensions stay, of size 1.\n\n";

/// A reduction as a function and as a method.
template <class Call>
void def_reduction(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const Call& call, const char* does,
                   const char* example) {
  const std::string text = std::string(does) + kDim + example;
  const auto signature = [name](const char* self) {
    return fmt::format("def {}({}, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor", name,
                       self);
  };
  m.def(name, call, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str(),
        nb::sig(signature("input: Tensor").c_str()));
  tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str(), nb::sig(signature("self").c_str()));
}

#define LUGE_REDUCTION(method)                                                          \
  [](const Tensor& x, nb::handle dim, bool keepdim) {                                   \
    return reduced(                                                                     \
        #method, x, dim, keepdim, [](const Tensor& t) { return t.method(); },           \
        [keepdim](const Tensor& t, const DimList& d) { return t.method(d, keepdim); }); \
  }

/// max and min mean three things in PyTorch: the extreme of all, the extremes along a dimension with their places, and
/// the larger or smaller of two tensors.
using Extreme = nb::object (*)(const Tensor&, nb::handle, bool);

template <bool largest>
nb::object extreme(const Tensor& x, nb::handle dim, bool keepdim) {
  const char* const name = largest ? "max" : "min";
  const auto of_all = [&] {
    const Unlocked unlocked(x);
    return largest ? x.max() : x.min();
  };
  const auto of_both = [&](const Tensor& other) {
    const Unlocked unlocked(x, other);
    return largest ? maximum(x, other) : minimum(x, other);
  };
  if (dim.is_none()) return wrap(of_all());
  if (is_tensor(dim)) return wrap(of_both(as_tensor(dim)));
  const std::vector<int> dims = dimensions(name, dim);
  if (dims.size() != 1) throw TypeError(fmt::format("{}: dim must be one int; amax and amin take several", name));
  Extremes found;
  {
    const Unlocked unlocked(x);
    found = largest ? max_along(x, dims[0], keepdim) : min_along(x, dims[0], keepdim);
  }
  static const nb::object& pair =
      *new nb::object(nb::module_::import_("collections").attr("namedtuple")("extremes", "values indices"));
  return pair(wrap(std::move(found.values)), wrap(std::move(found.indices)));
}

}  // namespace

void bind_reductions(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_reduction(m, tensor, "sum", LUGE_REDUCTION(sum), "The sum; int64 for integers and bool.",
                ">>> luge.tensor([[1, 2], [3, 4]]).sum(dim=0)\ntensor([4, 6])");
  def_reduction(m, tensor, "mean", LUGE_REDUCTION(mean), "The mean; floating dtypes.",
                ">>> luge.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=1)\ntensor([1.5000, 3.5000])");
  def_reduction(m, tensor, "prod", LUGE_REDUCTION(prod), "The product; int64 for integers and bool.",
                ">>> luge.prod(luge.tensor([2, 3, 4]))\ntensor(24)");
  def_reduction(m, tensor, "amax", LUGE_REDUCTION(max),
                "The largest value; NaN where there is one. Equal ones share the gradient.",
                ">>> luge.amax(luge.tensor([[1, 5], [7, 2]]), dim=1)\ntensor([5, 7])");
  def_reduction(m, tensor, "amin", LUGE_REDUCTION(min),
                "The smallest value; NaN where there is one. Equal ones share the gradient.",
                ">>> luge.amin(luge.tensor([[1, 5], [7, 2]]), dim=1)\ntensor([1, 2])");
  def_reduction(m, tensor, "argmax", LUGE_REDUCTION(argmax),
                "Position (int64) of the first largest value, row-major within the reduced dimensions.",
                ">>> luge.argmax(luge.tensor([3.0, 9.0, 9.0]))\ntensor(1)");
  def_reduction(m, tensor, "argmin", LUGE_REDUCTION(argmin),
                "Position (int64) of the first smallest value, row-major within the reduced dimensions.",
                ">>> luge.argmin(luge.tensor([3.0, 1.0, 1.0]))\ntensor(1)");
  const auto lse = [](const Tensor& x, nb::handle dim, bool keepdim) {
    return reduced(
        "logsumexp", x, dim, keepdim, [](const Tensor& t) { return t.logsumexp(DimList(all_dims(t))); },
        [keepdim](const Tensor& t, const DimList& d) { return t.logsumexp(d, keepdim); });
  };
  def_reduction(m, tensor, "logsumexp", lse, "log(sum(exp(x))), shifted by the maximum so that nothing overflows.",
                ">>> luge.logsumexp(luge.tensor([1000.0, 1000.0]))\ntensor(1000.6932)");

  def_reduction(m, tensor, "nansum", LUGE_REDUCTION(nansum), "The sum with NaN counted as 0, where the gradient is 0.",
                ">>> luge.nansum(luge.tensor([1.0, float('nan'), 3.0]))\ntensor(4.)");

  const auto var = [](const Tensor& x, nb::handle dim, double correction, bool keepdim) {
    return reduced(
        "var", x, dim, keepdim,
        [correction](const Tensor& t) { return correction == 1 ? t.var() : t.var(DimList(all_dims(t)), correction); },
        [=](const Tensor& t, const DimList& d) { return t.var(d, correction, keepdim); });
  };
  const auto deviation = [](const Tensor& x, nb::handle dim, double correction, bool keepdim) {
    return reduced(
        "std", x, dim, keepdim,
        [correction](const Tensor& t) { return correction == 1 ? t.std() : t.std(DimList(all_dims(t)), correction); },
        [=](const Tensor& t, const DimList& d) { return t.std(d, correction, keepdim); });
  };
  const std::string var_text = std::string("The variance: squared distances from the mean over n - `correction`.") +
                               kDim + ">>> luge.var(luge.tensor([1.0, 2.0, 3.0]))\ntensor(1.)";
  const std::string std_text = std::string("The standard deviation, the root of var(); the gradient where all values are equal is 0.") + kDim +
                               ">>> luge.std(luge.tensor([1.0, 3.0, 5.0]))\ntensor(2.)";
  m.def("var", var, "input"_a, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, var_text.c_str());
  m.def("std", deviation, "input"_a, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, std_text.c_str());
  tensor.def("var", var, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, var_text.c_str());
  tensor.def("std", deviation, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, std_text.c_str());

  const std::pair<const char*, Extreme> extremes[] = {{"max", &extreme<true>}, {"min", &extreme<false>}};
  for (const auto& [name, call] : extremes) {
    const bool largest = call == &extreme<true>;
    const std::string text = fmt::format(
        "The {0} value; NaN where there is one; equal ones share the gradient. With `dim` (an int) a pair (values, "
        "indices), where the element at the index gets the whole gradient; with a tensor in its place the {1} of both, "
        "element by element.\n\n>>> luge.{2}(luge.tensor([3, 9, 4]))\ntensor({3})",
        largest ? "largest" : "smallest", largest ? "larger" : "smaller", name, largest ? 9 : 3);
    m.def(name, call, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str());
    tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str());
  }
  const auto all = [](const Tensor& x) { return x.all(); };
  const auto any = [](const Tensor& x) { return x.any(); };
  const char* const all_text =
      "Whether all elements are not zero (bool).\n\n>>> luge.all(luge.tensor([1, 0]))\ntensor(False)";
  const char* const any_text =
      "Whether any element is not zero (bool).\n\n>>> luge.any(luge.tensor([1, 0]))\ntensor(True)";
  m.def("all", all, "input"_a, all_text).def("any", any, "input"_a, any_text);
  tensor.def("all", all, all_text).def("any", any, any_text);
}

}  // namespace luge::python
