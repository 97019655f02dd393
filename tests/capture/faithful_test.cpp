// What happens around a step between its replays, or once within it: a replay does what the function would do.

#include <functional>
#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class FaithfulTest : public DeviceTest {
 protected:
  /// A step of one parameter w = {1, 2}: the loss is w * scale, so that the gradient is scale.
  Tensor w_, scale_;
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    w_ = (arange(2, on()) + 1).requires_grad_();
    scale_ = ones({2}, on());
  }
  void backward() {
    w_.zero_grad();
    (w_ * scale_).sum().backward();
    const NoGrad quiet;
    scale_.add_(1);
  }
};
LUGE_ON_EVERY_DEVICE(FaithfulTest);

// ---- gradients that need not be kept, but are

TEST_P(FaithfulTest, AReturnedGradientIsKept) {
  auto step = capture(
      [&] {
        backward();
        return w_.grad();
      },
      {.keep_gradients = false});
  for (int i = 1; i < 4; ++i) EXPECT_TRUE(has_values(step(), {2}, float32, {1.0 * i, 1.0 * i}));
  EXPECT_TRUE(has_values(step.run(3), {2}, float32, {6, 6}));
}

TEST_P(FaithfulTest, AHeldGradientIsKept) {
  Tensor held;
  auto step = capture(
      [&] {
        backward();
        held = w_.grad();
      },
      {.keep_gradients = false});
  for (int i = 0; i < 4; ++i) step();
  EXPECT_TRUE(has_values(held, {2}, float32, {4, 4}));
}

TEST_P(FaithfulTest, AGradientHeldFromTheFirstStepOnIsKept) {
  auto step = capture([&] { backward(); }, {.keep_gradients = false});
  step();
  const Tensor view = w_.grad().slice(0, 1, 2);
  step();
  EXPECT_TRUE(has_values(view, {1}, float32, {2}));
  step.run(3);
  EXPECT_TRUE(has_values(view, {1}, float32, {5}));
}

TEST_P(FaithfulTest, AGradientOfAnArenaThatIsHeldIsKept) {
  Parameters params({.sets = 2, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 0.25});
  auto step = capture(
      [&] {
        optimizer.zero_grad();
        square(x).sum().backward();
        optimizer.step();
      },
      {.keep_gradients = false});
  step();
  const Tensor gradient = x.grad();
  step();
  EXPECT_TRUE(has_values(gradient, {2}, float32, {1, 1}));
  step.run(2);
  EXPECT_TRUE(has_values(gradient, {2}, float32, {0.25, 0.25}));
}

TEST_P(FaithfulTest, AGradientThatNobodyHoldsIsNotKept) {
  Parameters params({.sets = 4000, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 0.25});
  bool is_fused = false;
  const auto bytes = [&](bool keep) {
    auto step = capture(
        [&] {
          optimizer.zero_grad();
          square(x).sum().backward();
          optimizer.step();
        },
        {.keep_gradients = keep});
    step();
    step();
    is_fused = step.figures().launches < step.figures().recorded_calls;
    return step.figures().bytes;
  };
  const double dropped = bytes(false), kept = bytes(true);
  if (!is_fused) GTEST_SKIP() << "nothing is fused here, so every call writes what it makes";
  EXPECT_LT(dropped, kept);
}

// ---- tensors that are replaced

TEST_P(FaithfulTest, AReplacedTensorIsRefused) {
  Tensor h = ones({3}, on());
  std::vector<Tensor> all{h};  // keeps the first alive
  auto step = capture([&] { h = h * 0.5 + 1; });
  step();
  step();
  EXPECT_TRUE(has_values(h, {3}, float32, {1.75, 1.75, 1.75}));
  expect_errors({LUGE_ERROR(CaptureError, "mul \\(call 1 of 2\\) works on other memory in every step", step()),
                 LUGE_ERROR(CaptureError, "mul \\(call 1 of 2\\) works on other memory in every step", step.run(3))});
}

