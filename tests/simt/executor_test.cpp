// What a correct kernel may rely on, under every schedule.

#include "every_order.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

namespace simt::test {
namespace {

class ExecutorTest : public EveryOrder {};
SIMT_IN_EVERY_ORDER(ExecutorTest);

TEST_P(ExecutorTest, EveryThreadOfEveryBlockRunsOnce) {
  const dim3 grid(3, 2, 2), block(5, 4, 3);
  std::vector<int> runs(12 * 60);
  execute({grid, block, 0, [&] {
             EXPECT_EQ(gridDim.x * 100 + gridDim.y * 10 + gridDim.z, 322u);
             EXPECT_EQ(blockDim.x * 100 + blockDim.y * 10 + blockDim.z, 543u);
             const unsigned b = (blockIdx.z * 2 + blockIdx.y) * 3 + blockIdx.x;
             const unsigned t = (threadIdx.z * 4 + threadIdx.y) * 5 + threadIdx.x;
             ++runs[b * 60 + t];
           }});
  EXPECT_EQ(runs, std::vector<int>(12 * 60, 1));
}

TEST_P(ExecutorTest, ABarrierShowsWhatTheOthersWrote) {
  for (const unsigned threads : {1u, 31u, 32u, 33u, 100u, 256u, 1024u}) {
    std::vector<int> neighbours(threads, -1);
    execute({1, threads, 0, [&] {
               LUGE_SHARED(int, values, 1024);
               for (int round = 0; round < 3; ++round) {
                 values[threadIdx.x] = static_cast<int>(threadIdx.x) * 10 + round;
                 __syncthreads();
                 neighbours[threadIdx.x] = values[(threadIdx.x + 1) % blockDim.x];
                 __syncthreads();
               }
             }});
    for (unsigned i = 0; i < threads; ++i) EXPECT_EQ(neighbours[i], static_cast<int>((i + 1) % threads) * 10 + 2);
  }
}

TEST_P(ExecutorTest, BarriersVote) {
  execute({2, 70, 0, [] {
             EXPECT_EQ(__syncthreads_count(threadIdx.x % 7 == 0), 10);
             EXPECT_EQ(__syncthreads_or(threadIdx.x == 69), 1);
             EXPECT_EQ(__syncthreads_or(threadIdx.x == 70), 0);
             EXPECT_EQ(__syncthreads_and(threadIdx.x < 70), 1);
             EXPECT_EQ(__syncthreads_and(threadIdx.x < 69), 0);
           }});
}

TEST_P(ExecutorTest, ShufflesMoveValuesWithinTheirSegments) {
  for (const int width : {1, 2, 8, 32}) {
    execute({1, 64, 0, [&] {
               const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
               const double own = warp * 1000 + lane + 0.5;
               const int begin = lane / width * width, end = begin + width;
               const auto value_of = [&](int source) { return warp * 1000 + source + 0.5; };
               for (int by = 0; by < width; ++by) {
                 EXPECT_EQ(__shfl_sync(~0u, own, by, width), value_of(begin + by));
                 EXPECT_EQ(__shfl_up_sync(~0u, own, by, width), value_of(lane - by < begin ? lane : lane - by));
                 EXPECT_EQ(__shfl_down_sync(~0u, own, by, width), value_of(lane + by >= end ? lane : lane + by));
                 EXPECT_EQ(__shfl_xor_sync(~0u, own, by, width), value_of(lane ^ by));
               }
               struct Pair {
                 short first, second;
               };
               const Pair pair = __shfl_sync(~0u, Pair{static_cast<short>(lane), -1}, 3);
               EXPECT_EQ(pair.first, 3);
             }});
  }
}

TEST_P(ExecutorTest, LanesOutsideTheMaskGiveNaN) {
  execute({1, 40, 0, [] {  // the second warp has eight lanes
             const float other = __shfl_xor_sync(~0u, 1.0f, 8);
             EXPECT_EQ(std::isnan(other), threadIdx.x >= 32);
             if (threadIdx.x % 32 < 4) {
               EXPECT_EQ(std::isnan(__shfl_sync(0xFu, 1.0f, 5)), true);
               EXPECT_EQ(__shfl_sync(0xFu, 1.0f, 3), 1.0f);
             }
           }});
}

TEST_P(ExecutorTest, WarpsVoteAndReduce) {
  execute({1, 96, 0, [] {
             const unsigned lane = threadIdx.x % 32;
             EXPECT_EQ(__ballot_sync(~0u, lane % 3 == 0), 0x49249249u);
             EXPECT_EQ(__any_sync(~0u, lane == 31), 1);
             EXPECT_EQ(__any_sync(~0u, 0), 0);
             EXPECT_EQ(__all_sync(~0u, lane < 32), 1);
             EXPECT_EQ(__all_sync(~0u, lane < 31), 0);
             EXPECT_EQ(__match_any_sync(~0u, lane % 2), lane % 2 == 0 ? 0x55555555u : 0xAAAAAAAAu);
             EXPECT_EQ(__reduce_add_sync(~0u, lane), 496u);
             EXPECT_EQ(__reduce_min_sync(~0u, lane + 5), 5u);
             EXPECT_EQ(__reduce_max_sync(~0u, lane + 5), 36u);
             if (lane < 16)  // two halves of a warp may go different ways
               EXPECT_EQ(__ballot_sync(0x0000FFFFu, 1), 0x0000FFFFu);
             else
               EXPECT_EQ(__ballot_sync(0xFFFF0000u, 1), 0xFFFF0000u);
             EXPECT_EQ(__ffs(0), 0);
             EXPECT_EQ(__ffs(8), 4);
             EXPECT_EQ(__popc(0xF0F0u), 8);
             EXPECT_EQ(__clz(1), 31);
             EXPECT_EQ(__clz(0), 32);
           }});
}

TEST_P(ExecutorTest, AWarpBarrierShowsWhatTheWarpWrote) {
  std::vector<int> sums(64);
  execute({1, 64, 0, [&] {
             LUGE_SHARED(int, values, 64);
             values[threadIdx.x] = static_cast<int>(threadIdx.x);
             __syncwarp();
             int sum = 0;
             for (unsigned i = 0; i < 32; ++i) sum += values[threadIdx.x / 32 * 32 + i];
             sums[threadIdx.x] = sum;
           }});
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(sums[i], i < 32 ? 496 : 1520);
}

TEST_P(ExecutorTest, AtomicsLoseNothing) {
  unsigned sum = 0, inc = 0, either = 0, both = ~0u;
  int least = 1 << 30, most = 0, left = 1000;
  float total = 0;
  unsigned long long winner = 0;
  std::vector<unsigned> tickets(300);
  execute({3, 100, 0, [&] {
             const int id = static_cast<int>(blockIdx.x * 100 + threadIdx.x);
             tickets[atomicAdd(&sum, 1u)] = 1;
             atomicAdd(&total, 0.5f);
             atomicMin(&least, id);
             atomicMax(&most, id);
             atomicSub(&left, 2);
             atomicOr(&either, 1u << id % 32);
             atomicAnd(&both, ~(1u << id % 16));
             atomicInc(&inc, 6u);
             atomicCAS(&winner, 0u, static_cast<unsigned long long>(id + 1));
           }});
  EXPECT_EQ(sum, 300u);
  EXPECT_EQ(std::accumulate(tickets.begin(), tickets.end(), 0u), 300u);
  EXPECT_EQ(total, 150.0f);
  EXPECT_EQ(least, 0);
  EXPECT_EQ(most, 299);
  EXPECT_EQ(left, 400);
  EXPECT_EQ(either, ~0u);
  EXPECT_EQ(both, 0xFFFF0000u);
  EXPECT_EQ(inc, 300u % 7);
  EXPECT_GT(winner, 0u);
  EXPECT_EQ(atomicExch(&least, 7), 0);
  EXPECT_EQ(least, 7);
}

/// The pattern behind every one-launch reduction over blocks; under ThreadSanitizer it must be clean.
TEST_P(ExecutorTest, TheLastBlockSeesWhatTheOthersWrote) {
  std::vector<double> partials(20);
  double result = 0;
  unsigned finished = 0;
  execute({20, 64, 0, [&] {
             LUGE_SHARED(unsigned, last, 1);
             if (threadIdx.x == 0) partials[blockIdx.x] = blockIdx.x + 1;
             __threadfence();
             __syncthreads();
             if (threadIdx.x == 0) last[0] = atomicAdd(&finished, 1u) == gridDim.x - 1 ? 1 : 0;
             __syncthreads();
             if (last[0] == 0) return;
             __threadfence();
             if (threadIdx.x == 0) result = std::accumulate(partials.begin(), partials.end(), 0.0);
           }});
  EXPECT_EQ(result, 210);
}

TEST_P(ExecutorTest, DynamicSharedMemoryIsTheBlocksOwn) {
  std::vector<int> seen(5 * 32);
  execute({5, 32, 32 * sizeof(int), [&] {
             LUGE_DYNAMIC_SHARED(int, values);
             EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values) % 16, 0u);
             EXPECT_EQ(values[threadIdx.x], -1);
             values[threadIdx.x] = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
             __syncthreads();
             seen[blockIdx.x * 32 + threadIdx.x] = values[31 - threadIdx.x];
           }});
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<int>(i / 32 * 32 + 31 - i % 32));
}

