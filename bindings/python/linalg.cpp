// luge.linalg: factors, systems and determinants. What PyTorch also has as torch.f is in linalg_names.cpp.

#include <luge/ops/diagonal.h>
#include <luge/ops/linalg.h>
#include <luge/ops/products.h>

#include "linalg.h"

namespace luge::python {

nb::object named(const char* type, const char* fields, std::vector<Tensor> values) {
  static auto& types = *new std::map<std::string, nb::object>;
  nb::object& tuple = types[std::string(type) + fields];
  if (!tuple.is_valid()) tuple = nb::module_::import_("collections").attr("namedtuple")(type, fields);
  nb::list all;
  for (Tensor& value : values) all.append(wrap(std::move(value)));
  return tuple(*all);
}

nb::object named_or_written(const char* op, const char* type, const char* fields, std::vector<Tensor> values, nb::handle out) {
  if (out.is_none()) return named(type, fields, std::move(values));
  nb::object found = nb::steal(PySequence_Tuple(out.ptr()));
  if (!found.is_valid() || nb::len(found) != values.size()) {
    PyErr_Clear();
    throw TypeError(fmt::format("{}: out is of type {}; it must be a tuple of {} tensors", op, type_of(out), values.size()));
  }
  std::vector<Tensor> given;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const nb::object one = nb::borrow(PyTuple_GET_ITEM(found.ptr(), static_cast<Py_ssize_t>(i)));
    written(op, values[i], one);
    given.push_back(as_tensor(one));
  }
  return named(type, fields, std::move(given));
}

bool is_upper(const char* op, const std::string& uplo) {
  if (uplo != "L" && uplo != "U" && uplo != "l" && uplo != "u")
    throw ValueError(fmt::format("{}: UPLO is '{}'; it must be 'L' or 'U'", op, uplo));
  return uplo == "U" || uplo == "u";
}

