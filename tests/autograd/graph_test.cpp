// Graphs of every form, and tensors that are changed while a graph needs them.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class GraphTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(GraphTest);

TEST_P(GraphTest, ATensorMeetsItself) {
  for (const DType dtype : {float32, float64}) {
    Tensor x = tensor({2, 3}, on(dtype, true));
    const struct {
      const char* name;
      Tensor y;
      std::vector<double> gradient;
    } cases[] = {
        {"x * x", x * x, {4, 6}},          {"x + x", x + x, {2, 2}},         {"x - x", x - x, {0, 0}},
        {"x / x", x / x, {0, 0}},          {"max", maximum(x, x), {1, 1}},   {"where", where(x > 2, x, x), {1, 1}},
        {"x * x * x", x * x * x, {12, 27}}, {"x + x * x", x + x * x, {5, 7}}, {"x * x + x", x * x + x, {5, 7}},
        {"cat", cat({x, x}).view({2, 2}).sum(0), {2, 2}},
    };
    for (const auto& c : cases) {
      SCOPED_TRACE(c.name);
      x.zero_grad();
      c.y.sum().backward();
      EXPECT_TRUE(has_values(x.grad(), {2}, dtype, c.gradient, 1e-6));
    }
    x.zero_grad();
    pow(x, x).sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {2}, dtype, {4 * (std::log(2) + 1), 27 * (std::log(3) + 1)}, 1e-6));
  }
}

TEST_P(GraphTest, AResultMeetsItself) {
  Tensor x = tensor({2, 3}, on(float64, true));
  const Tensor y = x * 2;
  (y * y + maximum(y, y) - y / y).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {18, 26}));
}

TEST_P(GraphTest, ATensorMeetsItsOwnBroadcast) {
  Tensor x = tensor({1, 2, 3}, on(float64, true));
  (x * x.unsqueeze(1)).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {12, 12, 12}));
  Tensor one = full({1, 1}, 2, on(float64, true));
  (one * one.expand({2, 2}) * one).sum().backward();
  EXPECT_TRUE(has_values(one.grad(), {1, 1}, float64, {48}));
}

TEST_P(GraphTest, DiamondsAddUp) {
  Tensor x = tensor({2}, on(float64, true));
  const Tensor a = x * 3, left = a * a, right = a.exp() * 0 + a, both = left + right;
  (both * both).sum().backward();
  // both = 9x^2 + 3x; d(both^2)/dx = 2 both (18x + 3)
  EXPECT_TRUE(has_values(x.grad(), {1}, float64, {2 * 42.0 * 39}));
}

TEST_P(GraphTest, ManyLayersOfDiamonds) {
  Tensor x = tensor({1}, on(float64, true)), y = x;
  for (int i = 0; i < 40; ++i) y = y + y;  // 2^40 paths, 40 nodes
  y.backward();
  EXPECT_EQ(x.grad().item(), std::ldexp(1, 40));
  x.zero_grad();
  y = x;
  for (int i = 0; i < 40; ++i) y = y * 0.5 + y * 1.5;
  y.backward();
  EXPECT_EQ(x.grad().item(), std::ldexp(1, 40));
}

TEST_P(GraphTest, ATensorUsedAThousandTimes) {
  Tensor x = tensor({1, 2}, on(float64, true));
  const Tensor middle = x * 1;
  Tensor sum = zeros({2}, on(float64));
  std::vector<Tensor> all;
  for (int i = 0; i < 1000; ++i) {
    sum = sum + middle * i;
    all.push_back(x * i);
  }
  sum.sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {499500, 499500}));
  x.zero_grad();
  stack(all).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {499500, 499500}));
}

TEST_P(GraphTest, OldNodesUseYoungOnes) {
  // The order of the sweep follows the recording, not the depth.
  Tensor x = tensor({3}, on(float64, true));
  const Tensor early = x * 2;
  Tensor late = x;
  for (int i = 0; i < 5; ++i) late = late * 1.0;
  (late * early + early * early).backward();
  EXPECT_TRUE(has_values(x.grad(), {1}, float64, {2 * 2 * 3 + 8 * 3}));
}

TEST_P(GraphTest, PartsOfAGraphInTwoSweeps) {
  Tensor x = tensor({2}, on(float64, true));
  const Tensor shared = x * 3, a = shared * 2, b = shared * shared;
  a.backward({}, true);
  EXPECT_TRUE(has_values(x.grad(), {1}, float64, {6}));
  b.backward();
  EXPECT_TRUE(has_values(x.grad(), {1}, float64, {6 + 36}));
}

