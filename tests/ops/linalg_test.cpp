// Linear algebra on every device: factors whose product is the matrix, derivatives, errors, steps that are captured.
// tests/kernels/factorize_test.cpp has the calls, tests/agreement the values of PyTorch.

#include <luge/ops/linalg.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class LinalgTest : public DeviceTest {
 protected:
  Tensor numbers(const Shape& shape, double phase = 0, DType dtype = float64) {
    return (arange(element_count(shape), on(float64)) * 37 + phase).sin().view(shape).to(dtype);
  }
  Tensor regular(const Shape& shape, double phase = 0, DType dtype = float64) {
    return numbers(shape, phase, dtype) + 2 * eye(shape.back(), on(dtype));
  }
  Tensor definite(const Tensor& x) {
    return x.matmul(x.transpose(-2, -1)) + 2 * eye(x.size(-2), on(x.dtype()));
  }
  ::testing::AssertionResult near(const Tensor& actual, const Tensor& expected, double tolerance = 1e-9) {
    return has_values(actual, expected.shape(), expected.dtype(), expected.to_vector<double>(), tolerance);
  }
  std::string message(const std::function<void()>& f) {
    try {
      f();
    } catch (const LinAlgError& error) {
      return error.what();
    }
    return "nothing";
  }
};
LUGE_ON_EVERY_DEVICE(LinalgTest);

TEST_P(LinalgTest, FactorsGiveTheMatricesBack) {
  for (const Shape& shape : {Shape{3, 3}, Shape{2, 5, 5}, Shape{2, 1, 33, 33}}) {
    SCOPED_TRACE(to_string(shape));
    const std::int64_t n = shape.back();
    const Tensor a = regular(shape), s = definite(numbers(shape)), t = numbers(shape).slice(-1, 0, (n + 1) / 2);
    const Tensor lower = linalg::cholesky(s), upper = linalg::cholesky(s, true);
    EXPECT_TRUE(near(lower.matmul(lower.transpose(-2, -1)), s));
    EXPECT_TRUE(near(upper.transpose(-2, -1).matmul(upper), s));
    const linalg::Lu lu = linalg::lu(a);
    EXPECT_TRUE(near(lu.p.matmul(lu.l).matmul(lu.u), a));
    const linalg::Qr qr = linalg::qr(t), complete = linalg::qr(t, "complete");
    EXPECT_TRUE(near(qr.q.matmul(qr.r), t));
    EXPECT_TRUE(near(complete.q.matmul(complete.r), t));
    const linalg::Eigen eigen = linalg::eigh(s);
    EXPECT_TRUE(near(eigen.vectors.matmul(eigen.values.unsqueeze(-1) * eigen.vectors.transpose(-2, -1)), s));
    const linalg::Svd svd = linalg::svd(t, false);
    EXPECT_TRUE(near(svd.u.matmul(svd.s.unsqueeze(-1) * svd.vh), t));
    EXPECT_TRUE(near(linalg::svdvals(t), svd.s));
    EXPECT_TRUE(near(linalg::eigvalsh(s), eigen.values));
    EXPECT_TRUE(near(t.matmul(linalg::pinv(t)).matmul(t), t));
  }
}

TEST_P(LinalgTest, SystemsAreSolved) {
  for (const Shape& shape : {Shape{1, 1}, Shape{4, 4}, Shape{3, 8, 8}, Shape{2, 40, 40}}) {
    SCOPED_TRACE(to_string(shape));
    const std::int64_t n = shape.back();
    const Tensor a = regular(shape), s = definite(numbers(shape)), b = numbers({n, 3}, 5), row = numbers({1, 4, n}, 6);
    EXPECT_TRUE(near(a.matmul(linalg::solve(a, b)), b.expand(a.matmul(b).shape())));
    EXPECT_TRUE(near(linalg::solve(a, row, false).matmul(a), row.expand(row.matmul(a).shape())));
    EXPECT_TRUE(near(a.matmul(linalg::inv(a)), eye(n, on(float64)).expand(shape)));
    EXPECT_TRUE(near(s.matmul(linalg::cholesky_solve(b, linalg::cholesky(s))), b.expand(s.matmul(b).shape())));
    EXPECT_TRUE(near(s.matmul(linalg::cholesky_inverse(linalg::cholesky(s, true), true)), eye(n, on(float64)).expand(shape)));
    const linalg::LuFactors lu = linalg::lu_factor(a);
    for (const bool adjoint : {false, true}) {
      const Tensor used = adjoint ? a.transpose(-2, -1) : a;
      EXPECT_TRUE(near(used.matmul(linalg::lu_solve(lu.factors, lu.pivots, b, true, adjoint)), b.expand(a.matmul(b).shape())));
    }
    const linalg::SignAndLog log = linalg::slogdet(a);
    EXPECT_TRUE(near(log.sign * exp(log.logabsdet), linalg::det(a)));
  }
}