namespace {

void check_pivots(const char* op, bool pivot) {
  if (!pivot) throw ValueError(fmt::format("{}: pivot is False; only True is there", op));
}

void check_driver(const char* op, const std::optional<std::string>& driver, std::initializer_list<const char*> known) {
  if (!driver) return;
  for (const char* one : known)
    if (*driver == one) return;
  throw ValueError(fmt::format("{}: driver is '{}'; there is no such driver", op, *driver));
}

void bind_factors(nb::module_& own) {
  own.def(
      "cholesky",
      [](const Tensor& a, bool upper, nb::object out) {
        return written("cholesky", unlocked(a, [&] { return linalg::cholesky(a, upper); }), out);
      },
      "input"_a, nb::kw_only(), "upper"_a = false, "out"_a = nb::none(),
      nb::sig("def cholesky(input: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor"),
      "L, lower triangular, with L L^T = input, of matrices (..., n, n) of which the lower triangle is read; or, with `upper`, "
      "U with U^T U = input.\n\nRaises LinAlgError, which names the first matrix that is not positive definite; while a step "
      "is captured such a matrix gets NaN instead.\n\n"
      ">>> luge.linalg.cholesky(luge.tensor([[4.0, 2.0], [2.0, 5.0]]))\ntensor([[2., 0.],\n        [1., 2.]])");
  own.def(
      "cholesky_ex",
      [](const Tensor& a, bool upper, bool check_errors, nb::object out) {
        auto found = unlocked(a, [&] { return linalg::cholesky_ex(a, upper, check_errors); });
        return named_or_written("cholesky_ex", "cholesky_ex", "L info", {found.result, found.info}, out);
      },
      "input"_a, nb::kw_only(), "upper"_a = false, "check_errors"_a = false, "out"_a = nb::none(),
      nb::sig("def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False, out: tuple[Tensor, ...] | None "
              "= None) -> tuple[Tensor, Tensor]"),
      "cholesky as a pair (L, info) that does not raise: info is 0, or how many rows and columns it takes for a matrix that "
      "is not positive definite, which gets NaN.\n\n"
      ">>> luge.linalg.cholesky_ex(luge.tensor([[-1.0]])).info\ntensor(1, dtype=int32)");
  own.def(
      "lu",
      [](const Tensor& a, bool pivot, nb::object out) {
        check_pivots("lu", pivot);
        auto found = unlocked(a, [&] { return linalg::lu(a); });
        return named_or_written("lu", "lu", "P L U", {found.p, found.l, found.u}, out);
      },
      "A"_a, nb::kw_only(), "pivot"_a = true, "out"_a = nb::none(),
      nb::sig("def lu(A: Tensor, *, pivot: bool = True, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, Tensor, Tensor]"),
      "(P, L, U) with A = P L U: a permutation, a lower triangular matrix with ones on its diagonal and an upper triangular "
      "one.\n\n>>> luge.linalg.lu(luge.tensor([[1.0, 2.0], [2.0, 2.0]])).U\ntensor([[2., 2.],\n        [0., 1.]])");
  own.def(
      "lu_factor",
      [](const Tensor& a, bool pivot, nb::object out) {
        check_pivots("lu_factor", pivot);
        auto found = unlocked(a, [&] { return linalg::lu_factor(a); });
        return named_or_written("lu_factor", "lu_factor", "LU pivots", {found.factors, found.pivots}, out);
      },
      "A"_a, nb::kw_only(), "pivot"_a = true, "out"_a = nb::none(),
      nb::sig("def lu_factor(A: Tensor, *, pivot: bool = True, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, Tensor]"),
      "(LU, pivots): L without its ones and U in one matrix, and with which row, counted from 1, each row changed places.\n\n"
      "Raises LinAlgError for a singular matrix.\n\n"
      ">>> luge.linalg.lu_factor(luge.tensor([[1.0, 2.0], [2.0, 2.0]])).pivots\ntensor([2, 2], dtype=int32)");
  own.def(
      "lu_factor_ex",
      [](const Tensor& a, bool pivot, bool check_errors, nb::object out) {
        check_pivots("lu_factor_ex", pivot);
        auto found = unlocked(a, [&] { return linalg::lu_factor_ex(a, check_errors); });
        return named_or_written("lu_factor_ex", "lu_factor_ex", "LU pivots info", {found.factors, found.pivots, found.info}, out);
      },
      "A"_a, nb::kw_only(), "pivot"_a = true, "check_errors"_a = false, "out"_a = nb::none(),
      nb::sig("def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: tuple[Tensor, ...] | None = "
              "None) -> tuple[Tensor, Tensor, Tensor]"),
      "lu_factor as (LU, pivots, info) that does not raise: info is 0, or the first pivot that is zero, counted from 1.\n\n"
      ">>> luge.linalg.lu_factor_ex(luge.zeros(2, 2)).info\ntensor(1, dtype=int32)");
  own.def(
      "lu_solve",
      [](const Tensor& factors, const Tensor& pivots, const Tensor& b, bool left, bool adjoint, nb::object out) {
        return written("lu_solve", unlocked(b, [&] { return linalg::lu_solve(factors, pivots, b, left, adjoint); }), out);
      },
      "LU"_a, "pivots"_a, "B"_a, nb::kw_only(), "left"_a = true, "adjoint"_a = false, "out"_a = nb::none(),
      nb::sig("def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Tensor | "
              "None = None) -> Tensor"),
      "A^-1 B of what lu_factor gives for A; B A^-1 unless `left`; with A^T in place of A if `adjoint`.\n\n"
      ">>> factors = luge.linalg.lu_factor(luge.tensor([[0.0, 2.0], [1.0, 0.0]]))\n"
      ">>> luge.linalg.lu_solve(*factors, luge.tensor([[2.0], [3.0]]))\ntensor([[3.],\n        [1.]])");
  own.def(
      "qr",
      [](const Tensor& a, const std::string& mode, nb::object out) {
        auto found = unlocked(a, [&] { return linalg::qr(a, mode); });
        return named_or_written("qr", "qr", "Q R", {found.q, found.r}, out);
      },
      "A"_a, "mode"_a = "reduced", nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def qr(A: Tensor, mode: str = 'reduced', *, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, Tensor]"),
      "(Q, R) with A = Q R, the columns of Q orthonormal, R upper triangular: of (..., m, n), with k = min(m, n), 'reduced' "
      "Q (m, k) and R (k, n), 'complete' Q (m, m) and R (m, n), 'r' an empty Q and the reduced R. Signs are LAPACK's.\n\n"
      "Raises ValueError for another mode.\n\n"
      ">>> luge.linalg.qr(luge.tensor([[3.0], [4.0]])).R\ntensor([[-5.]])");
  own.def(
      "householder_product",
      [](const Tensor& a, const Tensor& tau, nb::object out) {
        return written("householder_product", unlocked(a, [&] { return linalg::householder_product(a, tau); }), out);
      },
      "input"_a, "tau"_a, nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def householder_product(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor"),
      "The first n columns of the product of the reflections 1 - tau v v^T, whose vectors stand below the diagonal of input "
      "(..., m, n), with ones on it.\n\n"
      ">>> luge.linalg.householder_product(luge.zeros(2, 1), luge.tensor([2.0]))\ntensor([[-1.],\n        [ 0.]])");
  own.def(
      "eigh",
      [](const Tensor& a, const std::string& uplo, nb::object out) {
        const bool upper = is_upper("eigh", uplo);
        auto found = unlocked(a, [&] { return linalg::eigh(a, upper); });
        return named_or_written("eigh", "eigh", "eigenvalues eigenvectors", {found.values, found.vectors}, out);
      },
      "input"_a, "UPLO"_a = "L", nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def eigh(input: Tensor, UPLO: str = 'L', *, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, Tensor]"),
      "(eigenvalues, eigenvectors) of symmetric matrices, of which the lower triangle is read, or the upper one for 'U': "
      "ascending values, and vectors of length 1 as columns, whose signs are any. The gradient of vectors is infinite or NaN "
      "where eigenvalues are equal.\n\nRaises LinAlgError for a matrix that is not finite.\n\n"
      ">>> luge.linalg.eigh(luge.tensor([[0.0, 2.0], [2.0, 0.0]])).eigenvalues\ntensor([-2.,  2.])");
  own.def(
      "eigvalsh",
      [](const Tensor& a, const std::string& uplo, nb::object out) {
        const bool upper = is_upper("eigvalsh", uplo);
        return written("eigvalsh", unlocked(a, [&] { return linalg::eigvalsh(a, upper); }), out);
      },
      "input"_a, "UPLO"_a = "L", nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def eigvalsh(input: Tensor, UPLO: str = 'L', *, out: Tensor | None = None) -> Tensor"),
      "The eigenvalues of symmetric matrices, ascending; see eigh.\n\n"
      ">>> luge.linalg.eigvalsh(luge.tensor([[0.0, 2.0], [2.0, 0.0]]))\ntensor([-2.,  2.])");
  own.def(
      "svd",
      [](const Tensor& a, bool full_matrices, const std::optional<std::string>& driver, nb::object out) {
        check_driver("svd", driver, {"gesvd", "gesvdj", "gesvda"});
        auto found = unlocked(a, [&] { return linalg::svd(a, full_matrices); });
        return named_or_written("svd", "svd", "U S Vh", {found.u, found.s, found.vh}, out);
      },
      "A"_a, "full_matrices"_a = true, nb::kw_only(), "driver"_a = nb::none(), "out"_a = nb::none(),
      nb::sig("def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: tuple[Tensor, ...] | None = "
              "None) -> tuple[Tensor, Tensor, Tensor]"),
      "(U, S, Vh) with A = U diag(S) Vh, S descending, the columns of U and the rows of Vh orthonormal: square ones, or, without "
      "full_matrices, min(m, n) of each. Signs are any; `driver` changes nothing. The gradients of U and Vh are infinite or NaN "
      "where singular values are equal.\n\nRaises LinAlgError for a matrix that is not finite.\n\n"
      ">>> luge.linalg.svd(luge.tensor([[0.0, 2.0], [1.0, 0.0]])).S\ntensor([2., 1.])");
  own.def(
      "svdvals",
      [](const Tensor& a, const std::optional<std::string>& driver, nb::object out) {
        check_driver("svdvals", driver, {"gesvd", "gesvdj", "gesvda"});
        return written("svdvals", unlocked(a, [&] { return linalg::svdvals(a); }), out);
      },
      "A"_a, nb::kw_only(), "driver"_a = nb::none(), "out"_a = nb::none(),
      nb::sig("def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor"),
      "The singular values of matrices, descending; see svd.\n\n"
      ">>> luge.linalg.svdvals(luge.tensor([[0.0, 2.0], [1.0, 0.0]]))\ntensor([2., 1.])");
}

void bind_systems(nb::module_& own) {
  own.def(
      "solve",
      [](const Tensor& a, const Tensor& b, bool left, nb::object out) {
        return written("solve", unlocked(b, [&] { return linalg::solve(a, b, left); }), out);
      },
      "A"_a, "B"_a, nb::kw_only(), "left"_a = true, "out"_a = nb::none(),
      nb::sig("def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor"),
      "A^-1 B of matrices (..., n, n) and (..., n, k), whose batches broadcast; or, unless `left`, B A^-1. A B of A's shape "
      "without the last size, or a 1-d one, is a batch of vectors.\n\nRaises LinAlgError, which names the first matrix that is "
      "singular; while a step is captured such a matrix gives infinities or NaN instead.\n\n"
      ">>> luge.linalg.solve(luge.tensor([[2.0, 0.0], [0.0, 4.0]]), luge.tensor([2.0, 2.0]))\ntensor([1.0000, 0.5000])");
  own.def(
      "solve_ex",
      [](const Tensor& a, const Tensor& b, bool left, bool check_errors, nb::object out) {
        auto found = unlocked(b, [&] { return linalg::solve_ex(a, b, left, check_errors); });
        return named_or_written("solve_ex", "solve_ex", "result info", {found.result, found.info}, out);
      },
      "A"_a, "B"_a, nb::kw_only(), "left"_a = true, "check_errors"_a = false, "out"_a = nb::none(),
      nb::sig("def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: tuple[Tensor, ...] | "
              "None = None) -> tuple[Tensor, Tensor]"),
      "solve as a pair (result, info) that does not raise: info is 0, or the first pivot that is zero, counted from 1.\n\n"
      ">>> luge.linalg.solve_ex(luge.zeros(1, 1), luge.ones(1, 1)).info\ntensor(1, dtype=int32)");
  own.def(
      "solve_triangular",
      [](const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular, nb::object out) {
        return written("solve_triangular",
                       unlocked(b, [&] { return linalg::solve_triangular(a, b, upper, left, unitriangular); }), out);
      },
      "input"_a, "B"_a, nb::kw_only(), "upper"_a, "left"_a = true, "unitriangular"_a = false, "out"_a = nb::none(),
      nb::sig("def solve_triangular(input: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, "
              "out: Tensor | None = None) -> Tensor"),
      "input^-1 B of triangular matrices, of which only that triangle is read, without the diagonal if `unitriangular`; or, "
      "unless `left`, B input^-1. Batches broadcast. A zero on the diagonal gives infinities or NaN.\n\n"
      ">>> luge.linalg.solve_triangular(luge.tensor([[2.0, 0.0], [1.0, 1.0]]), luge.tensor([[2.0], [3.0]]), upper=False)\n"
      "tensor([[1.],\n        [2.]])");
  own.def(
      "inv",
      [](const Tensor& a, nb::object out) { return written("inv", unlocked(a, [&] { return linalg::inv(a); }), out); },
      "A"_a, nb::kw_only(), "out"_a = nb::none(), nb::sig("def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor"),
      "The inverses of matrices (..., n, n).\n\nRaises LinAlgError, which names the first matrix that is singular; while a step "
      "is captured such a matrix gives infinities or NaN instead.\n\n"
      ">>> luge.linalg.inv(luge.tensor([[2.0, 0.0], [0.0, 4.0]]))\ntensor([[0.5000, 0.0000],\n        [0.0000, 0.2500]])");
  own.def(
      "inv_ex",
      [](const Tensor& a, bool check_errors, nb::object out) {
        auto found = unlocked(a, [&] { return linalg::inv_ex(a, check_errors); });
        return named_or_written("inv_ex", "inv_ex", "inverse info", {found.result, found.info}, out);
      },
      "A"_a, nb::kw_only(), "check_errors"_a = false, "out"_a = nb::none(),
      nb::sig("def inv_ex(A: Tensor, *, check_errors: bool = False, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, "
              "Tensor]"),
      "inv as a pair (inverse, info) that does not raise: info is 0, or the first pivot that is zero, counted from 1.\n\n"
      ">>> luge.linalg.inv_ex(luge.zeros(1, 1)).info\ntensor(1, dtype=int32)");
  own.def(
      "det",
      [](const Tensor& a, nb::object out) { return written("det", unlocked(a, [&] { return linalg::det(a); }), out); },
      "A"_a, nb::kw_only(), "out"_a = nb::none(), nb::sig("def det(A: Tensor, *, out: Tensor | None = None) -> Tensor"),
      "The determinants of matrices (..., n, n). The gradient is right for singular matrices, too; its own gradient is not.\n\n"
      ">>> luge.linalg.det(luge.tensor([[2.0, 1.0], [1.0, 3.0]]))\ntensor(5.)");
  own.def(
      "slogdet",
      [](const Tensor& a, nb::object out) {
        auto found = unlocked(a, [&] { return linalg::slogdet(a); });
        return named_or_written("slogdet", "slogdet", "sign logabsdet", {found.sign, found.logabsdet}, out);
      },
      "A"_a, nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def slogdet(A: Tensor, *, out: tuple[Tensor, ...] | None = None) -> tuple[Tensor, Tensor]"),
      "(sign, logabsdet) of determinants, which are sign * exp(logabsdet): 0 and -inf for a singular matrix.\n\n"
      ">>> luge.linalg.slogdet(luge.tensor([[0.0, 1.0], [1.0, 0.0]])).sign\ntensor(-1.)");
  own.def(
      "lstsq",
      [](const Tensor& a, const Tensor& b, std::optional<double> rcond, const std::optional<std::string>& driver) {
        check_driver("lstsq", driver, {"gels", "gelsy", "gelsd", "gelss"});
        const bool wants_values = driver && (*driver == "gelsd" || *driver == "gelss");
        const bool wants_residuals = driver && *driver != "gelsy";
        auto found = unlocked(a, [&] { return linalg::lstsq(a, b, rcond, wants_residuals, wants_values); });
        const bool has_rank = !driver || *driver != "gels";
        return named("lstsq", "solution residuals rank singular_values",
                     {found.solution, found.residuals, has_rank ? found.rank : found.rank.reshape({-1}).slice(0, 0, 0), found.singular_values});
      },
      "input"_a, "b"_a, "rcond"_a = nb::none(), nb::kw_only(), "driver"_a = nb::none(),
      nb::sig("def lstsq(input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None) -> tuple[Tensor, "
              "Tensor, Tensor, Tensor]"),
      "(solution, residuals, rank, singular_values) of least squares: the x that makes |input x - b| least, and of those the "
      "shortest, by singular values, those up to rcond times the greatest taken for zero. residuals: for the drivers 'gels', "
      "'gelsd' and 'gelss', if every matrix (m, n) has rank n < m, the sums of squares of the columns of input x - b, else empty; "
      "rank: empty for 'gels'; singular_values: empty but for 'gelsd' and 'gelss'.\n\n"
      ">>> luge.linalg.lstsq(luge.tensor([[1.0], [1.0]]), luge.tensor([[1.0], [3.0]])).solution\ntensor([[2.0000]])");
}

void bind_products(nb::module_& own) {
  own.def(
      "multi_dot",
      [](nb::handle tensors, nb::handle out) {
        if (!nb::isinstance<nb::list>(tensors) && !nb::isinstance<nb::tuple>(tensors))
          throw TypeError(fmt::format("multi_dot: tensors is of type {}; it must be a list or a tuple of tensors", type_of(tensors)));
        std::vector<Tensor> given;
        for (const nb::handle one : nb::borrow(tensors)) {
          if (!is_tensor(one)) throw TypeError(fmt::format("multi_dot: an element is of type {}; all must be tensors", type_of(one)));
          given.push_back(as_tensor(one));
        }
        Tensor result = unlocked(given.empty() ? Tensor() : given[0], [&] { return multi_dot(given); });
        return written("multi_dot", std::move(result), out);
      },
      "tensors"_a, nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor"),
      "The product of two or more matrices in the order that takes the fewest multiplications; the first may be a row, the last a "
      "column, given as vectors. Raises ShapeError, ValueError for fewer than two.\n\n"
      ">>> luge.linalg.multi_dot([luge.ones(1, 2), luge.ones(2, 3), luge.ones(3)])\ntensor([6.])");
  own.def(
      "diagonal",
      [](const Tensor& a, std::int64_t offset, int dim1, int dim2) { return diagonal(a, offset, dim1, dim2); }, "A"_a,
      nb::kw_only(), "offset"_a = 0, "dim1"_a = -2, "dim2"_a = -1,
      "luge.diagonal() of the last two dimensions: a view of the elements [i, i + offset] of each matrix, in a new last "
      "dimension.\n\n"
      ">>> luge.linalg.diagonal(luge.tensor([[1, 2], [3, 4]]))\ntensor([1, 4])");
}

}  // namespace

void bind_linalg(nb::module_& m, nb::class_<Tensor>& tensor) {
  nb::module_ own = m.def_submodule("_linalg", "Linear algebra.");
  bind_factors(own);
  bind_systems(own);
  bind_norms(own);
  bind_products(own);
  bind_linalg_names(m, tensor);
}

}  // namespace luge::python
