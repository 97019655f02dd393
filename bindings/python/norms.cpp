// Norms of vectors, and of what may be a vector or a matrix.

#include <luge/ops/linalg.h>
#include <luge/ops/norm.h>

#include "reductions.h"

namespace luge::python {

namespace {

Tensor over(const Tensor& x, double p, nb::handle dim, bool keepdim, std::optional<PyDType> dtype) {
  const std::optional<DType> type = dtype ? std::optional(dtype->value) : std::nullopt;
  return reduced(
      "vector_norm", x, dim, keepdim, [&](const Tensor& t) { return vector_norm(t, p, type); },
      [&](const Tensor& t, const DimList& d) { return vector_norm(t, p, d, keepdim, type); });
}

/// The norm of matrices in the two dimensions that are given; none stand for those of a matrix.
Tensor of_matrices(const char* op, const Tensor& given, const linalg::MatrixOrder& order, nb::handle dim, bool keepdim,
                   std::optional<PyDType> dtype) {
  std::vector<int> dims{0, 1};
  if (dim.is_none()) {
    if (given.ndim() != 2)
      throw ShapeError(fmt::format("{}: the tensor has shape {}; this order needs a matrix, or two dims", op,
                                   to_string(given.shape())));
  } else {
    dims = dimensions(op, dim);
    if (dims.size() != 2)
      throw ValueError(fmt::format("{}: dim has {} dimensions; this order needs two", op, dims.size()));
  }
  const Tensor x = cast(given, dtype);
  const Unlocked unlocked(x);
  return linalg::matrix_norm(x, order, dims[0], dims[1], keepdim);
}

/// torch.norm: "fro" is the root of the sum of squares, over however many dimensions.
Tensor norm(const Tensor& x, nb::handle p, nb::handle dim, bool keepdim, std::optional<PyDType> dtype) {
  if (!PyUnicode_Check(p.ptr())) return over(x, p.is_none() ? 2 : scalar("norm", "p", p).to_double(), dim, keepdim, dtype);
  const std::string order = text_of("norm", "p", p);
  if (order == "nuc") return of_matrices("norm", x, {.p = {}, .name = order}, dim, keepdim, dtype);
  if (order != "fro") throw ValueError(fmt::format("norm: p is '{}'; it must be a number, 'fro' or 'nuc'", order));
  return over(x, 2, dim, keepdim, dtype);
}

/// torch.linalg.norm: of a vector or of matrices, as the dimensions say; without an order that of all elements.
Tensor linalg_norm(const Tensor& x, nb::handle ord, nb::handle dim, bool keepdim, std::optional<PyDType> dtype) {
  if (ord.is_none()) return over(x, 2, dim, keepdim, dtype);
  linalg::MatrixOrder order;
  if (PyUnicode_Check(ord.ptr())) {
    order.name = text_of("norm", "ord", ord);
    if (order.name != "fro" && order.name != "nuc")
      throw ValueError(fmt::format("norm: ord is '{}'; it must be a number, 'fro' or 'nuc'", order.name));
    return of_matrices("norm", x, order, dim, keepdim, dtype);
  }
  order.p = scalar("norm", "ord", ord).to_double();
  const std::size_t dims = dim.is_none() ? static_cast<std::size_t>(x.ndim()) : dimensions("norm", dim).size();
  if (dims == 1) return over(x, *order.p, dim, keepdim, dtype);
  return of_matrices("norm", x, order, dim, keepdim, dtype);
}

}  // namespace

void bind_norms(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const norm_text =
      "(sum |x|^p)^(1/p) over all or over `dim`, an int or a tuple of ints: p = 0 counts what is not 0, an infinite p gives "
      "the largest or smallest |x|, 'fro' is p = 2, 'nuc' the sum of a matrix's singular values. Floating dtypes; `dtype`: what the elements are converted to first. "
      "The gradient is 0 where the norm is. Raises ShapeError over nothing for a negative or infinite p.\n\n"
      ">>> luge.norm(luge.tensor([3.0, -4.0]))\ntensor(5.)";
  m.def(
      "norm",
      [](const Tensor& x, nb::handle p, nb::handle dim, bool keepdim, nb::handle out, std::optional<PyDType> dtype) {
        return written("norm", norm(x, p, dim, keepdim, dtype), out);
      },
      "input"_a, "p"_a.none() = "fro", "dim"_a = nb::none(), "keepdim"_a = false, "out"_a = nb::none(),
      "dtype"_a = nb::none(), norm_text);
  tensor.def("norm", &norm, "p"_a.none() = "fro", "dim"_a = nb::none(), "keepdim"_a = false, "dtype"_a = nb::none(),
             norm_text);

  nb::module_ own = m.def_submodule("_linalg");
  own.def(
      "vector_norm",
      [](const Tensor& x, nb::handle ord, nb::handle dim, bool keepdim, std::optional<PyDType> dtype, nb::handle out) {
        return written("vector_norm", over(x, scalar("vector_norm", "ord", ord).to_double(), dim, keepdim, dtype), out);
      },
      "x"_a, "ord"_a = 2, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "dtype"_a = nb::none(),
      "out"_a = nb::none(),
      "(sum |x|^ord)^(1/ord) over all or over `dim`, an int or a tuple of ints: ord = 0 counts what is not 0, an infinite one "
      "gives the largest or smallest |x|. Floating dtypes; `dtype`: what the elements are converted to first. The gradient "
      "is 0 where the norm is. Raises ShapeError over nothing for a negative or infinite ord.\n\n"
      ">>> luge.linalg.vector_norm(luge.tensor([3.0, -4.0]), 1)\ntensor(7.)");
  own.def(
      "norm",
      [](const Tensor& x, nb::handle ord, nb::handle dim, bool keepdim, nb::handle out, std::optional<PyDType> dtype) {
        return written("norm", linalg_norm(x, ord, dim, keepdim, dtype), out);
      },
      "A"_a, "ord"_a = nb::none(), "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "out"_a = nb::none(),
      "dtype"_a = nb::none(),
      "vector_norm() along one dimension, matrix_norm() in two, and without `ord` the root of the sum of squares over all. "
      "Without `dim` a 1-d tensor is a vector and a 2-d one a matrix. Raises ShapeError for an order of a tensor that is "
      "neither, ValueError for another order.\n\n"
      ">>> luge.linalg.norm(luge.tensor([[3.0, 0.0], [0.0, -4.0]]), 1)\ntensor(4.)");
}

}  // namespace luge::python
