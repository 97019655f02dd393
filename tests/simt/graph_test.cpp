// Captured steps as graphs: the stand-in's graphs are as strict as a driver's, and luge's replays are one
// launch each, wait for nothing and take no memory; where a graph cannot be had they are queued call by call.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <luge/luge.h>
#include <luge/base/memory.h>

#include "simt/simt.h"

namespace luge::test {
namespace {

namespace runtime = simt::runtime;

void increment(int* data, int by) { data[threadIdx.x] += by; }

class GraphTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    void* data = nullptr;
    ASSERT_EQ(cudaMallocAsync(&data, 4 * sizeof(int), stream_), cudaSuccess);
    data_ = static_cast<int*>(data);
    ASSERT_EQ(cudaMemsetAsync(data_, 0, 4 * sizeof(int), stream_), cudaSuccess);
  }
  void TearDown() override {
    EXPECT_EQ(cudaFreeAsync(data_, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
    cudaGetLastError();
  }
  cudaStreamCaptureStatus status() {
    auto result = cudaStreamCaptureStatusNone;
    EXPECT_EQ(cudaStreamIsCapturing(stream_, &result), cudaSuccess);
    return result;
  }
  int first() {
    int result = 0;
    EXPECT_EQ(cudaMemcpyAsync(&result, data_, sizeof result, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return result;
  }

  cudaStream_t stream_ = nullptr;
  int* data_ = nullptr;
};

TEST_F(GraphTest, WhatIsCapturedRunsWhenTheGraphDoes) {
  const auto before = runtime::statistics();
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  for (const int by : {1, 10})
    ASSERT_EQ(simt::enqueue(&increment, 1, 4, 0, stream_, data_, by), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  EXPECT_EQ(first(), 0);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiateWithFlags(&executable, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);  // what is queued runs all the same
  EXPECT_EQ(first(), 33);
  EXPECT_EQ(runtime::statistics().launches - before.launches, 6u);
  EXPECT_EQ(runtime::statistics().graph_launches - before.graph_launches, 3u);
  EXPECT_EQ(runtime::statistics().graphs, before.graphs);
}

TEST_F(GraphTest, WhatAGraphCannotHoldEndsTheCapture) {
  int host = 0;
  void* fresh = nullptr;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  const std::vector<std::function<cudaError_t()>> forbidden = {
      [&] { return cudaStreamSynchronize(stream_); },
      [&] { return cudaDeviceSynchronize(); },
      [&] { return cudaMallocAsync(&fresh, 16, stream_); },
      [&] { return cudaFreeAsync(data_, stream_); },
      [&] { return cudaEventRecord(event, stream_); },
      [&] { return cudaMemcpyAsync(&host, data_, sizeof host, cudaMemcpyDeviceToHost, stream_); },
      [&] { return cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed); },
  };
  for (const auto& call : forbidden) {
    ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), cudaSuccess);
    EXPECT_EQ(status(), cudaStreamCaptureStatusActive);
    EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported);
    EXPECT_EQ(status(), cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(simt::enqueue(&increment, 1, 4, 0, stream_, data_, 1), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(cudaMemsetAsync(data_, 1, 4, stream_), cudaErrorStreamCaptureInvalidated);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(status(), cudaStreamCaptureStatusNone);
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorIllegalState);
    EXPECT_EQ(first(), 0) << "the stream works again";
  }
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

// ---- captured steps -----------------------------------------------------------------------------

/// A step of everything: products, dropout, losses, clipping, Adam, the monitor.
class Training {
 public:
  explicit Training(bool captured) : captured_(captured) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) captured_ ? step_() : body();
  }
  std::vector<float> result() {
    std::vector<float> all;
    for (const Tensor& parameter : params_.tensors()) {
      const std::vector<float> values = parameter.flatten().to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    for (const HistoryRow& row : monitor_.history()) all.push_back(static_cast<float>(row.mean));
    return all;
  }

 private:
  Tensor body() {
    optimizer_.zero_grad();
    const Tensor dropped = relu(hidden_(x_)) * rand({3}, {.device = device_}).gt(0.2).to(float32);
    const Tensor loss = cross_entropy(output_(dropped), labels_, Reduction::PerSet);
    loss.sum().backward();
    params_.clip_grad_norm_(1.0);
    optimizer_.step();
    monitor_.record(loss);
    return loss;
  }

  bool captured_;
  Device device_ = Device::cuda();
  Parameters params_{{.sets = 3, .device = device_, .seed = 7}};
  // Wide enough for cuBLAS, which splits so long a product and so needs its workspace.
  nn::Linear hidden_{params_, "hidden", 520, 3}, output_{params_, "output", 3, 5};
  Adam optimizer_{params_, {.lr = 0.01}};
  Monitor monitor_{{.capacity = 4096, .progress = false}};
  Tensor x_ = rand({8, 520}, {.device = device_}), labels_ = randint(0, 5, {8}, {.dtype = int64, .device = device_});
  Step<Tensor> step_ = capture([this] { return body(); });
};

std::vector<float> train(bool captured, int steps) {
  manual_seed(3);
  Training training(captured);
  training.run(steps);
  return training.result();
}

TEST(CapturedGraphTest, AReplayIsOneLaunchThatWaitsForNothing) {
  constexpr int kReplays = 1000;
  Parameters params({.sets = 40, .device = Device::cuda(), .seed = 1});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = 0.1, .momentum = 0.9});
  Monitor monitor({.capacity = 2 * kReplays, .progress = false});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
  });
  step();
  const auto before = runtime::statistics();
  for (int i = 0; i < kReplays; ++i) step();
  const auto after = runtime::statistics();
  EXPECT_EQ(after.synchronizations, before.synchronizations);
  EXPECT_EQ(after.allocations_ever, before.allocations_ever);
  EXPECT_EQ(after.graph_launches - before.graph_launches, static_cast<std::uint64_t>(kReplays));

  step.run(2);  // takes the memory for the losses of many steps
  const auto once = runtime::statistics();
  step.run(kReplays / 2);
  const auto many = runtime::statistics();
  EXPECT_EQ(many.synchronizations, once.synchronizations);
  EXPECT_EQ(many.allocations_ever, once.allocations_ever);
  EXPECT_EQ(many.graph_launches, once.graph_launches);
  EXPECT_EQ(monitor.history().size(), kReplays + kReplays / 2 + 3u);
}

