// What an incorrect kernel is caught by: the executor, a schedule, a NaN, a sanitizer.

#include "every_order.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <luge/base/detail/sanitizers.h>

namespace simt::test {

std::array<int, 64> result;  // where the compiler must take it to be read

namespace {

class MistakeTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(MistakeTest);

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_P(MistakeTest, ADivergentBarrierIsNamedByItsLines) {
  int first = 0, second = 0;
  const std::string text = mistake(1, 64, [&] {
    if (threadIdx.x < 32) {
      if (threadIdx.x == 0) first = __LINE__ + 1;
      __syncthreads();
    } else {
      if (threadIdx.x == 32) second = __LINE__ + 1;
      __syncthreads();
    }
  });
  EXPECT_TRUE(contains(text, "divergent barrier")) << text;
  EXPECT_TRUE(contains(text, at_line(__FILE__, first))) << text;
  EXPECT_TRUE(contains(text, at_line(__FILE__, second))) << text;
}

TEST_P(MistakeTest, ABarrierInPartOfABlockIsADeadlock) {
  int line = 0;
  const std::string text = mistake(2, 64, [&] {
    if (threadIdx.x == 0) line = __LINE__ + 1;
    if (threadIdx.x < 16) __syncthreads();
  });
  EXPECT_TRUE(contains(text, "deadlock")) << text;
  EXPECT_TRUE(contains(text, "__syncthreads at " + at_line(__FILE__, line))) << text;
  EXPECT_TRUE(contains(text, "48 of 64 threads have left the kernel")) << text;
}

TEST_P(MistakeTest, AShuffleBehindAnEarlyReturnIsADeadlock) {
  int line = 0;
  const std::string text = mistake(1, 32, [&] {
    if (threadIdx.x >= 20) return;
    if (threadIdx.x == 0) line = __LINE__ + 1;
    __shfl_xor_sync(~0u, 1, 1);
  });
  EXPECT_TRUE(contains(text, "deadlock")) << text;
  EXPECT_TRUE(contains(text, "__shfl_xor_sync at " + at_line(__FILE__, line))) << text;
}

TEST_P(MistakeTest, ADivergentWarpIsNamed) {
  const std::string text = mistake(1, 32, [] {
    if (threadIdx.x < 16)
      __ballot_sync(~0u, 1);
    else
      __any_sync(~0u, 1);
  });
  EXPECT_TRUE(contains(text, "divergent warp")) << text;
  EXPECT_TRUE(contains(text, "__ballot_sync at ")) << text;
  EXPECT_TRUE(contains(text, "__any_sync at ")) << text;
}

TEST_P(MistakeTest, ALaneOutsideItsOwnMaskIsNamed) {
  const std::string text = mistake(1, 32, [] { __ballot_sync(1u, 1); });
  EXPECT_TRUE(contains(text, "is not in its mask")) << text;
}

TEST(OutsideTest, ABarrierOutsideAKernelIsAnError) { EXPECT_THROW(__syncthreads(), Error); }

TEST_P(MistakeTest, TheExecutorGoesOnBehindAMistake) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(mistake(4, 256, [] {
                LUGE_SHARED(int, values, 256);
                values[threadIdx.x] = 1;
                if (threadIdx.x != 5) __syncthreads();
              }),
              "");
    int ran = 0;
    EXPECT_EQ(mistake(2, 256, [&] {
                __syncthreads();
                atomicAdd(&ran, 1);
              }),
              "");
    EXPECT_EQ(ran, 512);
  }
}

TEST(LimitTest, LaunchesBeyondTheHardwareAreRefused) {
  const auto nothing = [] {};
  for (const auto& [grid, block] : {std::pair<dim3, dim3>{0, 32}, {1, 0}, {1, 1025}, {1, dim3(1, 1, 65)},
                                    {dim3(1, 65536), 32}, {1, dim3(32, 33)}})
    EXPECT_TRUE(contains(mistake(grid, block, nothing), "no hardware takes")) << block.x;
  EXPECT_TRUE(contains(mistake(1, 32, nothing, kMaxDynamicShared + 1), "no hardware takes"));
  EXPECT_TRUE(contains(mistake(1, 1, [] { LUGE_SHARED(double, much, 6145); much[0] = 1; }),
                       "49160 bytes of shared memory; allowed are 49152"));
}