TEST_P(FaithfulTest, AReplacedTensorThatIsReturnedIsRefused) {
  Tensor h = ones({3}, on()), total = zeros({3}, on());
  const Tensor first = h;
  auto step = capture([&] {
    total.add_(h);
    h = h * 2;
    return h;
  });
  step();
  step();
  expect_errors({LUGE_ERROR(CaptureError, "works on other memory in every step", step())});
  EXPECT_TRUE(has_values(total, {3}, float32, {3, 3, 3}));  // as after the second step
}

TEST_P(FaithfulTest, WhatAStepLeavesForItsUserIsRefilled) {
  Tensor x = ones({3}, on()), last;
  int runs = 0;
  auto step = capture([&] {
    ++runs;
    x.mul_(2);
    last = x + 1;
  });
  for (int i = 0; i < 5; ++i) step();
  EXPECT_TRUE(has_values(last, {3}, float32, {33, 33, 33}));
  EXPECT_EQ(runs, 2);
}

TEST_P(FaithfulTest, WhatIsMadeInTheFirstStepIsUsedByTheOthers) {
  Tensor x = ones({3}, on()), sum;
  auto step = capture([&] {
    if (!sum.defined()) sum = zeros({3}, on());
    sum.add_(x);
  });
  for (int i = 0; i < 4; ++i) step();
  step.run(3);
  EXPECT_TRUE(has_values(sum, {3}, float32, {7, 7, 7}));
}

// ---- leaves

TEST_P(FaithfulTest, ALeafThatIsFrozenCollectsNothing) {
  Tensor other = ones({2}, on(float32, true));
  auto step = capture([&] {
    w_.zero_grad();
    other.zero_grad();
    (w_ * other).sum().backward();
  });
  step();
  step();
  w_.requires_grad_(false);
  for (int i = 0; i < 2; ++i) {
    step();
    EXPECT_FALSE(w_.grad().defined());
    EXPECT_TRUE(has_values(other.grad(), {2}, float32, {1, 2}));
  }
  w_.requires_grad_();
  step();
  EXPECT_TRUE(has_values(w_.grad(), {2}, float32, {1, 1}));
}

TEST_P(FaithfulTest, ATensorThatBecomesALeafCollects) {
  auto step = capture([&] {
    w_.zero_grad();
    (w_ * scale_).sum().backward();
  });
  step();
  step();
  scale_.requires_grad_();
  step();
  step();
  EXPECT_TRUE(has_values(scale_.grad(), {2}, float32, {2, 4}));
}

TEST_P(FaithfulTest, AStepThatFreezesAndThawsIsRunEveryTime) {
  const Tensor other = full({2}, 3, on());
  bool on_now = true;
  auto step = capture([&] {
    w_.zero_grad();
    w_.requires_grad_(on_now = !on_now);
    Tensor loss = (w_ * other).sum();
    if (on_now) loss.backward();
    return loss;
  });
  for (int i = 0; i < 12; ++i) {
    step();
    EXPECT_EQ(w_.grad().defined(), i % 2 == 1) << i;
  }
}

TEST_P(FaithfulTest, AGradientThatTheNextStepGoesOnFromIsNotDropped) {
  auto step = capture([&] { (w_ * scale_).sum().backward(); }, {.keep_gradients = false});
  step();
  w_.zero_grad();
  step();
  step();
  EXPECT_TRUE(has_values(w_.grad(), {2}, float32, {2, 2}));
}

TEST_P(FaithfulTest, AGradientThatEagerWorkMadeElsewhereIsGoneOnFrom) {
  auto step = capture([&] { (w_ * 2).sum().backward(); });
  for (int i = 0; i < 3; ++i) step();  // the gradients of recordings lie where these steps put them
  for (int round = 0; round < 12; ++round) {
    w_.zero_grad();
    (w_ * 3).sum().backward();
    step();
    step();
    EXPECT_TRUE(has_values(w_.grad(), w_.shape(), float32, std::vector<double>(w_.numel(), 7))) << round;
  }
  // ... also where the step lets go of it.
  auto consume = capture([&] {
    w_.detach().sub_(w_.grad());
    w_.zero_grad();
  });
  consume();
  (w_ * 3).sum().backward();
  const Tensor before = w_.detach().clone();
  consume();
  EXPECT_TRUE(has_values(before - w_.detach(), w_.shape(), float32, {3, 3}));
}

