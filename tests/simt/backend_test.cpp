// The CUDA backend's own host code on a device that can fail: no call's failure loses memory, leaves
// half a result or ends the process.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include <luge/luge.h>
#include <luge/base/memory.h>

#include "simt/runtime/runtime.h"

namespace luge::test {
namespace {

namespace runtime = simt::runtime;

/// A step of everything: embedding, both kinds of products, losses, clipping, Adam, the monitor.
std::vector<float> train(int steps) {
  const Device device = Device::cuda();
  Parameters params({.sets = 3, .device = device, .seed = 7});
  const nn::Linear hidden(params, "hidden", 520, 3), output(params, "output", 3, 5);
  const Tensor scale = params.add("scale", {2}, init::constant(1.5));
  Adam optimizer(params, {.lr = 0.01});
  Monitor monitor({.total = steps, .keep_sets = 3, .capacity = 8, .progress = false});
  manual_seed(3);
  for (int step = 0; step < steps; ++step) {
    const Tensor x = rand({8, 520}).to(device), labels = randint(0, 5, {8}).to(device);
    optimizer.zero_grad();
    const Tensor logits = output(relu(hidden(x)));
    const Tensor loss = cross_entropy(logits, labels, Reduction::PerSet) + scale.sum(-1) * 0.1;
    loss.sum().backward();
    params.clip_grad_norm_(1.0);
    optimizer.step();
    monitor.record(loss);
  }
  static_cast<void>(monitor.history());
  std::vector<float> result;
  for (const Tensor& parameter : params.tensors()) {
    const std::vector<float> values = parameter.flatten().to_vector<float>();
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

TEST(BackendTest, SurvivesTheFailureOfAnyCall) {
  const std::vector<float> expected = train(2);
  const auto calls_before = runtime::statistics().calls;
  ASSERT_EQ(train(2), expected);
  const auto calls = runtime::statistics().calls - calls_before;
  ASSERT_GT(calls, 100u);
  const auto live = runtime::statistics();
  std::uint64_t reported = 0;
  for (std::uint64_t n = 1; n <= calls; ++n) {
    runtime::fail_call(n);
    std::vector<float> result;
    try {
      result = train(2);
    } catch (const Error& error) {
      ++reported;
      const std::string text = error.what();
      EXPECT_NE(text.find(": "), std::string::npos) << "no operation named: " << text;
    }
    ASSERT_TRUE(runtime::has_failed()) << "call " << n;
    runtime::fail_call(0);
    if (!result.empty()) {
      ASSERT_EQ(result, expected) << "call " << n << " failed, nobody said so, and the result is wrong";
    }
    cuda_backend(0).synchronize();
    const auto now = runtime::statistics();
    ASSERT_EQ(now.allocations, live.allocations) << "call " << n << " lost device memory";
    ASSERT_EQ(now.host_allocations, live.host_allocations) << "call " << n << " lost pinned memory";
    ASSERT_EQ(memory_stats(Device::cuda()).allocated, live.bytes) << "call " << n;
  }
  EXPECT_EQ(train(2), expected);
  // The others are what cannot be told: freeing, and asking for memory a second time.
  EXPECT_GT(reported, calls / 2);
}

TEST(BackendTest, TooLittleMemoryIsAnErrorWithTheSizes) {
  const Device device = Device::cuda();
  const Tensor kept = ones({1000}, {.device = device});
  try {
    empty({std::int64_t{1} << 33}, {.device = device});
    FAIL() << "8 Gi floats were had from 4 GiB";
  } catch (const OutOfMemoryError& error) {
    EXPECT_NE(std::string(error.what()).find("34359738368 bytes (32768.0 MiB) cannot be had on cuda:0"),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(kept.sum().item(), 1000);
}

TEST(BackendTest, AStepWaitsForNothing) {
  const Device device = Device::cuda();
  Parameters params({.sets = 100, .device = device, .seed = 1});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = 0.1, .momentum = 0.9});
  Monitor monitor({.total = 50, .progress = false});
  cuda_backend(0).synchronize();
  const auto before = runtime::statistics();
  for (int step = 0; step < 50; ++step) {
    optimizer.zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  }
  EXPECT_EQ(runtime::statistics().synchronizations, before.synchronizations);
  EXPECT_EQ(monitor.history().size(), 50u);
}

}  // namespace
}  // namespace luge::test
