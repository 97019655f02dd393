// Scans, norms and moments on every device: what the samples of tests/agreement do not show of C++.

#include <luge/autograd/grad.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/norm.h>
#include <luge/ops/scan.h>
#include <luge/ops/statistics.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class ScanTensorTest : public DeviceTest {
 protected:
  Tensor numbers(const Shape& shape, DType dtype = float64) {
    return (arange(element_count(shape), on(float64)).reshape(shape) * 1.7).sin().to(dtype);
  }
  void expect_close(const Tensor& a, const Tensor& b, double tolerance = 1e-12) {
    ASSERT_EQ(a.shape(), b.shape());
    const auto x = a.to_vector<double>(), y = b.to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << i;
  }
};
LUGE_ON_EVERY_DEVICE(ScanTensorTest);

TEST_P(ScanTensorTest, DifferencesUndoSums) {
  const Tensor x = numbers({3, 40, 5});
  for (const int dim : {0, 1, 2}) {
    const Tensor zero = zeros_like(x.slice(dim, 0, 1));
    expect_close(diff(cumsum(x, dim), 1, dim, zero), x);
  }
}

TEST_P(ScanTensorTest, ExtremesSayWhereTheyStand) {
  const Tensor x = numbers({4, 30});
  const Extremes largest = cummax(x, 1), smallest = cummin(x, 1);
  expect_close(x.gather(1, largest.indices), largest.values, 0);
  expect_close(x.gather(1, smallest.indices), smallest.values, 0);
  expect_close(cummin(-x, 1).values, -largest.values, 0);
}

TEST_P(ScanTensorTest, GradientOfProductsBesideZeros) {
  Tensor x = tensor({2, 0, 3, 0, 5}, on(float64));
  x.requires_grad_();
  cumprod(x, 0).sum().backward();
  // d/dx0 = 1; d/dx1 = 2 + 2 * 3; behind the second zero's products of others nothing is left.
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{1, 8, 0, 0, 0}));
}

TEST_P(ScanTensorTest, LogarithmsAreThoseOfSums) {
  const Tensor x = numbers({50, 3});
  expect_close(logcumsumexp(x, 0), log(cumsum(exp(x), 0)));
}

TEST_P(ScanTensorTest, HalvesAreRoundedOnce) {
  const Tensor x = numbers({300}, float16);
  expect_close(cumsum(x, 0), cumsum(x.to(float32), 0).to(float16), 0);
  EXPECT_EQ(cumsum(x, 0).dtype(), float16);
}

TEST_P(ScanTensorTest, NormsAndMoments) {
  const Tensor x = numbers({20, 7});
  expect_close(vector_norm(x, 2, 1), sqrt((x * x).sum(1)));
  expect_close(vector_norm(x, 3, 0, true), pow(pow(abs(x), 3.0).sum(0, true), 1.0 / 3));
  const Spread spread = std_mean(x, {0}, 0);
  expect_close(spread.value, x.std({0}, 0));
  expect_close(spread.mean, x.mean(0));
  expect_close(cov(x.t(), 0).reshape({49}).slice(0, 0, 49, 8), x.var({0}, 0));
  EXPECT_EQ(count_nonzero(x > 0).item<std::int64_t>(), (x > 0).sum().item<std::int64_t>());
}

TEST_P(ScanTensorTest, Errors) {
  const Tensor x = numbers({2, 3});
  EXPECT_THROW(cumsum(x, 2), IndexError);
  EXPECT_THROW(logcumsumexp(x.to(int32), 0), DTypeError);
  EXPECT_THROW(diff(x, -1), ValueError);
  EXPECT_THROW(diff(x.sum()), ShapeError);
  EXPECT_THROW(vector_norm(x.to(int32)), DTypeError);
  EXPECT_THROW(vector_norm(x.slice(1, 0, 0), -1), ShapeError);
  EXPECT_THROW(cov(x.reshape({1, 2, 3})), ShapeError);
  EXPECT_THROW(all(x, {0, 0}), IndexError);
  EXPECT_THROW(trapezoid(x, numbers({4})), ShapeError);
}

}  // namespace
}  // namespace luge::test
