// Values that are put at places of a tensor, or folded into them.

#include <luge/ops/scatter.h>

#include <fmt/format.h>

#include "out.h"
#include "python.h"

namespace luge::python {

namespace {

/// `src` or `value`: a tensor, or a number for all places.
struct Given {
  std::optional<Tensor> tensor;
  Scalar number;
};

Given given(const char* op, nb::handle source, nb::handle value) {
  if (source.is_none() == value.is_none())
    throw TypeError(fmt::format("{}: {}; one of src and value must be given", op,
                                source.is_none() ? "src and value are missing" : "both src and value are given"));
  const nb::handle one = source.is_none() ? value : source;
  if (is_tensor(one)) return {as_tensor(one), 0};
  return {std::nullopt, scalar(op, source.is_none() ? "value" : "src", one)};
}

Tensor scattered(const Tensor& x, int dim, const Tensor& index, nb::handle source, nb::handle value,
                 const std::optional<std::string>& reduce) {
  const Given what = given("scatter", source, value);
  const Unlocked unlocked(x, index);
  if (!what.tensor)
    return reduce ? scatter(x, dim, index, what.number, *reduce) : scatter(x, dim, index, what.number);
  return reduce ? scatter(x, dim, index, *what.tensor, *reduce) : scatter(x, dim, index, *what.tensor);
}

void scatter_into(Tensor& x, int dim, const Tensor& index, nb::handle source, nb::handle value,
                  const std::optional<std::string>& reduce) {
  const Given what = given("scatter_", source, value);
  const Unlocked unlocked(x, index);
  if (!what.tensor)
    reduce ? scatter_(x, dim, index, what.number, *reduce) : scatter_(x, dim, index, what.number);
  else
    reduce ? scatter_(x, dim, index, *what.tensor, *reduce) : scatter_(x, dim, index, *what.tensor);
}

void bind_scatter(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const text =
      "A copy in which out[.., index[.., i, ..], ..] = src[.., i, ..] along `dim`, or the number `value`; of several in "
      "one place the last one stays. With `reduce` 'add' or 'multiply' they are added to what is there, or multiplied.\n\n"
      "`index` (int32 or int64) has input's number of dimensions and is not larger than src, nor, but along `dim`, than "
      "input. Raises IndexError for an index outside [0, size), on a GPU at the next synchronisation, ShapeError, "
      "DTypeError.\n\n"
      ">>> luge.scatter(luge.zeros(3), 0, luge.tensor([2, 0]), luge.tensor([5., 6.]))\ntensor([6., 0., 5.])";
  m.def(
      "scatter",
      [](const Tensor& x, int dim, const Tensor& index, nb::handle source, nb::handle value,
         const std::optional<std::string>& reduce, nb::handle out) {
        return written("scatter", scattered(x, dim, index, source, value, reduce), out);
      },
      "input"_a, "dim"_a, "index"_a, "src"_a.none() = nb::none(), nb::kw_only(), "value"_a.none() = nb::none(),
      "reduce"_a = nb::none(), "out"_a.none() = nb::none(), text);
  tensor.def("scatter", &scattered, "dim"_a, "index"_a, "src"_a.none() = nb::none(), nb::kw_only(),
             "value"_a.none() = nb::none(), "reduce"_a = nb::none(), text);
  tensor.def(
      "scatter_",
      [](nb::handle self, int dim, const Tensor& index, nb::handle source, nb::handle value,
         const std::optional<std::string>& reduce) {
        scatter_into(self_of(self), dim, index, source, value, reduce);
        return nb::borrow(self);
      },
      "dim"_a, "index"_a, "src"_a.none() = nb::none(), nb::kw_only(), "value"_a.none() = nb::none(),
      "reduce"_a = nb::none(), "scatter() in place.");

  const char* const add_text =
      "A copy with src[.., i, ..] added at [.., index[.., i, ..], ..] along `dim`; shapes and errors are scatter()'s.\n\n"
      ">>> luge.scatter_add(luge.zeros(3), 0, luge.tensor([2, 0, 2]), luge.ones(3))\ntensor([1., 0., 2.])";
  const auto added = [](const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
    const Unlocked unlocked(x, index);
    return scatter_add(x, dim, index, source);
  };
  m.def(
      "scatter_add",
      [added](const Tensor& x, int dim, const Tensor& index, const Tensor& source, nb::handle out) {
        return written("scatter_add", added(x, dim, index, source), out);
      },
      "input"_a, "dim"_a, "index"_a, "src"_a, nb::kw_only(), "out"_a.none() = nb::none(), add_text);
  tensor.def("scatter_add", added, "dim"_a, "index"_a, "src"_a, add_text);
  tensor.def(
      "scatter_add_",
      [](nb::handle self, int dim, const Tensor& index, const Tensor& source) {
        Tensor& x = self_of(self);
        {
          const Unlocked unlocked(x, index);
          scatter_add_(x, dim, index, source);
        }
        return nb::borrow(self);
      },
      "dim"_a, "index"_a, "src"_a, "scatter_add() in place.");
}

using Reducing = Tensor (*)(const Tensor&, int, const Tensor&, const Tensor&, std::string_view, bool);
using ReducingInPlace = Tensor& (*)(Tensor&, int, const Tensor&, const Tensor&, std::string_view, bool);

void def_reduce(nb::module_& m, nb::class_<Tensor>& tensor, const char* op, Reducing function, ReducingInPlace change,
                const char* source_name, const char* text) {
  const auto reduced = [=](const Tensor& x, int dim, const Tensor& index, const Tensor& source, const std::string& reduce,
                           bool include_self) {
    const Unlocked unlocked(x, source);
    return function(x, dim, index, source, reduce, include_self);
  };
  m.def(
      op,
      [=](const Tensor& x, int dim, const Tensor& index, const Tensor& source, const std::string& reduce,
          bool include_self, nb::handle out) {
        return written(op, reduced(x, dim, index, source, reduce, include_self), out);
      },
      "input"_a, "dim"_a, "index"_a, nb::arg(source_name), "reduce"_a, nb::kw_only(), "include_self"_a = true,
      "out"_a.none() = nb::none(), text);
  tensor.def(op, reduced, "dim"_a, "index"_a, nb::arg(source_name), "reduce"_a, nb::kw_only(), "include_self"_a = true,
             text);
  tensor.def(
      fmt::format("{}_", op).c_str(),
      [=](nb::handle self, int dim, const Tensor& index, const Tensor& source, const std::string& reduce,
          bool include_self) {
        Tensor& x = self_of(self);
        {
          const Unlocked unlocked(x, source);
          change(x, dim, index, source, reduce, include_self);
        }
        return nb::borrow(self);
      },
      "dim"_a, "index"_a, nb::arg(source_name), "reduce"_a, nb::kw_only(), "include_self"_a = true,
      fmt::format("{}() in place.", op).c_str());
}

void bind_slices(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const add_text =
      "A copy with `alpha` times slice i of `source` added to slice index[i] along `dim`. Index (1-d) and errors are "
      "index_select()'s; source has input's shape with len(index) along `dim`, else ShapeError, and its dtype.\n\n"
      ">>> luge.index_add(luge.zeros(3), 0, luge.tensor([2, 0, 2]), luge.ones(3), alpha=2)\ntensor([2., 0., 4.])";
  const auto added = [](const Tensor& x, int dim, const Tensor& index, const Tensor& source, nb::handle alpha) {
    const Scalar factor = scalar("index_add", "alpha", alpha);
    const Unlocked unlocked(x, source);
    return index_add(x, dim, index, source, factor);
  };
  m.def(
      "index_add",
      [added](const Tensor& x, int dim, const Tensor& index, const Tensor& source, nb::handle alpha, nb::handle out) {
        return written("index_add", added(x, dim, index, source, alpha), out);
      },
      "input"_a, "dim"_a, "index"_a, "source"_a, nb::kw_only(), "alpha"_a = 1, "out"_a.none() = nb::none(), add_text);
  tensor.def("index_add", added, "dim"_a, "index"_a, "source"_a, nb::kw_only(), "alpha"_a = 1, add_text);
  tensor.def(
      "index_add_",
      [](nb::handle self, int dim, const Tensor& index, const Tensor& source, nb::handle alpha) {
        Tensor& x = self_of(self);
        const Scalar factor = scalar("index_add_", "alpha", alpha);
        {
          const Unlocked unlocked(x, source);
          index_add_(x, dim, index, source, factor);
        }
        return nb::borrow(self);
      },
      "dim"_a, "index"_a, "source"_a, nb::kw_only(), "alpha"_a = 1, "index_add() in place.");

  const char* const copy_text =
      "A copy in which slice index[i] along `dim` is slice i of `source`; of equal indices the last one stays. Shapes and "
      "errors are index_add()'s.\n\n"
      ">>> luge.index_copy(luge.zeros(3), 0, luge.tensor([2, 0]), luge.tensor([5., 6.]))\ntensor([6., 0., 5.])";
  const auto copied = [](const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
    const Unlocked unlocked(x);
    return index_copy(x, dim, index, source);
  };
  m.def(
      "index_copy",
      [copied](const Tensor& x, int dim, const Tensor& index, const Tensor& source, nb::handle out) {
        return written("index_copy", copied(x, dim, index, source), out);
      },
      "input"_a, "dim"_a, "index"_a, "source"_a, nb::kw_only(), "out"_a.none() = nb::none(), copy_text);
  tensor.def("index_copy", copied, "dim"_a, "index"_a, "source"_a, copy_text);
  tensor.def(
      "index_copy_",
      [](nb::handle self, int dim, const Tensor& index, const Tensor& source) {
        Tensor& x = self_of(self);
        {
          const Unlocked unlocked(x, source);
          index_copy_(x, dim, index, source);
        }
        return nb::borrow(self);
      },
      "dim"_a, "index"_a, "source"_a, "index_copy() in place.");

  const char* const fill_text =
      "A copy with a number, or a 0-d tensor, in the slices `index` (1-d, may count from the end) along `dim`.\n\n"
      ">>> luge.index_fill(luge.zeros(3), 0, luge.tensor([0, -1]), 7)\ntensor([7., 0., 7.])";
  const auto filled = [](const Tensor& x, int dim, const Tensor& index, nb::handle value) {
    if (is_tensor(value)) return index_fill(x, dim, index, as_tensor(value));
    const Scalar number = scalar("index_fill", "value", value);
    const Unlocked unlocked(x);
    return index_fill(x, dim, index, number);
  };
  m.def("index_fill", filled, "input"_a, "dim"_a, "index"_a, "value"_a.none(), fill_text);
  tensor.def("index_fill", filled, "dim"_a, "index"_a, "value"_a.none(), fill_text);
  tensor.def(
      "index_fill_",
      [](nb::handle self, int dim, const Tensor& index, nb::handle value) {
        Tensor& x = self_of(self);
        if (is_tensor(value))
          index_fill_(x, dim, index, as_tensor(value));
        else
          index_fill_(x, dim, index, scalar("index_fill_", "value", value));
        return nb::borrow(self);
      },
      "dim"_a, "index"_a, "value"_a.none(), "index_fill() in place.");
}

}  // namespace

void bind_scattering(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_scatter(m, tensor);
  def_reduce(m, tensor, "scatter_reduce", &scatter_reduce, &scatter_reduce_, "src",
             "A copy in which each place named by `index` along `dim` holds the 'sum', 'prod', 'mean', 'amax' or 'amin' of "
             "what src has for it and, with `include_self`, of what is there. Shapes and errors are scatter()'s, and "
             "ValueError for another `reduce`. NaN stays; equal extremes share the gradient evenly.\n\n"
             ">>> luge.scatter_reduce(luge.ones(2), 0, luge.tensor([1, 1]), luge.tensor([3., 5.]), 'mean')\n"
             "tensor([1., 3.])");
  bind_slices(m, tensor);
  def_reduce(m, tensor, "index_reduce", &index_reduce, &index_reduce_, "source",
             "A copy in which each slice named by `index` (1-d) along `dim` holds the 'prod', 'mean', 'amax' or 'amin' of "
             "the slices that source has for it and, with `include_self`, of what is there. Shapes and errors are "
             "index_add()'s, and ValueError for another `reduce`.\n\n"
             ">>> luge.index_reduce(luge.ones(2), 0, luge.tensor([1, 1]), luge.tensor([3., 5.]), 'prod')\n"
             "tensor([ 1., 15.])");
}

}  // namespace luge::python
