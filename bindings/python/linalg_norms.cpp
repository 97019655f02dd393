// luge.linalg: norms, ranks, pseudoinverses, functions of matrices, tensors taken for matrices.

#include <luge/ops/linalg.h>

#include "linalg.h"

namespace luge::python {

namespace {

/// 'fro', 'nuc' or a number.
linalg::MatrixOrder matrix_order(const char* op, const char* argument, nb::handle given) {
  if (!PyUnicode_Check(given.ptr())) return {.p = scalar(op, argument, given).to_double(), .name = {}};
  const std::string name = text_of(op, argument, given);
  if (name != "fro" && name != "nuc")
    throw ValueError(fmt::format("{}: {} is '{}'; it must be 'fro', 'nuc' or a number", op, argument, name));
  return {.p = {}, .name = name};
}

Tensor as_dtype(const Tensor& x, const std::optional<PyDType>& dtype) { return dtype ? x.to(dtype->value) : x; }

/// A tolerance as a number; tensors that hold one number serve, too.
std::optional<double> tolerance(const char* op, const char* argument, nb::handle given) {
  if (given.is_none()) return {};
  if (is_tensor(given)) return as_tensor(given).item<double>();
  return scalar(op, argument, given).to_double();
}

}  // namespace

void bind_norms(nb::module_& own) {
  own.def(
      "matrix_norm",
      [](const Tensor& a, nb::object ord, nb::object dim, bool keepdim, std::optional<PyDType> dtype, nb::object out) {
        const linalg::MatrixOrder order = matrix_order("matrix_norm", "ord", ord);
        const std::vector<int> dims = dimensions("matrix_norm", dim);
        if (dims.size() != 2) throw ValueError(fmt::format("matrix_norm: dim has {} dimensions; it must have 2", dims.size()));
        return written("matrix_norm", unlocked(a, [&] { return linalg::matrix_norm(as_dtype(a, dtype), order, dims[0], dims[1], keepdim); }), out);
      },
      "A"_a, "ord"_a = "fro", "dim"_a = nb::make_tuple(-2, -1), "keepdim"_a = false, nb::kw_only(), "dtype"_a = nb::none(),
      "out"_a = nb::none(),
      nb::sig("def matrix_norm(A: Tensor, ord: float | str = 'fro', dim: tuple[int, int] = (-2, -1), keepdim: bool = False, *, "
              "dtype: dtype | None = None, out: Tensor | None = None) -> Tensor"),
      "The norm of matrices: 'fro' the root of the sum of squares; 'nuc', 2 and -2 the sum, the greatest and the least of the "
      "singular values; 1 and -1 the greatest and the least sum of a column's absolute values, inf and -inf of a row's.\n\n"
      "Raises ValueError for another `ord`.\n\n"
      ">>> luge.linalg.matrix_norm(luge.tensor([[3.0, 0.0], [0.0, 4.0]]))\ntensor(5.)");
  own.def(
      "cond",
      [](const Tensor& a, nb::object p, nb::object out) {
        std::optional<linalg::MatrixOrder> order;
        if (!p.is_none()) order = matrix_order("cond", "p", p);
        return written("cond", unlocked(a, [&] { return linalg::cond(a, order); }), out);
      },
      "input"_a, "p"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def cond(input: Tensor, p: float | str | None = None, *, out: Tensor | None = None) -> Tensor"),
      "The norm of matrices times that of their inverses: how much a solution may grow an error. p is matrix_norm's ord, None "
      "is 2. Infinite for a singular matrix.\n\n"
      ">>> luge.linalg.cond(luge.tensor([[3.0, 0.0], [0.0, 6.0]]))\ntensor(2.)");
  const auto rank = [](const Tensor& a, nb::object tol, nb::object atol, nb::object rtol, bool hermitian, nb::object out) {
    const auto absolute = tolerance("matrix_rank", "tol", tol.is_none() ? atol : tol);
    auto relative = tolerance("matrix_rank", "rtol", rtol);
    if (!tol.is_none() && !relative) relative = 0.0;
    return written("matrix_rank", unlocked(a, [&] { return linalg::matrix_rank(a, absolute, relative, hermitian); }), out);
  };
  own.def("matrix_rank", rank, "input"_a, "tol"_a = nb::none(), nb::kw_only(), "atol"_a = nb::none(), "rtol"_a = nb::none(),
          "hermitian"_a = false, "out"_a = nb::none(),
          nb::sig("def matrix_rank(input: Tensor, tol: float | Tensor | None = None, *, atol: float | Tensor | None = None, rtol: "
                  "float | Tensor | None = None, hermitian: bool = False, out: Tensor | None = None) -> Tensor"),
          "How many singular values of matrices (..., m, n), or, `hermitian`, absolute eigenvalues, are above max(atol, rtol * "
          "the greatest); int64. rtol is max(m, n) * epsilon if there is no atol above 0, else 0; `tol` is atol.\n\n"
          ">>> luge.linalg.matrix_rank(luge.ones(3, 3))\ntensor(1)");
  own.def(
      "pinv",
      [](const Tensor& a, nb::object rcond, nb::object atol, nb::object rtol, bool hermitian, nb::object out) {
        const auto absolute = tolerance("pinv", "atol", atol);
        const auto relative = tolerance("pinv", "rtol", rtol.is_none() ? rcond : rtol);
        return written("pinv", unlocked(a, [&] { return linalg::pinv(a, absolute, relative, hermitian); }), out);
      },
      "input"_a, "rcond"_a = nb::none(), nb::kw_only(), "atol"_a = nb::none(), "rtol"_a = nb::none(), "hermitian"_a = false,
      "out"_a = nb::none(),
      nb::sig("def pinv(input: Tensor, rcond: float | Tensor | None = None, *, atol: float | Tensor | None = None, rtol: float | "
              "Tensor | None = None, hermitian: bool = False, out: Tensor | None = None) -> Tensor"),
      "The Moore-Penrose pseudoinverses of matrices, with singular values that matrix_rank does not count taken for zero; "
      "`rcond` is rtol.\n\n"
      ">>> luge.linalg.pinv(luge.tensor([[2.0], [0.0]]))\ntensor([[0.5000, 0.0000]])");
  own.def(
      "matrix_power",
      [](const Tensor& a, std::int64_t n, nb::object out) {
        return written("matrix_power", unlocked(a, [&] { return linalg::matrix_power(a, n); }), out);
      },
      "input"_a, "n"_a, nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor"),
      "Products of n times the same matrix; of its inverse for a negative n.\n\n"
      ">>> luge.linalg.matrix_power(luge.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)\ntensor([[1., 3.],\n        [0., 1.]])");
  own.def(
      "matrix_exp", [](const Tensor& a) { return unlocked(a, [&] { return linalg::matrix_exp(a); }); }, "input"_a,
      "The exponential functions of matrices (..., n, n): sums of A^k / k!. It reads the norms on the host: CaptureError while a "
      "step is captured.\n\n"
      ">>> luge.linalg.matrix_exp(luge.tensor([[0.0, 1.0], [0.0, 0.0]]))\ntensor([[1., 1.],\n        [0., 1.]])");
  own.def(
      "tensorinv",
      [](const Tensor& a, int ind, nb::object out) {
        return written("tensorinv", unlocked(a, [&] { return linalg::tensorinv(a, ind); }), out);
      },
      "input"_a, "ind"_a = 2, nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def tensorinv(input: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor"),
      "The inverse of a tensor whose first `ind` sizes are the rows of a matrix and whose others are its columns; their products "
      "are equal.\n\n>>> luge.linalg.tensorinv(luge.eye(4).reshape(2, 2, 4)).shape\n(4, 2, 2)");
  own.def(
      "tensorsolve",
      [](const Tensor& a, const Tensor& b, nb::object dims, nb::object out) {
        const std::vector<int> given = dims.is_none() ? std::vector<int>() : dimensions("tensorsolve", dims);
        return written("tensorsolve", unlocked(a, [&] { return linalg::tensorsolve(a, b, given); }), out);
      },
      "input"_a, "other"_a, "dims"_a = nb::none(), nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def tensorsolve(input: Tensor, other: Tensor, dims: Sequence[int] | None = None, *, out: Tensor | None = None) -> "
              "Tensor"),
      "The x with tensordot(input, x, x.ndim) = other; `dims` of input are moved to its end first.\n\n"
      ">>> luge.linalg.tensorsolve(2 * luge.eye(4).reshape(2, 2, 4), luge.ones(2, 2))\n"
      "tensor([0.5000, 0.5000, 0.5000, 0.5000])");
  own.def(
      "vander", [](const Tensor& x, std::optional<std::int64_t> n) { return linalg::vander(x, n); }, "x"_a, nb::kw_only(),
      "N"_a = nb::none(),
      "Rows 1, x, x^2, ... of N elements, as many as x has where N is not given: (..., n) -> (..., n, N).\n\n"
      ">>> luge.linalg.vander(luge.tensor([2, 3]), N=3)\ntensor([[1, 2, 4],\n        [1, 3, 9]])");
  own.def(
      "cross",
      [](const Tensor& a, const Tensor& b, int dim, nb::object out) { return written("cross", linalg::cross(a, b, dim), out); },
      "input"_a, "other"_a, nb::kw_only(), "dim"_a = -1, "out"_a = nb::none(),
      nb::sig("def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor"),
      "The cross products of vectors of 3 elements along `dim`; the others broadcast.\n\n"
      ">>> luge.linalg.cross(luge.tensor([1, 0, 0]), luge.tensor([0, 1, 0]))\ntensor([0, 0, 1])");
  own.def(
      "vecdot",
      [](const Tensor& x, const Tensor& y, int dim, nb::object out) { return written("vecdot", linalg::vecdot(x, y, dim), out); },
      "x"_a, "y"_a, nb::kw_only(), "dim"_a = -1, "out"_a = nb::none(),
      nb::sig("def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor"),
      "The inner products of vectors along `dim`, broadcast.\n\n"
      ">>> luge.linalg.vecdot(luge.tensor([1.0, 2.0]), luge.tensor([3.0, 4.0]))\ntensor(11.)");
}

}  // namespace luge::python