/// Small copies to the GPU, such as where random numbers go on, wait once in tens of thousands: for a buffer full
/// of them. Here they begin with an empty one.
void empty_the_staging() {
  const Tensor from = zeros({1024});
  Tensor to = zeros({1024}, {.device = Device::cuda()});
  const auto before = runtime::statistics().synchronizations;
  while (runtime::statistics().synchronizations == before) to.copy_(from);
}

TEST(CapturedGraphTest, StepsWithRandomNumbersWaitForNothing) {
  constexpr int kReplays = 1000;
  Tensor x = zeros({4}, {.device = Device::cuda()});
  auto step = capture([&] { x.add_(rand({4}, {.device = x.device()})); });
  step();
  empty_the_staging();
  const auto before = runtime::statistics();
  for (int i = 0; i < kReplays; ++i) step();
  const auto after = runtime::statistics();
  EXPECT_EQ(after.synchronizations, before.synchronizations);
  EXPECT_EQ(after.allocations_ever, before.allocations_ever);
  EXPECT_EQ(after.graph_launches - before.graph_launches, static_cast<std::uint64_t>(kReplays));
}

TEST(CapturedGraphTest, ATrainingWithEverythingIsOneLaunchAStep) {
  constexpr int kReplays = 50;
  Training training(true);
  training.run(1);
  empty_the_staging();
  const auto before = runtime::statistics();
  training.run(kReplays);
  const auto after = runtime::statistics();
  EXPECT_EQ(after.synchronizations, before.synchronizations);
  EXPECT_EQ(after.allocations_ever, before.allocations_ever);
  EXPECT_EQ(after.graph_launches - before.graph_launches, static_cast<std::uint64_t>(kReplays));
}

/// In a process of its own, as the warning comes once in each.
TEST(CapturedGraphDeathTest, TellsOnceWhyThereIsNoGraph) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    Tensor x = zeros({4}, {.device = Device::cuda()});
    int queued = 0;
    for (std::uint64_t n = 1; n <= 20; ++n) {
      bool first = true;
      auto step = capture([&] {
        x.add_(1);
        if (first) runtime::fail_call(n);
        first = false;
      });
      const auto before = runtime::statistics().graph_launches;
      try {
        step.run(2);
        if (runtime::statistics().graph_launches == before) ++queued;
      } catch (const Error&) {
      }
      runtime::fail_call(0);
    }
    return queued;
  };
  EXPECT_EXIT(
      {
        ::testing::internal::CaptureStderr();
        const int queued = run();
        const std::string text = ::testing::internal::GetCapturedStderr();
        std::size_t warnings = 0;
        for (std::size_t at = text.find("luge: "); at != text.npos; at = text.find("luge: ", at + 1)) ++warnings;
        std::fprintf(stderr, "%d queued, %zu warnings: %s", queued, warnings, text.c_str());
        std::exit(queued > 2 && warnings == 1 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "captured steps are queued call by call.* failed: cudaError");
}

TEST(CapturedGraphTest, ReplaysComputeTheBitsOfEagerSteps) { EXPECT_EQ(train(true, 7), train(false, 7)); }

/// Whichever call fails, the step has been done, or an error says that it has not; a graph that cannot be had is
/// no error.
TEST(CapturedGraphTest, SurvivesTheFailureOfAnyCall) {
  const std::vector<float> expected = train(true, 3);
  const auto calls_before = runtime::statistics().calls;
  ASSERT_EQ(train(true, 3), expected);
  const auto calls = runtime::statistics().calls - calls_before;
  const auto live = runtime::statistics();
  std::uint64_t reported = 0, replaced = 0;
  for (std::uint64_t n = 1; n <= calls; ++n) {
    runtime::fail_call(n);
    std::vector<float> result;
    const auto graphs = runtime::statistics().graph_launches;
    try {
      result = train(true, 3);
    } catch (const Error&) {
      ++reported;
    }
    runtime::fail_call(0);
    if (!result.empty()) {
      ASSERT_EQ(result, expected) << "call " << n << " failed, nobody said so, and the result is wrong";
      if (runtime::statistics().graph_launches == graphs) ++replaced;
    }
    cuda_backend(0).synchronize();
    const auto now = runtime::statistics();
    ASSERT_EQ(now.allocations, live.allocations) << "call " << n << " lost device memory";
    ASSERT_EQ(now.host_allocations, live.host_allocations) << "call " << n << " lost pinned memory";
    ASSERT_EQ(now.graphs, live.graphs) << "call " << n << " lost a graph";
  }
  EXPECT_GT(reported, calls / 3);
  EXPECT_GT(replaced, 10u) << "a failure to capture replays call by call";
  EXPECT_EQ(train(true, 3), expected);
}

}  // namespace
}  // namespace luge::test