TEST_P(GraphTest, AChangedSavedTensorIsAnError) {
  struct Case {
    const char* pattern;
    std::function<Tensor(const Tensor&, const Tensor&)> op;  ///< of the leaf and of a plain tensor
  };
  const Case cases[] = {
      {"backward: mul: a tensor of shape \\(2,\\) .* changed in place .*version 1, saved at version 0.*clone", [](auto& x, auto& p) { return x * p; }},
      {"backward: div: ", [](auto& x, auto& p) { return x / p; }},
      {"backward: pow: ", [](auto& x, auto& p) { return pow(x, p); }},
      {"backward: maximum: ", [](auto& x, auto& p) { return maximum(x, p); }},
      {"backward: matmul: ", [](auto& x, auto& p) { return x.matmul(p); }},
      {"backward: linear: ", [](auto& x, auto& p) { return linear(p.view({1, 2}), x.view({1, 2})).view({1}); }},
  };
  for (const Case& c : cases) {
    const Tensor x = tensor({1, 2}, on(float32, true));
    Tensor p = tensor({3, 4}, on());
    const Tensor y = c.op(x, p).sum();
    p.add_(1);
    expect_errors({LUGE_ERROR(AutogradError, c.pattern, y.backward())});
    EXPECT_FALSE(x.grad().defined());
  }
}

TEST_P(GraphTest, AChangedSavedResultIsAnError) {
  const std::function<Tensor(const Tensor&)> ops[] = {
      [](auto& x) { return x.exp(); },         [](auto& x) { return x.tanh(); },       [](auto& x) { return x.sqrt(); },
      [](auto& x) { return x.softmax(0); },    [](auto& x) { return x.log_softmax(0); }, [](auto& x) { return x.relu(); },
      [](auto& x) { return x.sigmoid(); },     [](auto& x) { return x.max(0); },        [](auto& x) { return x.logsumexp(0); },
      [](auto& x) { return x.prod(0); },
  };
  for (const auto& op : ops) {
    Tensor x = tensor({1, 2}, on(float32, true)), y = op(x);
    no_grad([&] { y.mul_(2); });
    expect_errors({LUGE_ERROR(AutogradError, "changed in place", y.sum().backward())});
  }
}

TEST_P(GraphTest, AChangedConditionIsAnError) {
  const Tensor x = tensor({1, 2}, on(float32, true));
  Tensor condition = tensor({1, 0}, on(boolean));
  const Tensor y = where(condition, x, 0.0).sum();
  condition.fill_(false);
  expect_errors({LUGE_ERROR(AutogradError, "backward: where: ", y.backward())});
}

TEST_P(GraphTest, AWriteThroughAViewCountsToo) {
  const Tensor x = tensor({1, 2}, on(float32, true));
  const Tensor p = tensor({{3, 4}, {5, 6}}, on());
  const Tensor y = (x * p[0]).sum();
  p.t()[1].fill_(0);
  EXPECT_THROW(y.backward(), AutogradError);
  const Tensor z = (x * p).sum();
  p.detach().zero_();
  EXPECT_THROW(z.backward(), AutogradError);
}

TEST_P(GraphTest, ChangingWhatNobodyNeedsIsFine) {
  Tensor x = tensor({1, 2}, on(float64, true)), p = tensor({3, 4}, on(float64));
  const Tensor sum = x + p, difference = x - p, product = x * 2, joined = cat({x, p}), negative = -x;
  Tensor exponential = x.exp(), total = exponential.sum();
  p.fill_(0);
  no_grad([&] {
    Tensor s = sum, j = joined;
    s.zero_();
    j.zero_();
  });
  (sum + difference + product + negative).sum().backward();
  joined.sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {4, 4}));
  total.backward();
}

TEST_P(GraphTest, AnUnusedGradientNeedsNoSavedTensor) {
  // d(x * p)/dx reads p alone: x itself may change between forward and backward.
  Tensor x = tensor({1, 2}, on(float64, true)), p = tensor({3, 4}, on(float64));
  const Tensor y = (x * p).sum(), product = x.view({1, 2}).matmul(p.view({2, 1})).sum();
  no_grad([&] { x.fill_(7); });
  EXPECT_NO_THROW(y.backward());
  EXPECT_NO_THROW(product.backward());
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {6, 8}));
}

TEST_P(GraphTest, ResultsOutliveTheirInputs) {
  Tensor y;
  Tensor x = tensor({1, 2}, on(float64, true));
  {
    const Tensor middle = x.exp() * x.sin();
    y = middle.sum();
  }
  y.backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {std::exp(1) * (std::sin(1) + std::cos(1)), std::exp(2) * (std::sin(2) + std::cos(2))}, 1e-14));
}

TEST_P(GraphTest, GraphsAreFreedWithTheirResults) {
  const Tensor x = zeros({1000}, on(float32, true));
  const std::size_t before = memory_stats(device()).allocated;
  {
    const Tensor y = x.exp().sin().tanh().exp();
    EXPECT_GT(memory_stats(device()).allocated, before);
  }
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

TEST_P(GraphTest, BackwardFreesWhatWasSaved) {
  const Tensor x = zeros({100000}, on(float32, true));
  const Tensor y = (x.exp() * x.sin()).tanh().sum();
  const std::size_t before = memory_stats(device()).allocated;
  y.backward();
  EXPECT_LT(memory_stats(device()).allocated, before);  // the gradient is there, the intermediates are gone
}

}  // namespace
}  // namespace luge::test