TEST(LimitTest, ExceptionsOfAKernelReachTheHost) {
  EXPECT_THROW(execute({1, 8, 0, [] { if (threadIdx.x == 3) throw std::out_of_range("three"); }}), std::out_of_range);
}

/// Rows of sums in which a barrier can be left out: 1 the first, 2 the second.
std::vector<int> sums_of_neighbours(int missing) {
  std::vector<int> result(128);
  execute({1, 128, 0, [&] {
             LUGE_SHARED(int, values, 128);
             for (int round = 0; round < 4; ++round) {
               values[threadIdx.x] = round + static_cast<int>(threadIdx.x);
               if (missing != 1) __syncthreads();
               result[threadIdx.x] += values[(threadIdx.x + 32) % 128] + values[(threadIdx.x + 127) % 128];
               if (missing != 2) __syncthreads();
             }
           }});
  return result;
}

// ThreadSanitizer finds these in one run and ends the process (below); a schedule has to bring the wrong
// order about.
#if !defined(LUGE_TSAN)

int orders_that_differ(const std::function<std::vector<int>()>& run, const std::vector<int>& expected) {
  int differ = 0;
  for (const char* const text : kOrders) {
    set_order(parse_order(text));
    differ += run() != expected ? 1 : 0;
  }
  set_order({});
  return differ;
}

TEST(ScheduleTest, AMissingBarrierGivesWrongResults) {
  const auto expected = sums_of_neighbours(0);
  EXPECT_EQ(orders_that_differ([] { return sums_of_neighbours(0); }, expected), 0);
  EXPECT_GE(orders_that_differ([] { return sums_of_neighbours(1); }, expected), 5);
  EXPECT_GE(orders_that_differ([] { return sums_of_neighbours(2); }, expected), 5);
}

TEST(ScheduleTest, ABlockThatReadsWhatAnotherWritesGivesWrongResults) {
  const auto run = [] {
    std::vector<int> values(8, 0), seen(8, 0);
    execute({8, 1, 0, [&] {
               values[blockIdx.x] = 1;
               seen[blockIdx.x] = values[blockIdx.x / 2];
             }});
    return seen;
  };
  EXPECT_GE(orders_that_differ(run, std::vector<int>(8, 1)), 4);
}

TEST(ScheduleTest, ALostUpdateIsBroughtAbout) {
  const auto run = [] {
    std::vector<int> sum(2, 0);
    execute({1, 64, 0, [&] {
               const int old = sum[0];
               atomicAdd(&sum[1], 1);  // any atomic lets others go first
               sum[0] = old + 1;
             }});
    return sum;
  };
  EXPECT_GE(orders_that_differ(run, {64, 64}), 4);
}

TEST(ScheduleTest, SharedMemoryThatNobodyWroteIsNaN) {
  std::vector<float> result(32);
  execute({1, 32, 0, [&] {
             LUGE_SHARED(float, values, 32);
             if (threadIdx.x != 7) values[threadIdx.x] = 1;
             __syncthreads();
             float sum = 0;
             for (const float value : values) sum += value;
             result[threadIdx.x] = sum;
           }});
  EXPECT_TRUE(std::isnan(result[0]));
}

#endif

// ---- sanitizers: the child process must die with the report ------------------------------------

[[maybe_unused]] void expect_report(const std::function<void()>& run, const char* report) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        run();
        std::exit(0);
      },
      [](int status) { return !(WIFEXITED(status) && WEXITSTATUS(status) == 0); }, report);
}

#if defined(LUGE_ASAN)

TEST(AddressSanitizerDeathTest, SeesGlobalMemoryOutOfBounds) {
  const std::unique_ptr<float[]> data(new float[100]);
  expect_report([&] { execute({1, 101, 0, [&] { data[threadIdx.x] = 1; }}); }, "heap-buffer-overflow");
}

TEST(AddressSanitizerDeathTest, SeesSharedMemoryOutOfBounds) {
  expect_report(
      [] {
        execute({1, 32, 0, [] {
                   LUGE_SHARED(float, values, 31);
                   float* const escaped = values;  // beyond what -fsanitize=bounds sees
                   escaped[threadIdx.x] = 1;
                 }});
      },
      "heap-buffer-overflow");
}