TEST_P(LinalgTest, DerivativesAgreeWithDifferences) {
  const auto agree = [&](const std::function<Tensor(const std::vector<Tensor>&)>& f, const std::vector<Tensor>& inputs) {
    std::vector<Tensor> leaves;
    for (const Tensor& x : inputs) leaves.push_back(x.clone().requires_grad_(true));
    return gradients_agree(f, leaves);
  };
  const auto turned = [](const Tensor& x) { return x.transpose(-2, -1); };
  const Tensor a = regular({2, 2, 2}), b = numbers({2, 1}, 3), t = numbers({3, 2}, 1);
  EXPECT_TRUE(agree([&](const auto& x) { return linalg::cholesky(definite(x[0])); }, {a}));
  EXPECT_TRUE(agree([&](const auto& x) { return linalg::cholesky(definite(x[0]), true); }, {a}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::solve(x[0], x[1]); }, {a, b}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::solve(x[0], x[1], false); }, {a, numbers({1, 2}, 4)}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::inv(x[0]); }, {a}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::det(x[0]); }, {a}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::slogdet(x[0]).logabsdet; }, {a}));
  for (const bool upper : {false, true})
    for (const bool left : {false, true})
      for (const bool unit : {false, true})
        EXPECT_TRUE(agree([&](const auto& x) { return linalg::solve_triangular(x[0], x[1], upper, left, unit); },
                          {a, left ? b : numbers({1, 2}, 4)}));
  for (const Shape& shape : {Shape{2, 2}, Shape{3, 2}, Shape{2, 3}}) {
    SCOPED_TRACE(to_string(shape));
    const Tensor x = numbers(shape, 2);
    EXPECT_TRUE(agree([](const auto& in) { return linalg::lu_factor_ex(in[0]).factors; }, {x}));
    EXPECT_TRUE(agree([](const auto& in) { return linalg::qr(in[0]).q; }, {x}));
    EXPECT_TRUE(agree([](const auto& in) { return linalg::qr(in[0]).r; }, {x}));
    EXPECT_TRUE(agree([](const auto& in) { return linalg::svdvals(in[0]); }, {x}));
    EXPECT_TRUE(agree([](const auto& in) { return linalg::svd(in[0], false).u; }, {x}));
    EXPECT_TRUE(agree([](const auto& in) { return linalg::svd(in[0], false).vh; }, {x}));
    EXPECT_TRUE(agree([](const auto& in) { return linalg::pinv(in[0]); }, {x}));
  }
  EXPECT_TRUE(agree([&](const auto& x) { return linalg::eigh(x[0] + turned(x[0])).vectors; }, {a}));
  EXPECT_TRUE(agree([&](const auto& x) { return linalg::eigvalsh(x[0] + turned(x[0])); }, {a}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::matrix_exp(x[0]); }, {a}));
  EXPECT_TRUE(agree([](const auto& x) { return linalg::householder_product(x[0], x[1]); }, {t, numbers({2}, 8)}));
}

/// The gradient of a determinant is the matrix of cofactors, which singular matrices have, too.
TEST_P(LinalgTest, GradientOfTheDeterminantOfASingularMatrix) {
  for (const auto& [values, cofactors] : {std::pair<std::vector<double>, std::vector<double>>{{1, 2, 2, 4}, {4, -2, -2, 1}},
                                          {{0, 0, 0, 5}, {5, 0, 0, 0}},
                                          {{0, 0, 0, 0}, {0, 0, 0, 0}}}) {
    Tensor x = from_host(values, {2, 2}, device());
    x.requires_grad_(true);
    linalg::det(x).backward();
    EXPECT_TRUE(has_values(x.grad(), {2, 2}, float64, cofactors, 1e-14));
  }
}

