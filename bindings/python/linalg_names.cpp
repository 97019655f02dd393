// Linear algebra under the names that torch itself and its tensors have.

#include <luge/ops/create.h>
#include <luge/ops/index.h>
#include <luge/ops/linalg.h>

#include "linalg.h"

namespace luge::python {

namespace {

/// A function and a method of one tensor.
template <class F>
void def_both(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, F f, const char* text) {
  m.def(name, f, "input"_a, text);
  tensor.def(name, f, text);
}

nb::object solved_triangle(const Tensor& b, const Tensor& a, bool upper, bool transpose, bool unitriangular) {
  Tensor x = unlocked(b, [&] {
    return transpose ? linalg::solve_triangular(a.transpose(-2, -1), b, !upper, true, unitriangular)
                     : linalg::solve_triangular(a, b, upper, true, unitriangular);
  });
  return named("triangular_solve", "solution cloned_coefficient", {x, a.clone()});
}

nb::object factored(const Tensor& a, bool pivot, bool get_infos) {
  if (!pivot) throw ValueError("lu: pivot is False; only True is there");
  auto found = unlocked(a, [&] { return linalg::lu_factor_ex(a); });
  if (!get_infos) return nb::make_tuple(wrap(found.factors), wrap(found.pivots));
  return nb::make_tuple(wrap(found.factors), wrap(found.pivots), wrap(found.info));
}

nb::object orthogonal(const Tensor& a, bool some) {
  auto found = unlocked(a, [&] { return linalg::qr(a, some ? "reduced" : "complete"); });
  return named("qr", "Q R", {found.q, found.r});
}

/// torch.svd gives V, not its transpose.
nb::object singular(const Tensor& a, bool some, bool compute_uv) {
  if (!compute_uv) {
    const Tensor s = unlocked(a, [&] { return linalg::svdvals(a); });
    const auto nothing = [&](std::int64_t n) {
      Shape shape = a.shape();
      shape[shape.ndim() - 2] = shape[shape.ndim() - 1] = n;
      return zeros(shape, {.dtype = a.dtype(), .device = a.device()});
    };
    return named("svd", "U S V", {nothing(a.size(-2)), s, nothing(a.size(-1))});
  }
  auto found = unlocked(a, [&] { return linalg::svd(a, !some); });
  return named("svd", "U S V", {found.u, found.s, found.vh.transpose(-2, -1)});
}

Tensor crossed(const Tensor& a, const Tensor& b, std::optional<int> dim) {
  if (dim) return linalg::cross(a, b, *dim);
  for (int d = 0; d < a.ndim(); ++d)
    if (a.size(d) == 3) return linalg::cross(a, b, d);
  throw ShapeError(fmt::format("cross: input has shape {}; one of its sizes must be 3", to_string(a.shape())));
}

}  // namespace

void bind_linalg_names(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_both(m, tensor, "inverse", [](const Tensor& a) { return unlocked(a, [&] { return linalg::inv(a); }); },
           "linalg.inv.\n\n>>> luge.inverse(luge.tensor([[2.0]]))\ntensor([[0.5000]])");
  def_both(m, tensor, "det", [](const Tensor& a) { return unlocked(a, [&] { return linalg::det(a); }); },
           "linalg.det.\n\n>>> luge.det(luge.tensor([[2.0, 1.0], [1.0, 3.0]]))\ntensor(5.)");
  def_both(m, tensor, "logdet", [](const Tensor& a) { return unlocked(a, [&] { return linalg::logdet(a); }); },
           "The logarithms of determinants; NaN where they are negative.\n\n>>> luge.logdet(luge.eye(3))\ntensor(0.)");
  def_both(m, tensor, "slogdet",
           [](const Tensor& a) {
             auto found = unlocked(a, [&] { return linalg::slogdet(a); });
             return named("slogdet", "sign logabsdet", {found.sign, found.logabsdet});
           },
           "linalg.slogdet.\n\n>>> luge.slogdet(luge.eye(3)).logabsdet\ntensor(0.)");
  def_both(m, tensor, "matrix_exp", [](const Tensor& a) { return unlocked(a, [&] { return linalg::matrix_exp(a); }); },
           "linalg.matrix_exp.\n\n>>> luge.matrix_exp(luge.zeros(1, 1))\ntensor([[1.]])");

  const auto cholesky = [](const Tensor& a, bool upper) { return unlocked(a, [&] { return linalg::cholesky(a, upper); }); };
  const char* const cholesky_text = "linalg.cholesky.\n\n>>> luge.cholesky(luge.tensor([[4.0]]))\ntensor([[2.]])";
  m.def("cholesky", cholesky, "input"_a, "upper"_a = false, cholesky_text);
  tensor.def("cholesky", cholesky, "upper"_a = false, cholesky_text);

  const auto cholesky_solve = [](const Tensor& b, const Tensor& factor, bool upper) {
    return unlocked(b, [&] { return linalg::cholesky_solve(b, factor, upper); });
  };
  const char* const solve_text =
      "A^-1 input, with input2 the Cholesky factor of A, lower triangular unless `upper`. Batches broadcast.\n\n"
      ">>> luge.cholesky_solve(luge.tensor([[8.0]]), luge.tensor([[2.0]]))\ntensor([[2.]])";
  m.def("cholesky_solve", cholesky_solve, "input"_a, "input2"_a, "upper"_a = false, solve_text);
  tensor.def("cholesky_solve", cholesky_solve, "input2"_a, "upper"_a = false, solve_text);

  const auto cholesky_inverse = [](const Tensor& factor, bool upper) {
    return unlocked(factor, [&] { return linalg::cholesky_inverse(factor, upper); });
  };
  const char* const inverse_text =
      "A^-1, with input the Cholesky factor of A, lower triangular unless `upper`.\n\n"
      ">>> luge.cholesky_inverse(luge.tensor([[2.0]]))\ntensor([[0.2500]])";
  m.def("cholesky_inverse", cholesky_inverse, "input"_a, "upper"_a = false, inverse_text);
  tensor.def("cholesky_inverse", cholesky_inverse, "upper"_a = false, inverse_text);

  const auto pinverse = [](const Tensor& a, double rcond) {
    return unlocked(a, [&] { return linalg::pinv(a, {}, rcond); });
  };
  const char* const pinverse_text =
      "linalg.pinv with rtol = rcond.\n\n>>> luge.pinverse(luge.tensor([[2.0], [0.0]]))\ntensor([[0.5000, 0.0000]])";
  m.def("pinverse", pinverse, "input"_a, "rcond"_a = 1e-15, pinverse_text);
  tensor.def("pinverse", pinverse, "rcond"_a = 1e-15, pinverse_text);

  const char* const triangular_text =
      "(solution, cloned_coefficient): A^-1 input of a triangular A, or with its transpose, and a copy of A; see "
      "linalg.solve_triangular.\n\n"
      ">>> luge.triangular_solve(luge.tensor([[4.0]]), luge.tensor([[2.0]])).solution\ntensor([[2.]])";
  m.def("triangular_solve", &solved_triangle, "input"_a, "A"_a, "upper"_a = true, "transpose"_a = false,
        "unitriangular"_a = false,
        nb::sig("def triangular_solve(input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool "
                "= False) -> tuple[Tensor, Tensor]"), triangular_text);
  tensor.def("triangular_solve", &solved_triangle, "A"_a, "upper"_a = true, "transpose"_a = false, "unitriangular"_a = false,
             nb::sig("def triangular_solve(self, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = "
                     "False) -> tuple[Tensor, Tensor]"), triangular_text);

  const char* const lu_text =
      "(LU, pivots) of linalg.lu_factor, with get_infos also its info; a singular matrix is no error.\n\n"
      ">>> luge.lu(luge.tensor([[2.0]]))[0]\ntensor([[2.]])";
  m.def("lu", &factored, "A"_a, "pivot"_a = true, "get_infos"_a = false,
        nb::sig("def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]"), lu_text);
  tensor.def("lu", &factored, "pivot"_a = true, "get_infos"_a = false,
             nb::sig("def lu(self, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]"), lu_text);

  const auto lu_solve = [](const Tensor& b, const Tensor& factors, const Tensor& pivots) {
    return unlocked(b, [&] { return linalg::lu_solve(factors, pivots, b); });
  };
  const char* const lu_solve_text =
      "linalg.lu_solve with the right-hand sides first.\n\n"
      ">>> luge.lu_solve(luge.tensor([[4.0]]), *luge.lu(luge.tensor([[2.0]])))\ntensor([[2.]])";
  m.def("lu_solve", lu_solve, "input"_a, "LU_data"_a, "LU_pivots"_a, lu_solve_text);
  tensor.def("lu_solve", lu_solve, "LU_data"_a, "LU_pivots"_a, lu_solve_text);

  m.def(
      "lu_unpack",
      [](const Tensor& factors, const Tensor& pivots, bool unpack_data, bool unpack_pivots) {
        auto found = linalg::lu_unpack(factors, pivots, unpack_data, unpack_pivots);
        const auto given = [&](const Tensor& x) {
          return x.defined() ? x : zeros({0}, {.dtype = factors.dtype(), .device = factors.device()});
        };
        return named("lu_unpack", "P L U", {given(found.p), given(found.l), given(found.u)});
      },
      "LU_data"_a, "LU_pivots"_a, "unpack_data"_a = true, "unpack_pivots"_a = true,
      nb::sig("def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> "
              "tuple[Tensor, Tensor, Tensor]"),
      "(P, L, U) of what linalg.lu_factor gives; empty where they are not wanted.\n\n"
      ">>> luge.lu_unpack(*luge.lu(luge.tensor([[2.0]]))).U\ntensor([[2.]])");

  const char* const qr_text = "linalg.qr: reduced, or, unless `some`, complete.\n\n>>> luge.qr(luge.tensor([[3.0], [4.0]])).R\ntensor([[-5.]])";
  m.def("qr", &orthogonal, "input"_a, "some"_a = true,
        nb::sig("def qr(input: Tensor, some: bool = True) -> tuple[Tensor, Tensor]"), qr_text);
  tensor.def("qr", &orthogonal, "some"_a = true, nb::sig("def qr(self, some: bool = True) -> tuple[Tensor, Tensor]"), qr_text);

  const char* const svd_text =
      "(U, S, V) with input = U diag(S) V^T: linalg.svd, reduced if `some`, with V in place of its transpose; zeros for U and V "
      "unless compute_uv.\n\n>>> luge.svd(luge.tensor([[0.0, 2.0], [1.0, 0.0]])).S\ntensor([2., 1.])";
  m.def("svd", &singular, "input"_a, "some"_a = true, "compute_uv"_a = true,
        nb::sig("def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor]"), svd_text);
  tensor.def("svd", &singular, "some"_a = true, "compute_uv"_a = true,
             nb::sig("def svd(self, some: bool = True, compute_uv: bool = True) -> tuple[Tensor, Tensor, Tensor]"), svd_text);

  const auto power = [](const Tensor& a, std::int64_t n) { return unlocked(a, [&] { return linalg::matrix_power(a, n); }); };
  const char* const power_text =
      "linalg.matrix_power.\n\n>>> luge.matrix_power(luge.tensor([[2.0]]), 3)\ntensor([[8.]])";
  m.def("matrix_power", power, "input"_a, "n"_a, power_text);
  tensor.def("matrix_power", power, "n"_a, power_text);

  const auto householder = [](const Tensor& a, const Tensor& tau) {
    return unlocked(a, [&] { return linalg::householder_product(a, tau); });
  };
  const char* const orgqr_text =
      "linalg.householder_product.\n\n>>> luge.orgqr(luge.zeros(2, 1), luge.tensor([2.0]))\ntensor([[-1.],\n        [ 0.]])";
  m.def("orgqr", householder, "input"_a, "input2"_a, orgqr_text);
  tensor.def("orgqr", householder, "input2"_a, orgqr_text);

  const char* const cross_text =
      "linalg.cross, along the first dimension of size 3 where `dim` is not given.\n\n"
      ">>> luge.cross(luge.tensor([1, 0, 0]), luge.tensor([0, 1, 0]))\ntensor([0, 0, 1])";
  m.def("cross", &crossed, "input"_a, "other"_a, "dim"_a = nb::none(), cross_text);
  tensor.def("cross", &crossed, "other"_a, "dim"_a = nb::none(), cross_text);

  m.def(
      "vander",
      [](const Tensor& x, std::optional<std::int64_t> n, bool increasing) {
        if (x.ndim() != 1) throw ShapeError(fmt::format("vander: x has shape {}; it must be 1-d", to_string(x.shape())));
        const std::int64_t count = n.value_or(x.numel());
        if (count < 0) throw ValueError(fmt::format("vander: N is {}; it must be 0 or more", count));
        const Tensor base = x.dtype() == DType::Bool ? x.to(DType::Int64) : x;
        const auto made = [&] { return linalg::vander(base, count > 1 ? count : 2).slice(1, 0, count); };
        const Tensor powers = count > 1 ? made() : no_grad(made);
        if (increasing) return powers;
        const TensorOptions options{.dtype = DType::Int64, .device = x.device()};
        return count == 0 ? powers : powers.index_select(1, arange(Scalar(count - 1), Scalar(std::int64_t{-1}), Scalar(std::int64_t{-1}), options));
      },
      "x"_a, "N"_a = nb::none(), "increasing"_a = false,
      "Rows ..., x^2, x, 1 of N elements, as many as x (n) has where N is not given, or, `increasing`, the other way round: (n) "
      "-> (n, N).\n\n>>> luge.vander(luge.tensor([2, 3]), 3)\ntensor([[4, 2, 1],\n        [9, 3, 1]])");
}

}  // namespace luge::python
