// Quantiles, histograms and counts.

#include <fmt/format.h>

#include <luge/ops/histogram.h>
#include <luge/ops/quantiles.h>

#include "out.h"
#include "python.h"
#include "results.h"

namespace luge::python {

namespace {

template <auto of_number, auto of_tensor>
nb::object quantile_of(const char* op, const Tensor& x, nb::handle q, std::optional<int> dim, bool keepdim,
                       const std::string& interpolation, nb::handle out) {
  const Interpolation way = interpolation_named(op, interpolation);
  const auto found = [&]() -> Tensor {
    if (is_tensor(q)) {
      const Tensor fractions = as_tensor(q);
      const Unlocked unlocked(x);
      return of_tensor(x, fractions, dim, keepdim, way);
    }
    const double fraction = scalar(op, "q", q).to_double();
    const Unlocked unlocked(x);
    return of_number(x, fraction, dim, keepdim, way);
  };
  return written(op, found(), out);
}

using OfNumber = Tensor (*)(const Tensor&, double, std::optional<int>, bool, Interpolation);
using OfTensor = Tensor (*)(const Tensor&, const Tensor&, std::optional<int>, bool, Interpolation);

template <OfNumber of_number, OfTensor of_tensor>
void def_quantile(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const char* text) {
  static const char* const op = name;
  const std::string parameters =
      "q: float | Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = 'linear'";
  m.def(
      name,
      [](const Tensor& x, nb::handle q, std::optional<int> dim, bool keepdim, const std::string& interpolation,
         nb::handle out) { return quantile_of<of_number, of_tensor>(op, x, q, dim, keepdim, interpolation, out); },
      "input"_a, "q"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false, nb::kw_only(), "interpolation"_a = "linear",
      "out"_a = nb::none(), text,
      nb::sig(fmt::format("def {}(input: Tensor, {}, out: Tensor | None = None) -> Tensor", name, parameters).c_str()));
  tensor.def(
      name,
      [](const Tensor& x, nb::handle q, std::optional<int> dim, bool keepdim, const std::string& interpolation) {
        return quantile_of<of_number, of_tensor>(op, x, q, dim, keepdim, interpolation, nb::none());
      },
      "q"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false, nb::kw_only(), "interpolation"_a = "linear", text,
      nb::sig(fmt::format("def {}(self, {}) -> Tensor", name, parameters).c_str()));
}

Tensor optional_tensor(const char* op, const char* argument, nb::handle given) {
  if (given.is_none()) return {};
  if (!is_tensor(given))
    throw TypeError(fmt::format("{}: {} is of type {}; it must be a Tensor", op, argument, type_of(given)));
  return as_tensor(given);
}

Tensor counts(const Tensor& x, nb::handle weights, std::int64_t minlength) {
  const SourceLocation here = location();
  const Tensor shares = optional_tensor("bincount", "weights", weights);
  const Unlocked unlocked(x);
  return bincount(x, shares, minlength, here);
}

nb::object equal_bins(const Tensor& x, std::int64_t bins, nb::handle min, nb::handle max, nb::handle out) {
  const SourceLocation here = location();
  const double low = scalar("histc", "min", min).to_double(), high = scalar("histc", "max", max).to_double();
  const auto found = [&] {
    const Unlocked unlocked(x);
    return histc(x, bins, low, high, here);
  };
  return written("histc", found(), out);
}

nb::object bins_of(const Tensor& x, nb::handle bins, nb::handle range, nb::handle weight, bool density, nb::handle out) {
  const SourceLocation here = location();
  const Tensor shares = optional_tensor("histogram", "weight", weight);
  std::optional<std::pair<double, double>> ends;
  if (!range.is_none()) {
    if (is_tensor(bins)) throw TypeError("histogram: range is given with edges; bins must be an int then");
    if (!PySequence_Check(range.ptr()) || PyUnicode_Check(range.ptr()) || is_tensor(range) || nb::len(range) != 2)
      throw TypeError(fmt::format("histogram: range is of type {}; it must be two numbers", type_of(range)));
    ends.emplace(scalar("histogram", "range[0]", nb::object(range[0])).to_double(),
                 scalar("histogram", "range[1]", nb::object(range[1])).to_double());
  }
  const auto found = [&]() -> Histogram {
    if (is_tensor(bins)) {
      const Tensor edges = as_tensor(bins);
      const Unlocked unlocked(x);
      return histogram(x, edges, shares, density);
    }
    const std::int64_t count = integer("histogram", "bins", bins);
    const Unlocked unlocked(x);
    return histogram(x, count, ends, shares, density, here);
  };
  Histogram result = found();
  return written_pair("histogram", "hist bin_edges", std::move(result.hist), std::move(result.bin_edges), out);
}

void bind_counts(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const bincount_text =
      "How often each of 0, 1, 2, ... stands in a 1-d tensor of integers that are not negative, at least `minlength` "
      "counts (int64); with `weights` the sums of their weights. Raises ValueError for a negative number. Cannot be "
      "captured.\n\n>>> luge.bincount(luge.tensor([1, 3, 1]))\ntensor([0, 2, 0, 1])";
  const char* const histc_text =
      "How many elements lie in each of `bins` intervals of one width from `min` to `max`, of the tensor's dtype; where "
      "these are equal, from the least to the largest element. Others are left out.\n\n"
      ">>> luge.histc(luge.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)\ntensor([0., 2., 1., 0.])";
  const char* const histogram_text =
      "How many elements lie between neighbouring edges, and the edges: a pair (hist, bin_edges). `bins` are the edges, or "
      "the number of intervals of one width over `range`, or from the least to the largest element. With `weight` the "
      "sums of weights; with `density` divided by their total and the interval's width.\n\n"
      ">>> luge.histogram(luge.tensor([1.0, 2.0, 1.0]), 4, range=(0.0, 3.0)).hist\ntensor([0., 2., 1., 0.])";
#define LUGE_BINCOUNT "weights: Tensor | None = None, minlength: int = 0) -> Tensor"
#define LUGE_HISTC "bins: int = 100, min: float = 0, max: float = 0"
#define LUGE_HISTOGRAM \
  "bins: int | Tensor = 100, *, range: Sequence[float] | None = None, weight: Tensor | None = None, density: bool = False"
  m.def("bincount", &counts, "input"_a, "weights"_a = nb::none(), "minlength"_a = 0, bincount_text,
        nb::sig("def bincount(input: Tensor, " LUGE_BINCOUNT));
  tensor.def("bincount", &counts, "weights"_a = nb::none(), "minlength"_a = 0, bincount_text,
             nb::sig("def bincount(self, " LUGE_BINCOUNT));
  m.def("histc", &equal_bins, "input"_a, "bins"_a = 100, "min"_a = 0, "max"_a = 0, nb::kw_only(), "out"_a = nb::none(),
        histc_text, nb::sig("def histc(input: Tensor, " LUGE_HISTC ", *, out: Tensor | None = None) -> Tensor"));
  tensor.def(
      "histc",
      [](const Tensor& x, std::int64_t bins, nb::handle min, nb::handle max) {
        return equal_bins(x, bins, min, max, nb::none());
      },
      "bins"_a = 100, "min"_a = 0, "max"_a = 0, histc_text, nb::sig("def histc(self, " LUGE_HISTC ") -> Tensor"));
  m.def("histogram", &bins_of, "input"_a, "bins"_a = 100, nb::kw_only(), "range"_a = nb::none(), "weight"_a = nb::none(),
        "density"_a = false, "out"_a = nb::none(), histogram_text,
        nb::sig("def histogram(input: Tensor, " LUGE_HISTOGRAM
                ", out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]"));
  tensor.def(
      "histogram",
      [](const Tensor& x, nb::handle bins, nb::handle range, nb::handle weight, bool density) {
        return bins_of(x, bins, range, weight, density, nb::none());
      },
      "bins"_a = 100, nb::kw_only(), "range"_a = nb::none(), "weight"_a = nb::none(), "density"_a = false, histogram_text,
      nb::sig("def histogram(self, " LUGE_HISTOGRAM ") -> tuple[Tensor, Tensor]"));
#undef LUGE_BINCOUNT
#undef LUGE_HISTC
#undef LUGE_HISTOGRAM
}

}  // namespace

void bind_quantiles(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_quantile<&quantile, &quantile>(
      m, tensor, "quantile",
      "The element at rank q (n - 1) of n sorted ones along `dim` (None: of all); `q` in [0, 1] is a number or a tensor "
      "of the tensor's dtype, whose size then comes first in the result. Between two ranks `interpolation` decides: "
      "linear, lower, higher, midpoint or nearest. NaN where there is a NaN. float32 and float64.\n\n"
      ">>> luge.quantile(luge.tensor([4.0, 1.0, 2.0, 3.0]), 0.5)\ntensor(2.5000)");
  def_quantile<&nanquantile, &nanquantile>(
      m, tensor, "nanquantile",
      "quantile() of the elements that are not NaN; NaN where all are.\n\n"
      ">>> luge.nanquantile(luge.tensor([4.0, float('nan'), 2.0]), 0.5)\ntensor(3.)");
  bind_counts(m, tensor);
}

}  // namespace luge::python