template <class T>
T shared_at_start() {
  LUGE_SHARED(T, value, 1);
  return value[0];
}

TEST_P(ExecutorTest, EveryDeclarationHasItsOwnSharedMemory) {
  execute({2, 1, 0, [] {
             LUGE_SHARED(float, a, 3);
             LUGE_SHARED(float, b, 3);
             EXPECT_NE(&a[0], &b[0]);
             EXPECT_TRUE(std::isnan(a[2]));
             EXPECT_TRUE(std::isnan(shared_at_start<double>()));
             EXPECT_EQ(shared_at_start<int>(), -1);
             a[2] = b[2] = 1;  // and the next block finds it as new
           }});
}

TEST(VectorTypeTest, AreAlignedAsOnTheDevice) {
  EXPECT_EQ(alignof(float2), 8u);
  EXPECT_EQ(alignof(float4), 16u);
  EXPECT_EQ(alignof(double2), 16u);
  EXPECT_EQ(alignof(int2), 8u);
  EXPECT_EQ(alignof(int4), 16u);
  EXPECT_EQ(alignof(uint2), 8u);
  EXPECT_EQ(alignof(uint4), 16u);
  EXPECT_EQ(sizeof(float4), 16u);
  EXPECT_EQ(sizeof(uint3), 12u);
}

