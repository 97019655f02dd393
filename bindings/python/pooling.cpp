// Pooling: what luge.nn.functional has of it.

#include <luge/ops/pooling.h>

#include <fmt/format.h>

#include "both.h"

namespace luge::python {

namespace {

/// An int or one for each dimension; None where that is allowed.
Window window(const char* op, const char* argument, nb::handle given) {
  if (given.is_none()) return {};
  Window result = whole_numbers(op, argument, given);
  if (result.empty()) throw ValueError(fmt::format("{}: {} is empty; it must have one number or more", op, argument));
  return result;
}

/// An output size, in which None keeps a dimension.
Window output_size(const char* op, nb::handle given) {
  Window result;
  const auto add = [&](nb::handle one) {
    const std::int64_t size = one.is_none() ? -1 : integer(op, "output_size", one);
    if (size < 0 && !one.is_none()) throw ValueError(fmt::format("{}: output_size is {}; it must be 0 or more", op, size));
    result.push_back(size);
  };
  if (!nb::isinstance<nb::list>(given) && !nb::isinstance<nb::tuple>(given))
    add(given);
  else
    for (const nb::handle one : nb::borrow(given)) add(one);
  return result;
}

nb::object pooled(const Pooled& result, bool with_indices) {
  if (with_indices) return nb::make_tuple(wrap(result.values), wrap(result.indices));
  return wrap(result.values);
}

using MaxPool = Tensor (*)(const Tensor&, const Window&, const MaxPoolOptions&);
using MaxPoolWithIndices = Pooled (*)(const Tensor&, const Window&, const MaxPoolOptions&);

constexpr const char* kWindow = "int | Sequence[int]";

/// `values` null: indices come with them in any case.
void def_max_pool(nb::module_& own, const char* name, MaxPool values, MaxPoolWithIndices both, const char* doc) {
  const auto options = [name](nb::handle stride, nb::handle padding, nb::handle dilation, bool ceil_mode) {
    return MaxPoolOptions{window(name, "stride", stride), window(name, "padding", padding), window(name, "dilation", dilation), ceil_mode};
  };
  own.def(
      name,
      [=](const Tensor& x, nb::handle kernel, nb::handle stride, nb::handle padding, nb::handle dilation, bool ceil_mode,
          bool return_indices) -> nb::object {
        const Window size = window(name, "kernel_size", kernel);
        const MaxPoolOptions how = options(stride, padding, dilation, ceil_mode);
        Pooled result;
        {
          const Unlocked unlocked(x);
          if (return_indices || !values)
            result = both(x, size, how);
          else
            result.values = values(x, size, how);
        }
        return pooled(result, return_indices || !values);
      },
      "input"_a, "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "dilation"_a = 1, "ceil_mode"_a = false,
      "return_indices"_a = false,
      nb::sig(fmt::format("def {0}(input: Tensor, kernel_size: {1}, stride: {1} | None = None, padding: {1} = 0, dilation: {1} = 1, "
                          "ceil_mode: bool = False, return_indices: bool = False) -> Any",
                          name, kWindow)
                  .c_str()),
      doc);
}

template <class Pool>
void def_adaptive(nb::module_& own, const char* name, Pool pool, const char* doc) {
  own.def(
      name,
      [=](const Tensor& x, nb::handle size) {
        const Window out = output_size(name, size);
        const Unlocked unlocked(x);
        return pool(x, out);
      },
      "input"_a, "output_size"_a.none(),
      nb::sig(fmt::format("def {}(input: Tensor, output_size: int | None | Sequence[int | None]) -> Tensor", name).c_str()), doc);
}

void def_adaptive_max(nb::module_& own, const char* name, Pooled (*pool)(const Tensor&, const Window&), const char* doc,
                      bool always = false) {
  own.def(
      name,
      [=](const Tensor& x, nb::handle size, bool return_indices) -> nb::object {
        const Window out = output_size(name, size);
        Pooled result;
        {
          const Unlocked unlocked(x);
          result = pool(x, out);
        }
        return pooled(result, return_indices || always);
      },
      "input"_a, "output_size"_a.none(), "return_indices"_a = false,
      nb::sig(fmt::format("def {}(input: Tensor, output_size: int | None | Sequence[int | None], return_indices: bool = False) -> Any",
                          name)
                  .c_str()),
      doc);
}

void def_avg_pool(nb::module_& own, const char* name, Tensor (*pool)(const Tensor&, const Window&, const AvgPoolOptions&),
                  const char* doc) {
  own.def(
      name,
      [=](const Tensor& x, nb::handle kernel, nb::handle stride, nb::handle padding, bool ceil_mode, bool count_include_pad,
          std::optional<std::int64_t> divisor) {
        const Window size = window(name, "kernel_size", kernel);
        const AvgPoolOptions how{window(name, "stride", stride), window(name, "padding", padding), ceil_mode, count_include_pad, divisor};
        const Unlocked unlocked(x);
        return pool(x, size, how);
      },
      "input"_a, "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "ceil_mode"_a = false, "count_include_pad"_a = true,
      "divisor_override"_a = nb::none(),
      nb::sig(fmt::format("def {0}(input: Tensor, kernel_size: {1}, stride: {1} | None = None, padding: {1} = 0, ceil_mode: bool = False, "
                          "count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor",
                          name, kWindow)
                  .c_str()),
      doc);
}

void def_lp_pool(nb::module_& own, const char* name,
                 Tensor (*pool)(const Tensor&, double, const Window&, const Window&, bool), const char* doc) {
  own.def(
      name,
      [=](const Tensor& x, double p, nb::handle kernel, nb::handle stride, bool ceil_mode) {
        const Window size = window(name, "kernel_size", kernel), step = window(name, "stride", stride);
        const Unlocked unlocked(x);
        return pool(x, p, size, step, ceil_mode);
      },
      "input"_a, "norm_type"_a, "kernel_size"_a, "stride"_a = nb::none(), "ceil_mode"_a = false,
      nb::sig(fmt::format("def {0}(input: Tensor, norm_type: float, kernel_size: {1}, stride: {1} | None = None, "
                          "ceil_mode: bool = False) -> Tensor",
                          name, kWindow)
                  .c_str()),
      doc);
}

std::string text(const char* does, const char* sizes, const char* call, const char* result) {
  return fmt::format("{} Input (..., channels, {}): every dimension before is batch, sets among them. Raises ShapeError, ValueError, "
                     "DTypeError.\n\n>>> luge.nn.functional.{}\n{}",
                     does, sizes, call, result);
}

}  // namespace

void bind_pooling(nb::module_& m) {
  nb::module_ own = nb::borrow<nb::module_>(m.attr("_functional"));
  const char* const largest =
      "The largest value of each window, and with `return_indices` its row-major place in the dimensions of the window; the gradient "
      "goes to the first of equals, NaN is the largest. Numbers of any dtype.";
  def_max_pool(own, "max_pool1d", &max_pool1d, &max_pool1d_with_indices,
               text(largest, "length", "max_pool1d(luge.tensor([[1., 3., 2., 4.]]), 2)", "tensor([[3., 4.]])").c_str());
  def_max_pool(own, "max_pool2d", &max_pool2d, &max_pool2d_with_indices,
               text(largest, "height, width", "max_pool2d(luge.arange(4.0).view(1, 2, 2), 2)", "tensor([[[3.]]])").c_str());
  def_max_pool(own, "max_pool3d", &max_pool3d, &max_pool3d_with_indices,
               text(largest, "depth, height, width", "max_pool3d(luge.zeros(1, 4, 4, 4), 2).shape", "(1, 2, 2, 2)").c_str());
  const auto named = [](const char* name, const char* call, const char* result) {
    return fmt::format("{0}(return_indices=True).\n\n>>> luge.nn.functional.{0}_with_indices({1})\n{2}", name, call, result);
  };
  def_max_pool(own, "max_pool1d_with_indices", nullptr, &max_pool1d_with_indices,
               named("max_pool1d", "luge.tensor([[1., 3.]]), 2", "(tensor([[3.]]), tensor([[1]]))").c_str());
  def_max_pool(own, "max_pool2d_with_indices", nullptr, &max_pool2d_with_indices,
               named("max_pool2d", "luge.arange(4.0).view(1, 2, 2), 2", "(tensor([[[3.]]]), tensor([[[3]]]))").c_str());
  def_max_pool(own, "max_pool3d_with_indices", nullptr, &max_pool3d_with_indices,
               named("max_pool3d", "luge.arange(8.0).view(1, 2, 2, 2), 2", "(tensor([[[[7.]]]]), tensor([[[[7]]]]))").c_str());
  const char* const mean =
      "The mean of each window, in which padding counts as zeros or, without `count_include_pad`, not at all; `divisor_override` is what "
      "sums are divided by instead. Floating dtypes.";
  own.def(
      "avg_pool1d",
      [](const Tensor& x, nb::handle kernel, nb::handle stride, nb::handle padding, bool ceil_mode, bool count_include_pad) {
        const Window size = window("avg_pool1d", "kernel_size", kernel);
        const AvgPoolOptions how{window("avg_pool1d", "stride", stride), window("avg_pool1d", "padding", padding), ceil_mode,
                                 count_include_pad, std::nullopt};
        const Unlocked unlocked(x);
        return avg_pool1d(x, size, how);
      },
      "input"_a, "kernel_size"_a, "stride"_a = nb::none(), "padding"_a = 0, "ceil_mode"_a = false, "count_include_pad"_a = true,
      nb::sig("def avg_pool1d(input: Tensor, kernel_size: int | Sequence[int], stride: int | Sequence[int] | None = None, "
              "padding: int | Sequence[int] = 0, ceil_mode: bool = False, count_include_pad: bool = True) -> Tensor"),
      text("The mean of each window, in which padding counts as zeros or, without `count_include_pad`, not at all. Floating dtypes.",
           "length", "avg_pool1d(luge.tensor([[1., 3., 2., 4.]]), 2)", "tensor([[2., 3.]])")
          .c_str());
  def_avg_pool(own, "avg_pool2d", &avg_pool2d,
               text(mean, "height, width", "avg_pool2d(luge.arange(4.0).view(1, 2, 2), 2)", "tensor([[[1.5000]]])").c_str());
  def_avg_pool(own, "avg_pool3d", &avg_pool3d,
               text(mean, "depth, height, width", "avg_pool3d(luge.zeros(1, 4, 4, 4), 2).shape", "(1, 2, 2, 2)").c_str());
  const char* const parts =
      "The mean of windows that divide each dimension into the parts that `output_size` says, from floor(i in / out) to "
      "ceil((i + 1) in / out); None keeps a dimension. Floating dtypes.";
  def_adaptive(own, "adaptive_avg_pool1d", &adaptive_avg_pool1d,
               text(parts, "length", "adaptive_avg_pool1d(luge.tensor([[1., 3., 2., 4.]]), 2)", "tensor([[2., 3.]])").c_str());
  def_adaptive(own, "adaptive_avg_pool2d", &adaptive_avg_pool2d,
               text(parts, "height, width", "adaptive_avg_pool2d(luge.arange(4.0).view(1, 2, 2), 1)", "tensor([[[1.5000]]])").c_str());
  def_adaptive(own, "adaptive_avg_pool3d", &adaptive_avg_pool3d,
               text(parts, "depth, height, width", "adaptive_avg_pool3d(luge.zeros(1, 4, 5, 6), (None, 2, 2)).shape", "(1, 4, 2, 2)")
                   .c_str());
  const char* const most =
      "The largest value of windows as adaptive_avg_pool2d has them, and with `return_indices` its place, as in max_pool2d.";
  def_adaptive_max(own, "adaptive_max_pool1d", &adaptive_max_pool1d,
                   text(most, "length", "adaptive_max_pool1d(luge.tensor([[1., 3., 2., 4.]]), 2)", "tensor([[3., 4.]])").c_str());
  def_adaptive_max(own, "adaptive_max_pool2d", &adaptive_max_pool2d,
                   text(most, "height, width", "adaptive_max_pool2d(luge.arange(4.0).view(1, 2, 2), 1)", "tensor([[[3.]]])").c_str());
  def_adaptive_max(own, "adaptive_max_pool3d", &adaptive_max_pool3d,
                   text(most, "depth, height, width", "adaptive_max_pool3d(luge.zeros(1, 4, 5, 6), 2).shape", "(1, 2, 2, 2)").c_str());
  def_adaptive_max(own, "adaptive_max_pool1d_with_indices", &adaptive_max_pool1d,
                   named("adaptive_max_pool1d", "luge.tensor([[1., 3.]]), 1", "(tensor([[3.]]), tensor([[1]]))").c_str(), true);
  def_adaptive_max(own, "adaptive_max_pool2d_with_indices", &adaptive_max_pool2d,
                   named("adaptive_max_pool2d", "luge.arange(4.0).view(1, 2, 2), 1", "(tensor([[[3.]]]), tensor([[[3]]]))").c_str(), true);
  def_adaptive_max(own, "adaptive_max_pool3d_with_indices", &adaptive_max_pool3d,
                   named("adaptive_max_pool3d", "luge.arange(8.0).view(1, 2, 2, 2), 1", "(tensor([[[[7.]]]]), tensor([[[[7]]]]))").c_str(),
                   true);
  const char* const norm =
      "(sum of x^p)^(1/p) of each window, with p = `norm_type`: PyTorch's formula, which takes no |x|. Floating dtypes.";
  def_lp_pool(own, "lp_pool1d", &lp_pool1d, text(norm, "length", "lp_pool1d(luge.tensor([[3., 4.]]), 2, 2)", "tensor([[5.]])").c_str());
  def_lp_pool(own, "lp_pool2d", &lp_pool2d,
              text(norm, "height, width", "lp_pool2d(luge.ones(1, 2, 2), 2, 2)", "tensor([[[2.]]])").c_str());
  def_lp_pool(own, "lp_pool3d", &lp_pool3d,
              text(norm, "depth, height, width", "lp_pool3d(luge.ones(1, 2, 2, 2), 3, 2)", "tensor([[[[2.]]]])").c_str());
  own.def(
      "_max_unpool",
      [](const Tensor& x, const Tensor& indices, nb::handle size) {
        const Window out = window("max_unpool", "output_size", size);
        const Unlocked unlocked(x);
        return max_unpool(x, indices, out);
      },
      "input"_a, "indices"_a, "output_size"_a,
      nb::sig("def _max_unpool(input: Tensor, indices: Tensor, output_size: Sequence[int]) -> Tensor"),
      "Zeros with the input's values at the places that max_pool's indices name.");
}

}  // namespace luge::python
