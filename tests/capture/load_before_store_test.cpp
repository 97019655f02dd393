// Load before store: a value that a step hands on keeps what it was, whatever the step does to its source later.

#include <functional>
#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class LoadBeforeStoreTest : public DeviceTest {
 protected:
  /// Runs `body` seven times on fresh tensors, eagerly and captured (1, 1, 2 and 3 steps); all of them must have the
  /// same values after it.
  void expect_same(const std::function<void(std::vector<Tensor>&)>& body, std::int64_t n, DType dtype,
                   std::size_t count = 3) {
    SCOPED_TRACE("n = " + std::to_string(n) + ", " + std::string(name(dtype)));
    std::vector<Tensor> eager, captured;
    for (std::size_t i = 0; i < count; ++i)
      for (auto* const all : {&eager, &captured})
        all->push_back((arange(n, TensorOptions{.dtype = dtype, .device = device()}) + static_cast<int>(i) * 3 + 1));
    for (int step = 0; step < 7; ++step) body(eager);
    auto step = capture([&] { body(captured); });
    step();
    step();
    for (const int steps : {2, 3}) step.run(steps);
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_EQ(captured[i].to_vector<double>(), eager[i].to_vector<double>()) << "tensor " << i;
  }
  void expect_same_everywhere(const std::function<void(std::vector<Tensor>&)>& body) {
    for (const std::int64_t n : {1, 4, 1025, 5000})
      for (const DType dtype : {float32, float64, int64}) expect_same(body, n, dtype);
  }
};
LUGE_ON_EVERY_DEVICE(LoadBeforeStoreTest);

TEST_P(LoadBeforeStoreTest, ThePreviousValue) {
  expect_same_everywhere([](std::vector<Tensor>& t) {
    t[0].copy_(t[1]);
    t[1].sub_(1);
  });
  Tensor prev = zeros({4}, on()), w = ones({4}, on());
  auto step = capture([&] {
    prev.copy_(w);
    w.sub_(0.25);
  });
  for (int i = 0; i < 3; ++i) step();
  EXPECT_TRUE(has_values(prev, {4}, float32, {0.5, 0.5, 0.5, 0.5}));
  EXPECT_TRUE(has_values(w, {4}, float32, {0.25, 0.25, 0.25, 0.25}));
}

TEST_P(LoadBeforeStoreTest, Swaps) {
  expect_same_everywhere([](std::vector<Tensor>& t) {
    const Tensor kept = t[0].clone();
    t[0].copy_(t[1]);
    t[1].copy_(kept);
  });
}

TEST_P(LoadBeforeStoreTest, ThreeGoRound) {
  expect_same_everywhere([](std::vector<Tensor>& t) {
    const Tensor kept = t[0].clone();
    t[0].copy_(t[1]);
    t[1].copy_(t[2]);
    t[2].copy_(kept + t[0]);
  });
}

TEST_P(LoadBeforeStoreTest, WhatIsSummedLater) {
  for (const std::int64_t n : {4, 1025, 70000})
    for (const DType dtype : {float32, float64})
      expect_same(
          [](std::vector<Tensor>& t) {
            t[0].copy_(t[1]);
            t[1].mul_(0.5);
            t[2].copy_(t[0].sum().expand(t[2].shape()));
          },
          n, dtype);
}

TEST_P(LoadBeforeStoreTest, JoinedAndTransposed) {
  for (const DType dtype : {float32, float64, int64}) {
    expect_same(
        [](std::vector<Tensor>& t) {
          const Tensor both = cat({t[0], t[1]}, 0);
          t[0].add_(1);
          t[1].copy_(both.slice(0, 30, 90));
        },
        60, dtype);
    expect_same(
        [](std::vector<Tensor>& t) {
          Tensor matrix = t[0].view({6, 10}).t();
          t[1].view({10, 6}).copy_(matrix);
          matrix.add_(2);
          t[2].copy_(t[1] + t[0]);
        },
        60, dtype);
  }
}

TEST_P(LoadBeforeStoreTest, AGradientHandedOn) {
  Tensor w = ones({5}, on(float32, true)), before = zeros({5}, on()), sum = zeros({5}, on());
  Tensor factor = ones({5}, on());
  auto step = capture([&] {
    w.zero_grad();
    (w * factor).sum().backward();
    before.copy_(w.grad());
    const NoGrad quiet;
    factor.add_(1);
    sum.add_(before);
  });
  for (int i = 0; i < 2; ++i) step();
  step.run(2);
  EXPECT_TRUE(has_values(before, {5}, float32, {4, 4, 4, 4, 4}));
  EXPECT_TRUE(has_values(sum, {5}, float32, {10, 10, 10, 10, 10}));
  EXPECT_TRUE(has_values(factor, {5}, float32, {5, 5, 5, 5, 5}));
}

TEST_P(LoadBeforeStoreTest, FillsOfIntegersAndBools) {
  for (const DType dtype : {int32, int64, boolean}) {
    Tensor filled = zeros({3}, on(dtype)), other = ones({3}, on(dtype)), copied = zeros({3}, on(dtype));
    auto step = capture([&] {
      filled.fill_(1);
      copied.copy_(filled);
      filled.copy_(other);
    });
    step();
    copied.zero_();
    filled.zero_();
    other.zero_();
    step();
    EXPECT_TRUE(has_values(copied, {3}, dtype, {1, 1, 1}));
    EXPECT_TRUE(has_values(filled, {3}, dtype, {0, 0, 0}));
  }
}

TEST_P(LoadBeforeStoreTest, AGradientThatIsTheOldValue) {
  const auto run = [&](bool captured) {
    Parameters params({.sets = 3, .device = device(), .seed = 1});
    Tensor x = params.add("x", {}, init::uniform(1, 2));
    Adam optimizer(params, {.lr = 0.1});
    const auto body = [&] {
      optimizer.zero_grad();
      (x * 1).sum().backward();
      const NoGrad quiet;
      const Tensor kept = x.clone();
      x.fill_(0.5);
      x.grad().copy_(kept);
      optimizer.step();
    };
    auto step = capture(body);
    for (int i = 0; i < 4; ++i) captured ? step() : body();
    return x.to_vector<double>();
  };
  EXPECT_EQ(run(true), run(false));
}

TEST_P(LoadBeforeStoreTest, WhatTheMonitorRecords) {
  Tensor w = full({1000}, 8, on()), held = zeros({1000}, on());
  Monitor monitor({.progress = false});
  auto step = capture([&] {
    held.copy_(w);
    w.mul_(0.5);
    monitor.record(held);
  });
  step();
  step.run(3);
  std::vector<double> means;
  for (const HistoryRow& row : monitor.history()) means.push_back(row.mean);
  EXPECT_EQ(means, (std::vector<double>{8, 4, 2, 1}));
}

}  // namespace
}  // namespace luge::test
