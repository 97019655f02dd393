// Leaves that a step makes itself: they begin without a gradient in every step.

#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class OwnLeavesTest : public DeviceTest {
 protected:
  /// Twelve steps of new values each: the bits of the eager ones, and one run of the function.
  template <class Function>
  void expect_recorded_once(const Function& f, int most_runs = 1) {
    int runs = 0;
    auto step = capture([&](const Tensor& x) {
      ++runs;
      return f(x);
    });
    manual_seed(1);
    for (int i = 0; i < 12; ++i) {
      const Tensor x = randn({3, 2}, on());
      const std::vector<Tensor> expected = f(x);
      const std::vector<Tensor> found = step(x);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t j = 0; j < found.size(); ++j)
        EXPECT_EQ(found[j].to_vector<float>(), expected[j].to_vector<float>()) << "step " << i << ", result " << j;
    }
    EXPECT_LE(runs, most_runs);
  }
};
LUGE_ON_EVERY_DEVICE(OwnLeavesTest);

TEST_P(OwnLeavesTest, OfACopyOrOfTheMemoryOfAnArgument) {
  const auto gradient = [](Tensor z) {
    z.requires_grad_();
    (z * z * z).sum().backward();
    return std::vector<Tensor>{z.grad(), z.grad().sum()};
  };
  expect_recorded_once([&](const Tensor& x) { return gradient(x.clone()); });
  expect_recorded_once([&](const Tensor& x) { return gradient(x.detach()); });
  expect_recorded_once([&](const Tensor& x) { return gradient(x.select(0, 1).detach()); });
}

TEST_P(OwnLeavesTest, MayBeReturned) {
  expect_recorded_once([](const Tensor& x) {
    Tensor z = x.clone().requires_grad_();
    square(z).sum().backward();
    return std::vector<Tensor>{z, z.grad()};
  });
  expect_recorded_once([](const Tensor& x) {
    Tensor z = x.detach().requires_grad_();
    square(z).sum().backward();
    return std::vector<Tensor>{z};
  });
}

TEST_P(OwnLeavesTest, AnAttackInManySmallSteps) {
  const Tensor w = full({2}, 0.5, on(float32, true));
  expect_recorded_once([&](const Tensor& x) {
    Tensor attacked = x.clone();
    for (int i = 0; i < 5; ++i) {
      Tensor z = attacked.detach().clone().requires_grad_();
      (z * w).tanh().sum().backward();
      attacked = z.detach() + 0.1 * z.grad().sign();
    }
    Tensor result = attacked * w.detach();
    Tensor(w).zero_grad();
    return std::vector<Tensor>{attacked, result};
  });
}

TEST_P(OwnLeavesTest, AGradientThatAddsUpWithinTheStep) {
  expect_recorded_once([](const Tensor& x) {
    Tensor z = x.clone().requires_grad_();
    for (int i = 1; i <= 3; ++i) (z * z * i).sum().backward();
    return std::vector<Tensor>{z.grad()};
  });
}

TEST_P(OwnLeavesTest, AResidualThatContainsADerivative) {
  const auto train = [&](bool captured) {
    Parameters params({.device = device(), .seed = 3});
    const Tensor a = params.add("a", {2, 8}, init::uniform(-1, 1)), b = params.add("b", {8, 1}, init::uniform(-1, 1));
    Adam optimizer(params, {.lr = 0.05});
    int runs = 0;
    const auto body = [&](const Tensor& x) {
      ++runs;
      optimizer.zero_grad();
      Tensor t = x.clone().requires_grad_();
      const Tensor u = matmul(matmul(t, a).tanh(), b);
      const Tensor slope = grad({u.sum()}, {t}, {}, {}, true)[0];
      const Tensor loss = square(slope.sum(DimList({1}), true) + u).mean();
      loss.backward();
      optimizer.step();
      return loss;
    };
    auto step = capture(body);
    manual_seed(2);
    std::vector<double> losses;
    for (int i = 0; i < 12; ++i) {
      const Tensor x = randn({5, 2}, on());
      losses.push_back((captured ? step(x) : body(x)).item<double>());
    }
    EXPECT_EQ(runs, captured ? 1 : 12);
    return losses;
  };
  EXPECT_EQ(train(true), train(false));
}

TEST_P(OwnLeavesTest, WithAGradientThatHasAHistory) {
  expect_recorded_once([](const Tensor& x) {
    Tensor z = x.clone().requires_grad_();
    (z * z * z).sum().backward({}, {}, true);
    const Tensor slope = z.grad();
    z.zero_grad();
    square(slope).sum().backward();
    return std::vector<Tensor>{slope, z.grad()};
  });
}

TEST_P(OwnLeavesTest, OneThatTheProgramKeeps) {
  for (const bool is_copy : {true, false})
    for (const bool keep : {true, false}) {
      const Tensor memory = ones({2}, on());
      Tensor kept;
      int runs = 0;
      auto step = capture(
          [&] {
            ++runs;
            kept = (is_copy ? memory.clone() : memory.detach()).requires_grad_();
            square(kept).sum().backward();
            return kept.grad();
          },
          {.keep_gradients = keep});
      for (int i = 1; i <= 12; ++i) {
        EXPECT_TRUE(has_values(step(), {2}, float32, {2.0 * i, 2.0 * i}));
        EXPECT_TRUE(has_values(kept.detach(), {2}, float32, {1.0 * i, 1.0 * i}));
        EXPECT_TRUE(has_values(kept.grad(), {2}, float32, {2.0 * i, 2.0 * i}));
        Tensor(memory).add_(1);
      }
      EXPECT_LE(runs, 3);
    }
}

TEST_P(OwnLeavesTest, OneThatIsThawedForTheStepGoesOnFromItsGradient) {
  Tensor w = ones({2}, on());
  auto step = capture([&] {
    w.requires_grad_();
    (w * 3).sum().backward();
    w.requires_grad_(false);
  });
  for (int i = 1; i <= 4; ++i) {
    step();
    EXPECT_TRUE(has_values(w.grad(), {2}, float32, {3.0 * i, 3.0 * i}));
  }
}

TEST_P(OwnLeavesTest, TakeNoMemoryOfTheirOwnInThePlan) {
  auto plain = capture([](const Tensor& x) { return (2 * x).sum(); });
  auto step = capture([](const Tensor& x) {
    Tensor z = x.clone().requires_grad_();
    square(z).sum().backward();
    return z.grad().sum();
  });
  const Tensor x = ones({100000}, on());
  plain(x);
  step(x);
  step(x);
  if (plain.figures().launches == plain.figures().recorded_calls) GTEST_SKIP() << "nothing is fused here";
  EXPECT_LT(step.figures().peak, 100000 * 4);
}

}  // namespace
}  // namespace luge::test
