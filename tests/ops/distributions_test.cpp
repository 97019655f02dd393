// Draws from distributions: their moments against those of the formulas, the generator that they come from, errors.

#include <luge/ops/distributions.h>
#include <luge/ops/generator.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr std::int64_t kDraws = 20'000;

/// Six standard errors: 1 in 500 million draws of a right distribution is beyond.
double six_errors(double deviation) { return 6 * deviation / std::sqrt(static_cast<double>(kDraws)); }

class DistributionsTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    manual_seed(7);
  }
};
LUGE_ON_EVERY_DEVICE(DistributionsTest);

double mean_drawn(const Tensor& x) { return x.to(float64).mean().item<double>(); }

TEST_P(DistributionsTest, Moments) {
  for (const DType dtype : {float32, float64}) {
    SCOPED_TRACE(name(dtype));
    EXPECT_NEAR(mean_drawn(normal(2, 3, {kDraws}, on(dtype))), 2, six_errors(3));
    EXPECT_NEAR(mean_drawn(square(normal(0, 3, {kDraws}, on(dtype)))), 9, six_errors(9 * std::sqrt(2)));
    EXPECT_NEAR(mean_drawn(uniform(-1, 3, {kDraws}, on(dtype))), 1, six_errors(4 / std::sqrt(12)));
    EXPECT_NEAR(mean_drawn(exponential(4, {kDraws}, on(dtype))), 0.25, six_errors(0.25));
    EXPECT_NEAR(mean_drawn(geometric(0.25, {kDraws}, on(dtype))), 4, six_errors(std::sqrt(12)));
    EXPECT_NEAR(mean_drawn(log(log_normal(1, 0.5, {kDraws}, on(dtype)))), 1, six_errors(0.5));
    // The median has the deviation of the sign's mean over twice the density there.
    EXPECT_NEAR(mean_drawn(cauchy(3, 2, {kDraws}, on(dtype)) < 3), 0.5, six_errors(0.5));
    EXPECT_NEAR(mean_drawn(bernoulli(full({kDraws}, 0.3, on(dtype)))), 0.3, six_errors(std::sqrt(0.21)));
    EXPECT_GE(geometric(0.25, {kDraws}, on(dtype)).min().item<double>(), 1);
    EXPECT_GT(exponential(1, {kDraws}, on(dtype)).min().item<double>(), 0);
  }
}

TEST_P(DistributionsTest, ElementsHaveTheirOwnParameters) {
  const Tensor mean = tensor({1, 2}, on()).view({2, 1}), std = zeros({3}, on());
  EXPECT_TRUE(has_values(normal(mean, std), {2, 3}, float32, {1, 1, 1, 2, 2, 2}));
  EXPECT_TRUE(has_values(normal(5, std), {3}, float32, {5, 5, 5}));
  EXPECT_TRUE(has_values(normal(mean, 0), {2, 1}, float32, {1, 2}));
  EXPECT_TRUE(has_values(bernoulli(tensor({0, 1}, on(float64))), {2}, float64, {0, 1}));
}

TEST_P(DistributionsTest, CategoriesComeAsOftenAsTheirWeightsSay) {
  const Tensor weights = tensor({{1, 0, 3, 0}, {0, 2, 0, 2}}, on());
  const Tensor drawn = multinomial(weights, kDraws, true);
  ASSERT_EQ(drawn.shape(), (Shape{2, kDraws}));
  EXPECT_NEAR(mean_drawn(drawn[0].eq(2)), 0.75, six_errors(std::sqrt(0.1875)));
  EXPECT_EQ(mean_drawn(logical_or(drawn[0].eq(0), drawn[0].eq(2))), 1);
  EXPECT_EQ(mean_drawn(logical_or(drawn[1].eq(1), drawn[1].eq(3))), 1);
  // Without replacement each comes once; the heavier one first in 3 of 4 rows.
  const Tensor rows = multinomial(tensor({1, 0, 3}, on()).expand({kDraws, 3}), 2);
  EXPECT_EQ(mean_drawn(rows.sum(1)), 2);
  EXPECT_NEAR(mean_drawn(rows.select(1, 0).eq(2)), 0.75, six_errors(std::sqrt(0.1875)));
}

