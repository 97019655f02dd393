// Matrix products and softmax.

#include <fmt/format.h>

#include "out.h"

namespace luge::python {

void bind_products(nb::module_& m, nb::class_<Tensor>& tensor) {
  const auto product = [](const Tensor& a, const Tensor& b) {
    const Unlocked unlocked(Unlocked::product(a, b));
    return matmul(a, b);
  };
  const char* const text =
      "The matrix product with PyTorch's rules: 1-d operands are a row (left) or a column (right), leading dimensions "
      "broadcast: (..., m, k) x (..., k, n) -> (..., m, n). Halves are summed in float32, integers wrap around.\n\n"
      "Raises ShapeError naming both shapes.\n\n"
      ">>> luge.matmul(luge.tensor([[1.0, 2.0]]), luge.tensor([[3.0], [4.0]]))\ntensor([[11.]])";
  m.def(
      "matmul",
      [=](const Tensor& a, const Tensor& b, nb::handle out) { return written("matmul", product(a, b), out); },
      "input"_a, "other"_a, nb::kw_only(), "out"_a = nb::none(), text,
      nb::sig("def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor"));
  tensor.def("matmul", product, "other"_a, text);
  const auto def_ranked = [&](const char* name, int ndim, const char* does) {
    const auto ranked = [=](const Tensor& a, const Tensor& b) {
      if (a.ndim() != ndim || b.ndim() != ndim || (ndim == 3 && a.size(0) != b.size(0)))
        throw ShapeError(fmt::format("{}: the tensors have shapes {} and {}; both must be {}-d{}; matmul takes others",
                                     name, to_string(a.shape()), to_string(b.shape()), ndim,
                                     ndim == 3 ? ", of the same first size" : ""));
      return product(a, b);
    };
    m.def(
        name, [=](const Tensor& a, const Tensor& b, nb::handle out) { return written(name, ranked(a, b), out); },
        "input"_a, "mat2"_a, nb::kw_only(), "out"_a = nb::none(), does,
        nb::sig(fmt::format("def {}(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor", name).c_str()));
    tensor.def(name, ranked, "mat2"_a, does);
  };
  def_ranked("mm", 2,
             "The product of two matrices: (m, k) x (k, n) -> (m, n).\n\n"
             ">>> luge.mm(luge.tensor([[1.0, 2.0]]), luge.tensor([[3.0], [4.0]]))\ntensor([[11.]])");
  def_ranked("bmm", 3,
             "The products of two batches of matrices: (b, m, k) x (b, k, n) -> (b, m, n).\n\n"
             ">>> luge.bmm(luge.ones(2, 1, 3), luge.ones(2, 3, 1)).shape\n(2, 1, 1)");
  m.def(
      "linear",
      [](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
        const Unlocked unlocked(Unlocked::product(x, weight));
        if (weight.ndim() == 1) return bias ? matmul(x, weight) + *bias : matmul(x, weight);
        return linear(x, weight, bias.value_or(Tensor()));
      },
      "input"_a, "weight"_a, "bias"_a = nb::none(),
      "input weight^T + bias, with an optional leading axis of sets:\n\n"
      "weight (out, in), bias (out): input (..., in) -> (..., out); weight (in), bias (): input (..., in) -> (...)\n\n"
      "weight (sets, out, in), bias (sets, out): input (batch, in) -> (sets, batch, out), or (sets, ..., in) -> (sets, ..., out)\n\n"
      ">>> luge.linear(luge.ones(1, 2), luge.tensor([[1.0, 2.0]]), luge.tensor([0.5]))\ntensor([[3.5000]])");

  const auto of_dtype = [](Tensor (*f)(const Tensor&, int)) {
    return [f](const Tensor& x, int dim, std::optional<PyDType> dtype) {
      const Unlocked unlocked(x);
      return f(dtype ? x.to(dtype->value) : x, dim);
    };
  };
  const auto def = [&](const char* name, Tensor (*f)(const Tensor&, int), const char* doc) {
    m.def(
        name,
        [name, call = of_dtype(f)](const Tensor& x, int dim, std::optional<PyDType> dtype, nb::handle out) {
          return written(name, call(x, dim, dtype), out);
        },
        "input"_a, "dim"_a, "dtype"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(), doc,
        nb::sig(fmt::format("def {}(input: Tensor, dim: int, dtype: dtype | None = None, *, out: Tensor | None = None) -> "
                            "Tensor",
                            name)
                    .c_str()));
    tensor.def(name, of_dtype(f), "dim"_a, "dtype"_a = nb::none(), doc);
  };
  def("softmax", &softmax,
      "exp(x) / sum(exp(x)) along `dim`; with `dtype` the input is converted first.\n\n>>> luge.softmax(luge.zeros(4), "
      "dim=0)\ntensor([0.2500, 0.2500, 0.2500, 0.2500])");
  def("log_softmax", &log_softmax,
      "log(softmax(x)) without the rounding of going through it; with `dtype` the input is converted first.\n\n"
      ">>> luge.log_softmax(luge.zeros(2), dim=0)\ntensor([-0.6931, -0.6931])");
}

}  // namespace luge::python