TEST_P(LinalgTest, ErrorsNameTheFirstMatrixThatFails) {
  const Tensor good = eye(2, on()), bad = full({2, 2}, 1, on());
  const Tensor both = stack({good, bad, bad}).view({3, 1, 2, 2});
  EXPECT_EQ(message([&] { linalg::cholesky(bad - 2 * good); }),
            "cholesky: the matrix is not positive definite: its leading minor of order 1 is not");
  EXPECT_EQ(message([&] { linalg::cholesky(both - 0.5 * good); }),
            "cholesky: matrix 1 of the batch (3, 1) is not positive definite: its leading minor of order 2 is not");
  EXPECT_EQ(message([&] { linalg::inv(both); }), "inv: matrix 1 of the batch (3, 1) is singular: pivot 2 is zero");
  EXPECT_EQ(message([&] { linalg::solve(bad, good); }), "solve: the matrix is singular: pivot 2 is zero");
  EXPECT_EQ(message([&] { linalg::eigh(good * kNaN); }),
            "eigh: the matrix has no result: it is not finite, or the search did not converge (info 1)");
  EXPECT_THROW(linalg::cholesky(numbers({2, 3})), ShapeError);
  EXPECT_THROW(linalg::cholesky(numbers({3})), ShapeError);
  EXPECT_THROW(linalg::inv(good.to(float16)), DTypeError);
  EXPECT_THROW(linalg::solve(good, good.to(float64)), DTypeError);
  EXPECT_THROW(linalg::solve_triangular(good, numbers({3, 1}, 0, float32), true), ShapeError);
  EXPECT_THROW(linalg::qr(good, "all"), ValueError);
}

/// A captured step reads nothing: what cannot be factored is NaN, and what can is replayed.
TEST_P(LinalgTest, CapturedStepsDoNotCheck) {
  Tensor x = from_host(std::vector<double>{4, 2, 2, 5}, {2, 2}, device());
  const Tensor eager = linalg::solve(x, linalg::cholesky(x));
  auto step = capture([&] { return linalg::solve(x, linalg::cholesky(x)); });
  EXPECT_TRUE(same(step(), eager));
  EXPECT_TRUE(same(step(), eager));
  x.copy_(from_host(std::vector<double>{-4, 2, 2, 5}, {2, 2}, device()));
  EXPECT_TRUE(std::isnan(step().select(0, 0).select(0, 0).item<double>()));
  EXPECT_THROW(capture([&] { return linalg::matrix_exp(x); })(), CaptureError);
}

/// Law 7: a matrix's results and gradients are those that it has alone.
TEST_P(LinalgTest, MatricesDoNotSeeEachOther) {
  for (const std::int64_t n : {3, 8, 17}) {
    const auto results = [&](const Tensor& from, const Tensor& b) {
      Tensor leaf = from.clone().requires_grad_(true);
      const Tensor x = linalg::cholesky_solve(b, linalg::cholesky(definite(leaf))), y = linalg::solve(leaf, b);
      (x.sum() + y.sum() + linalg::slogdet(leaf).logabsdet.sum()).backward();
      return std::pair(x + y, leaf.grad());
    };
    const Tensor all = regular({21, n, n}, 1, float32), b = numbers({21, n, 2}, 2, float32);
    const auto [whole, whole_gradient] = results(all, b);
    for (const std::int64_t i : {0, 7, 20}) {
      const auto [one, gradient] = results(all.slice(0, i, i + 1), b.slice(0, i, i + 1));
      EXPECT_TRUE(same(one, whole.slice(0, i, i + 1)));
      EXPECT_TRUE(same(gradient, whole_gradient.slice(0, i, i + 1)));
    }
  }
}

TEST_P(LinalgTest, NothingToFactor) {
  for (const Shape& shape : {Shape{0, 0}, Shape{0, 3, 3}, Shape{2, 0, 0}}) {
    SCOPED_TRACE(to_string(shape));
    const Tensor x = empty(shape, on(float64));
    EXPECT_EQ(linalg::cholesky(x).shape(), shape);
    EXPECT_EQ(linalg::inv(x).shape(), shape);
    EXPECT_EQ(linalg::solve(x, x).shape(), shape);
    EXPECT_EQ(linalg::qr(x).q.shape(), shape);
    EXPECT_EQ(linalg::eigh(x).vectors.shape(), shape);
    EXPECT_EQ(linalg::svd(x).u.shape(), shape);
    EXPECT_EQ(linalg::lu(x).l.shape(), shape);
    EXPECT_EQ(linalg::matrix_exp(x).shape(), shape);
  }
  EXPECT_TRUE(has_values(linalg::det(empty({2, 0, 0}, on())), {2}, float32, {1, 1}));
  EXPECT_TRUE(has_values(linalg::svd(empty({2, 0}, on())).u, {2, 2}, float32, {1, 0, 0, 1}));
  EXPECT_TRUE(has_values(linalg::qr(empty({2, 0}, on()), "complete").q, {2, 2}, float32, {1, 0, 0, 1}));
}

}  // namespace
}  // namespace luge::test
