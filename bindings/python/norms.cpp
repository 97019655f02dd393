// Norms of vectors.

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

/// torch.norm: "fro" is the root of the sum of squares, over however many dimensions.
Tensor norm(const Tensor& x, nb::handle p, nb::handle dim, bool keepdim, std::optional<PyDType> dtype) {
  if (!PyUnicode_Check(p.ptr())) return over(x, p.is_none() ? 2 : scalar("norm", "p", p).to_double(), dim, keepdim, dtype);
  const std::string order = text_of("norm", "p", p);
  if (order != "fro")
    throw ValueError(fmt::format("norm: p is '{}'; it must be a number or 'fro'; linalg.matrix_norm has more", order));
  return over(x, 2, dim, keepdim, dtype);
}

}  // namespace

void bind_norms(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const norm_text =
      "(sum |x|^p)^(1/p) over all or over `dim`, an int or a tuple of ints: p = 0 counts what is not 0, an infinite p gives "
      "the largest or smallest |x|, 'fro' is p = 2. Floating dtypes; `dtype`: what the elements are converted to first. "
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

  nb::module_ linalg = m.def_submodule("linalg");
  linalg.def(
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
}

}  // namespace luge::python
