// The end of kernels that leave partials: whichever block is last to have part in a group of them finishes it, once,
// when all are there, in every order of threads and blocks; and the counters are zero again.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include <luge/luge.h>

#include "kernels/cuda/tree.cuh"
#include "simt/every_order.h"

namespace luge::test {
namespace {

using simt::test::EveryOrder;

/// Every warp writes its units' numbers; who finishes a group adds them up. `seen` counts who does.
void sum_groups_kernel(std::int64_t* numbers, std::int64_t* sums, int* seen, std::int64_t units, std::int64_t size,
                       std::int64_t share_size, unsigned* counters) {
  const cuda::Share share = cuda::block_share(units, share_size);
  const int lane = cuda::WarpTeam::rank();
  for (std::int64_t unit = share.begin + threadIdx.x / cuda::kWarp; unit < share.end; unit += cuda::kWarps)
    if (lane == 0) numbers[unit] = unit + 1;
  cuda::finish_groups(counters, units, share_size, size, [&](std::int64_t group) {
    if (lane != 0) return;
    std::int64_t sum = 0;
    for (std::int64_t unit = group * size; unit < units && unit < (group + 1) * size; ++unit) sum += numbers[unit];
    sums[group] = sum;
    ++seen[group];
  });
}

class GroupsTest : public EveryOrder {
 protected:
  template <class T>
  T* zeros(std::int64_t count) {
    void* data = nullptr;
    const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
    EXPECT_EQ(cudaMallocAsync(&data, bytes, stream_), cudaSuccess);
    EXPECT_EQ(cudaMemsetAsync(data, 0, bytes, stream_), cudaSuccess);
    taken_.push_back(data);
    return static_cast<T*>(data);
  }
  template <class T>
  std::vector<T> download(const T* data, std::int64_t count) {
    std::vector<T> result(static_cast<std::size_t>(count));
    EXPECT_EQ(cudaMemcpyAsync(result.data(), data, result.size() * sizeof(T), cudaMemcpyDeviceToHost, stream_),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return result;
  }
  void SetUp() override { ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess); }
  void give_back() {
    for (void* const data : taken_) EXPECT_EQ(cudaFreeAsync(data, stream_), cudaSuccess);
    taken_.clear();
  }
  void TearDown() override {
    give_back();
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
  }

  cudaStream_t stream_ = nullptr;
  std::vector<void*> taken_;
};
SIMT_IN_EVERY_ORDER(GroupsTest);

TEST_P(GroupsTest, EveryGroupIsFinishedOnce) {
  for (const std::int64_t units : {1, 7, 8, 9, 40, 97}) {
    for (const std::int64_t size : {1, 2, 5, 8, 13, 100}) {
      for (const std::int64_t blocks : {1, 2, 3, 7}) {
        const std::int64_t groups = cuda::divide_up(units, size), share = cuda::share_size(units, blocks);
        auto* const numbers = zeros<std::int64_t>(units);
        auto* const sums = zeros<std::int64_t>(groups);
        int* const seen = zeros<int>(groups);
        auto* const counters = zeros<unsigned>(blocks);
        for (int launch = 1; launch <= 2; ++launch) {
          ASSERT_EQ(simt::enqueue(&sum_groups_kernel, static_cast<unsigned>(blocks), cuda::kThreads, 0, stream_, numbers,
                                  sums, seen, units, size, share, counters),
                    cudaSuccess);
          EXPECT_EQ(download(seen, groups), std::vector<int>(static_cast<std::size_t>(groups), launch))
              << units << " units, groups of " << size << ", " << blocks << " blocks";
        }
        const std::vector<std::int64_t> totals = download(sums, groups);
        for (std::int64_t g = 0; g < groups; ++g) {
          std::int64_t expected = 0;
          for (std::int64_t unit = g * size; unit < std::min(units, (g + 1) * size); ++unit) expected += unit + 1;
          EXPECT_EQ(totals[static_cast<std::size_t>(g)], expected) << units << " units, group " << g << " of " << size;
        }
        EXPECT_EQ(download(counters, blocks), std::vector<unsigned>(static_cast<std::size_t>(blocks), 0));
        give_back();
      }
    }
  }
}

/// A step of more than 1024 chunks, captured: the loss's total and the monitor's summary are those of eager steps.
TEST(LongChainTest, TotalsAndSummariesAreThoseOfEagerSteps) {
  constexpr std::int64_t kSets = std::int64_t{1024} * 1024 + 1500;
  const Device device = Device::cuda();
  const auto train = [&](bool captured) {
    Parameters params({.sets = kSets, .device = device, .seed = 5});
    const Tensor x = params.add("x", {}, init::uniform(-2, 2));
    Sgd optimizer(params, {.lr = 0.01});
    Monitor monitor({.total = 6, .capacity = 8, .progress = false});
    const auto one = [&] {
      optimizer.zero_grad();
      const Tensor loss = 3 * x * x - 2 * x + 3;
      const Tensor total = loss.sum();
      total.backward();
      optimizer.step();
      monitor.record(loss);
      return total;
    };
    std::vector<double> result;
    if (captured) {
      auto step = capture(one);
      for (int i = 0; i < 3; ++i) result.push_back(step().item());
      step.run(3);
    } else {
      for (int i = 0; i < 3; ++i) result.push_back(one().item());
      for (int i = 0; i < 3; ++i) one();
    }
    for (const HistoryRow& row : monitor.history()) {
      for (const double value : {row.mean, row.min, row.max, static_cast<double>(row.not_finite)})
        result.push_back(value);
    }
    const std::vector<float> values = x.to_vector<float>();
    result.insert(result.end(), values.begin(), values.end());
    return result;
  };
  const std::vector<double> eager = train(false), replayed = train(true);
  ASSERT_EQ(eager.size(), replayed.size());
  ASSERT_GT(eager.size(), static_cast<std::size_t>(kSets) + 3 + 6 * 4 - 1);
  for (std::size_t i = 0; i < eager.size(); ++i) ASSERT_EQ(eager[i], replayed[i]) << i;
}

}  // namespace
}  // namespace luge::test