TEST(OrderTest, OrdersDiffer) {
  std::set<std::vector<unsigned>> sequences;
  for (const char* const text : kOrders) {
    set_order(parse_order(text));
    const auto run = [] {
      std::vector<unsigned> sequence(256);
      unsigned next = 0;
      execute({4, 64, 0, [&] { sequence[atomicAdd(&next, 1u)] = blockIdx.x * 64 + threadIdx.x; }});
      return sequence;
    };
    const auto sequence = run();
    sequences.insert(sequence);
    EXPECT_EQ(run(), sequence) << text << " is not reproducible";
  }
  set_order({});
  EXPECT_EQ(sequences.size(), std::size(kOrders));
}

TEST(OrderTest, RefusesWhatItDoesNotKnow) {
  for (const char* const text : {"", "ascending:1", "random", "random:", "priority:x", "random:1x", "backwards"})
    EXPECT_THROW(parse_order(text), std::invalid_argument) << text;
}

TEST(CountsTest, CountsThreadsAndBlocks) {
  const Counts before = counts();
  execute({3, 64, 0, [] { __syncthreads(); }});
  EXPECT_EQ(counts().launches - before.launches, 1u);
  EXPECT_EQ(counts().blocks - before.blocks, 3u);
  EXPECT_EQ(counts().threads - before.threads, 192u);
  EXPECT_GE(counts().switches - before.switches, 192u);
}

}  // namespace
}  // namespace simt::test
