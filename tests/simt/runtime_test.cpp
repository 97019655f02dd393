// The stand-in for the CUDA runtime: lazy, exact, and able to fail.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <luge/base/detail/sanitizers.h>

#include "simt/simt.h"

namespace simt::test {
namespace {

void increment(int* data, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) data[i] += 1;
}

class RuntimeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    before_ = runtime::statistics();
  }
  void TearDown() override {
    for (void* const data : device_) cudaFreeAsync(data, stream_);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    EXPECT_EQ(runtime::statistics().allocations, before_.allocations);
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
    cudaGetLastError();
  }

  template <class T>
  T* allocate(std::size_t n) {
    void* data = nullptr;
    EXPECT_EQ(cudaMallocAsync(&data, n * sizeof(T), stream_), cudaSuccess);
    device_.push_back(data);
    return static_cast<T*>(data);
  }
  template <class T>
  std::vector<T> download(const T* data, std::size_t n) {
    std::vector<T> result(n);
    EXPECT_EQ(cudaMemcpyAsync(result.data(), data, n * sizeof(T), cudaMemcpyDeviceToHost, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return result;
  }

  cudaStream_t stream_ = nullptr;
  runtime::Statistics before_;
  std::vector<void*> device_;
};

TEST_F(RuntimeTest, NothingRunsBeforeSomebodyWaits) {
  int* const data = allocate<int>(100);
  cudaMemsetAsync(data, 0, 400, stream_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(enqueue(&increment, 1, 128, 0, stream_, data, 100), cudaSuccess);
  std::vector<int> result(100, -7);
  EXPECT_EQ(cudaMemcpyAsync(result.data(), data, 400, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
  EXPECT_EQ(result, std::vector<int>(100, -7));  // a host that forgets to wait reads this
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(result, std::vector<int>(100, 3));
  EXPECT_EQ(runtime::statistics().launches - before_.launches, 3u);
  EXPECT_EQ(runtime::statistics().synchronizations - before_.synchronizations, 1u);
}

TEST_F(RuntimeTest, NewMemoryHoldsNaNs) {
  for (const float value : download(allocate<float>(33), 33)) EXPECT_TRUE(std::isnan(value));
}

TEST_F(RuntimeTest, AFullQueueIsWorkedOff) {
  int* const data = allocate<int>(1);
  cudaMemsetAsync(data, 0, 4, stream_);
  for (std::size_t i = 0; i < 3 * runtime::kMostQueued; ++i) enqueue(&increment, 1, 1, 0, stream_, data, 1);
  EXPECT_EQ(download(data, 1)[0], static_cast<int>(3 * runtime::kMostQueued));
}

/// Two streams, one writes what the other reads: right in every interleaving with an event, wrong in some
/// without.
TEST_F(RuntimeTest, OnlyEventsOrderStreams) {
  cudaStream_t other = nullptr;
  cudaEvent_t written = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&other, 0), cudaSuccess);
  ASSERT_EQ(cudaEventCreateWithFlags(&written, cudaEventDisableTiming), cudaSuccess);
  int* const data = allocate<int>(1);
  int wrong[2] = {};
  for (const bool waits : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      runtime::set_seed(seed);
      cudaMemsetAsync(data, 0, 4, stream_);
      cudaStreamSynchronize(stream_);
      enqueue(&increment, 1, 1, 0, stream_, data, 1);
      EXPECT_EQ(cudaEventRecord(written, stream_), cudaSuccess);
      if (waits) {
        EXPECT_EQ(cudaStreamWaitEvent(other, written, 0), cudaSuccess);
      }
      int seen = -1;
      cudaMemcpyAsync(&seen, data, 4, cudaMemcpyDeviceToHost, other);
      EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
      wrong[waits ? 1 : 0] += seen != 1 ? 1 : 0;
    }
  }
  EXPECT_GT(wrong[0], 3);
  EXPECT_EQ(wrong[1], 0);
  EXPECT_EQ(cudaEventRecord(written, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(written), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(written), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(other), cudaSuccess);
}

TEST_F(RuntimeTest, CopiesAndFillsStayWithinTheirAllocations) {
  char* const data = allocate<char>(100);
  std::vector<char> host(200);
  EXPECT_EQ(cudaMemcpyAsync(data, host.data(), 101, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(data + 50, host.data(), 51, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(host.data(), data, 101, cudaMemcpyDeviceToHost, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(host.data(), host.data() + 100, 10, cudaMemcpyDeviceToHost, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(data, data, 10, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(data, 0, 101, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(host.data(), 0, 10, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(data + 50, host.data(), 50, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
}

TEST_F(RuntimeTest, MemoryIsFreedOnce) {
  void* data = nullptr;
  ASSERT_EQ(cudaMallocAsync(&data, 64, stream_), cudaSuccess);
  EXPECT_EQ(runtime::statistics().allocations, before_.allocations + 1);
  EXPECT_TRUE(runtime::is_accessible(data, 64));
  EXPECT_EQ(cudaFreeAsync(data, stream_), cudaSuccess);
  EXPECT_FALSE(runtime::is_accessible(data, 64));
  EXPECT_EQ(cudaFreeAsync(data, stream_), cudaErrorInvalidValue);
  int host = 0;
  EXPECT_EQ(cudaFreeAsync(&host, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(data, 0, 4, stream_), cudaErrorInvalidValue);  // use after free, in call order
}

TEST_F(RuntimeTest, MemoryIsLimited) {
  std::size_t available = 0, total = 0;
  ASSERT_EQ(cudaMemGetInfo(&available, &total), cudaSuccess);
  runtime::set_total_memory(runtime::statistics().bytes + 1000);
  void *first = nullptr, *second = nullptr;
  EXPECT_EQ(cudaMallocAsync(&first, 600, stream_), cudaSuccess);
  EXPECT_EQ(cudaMallocAsync(&second, 600, stream_), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMallocAsync(&second, std::numeric_limits<std::size_t>::max(), stream_), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaFreeAsync(first, stream_), cudaSuccess);
  EXPECT_EQ(cudaMallocAsync(&second, 600, stream_), cudaSuccess);  // in stream order, that is enough
  EXPECT_EQ(cudaFreeAsync(second, stream_), cudaSuccess);
  runtime::set_total_memory(total);
}

TEST_F(RuntimeTest, TheChosenCallFails) {
  void* data = nullptr;
  runtime::fail_call(2);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_FALSE(runtime::has_failed());
  EXPECT_EQ(cudaMallocAsync(&data, 64, stream_), cudaErrorMemoryAllocation);
  EXPECT_TRUE(runtime::has_failed());
  EXPECT_EQ(data, nullptr);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  int* const numbers = allocate<int>(1);
  runtime::fail_call(1);
  EXPECT_EQ(enqueue(&increment, 1, 1, 0, stream_, numbers, 1), cudaErrorLaunchOutOfResources);
  runtime::fail_call(0);
  EXPECT_EQ(enqueue(&increment, 1, 2000, 0, stream_, numbers, 1), cudaErrorInvalidConfiguration);
}

void diverge() {
  if (threadIdx.x == 0) __syncthreads();
}

TEST_F(RuntimeTest, AKernelsErrorComesLateAndStays) {
  EXPECT_EQ(enqueue(&diverge, 1, 32, 0, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  EXPECT_NE(std::string(cudaGetErrorString(cudaErrorLaunchFailure)).find("runtime_test.cpp"), std::string::npos);
  void* data = nullptr;
  EXPECT_EQ(cudaMallocAsync(&data, 64, stream_), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  runtime::revive();
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
}

#if defined(LUGE_ASAN)

void expect_report(void (*run)(cudaStream_t), const char* report) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        cudaStream_t stream = nullptr;
        cudaStreamCreateWithFlags(&stream, 0);
        run(stream);
        std::exit(0);
      },
      [](int status) { return !(WIFEXITED(status) && WEXITSTATUS(status) == 0); }, report);
}

int* new_numbers(cudaStream_t stream) {
  void* data = nullptr;
  cudaMallocAsync(&data, 10 * sizeof(int), stream);
  return static_cast<int*>(data);
}

TEST(RuntimeDeathTest, TheHostMayNotTouchDeviceMemory) {
  expect_report(
      [](cudaStream_t stream) {
        volatile int* const data = new_numbers(stream);
        cudaStreamSynchronize(stream);
        data[0] = 1;
      },
      "use-after-poison");
}

TEST(RuntimeDeathTest, AKernelMayNotLeaveItsAllocation) {
  expect_report(
      [](cudaStream_t stream) {
        enqueue(&increment, 1, 32, 0, stream, new_numbers(stream), 11);
        cudaStreamSynchronize(stream);
      },
      "heap-buffer-overflow");
}

TEST(RuntimeDeathTest, AKernelMayNotUseWhatIsFreed) {
  expect_report(
      [](cudaStream_t stream) {
        int* const data = new_numbers(stream);
        cudaFreeAsync(data, stream);
        enqueue(&increment, 1, 32, 0, stream, data, 10);
        cudaStreamSynchronize(stream);
      },
      "heap-use-after-free");
}

TEST(RuntimeDeathTest, MemoryIsNotThereForAnotherStreamBeforeItsTime) {
  expect_report(
      [](cudaStream_t stream) {
        cudaStream_t other = nullptr;
        cudaStreamCreateWithFlags(&other, 0);
        enqueue(&increment, 1, 32, 0, other, new_numbers(stream), 10);
        cudaStreamSynchronize(other);  // nothing has made `stream` go on
        for (int i = 0; i < 20; ++i) {
          enqueue(&increment, 1, 32, 0, other, new_numbers(stream), 10);
          cudaDeviceSynchronize();
        }
      },
      "use-after-poison");
}

#endif

}  // namespace
}  // namespace simt::test
