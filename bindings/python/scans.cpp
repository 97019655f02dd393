// Scans along a dimension, and differences.

#include <luge/ops/scan.h>

#include "reductions.h"

namespace luge::python {

namespace {

using Total = Tensor (*)(const Tensor&, int, std::optional<DType>);

template <Total scan>
Tensor total(const Tensor& x, int dim, std::optional<PyDType> dtype) {
  const Unlocked unlocked(x);
  return scan(x, dim, dtype ? std::optional(dtype->value) : std::nullopt);
}

template <Total scan>
void def_total(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const char* in_place, const char* text) {
  const auto to_out = [name](const Tensor& x, int dim, std::optional<PyDType> dtype, nb::handle out) {
    return written(name, total<scan>(x, dim, dtype), out);
  };
  m.def(name, to_out, "input"_a, "dim"_a, nb::kw_only(), "dtype"_a = nb::none(), "out"_a = nb::none(), text);
  tensor.def(name, &total<scan>, "dim"_a, nb::kw_only(), "dtype"_a = nb::none(), text);
  tensor.def(
      in_place,
      [in_place](nb::handle self, int dim, std::optional<PyDType> dtype) {
        Tensor& x = self_of(self);
        if (dtype && dtype->value != x.dtype())
          throw DTypeError(fmt::format("{}: dtype is {} and the tensor is {}; in place they must be equal", in_place,
                                       luge::name(dtype->value), luge::name(x.dtype())));
        // The tensor stays of its dtype, in which integers are counted modulo 2^bits. The gradient needs what it was.
        const Tensor before = x.requires_grad() && grad_enabled() ? x.clone() : x;
        overwrite(in_place, x, total<scan>(before, dim, PyDType{x.dtype()}));
        return nb::borrow(self);
      },
      "dim"_a, nb::kw_only(), "dtype"_a = nb::none(), nb::sig(fmt::format("def {}(self, dim: int, *, dtype: dtype | None = None) -> Tensor", in_place).c_str()),
      fmt::format("{}() in place, in the tensor's own dtype.", name).c_str());
}

using ExtremesAlong = Extremes (*)(const Tensor&, int);

template <ExtremesAlong scan>
nb::object extremes(const char* op, const Tensor& x, int dim, nb::handle out) {
  Extremes found;
  {
    const Unlocked unlocked(x);
    found = scan(x, dim);
  }
  return written_pair(op, "values indices", std::move(found.values), std::move(found.indices), out);
}

template <ExtremesAlong scan>
void def_extremes(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const char* text) {
  m.def(
      name, [name](const Tensor& x, int dim, nb::handle out) { return extremes<scan>(name, x, dim, out); }, "input"_a,
      "dim"_a, nb::kw_only(), "out"_a = nb::none(), text);
  tensor.def(
      name, [name](const Tensor& x, int dim) { return extremes<scan>(name, x, dim, nb::none()); }, "dim"_a, text);
}

Tensor logarithms(const Tensor& x, int dim) {
  const Unlocked unlocked(x);
  return logcumsumexp(x, dim);
}

Tensor differences(const Tensor& x, std::int64_t n, int dim, const std::optional<Tensor>& prepend,
                   const std::optional<Tensor>& append) {
  const Unlocked unlocked(x);
  return diff(x, n, dim, prepend.value_or(Tensor()), append.value_or(Tensor()));
}

/// `dx` is a number; x and dx are not given together.
template <bool cumulative>
Tensor integral(const Tensor& y, const std::optional<Tensor>& x, nb::handle dx, int dim) {
  const char* const op = cumulative ? "cumulative_trapezoid" : "trapezoid";
  if (x && !dx.is_none()) throw TypeError(fmt::format("{}: x and dx are given; only one may be", op));
  const double step = dx.is_none() ? 1 : scalar(op, "dx", dx).to_double();
  const Unlocked unlocked(y);
  if (x) return cumulative ? cumulative_trapezoid(y, *x, dim) : trapezoid(y, *x, dim);
  return cumulative ? cumulative_trapezoid(y, step, dim) : trapezoid(y, step, dim);
}

}  // namespace

void bind_scans(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_total<&cumsum>(m, tensor, "cumsum", "cumsum_",
                     "Running sums along `dim`; int64 for integers and bool, unless `dtype` says otherwise: the elements are "
                     "converted to it first. Raises IndexError.\n\n"
                     ">>> luge.cumsum(luge.tensor([1, 2, 3]), 0)\ntensor([1, 3, 6])");
  def_total<&cumprod>(m, tensor, "cumprod", "cumprod_",
                      "Running products along `dim`; int64 for integers and bool, unless `dtype` says otherwise: the elements "
                      "are converted to it first. Gradients are right beside zeros. Raises IndexError.\n\n"
                      ">>> luge.cumprod(luge.tensor([1, 2, 3]), 0)\ntensor([1, 2, 6])");
  def_extremes<&cummax>(m, tensor, "cummax",
                        "The largest element so far along `dim`, and where it stands: a pair (values, indices), of the last of "
                        "equals. NaN stays once it is met. `out`: two tensors. Raises IndexError.\n\n"
                        ">>> luge.cummax(luge.tensor([1, 3, 2]), 0).values\ntensor([1, 3, 3])");
  def_extremes<&cummin>(m, tensor, "cummin",
                        "The smallest element so far along `dim`, and where it stands: a pair (values, indices), of the last "
                        "of equals. NaN stays once it is met. `out`: two tensors. Raises IndexError.\n\n"
                        ">>> luge.cummin(luge.tensor([3, 1, 2]), 0).values\ntensor([3, 1, 1])");
  const char* const logarithms_text =
      "Logarithms of running sums of exponentials along `dim`, without overflow; floating dtypes. Raises IndexError and "
      "DTypeError.\n\n>>> luge.logcumsumexp(luge.tensor([1000.0, 1000.0]), 0)\ntensor([1000.0000, 1000.6932])";
  m.def(
      "logcumsumexp",
      [](const Tensor& x, int dim, nb::handle out) { return written("logcumsumexp", logarithms(x, dim), out); },
      "input"_a, "dim"_a, nb::kw_only(), "out"_a = nb::none(), logarithms_text);
  tensor.def("logcumsumexp", &logarithms, "dim"_a, logarithms_text);

  const char* const diff_text =
      "Each element minus the one before it along `dim`, `n` times over; exclusive or for bool. `prepend` and `append` are "
      "joined to the tensor first. Raises ShapeError for a 0-d tensor, ValueError for a negative n.\n\n"
      ">>> luge.diff(luge.tensor([1, 4, 9]))\ntensor([3, 5])";
  m.def(
      "diff",
      [](const Tensor& x, std::int64_t n, int dim, const std::optional<Tensor>& prepend,
         const std::optional<Tensor>& append, nb::handle out) {
        return written("diff", differences(x, n, dim, prepend, append), out);
      },
      "input"_a, "n"_a = 1, "dim"_a = -1, "prepend"_a = nb::none(), "append"_a = nb::none(), nb::kw_only(),
      "out"_a = nb::none(), diff_text);
  tensor.def("diff", &differences, "n"_a = 1, "dim"_a = -1, "prepend"_a = nb::none(), "append"_a = nb::none(), diff_text);

  const char* const cumulative_text =
      "Integrals of `y` up to each point along `dim` by the trapezoidal rule, one less than points: of points `x`, or `dx` "
      "apart. Raises ShapeError where x does not fit.\n\n"
      ">>> luge.cumulative_trapezoid(luge.tensor([1.0, 2.0, 3.0]))\ntensor([1.5000, 4.0000])";
  const char* const whole_text =
      "The integral of `y` along `dim` by the trapezoidal rule: of points `x`, or `dx` apart. Raises ShapeError where x does "
      "not fit.\n\n>>> luge.trapezoid(luge.tensor([1.0, 2.0, 3.0]))\ntensor(4.)";
  m.def("cumulative_trapezoid", &integral<true>, "y"_a, "x"_a = nb::none(), nb::kw_only(), "dx"_a = nb::none(),
        "dim"_a = -1, cumulative_text);
  for (const char* const name : {"trapezoid", "trapz"})
    m.def(name, &integral<false>, "y"_a, "x"_a = nb::none(), nb::kw_only(), "dx"_a = nb::none(), "dim"_a = -1, whole_text);
}

}  // namespace luge::python