TEST_P(FaithfulTest, AGradientThatIsForgottenAndMadeAnew) {
  auto step = capture([&] {
    (w_ * scale_).sum().backward();
    {
      const NoGrad quiet;
      w_.sub_(w_.grad());
    }
    w_.zero_grad();
    (w_ * scale_).sum().backward();
  });
  step.run(2);
  step();
  EXPECT_TRUE(has_values(w_, {2}, float32, {1 - 5.0, 2 - 5.0}));
}

// ---- results that are read only

TEST_P(FaithfulTest, WhatIsOnlySummedOrRecorded) {
  Tensor x = full({5}, 2, on());
  Monitor monitor({.progress = false});
  auto step = capture([&] {
    const Tensor kept = x.clone();
    monitor.record(kept);
    return kept.sum();
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(step().item(), 10.0 + 5 * i);
    x.add_(1);
  }
  std::vector<double> means;
  for (const HistoryRow& row : monitor.history()) means.push_back(row.mean);
  EXPECT_EQ(means, (std::vector<double>{2, 3, 4}));
}

// ---- labels

TEST_P(FaithfulTest, LabelsOutOfRange) {
  Tensor table = (arange(4, on()) + 1).view({4, 1}).requires_grad_(), count = zeros({}, on());
  for (const DType dtype : {int64, int32}) {
    Tensor labels = arange(3, {.dtype = dtype, .device = device()});
    auto step = capture([&] {
      count.add_(1);
      table.zero_grad();
      const Tensor picked = index_select(table, 0, labels);
      picked.sum().backward();
      return picked;
    });
    step();
    labels.add_(1);
    EXPECT_TRUE(has_values(step(), {3, 1}, float32, {2, 3, 4}));
    labels.add_(1);
    if (!device().is_cpu()) continue;  // a device reports at the next synchronisation
    const double before = count.item<double>();
    expect_errors({LUGE_ERROR(IndexError, "index_select: index 4 at position 2 is out of range; allowed are 0 to 3", step())});
    EXPECT_EQ(count.item<double>(), before);
    labels.sub_(1);
    EXPECT_TRUE(has_values(step(), {3, 1}, float32, {2, 3, 4}));
  }
}

TEST_P(FaithfulTest, LabelsOfTheStepItselfGiveNaN) {
  if (!device().is_cpu()) return;
  for (const DType dtype : {float32, float64}) {
    const Tensor table = arange(4, on(dtype));
    Tensor labels = zeros({2}, on(int64));
    auto step = capture([&] {
      labels.add_(2);
      return index_select(table, 0, labels);
    });
    EXPECT_TRUE(has_values(step(), {2}, dtype, {2, 2}));
    for (const double value : step().to_vector<double>()) EXPECT_TRUE(std::isnan(value)) << value;
  }
}

// ---- random numbers

TEST_P(FaithfulTest, OneTensorAsSeveralInputsOfAnOperation) {
  const std::function<Tensor(const Tensor&)> bodies[] = {
      [](const Tensor& x) { return lerp(x, x, full({2}, 0.25, {.device = x.device()})); },
      [](const Tensor& x) { return lerp(x, x * 2, x); },
      [](const Tensor& x) { return lerp(x * 2, x, x); },
      [](const Tensor& x) { return lerp(x, x, x); },
      [](const Tensor& x) { return where(x.gt(1), x, x); },
      [](const Tensor& x) { return x * x; },
  };
  for (const auto& body : bodies) {
    Tensor x = (arange(2, on()) + 1).requires_grad_();
    const auto once = [&] {
      x.zero_grad();
      body(x).sum().backward();
    };
    once();
    const std::vector<double> expected = x.grad().to_vector<double>();
    auto step = capture(once);
    for (int i = 0; i < 3; ++i) {
      step();
      EXPECT_TRUE(has_values(x.grad(), {2}, float32, expected)) << (&body - bodies) << ", step " << i;
    }
  }
}

TEST_P(FaithfulTest, AGradientWithAHistoryIsLeftAsValues) {
  Tensor x = (arange(2, on()) + 1).requires_grad_();
  auto step = capture([&] { (x * x * x).sum().backward({}, {}, true); });
  for (int i = 1; i <= 4; ++i) {
    step();
    EXPECT_TRUE(has_values(x.grad(), {2}, float32, {3.0 * i, 12.0 * i}));
    EXPECT_FALSE(x.grad().requires_grad());
  }
}

TEST_P(FaithfulTest, ASeedWithinTheStepActsInEveryStep) {
  const auto body = [&] {
    const Tensor free = rand({3}, on());
    manual_seed(7);
    return std::vector<Tensor>{free, rand({3}, on()), randn({2}, on())};
  };
  const auto run = [&](bool captured) {
    manual_seed(3);
    auto step = capture(body);
    std::vector<double> all;
    for (int i = 0; i < 4; ++i)
      for (const Tensor& result : captured ? step() : body())
        for (const double value : result.to_vector<double>()) all.push_back(value);
    const std::vector<double> after = rand({3}).to_vector<double>();
    all.insert(all.end(), after.begin(), after.end());
    return all;
  };
  EXPECT_EQ(run(true), run(false));
}

// ---- what a refused capture leaves

TEST_P(FaithfulTest, ARefusedCaptureLeavesTheMonitorAndTheRandomNumbers) {
  Tensor x = ones({4}, on());
  Monitor monitor({.keep_sets = 2, .capacity = 3, .progress = false});
  const auto refused = [&] {
    auto step = capture([&] {
      const Tensor loss = x * rand({4}, on());
      monitor.record(loss);
      monitor.record(loss);
      static_cast<void>(loss.sum().item());
    });
    expect_errors({LUGE_ERROR(CaptureError, "reads a value on the host", step())});
  };
  manual_seed(1);
  const std::vector<double> expected = rand({3}).to_vector<double>();
  manual_seed(1);
  refused();
  EXPECT_EQ(monitor.recorded(), 0);
  EXPECT_EQ(rand({3}).to_vector<double>(), expected);
  monitor.record(x * 2);
  monitor.record(x * 3);
  refused();
  monitor.record(x * 4);
  std::vector<double> means, last;
  for (const HistoryRow& row : monitor.history()) means.push_back(row.mean);
  EXPECT_EQ(means, (std::vector<double>{2, 3, 4}));
  EXPECT_EQ(monitor.history().back().sets, (std::vector<double>{4, 4}));
}

TEST_P(FaithfulTest, ARefusedCaptureLeavesAnArenaThatWasWrittenInParts) {
  Parameters params({.sets = 3, .device = device()});
  Tensor a = params.add("a", {}, init::constant(1)), b = params.add("b", {}, init::constant(2));
  Adam optimizer(params, {.lr = 0.1});
  auto step = capture([&] {
    {
      const NoGrad quiet;
      b.mul_(3);
      a.add_(1);
    }
    optimizer.zero_grad();
    (a * b).sum().backward();
    optimizer.step();
    static_cast<void>(a.sum().item());
  });
  expect_errors({LUGE_ERROR(CaptureError, "reads a value on the host", step())});
  EXPECT_TRUE(has_values(a, {3}, float32, {1, 1, 1}));
  EXPECT_TRUE(has_values(b, {3}, float32, {2, 2, 2}));
}

}  // namespace
}  // namespace luge::test
