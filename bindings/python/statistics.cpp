// Truth, counts, moments and covariances.

#include <luge/ops/statistics.h>

#include "reductions.h"

namespace luge::python {

namespace {

template <bool all_of>
Tensor truth(const Tensor& x, nb::handle dim, bool keepdim) {
  const char* const op = all_of ? "all" : "any";
  return reduced(
      op, x, dim, keepdim, [](const Tensor& t) { return all_of ? t.all() : t.any(); },
      [keepdim](const Tensor& t, const DimList& d) { return all_of ? all(t, d, keepdim) : any(t, d, keepdim); });
}

/// PyTorch's two ways of saying what is subtracted from the count: `correction`, and `unbiased`, which may stand in the
/// place of `dim`.
struct Moments {
  nb::object dim;
  double correction = 1;

  Moments(const char* op, nb::handle given_dim, nb::handle given_unbiased, nb::handle given_correction)
      : dim(nb::borrow(given_dim)) {
    nb::object unbiased = nb::borrow(given_unbiased);
    if (PyBool_Check(dim.ptr())) {
      if (!unbiased.is_none()) throw TypeError(fmt::format("{}: dim is of type bool; it must be an int or a tuple of ints", op));
      unbiased = dim;
      dim = nb::none();
    }
    if (!unbiased.is_none() && !PyBool_Check(unbiased.ptr()))
      throw TypeError(fmt::format("{}: unbiased is of type {}; it must be a bool", op, type_of(unbiased)));
    if (!unbiased.is_none() && !given_correction.is_none())
      throw TypeError(fmt::format("{}: unbiased and correction are given; only one may be", op));
    if (!given_correction.is_none())
      correction = scalar(op, "correction", given_correction).to_double();
    else if (!unbiased.is_none())
      correction = unbiased.ptr() == Py_True ? 1 : 0;
  }
};

constexpr const char* kMoments =
    " Floating dtypes.\n\n`dim`: an int or a tuple of ints; None: all. With `keepdim` reduced dimensions stay, of size 1. "
    "`unbiased` is a correction of 1 or 0.\n\n";

/// var or std.
template <bool root>
Tensor moment(const Tensor& x, nb::handle dim, nb::handle unbiased, bool keepdim, nb::handle correction) {
  const char* const op = root ? "std" : "var";
  const Moments given(op, dim, unbiased, correction);
  const double c = given.correction;
  return reduced(
      op, x, given.dim, keepdim,
      [c](const Tensor& t) {
        if (c == 1) return root ? t.std() : t.var();
        const DimList every(all_dims(t));
        return root ? t.std(every, c) : t.var(every, c);
      },
      [=](const Tensor& t, const DimList& d) { return root ? t.std(d, c, keepdim) : t.var(d, c, keepdim); });
}

template <bool root>
void def_moment(nb::module_& m, nb::class_<Tensor>& tensor, const char* does, const char* example) {
  const char* const name = root ? "std" : "var";
  const std::string text = std::string(does) + kMoments + example;
  const auto to_out = [name](const Tensor& x, nb::handle dim, nb::handle unbiased, bool keepdim, nb::handle correction,
                             nb::handle out) { return written(name, moment<root>(x, dim, unbiased, keepdim, correction), out); };
  const std::string rest =
      "dim: int | Sequence[int] | bool | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: "
      "float | None = None";
  m.def(name, to_out, "input"_a, "dim"_a = nb::none(), "unbiased"_a = nb::none(), "keepdim"_a = false, nb::kw_only(),
        "correction"_a = nb::none(), "out"_a = nb::none(), text.c_str(),
        nb::sig(fmt::format("def {}(input: Tensor, {}, out: Tensor | None = None) -> Tensor", name, rest).c_str()));
  tensor.def(name, &moment<root>, "dim"_a = nb::none(), "unbiased"_a = nb::none(), "keepdim"_a = false, nb::kw_only(),
             "correction"_a = nb::none(), text.c_str(), nb::sig(fmt::format("def {}(self, {}) -> Tensor", name, rest).c_str()));
}

/// var_mean or std_mean: a pair.
template <bool root>
nb::tuple moment_and_mean(const Tensor& x, nb::handle dim, nb::handle unbiased, bool keepdim, nb::handle correction) {
  const char* const op = root ? "std_mean" : "var_mean";
  const Moments given(op, dim, unbiased, correction);
  const double c = given.correction;
  Spread found = reduced(
      op, x, given.dim, keepdim, [c](const Tensor& t) { return root ? std_mean(t, c) : var_mean(t, c); },
      [=](const Tensor& t, const DimList& d) { return root ? std_mean(t, d, c, keepdim) : var_mean(t, d, c, keepdim); });
  return nb::make_tuple(wrap(std::move(found.value)), wrap(std::move(found.mean)));
}

nb::object bounds(const Tensor& x, nb::handle dim, bool keepdim, nb::handle out) {
  std::optional<int> d;
  if (!dim.is_none()) d = one_dim("aminmax", dim);
  Bounds found;
  {
    const Unlocked unlocked(x);
    found = d ? aminmax(x, *d, keepdim) : aminmax(x);
    if (!d && keepdim) {
      const Shape ones = Dims::filled(x.ndim(), 1);
      found = {found.min.reshape(ones), found.max.reshape(ones)};
    }
  }
  return written_pair("aminmax", "min max", std::move(found.min), std::move(found.max), out);
}

Tensor mean_without_nan(const Tensor& x, nb::handle dim, bool keepdim, std::optional<PyDType> dtype) {
  return reduced(
      "nanmean", x, dim, keepdim, [&](const Tensor& t) { return nanmean(cast(t, dtype)); },
      [&](const Tensor& t, const DimList& d) { return nanmean(cast(t, dtype), d, keepdim); });
}

Tensor count(const Tensor& x, nb::handle dim) {
  return reduced(
      "count_nonzero", x, dim, false, [](const Tensor& t) { return count_nonzero(t); },
      [](const Tensor& t, const DimList& d) { return count_nonzero(t, d); });
}

Tensor covariances(const Tensor& x, nb::handle correction, const std::optional<Tensor>& fweights,
                   const std::optional<Tensor>& aweights) {
  const double c = static_cast<double>(integer("cov", "correction", correction));
  const Unlocked unlocked(x);
  return cov(x, c, fweights.value_or(Tensor()), aweights.value_or(Tensor()));
}

Tensor correlations(const Tensor& x) {
  const Unlocked unlocked(x);
  return corrcoef(x);
}

}  // namespace

void bind_statistics(nb::module_& m, nb::class_<Tensor>& tensor) {
  const std::pair<const char*, Tensor (*)(const Tensor&, nb::handle, bool)> truths[] = {{"all", &truth<true>},
                                                                                      {"any", &truth<false>}};
  for (const auto& [name, call] : truths) {
    const bool is_all = call == &truth<true>;
    const std::string text = fmt::format("Whether {} not zero: bool, of uint8 tensors uint8. Over nothing: {}.{}>>> luge.{}("
                                         "luge.tensor([[1, 0], [1, 1]]), dim=1)\ntensor([{} True])",
                                         is_all ? "all elements are" : "any element is", is_all ? "True" : "False", kDim,
                                         name, is_all ? "False, " : "True,");
    m.def(
        name,
        [name = name, call = call](const Tensor& x, nb::handle dim, bool keepdim, nb::handle out) {
          return written(name, call(x, dim, keepdim), out);
        },
        "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "out"_a = nb::none(), text.c_str());
    tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str());
  }

  def_moment<false>(m, tensor, "The variance: squared distances from the mean over n - `correction`.",
                    ">>> luge.var(luge.tensor([1.0, 2.0, 3.0]))\ntensor(1.)");
  def_moment<true>(m, tensor, "The standard deviation, the root of var(); the gradient where all values are equal is 0.",
                   ">>> luge.std(luge.tensor([1.0, 3.0, 5.0]))\ntensor(2.)");
  const std::string var_mean_text = std::string("var() and mean(), as a pair.") + kMoments +
                                    ">>> luge.var_mean(luge.tensor([1.0, 2.0, 3.0]))\n(tensor(1.), tensor(2.))";
  const std::string std_mean_text = std::string("std() and mean(), as a pair.") + kMoments +
                                    ">>> luge.std_mean(luge.tensor([1.0, 3.0, 5.0]))\n(tensor(2.), tensor(3.))";
  m.def("var_mean", &moment_and_mean<false>, "input"_a, "dim"_a = nb::none(), "unbiased"_a = nb::none(),
        "keepdim"_a = false, nb::kw_only(), "correction"_a = nb::none(), var_mean_text.c_str());
  m.def("std_mean", &moment_and_mean<true>, "input"_a, "dim"_a = nb::none(), "unbiased"_a = nb::none(),
        "keepdim"_a = false, nb::kw_only(), "correction"_a = nb::none(), std_mean_text.c_str());

  const char* const bounds_text =
      "The smallest and the largest value, as a pair (min, max): of all, or along `dim`, an int. NaN where there is one; "
      "equal ones share the gradient. `out`: two tensors.\n\n"
      ">>> luge.aminmax(luge.tensor([3, 1, 2]))\naminmax(min=tensor(1), max=tensor(3))";
  m.def("aminmax", &bounds, "input"_a, nb::kw_only(), "dim"_a = nb::none(), "keepdim"_a = false, "out"_a = nb::none(),
        bounds_text);
  tensor.def(
      "aminmax", [](const Tensor& x, nb::handle dim, bool keepdim) { return bounds(x, dim, keepdim, nb::none()); },
      nb::kw_only(), "dim"_a = nb::none(), "keepdim"_a = false, bounds_text);

  const std::string nanmean_text =
      std::string("The mean of what is no NaN; NaN where there is nothing else. Floating dtypes.") + kDTypeAndDim +
      ">>> luge.nanmean(luge.tensor([1.0, float('nan'), 3.0]))\ntensor(2.)";
  m.def(
      "nanmean",
      [](const Tensor& x, nb::handle dim, bool keepdim, std::optional<PyDType> dtype, nb::handle out) {
        return written("nanmean", mean_without_nan(x, dim, keepdim, dtype), out);
      },
      "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "dtype"_a = nb::none(), "out"_a = nb::none(),
      nanmean_text.c_str());
  tensor.def("nanmean", &mean_without_nan, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(),
             "dtype"_a = nb::none(), nanmean_text.c_str());

  const char* const count_text =
      "How many elements are not zero (int64), over all or over `dim`, an int or a tuple of ints.\n\n"
      ">>> luge.count_nonzero(luge.tensor([[0, 1], [2, 3]]), dim=0)\ntensor([1, 2])";
  m.def("count_nonzero", &count, "input"_a, "dim"_a = nb::none(), count_text);
  tensor.def("count_nonzero", &count, "dim"_a = nb::none(), count_text);

  const char* const cov_text =
      "Covariances of the rows of a (variables, observations) tensor, or the variance of a 1-d one: over n - `correction`. "
      "`fweights` (integers) say how often each observation counts, `aweights` how much. Integers become float32. Raises "
      "ShapeError for more than two dimensions, ValueError for a negative weight.\n\n"
      ">>> luge.cov(luge.tensor([[0., 1., 2.], [2., 1., 0.]]))\ntensor([[ 1., -1.],\n        [-1.,  1.]])";
  const char* const corrcoef_text =
      "Correlations of the rows of a (variables, observations) tensor: cov() over the products of standard deviations. "
      "Raises ShapeError for more than two dimensions.\n\n"
      ">>> luge.corrcoef(luge.tensor([[0., 1., 2.], [2., 1., 0.]]))\ntensor([[ 1., -1.],\n        [-1.,  1.]])";
  m.def("cov", &covariances, "input"_a, nb::kw_only(), "correction"_a = 1, "fweights"_a = nb::none(),
        "aweights"_a = nb::none(), cov_text);
  tensor.def("cov", &covariances, nb::kw_only(), "correction"_a = 1, "fweights"_a = nb::none(), "aweights"_a = nb::none(),
             cov_text);
  m.def("corrcoef", &correlations, "input"_a, corrcoef_text);
  tensor.def("corrcoef", &correlations, corrcoef_text);
}

}  // namespace luge::python