TEST(AddressSanitizerDeathTest, SeesDynamicSharedMemoryOutOfBounds) {
  expect_report(
      [] {
        execute({1, 32, 31 * sizeof(float), [] {
                   LUGE_DYNAMIC_SHARED(float, values);
                   values[threadIdx.x] = 1;
                 }});
      },
      "heap-buffer-overflow");
}

TEST(AddressSanitizerDeathTest, SeesAStackArrayOutOfBoundsOnAFiber) {
  expect_report(
      [] {
        execute({1, 64, 0, [] {
                   volatile int values[8] = {};
                   volatile int* const escaped = values;
                   __syncthreads();
                   escaped[threadIdx.x % 9] = 1;
                 }});
      },
      "stack-buffer-overflow|stack-buffer-underflow|insufficient space");
}

TEST(UndefinedBehaviorDeathTest, SeesAMisalignedVectorLoad) {
  alignas(16) static float data[16] = {};
  expect_report(
      [] {
        execute({1, 2, 0, [] {
                   const float4* const vector = reinterpret_cast<const float4*>(data + threadIdx.x);
                   result[0] = static_cast<int>(vector->x);
                 }});
      },
      "misaligned address");
}

#endif

#if defined(LUGE_TSAN)

TEST(ThreadSanitizerDeathTest, SeesAMissingBarrier) {
  expect_report([] { sums_of_neighbours(1); }, "data race");
  expect_report([] { sums_of_neighbours(2); }, "data race");
}

TEST(ThreadSanitizerDeathTest, SeesAMissingWarpBarrier) {
  expect_report(
      [] {
        execute({1, 32, 0, [] {
                   LUGE_SHARED(int, values, 32);
                   values[threadIdx.x] = 1;
                   result[threadIdx.x] = values[31 - threadIdx.x];
                 }});
      },
      "data race");
}

TEST(ThreadSanitizerDeathTest, SeesALostUpdate) {
  static int sum = 0;
  expect_report([] { execute({4, 64, 0, [] { sum = sum + 1; }}); }, "data race");
  expect_report([] { execute({4, 1, 0, [] { sum = sum + 1; }}); }, "data race");  // between blocks
}

TEST(ThreadSanitizerDeathTest, SeesAMissingFence) {
  static double partials[8];
  static unsigned finished = 0;
  expect_report(
      [] {
        execute({8, 1, 0, [] {
                   partials[blockIdx.x] = 1;
                   if (atomicAdd(&finished, 1u) != gridDim.x - 1) return;
                   double sum = 0;
                   for (const double partial : partials) sum += partial;
                   partials[0] = sum;
                 }});
      },
      "data race");
}

TEST(ThreadSanitizerDeathTest, SeesABarrierMissingBetweenTwoReductions) {
  expect_report(
      [] {
        execute({1, 64, 0, [] {
                   LUGE_SHARED(int, warps, 2);
                   for (int round = 0; round < 2; ++round) {  // no barrier at the end of a round
                     if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = round;
                     __syncthreads();
                     result[threadIdx.x] = warps[0] + warps[1];
                   }
                 }});
      },
      "data race");
}

/// Stacks, fibers and shared memory are used again and again; none of that may look like a race.
TEST(ThreadSanitizerTest, ReportsNothingInCorrectKernels) {
  std::vector<int> values(64 * 1024);
  for (int round = 0; round < 3; ++round) {
    std::vector<double> fresh(1024);
    execute({64, 256, 64, [&] {
               LUGE_SHARED(int, shared, 256);
               LUGE_DYNAMIC_SHARED(int, dynamic);
               int local[16] = {};
               for (int& x : local) x = static_cast<int>(threadIdx.x);
               shared[threadIdx.x] = local[3];
               if (threadIdx.x == 0) dynamic[0] = 7;
               __syncthreads();
               values[blockIdx.x * 1024 + threadIdx.x] += shared[255 - threadIdx.x] + dynamic[0];
             }});
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(values[i * 1024], (round + 1) * 262);
    fresh.assign(1024, 1.0);
    execute({4, 256, 0, [&] { fresh[blockIdx.x * 256 + threadIdx.x] *= 2; }});
    EXPECT_EQ(fresh[1023], 2.0);
  }
}

#endif

}  // namespace
}  // namespace simt::test
