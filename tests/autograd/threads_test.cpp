// Independent graphs on several threads at once; also run under ThreadSanitizer.

#include <thread>

#include "expect.h"

namespace luge::test {
namespace {

/// Trains a small model from a seed of its own; the parameters at the end.
std::vector<double> train(double start, int steps) {
  Tensor w = (arange(12, {.dtype = float32}).view({4, 3}) * 0.1 + start).detach().requires_grad_();
  Tensor b = zeros({4}, {.requires_grad = true});
  const Tensor data = (arange(24, {.dtype = float32}).view({8, 3}) * 0.7).sin();
  const Tensor labels = tensor({0, 1, 2, 3, 3, 2, 1, 0}, {.dtype = int64});
  for (int i = 0; i < steps; ++i) {
    w.zero_grad();
    b.zero_grad();
    const Tensor hidden = linear(data, w, b).tanh();
    (cross_entropy(hidden, labels) + (hidden * hidden).mean()).backward();
    no_grad([&] {
      w.sub_(0.1 * w.grad());
      b.sub_(0.1 * b.grad());
    });
  }
  return w.to_vector<double>();
}

TEST(AutogradThreads, TrainIndependentGraphs) {
  constexpr int kThreads = 4, kSteps = 200;
  std::vector<std::vector<double>> together(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] { together[static_cast<std::size_t>(i)] = train(i * 0.1, kSteps); });
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < kThreads; ++i) EXPECT_EQ(together[static_cast<std::size_t>(i)], train(i * 0.1, kSteps)) << i;
}

TEST(AutogradThreads, GradientModeBelongsToAThread) {
  const NoGrad guard;
  bool elsewhere = false;
  std::thread([&] { elsewhere = grad_enabled(); }).join();
  EXPECT_TRUE(elsewhere);
  EXPECT_FALSE(grad_enabled());
}

TEST(AutogradThreads, TensorsAndGraphsMayEndOnAnotherThread) {
  const std::size_t before = memory_stats().allocated;
  {
    const Tensor x = ones({100}, {.requires_grad = true});
    Tensor y = x;
    std::thread([&] {
      for (int i = 0; i < 1000; ++i) y = y * 1.001;
    }).join();
    y.sum().backward();
    EXPECT_NEAR(x.grad().to_vector<double>()[0], std::pow(1.001, 1000), 1e-3);
    Tensor z = x.exp().sin();
    std::thread([moved = std::move(z)]() mutable { moved = {}; }).join();
  }
  EXPECT_EQ(memory_stats().allocated, before);
}

TEST(AutogradThreads, AGraphGoesOnOnAnotherThread) {
  const Tensor x = ones({1}, {.dtype = float64, .requires_grad = true});
  Tensor y = x;
  for (int i = 0; i < 50; ++i) y = y * 2;
  std::thread([&] {
    const Tensor z = y * 3;
    (z + y).sum().backward();
  }).join();
  EXPECT_EQ(x.grad().item(), 4 * std::pow(2.0, 50));
}

TEST(AutogradThreads, LargeTensorsWithWorkersOfTheirOwn) {
  const auto run = [] {
    Tensor x = full({3, 600000}, 0.5, {.requires_grad = true});
    for (int i = 0; i < 3; ++i) (x.exp() * x).sum(0).mean().backward();
    return x.grad().sum().item();
  };
  const double alone = run();
  std::vector<double> results(2);
  std::vector<std::thread> threads;
  for (double& result : results) threads.emplace_back([&] { result = run(); });
  for (std::thread& thread : threads) thread.join();
  for (const double result : results) EXPECT_EQ(result, alone);
}

}  // namespace
}  // namespace luge::test