TEST_P(DistributionsTest, AGeneratorOfItsOwnLeavesTheGlobalOneAlone) {
  const Tensor expected = rand({3}, on());
  manual_seed(7);
  Generator generator{.seed = 11};
  Tensor first, second, order;
  {
    const DrawFrom draws(generator);
    first = rand({3}, on());
    second = bernoulli(full({8}, 0.5, on()));
    order = randperm(5);
  }
  EXPECT_EQ(generator.drawn, 3u);
  EXPECT_TRUE(same(rand({3}, on()), expected));
  generator.drawn = 0;
  const DrawFrom draws(generator);
  EXPECT_TRUE(same(rand({3}, on()), first));
  EXPECT_TRUE(same(bernoulli(full({8}, 0.5, on())), second));
  EXPECT_TRUE(same(randperm(5), order));
}

TEST_P(DistributionsTest, ReplaysDrawAnew) {
  const Tensor weights = tensor({1, 1, 1, 1}, on());
  auto step = capture([&] { return multinomial(weights, 64, true); });
  const Tensor first = step().clone();
  const Tensor second = step().clone();
  EXPECT_FALSE(same(first, second));
  Generator generator{.seed = 11};
  auto own = capture([&] {
    const DrawFrom draws(generator);
    return rand({3}, on());
  });
  expect_errors({LUGE_ERROR(CaptureError, "rand.*generator", own())});
}

TEST_P(DistributionsTest, Errors) {
  const Tensor x = ones({3}, on());
  expect_errors({
      LUGE_ERROR(DTypeError, "bernoulli: input is int64; it must be floating", bernoulli(arange(3, on(int64)))),
      LUGE_ERROR(DTypeError, "multinomial: input is int64", multinomial(arange(3, on(int64)), 1)),
      LUGE_ERROR(ShapeError, "multinomial: input has shape", multinomial(ones({2, 2, 2}, on()), 1)),
      LUGE_ERROR(ShapeError, "multinomial: input has shape", multinomial(ones({0}, on()), 1)),
      LUGE_ERROR(ValueError, "multinomial: num_samples is 0; it must be 1 or more", multinomial(x, 0)),
      LUGE_ERROR(ValueError, "multinomial: num_samples is 4 and input has 3 categories", multinomial(x, 4)),
      LUGE_ERROR(ValueError, "normal: std is -1", normal(0, -1, {2}, on())),
      LUGE_ERROR(ValueError, "uniform: low is 2 and high is 1", uniform(2, 1, {2}, on())),
      LUGE_ERROR(ValueError, "exponential: rate is 0", exponential(0, {2}, on())),
      LUGE_ERROR(ValueError, "geometric: p is 1", geometric(1, {2}, on())),
      LUGE_ERROR(ValueError, "log_normal: std is 0", log_normal(0, 0, {2}, on())),
      LUGE_ERROR(ValueError, "cauchy: scale is -1", cauchy(0, -1, {2}, on())),
  });
  if (!device().is_cpu()) return;
  expect_errors({
      LUGE_ERROR(ValueError, "bernoulli: input has a probability outside", bernoulli(full({2}, 1.5, on()))),
      LUGE_ERROR(ValueError, "bernoulli: input has a probability outside", bernoulli(full({2}, kNaN, on()))),
      LUGE_ERROR(ValueError, "multinomial: input has a weight that is negative", multinomial(tensor({1, -1}, on()), 1)),
      LUGE_ERROR(ValueError, "multinomial: input has a weight .* not finite", multinomial(tensor({1, kInfinity}, on()), 1)),
      LUGE_ERROR(ValueError, "multinomial: a row of input has 0 weights", multinomial(zeros({2}, on()), 1, true)),
      LUGE_ERROR(ValueError, "multinomial: a row of input has 1 weights", multinomial(tensor({1, 0}, on()), 2)),
      LUGE_ERROR(ValueError, "normal: std has a negative element", normal(0, tensor({1, -1}, on()))),
  });
}

}  // namespace
}  // namespace luge::test
