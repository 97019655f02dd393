// The number of threads changes the speed and nothing else.

#include <atomic>
#include <functional>
#include <thread>

#include <luge/base/error.h>
#include <luge/base/threads.h>

#include "backend_fixture.h"
#include "kernels/cpu/threads.h"

namespace luge::test {
namespace {

/// Restores the thread count.
class ThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override { before_ = num_threads(); }
  void TearDown() override { set_num_threads(before_); }

  /// The output of a call for one and for several threads, bit by bit.
  void expect_same(const Array& start, const std::function<void(DeviceArray& out)>& run) {
    set_num_threads(1);
    DeviceArray single(cpu_backend(), start);
    run(single);
    const Array expected = single.download();
    for (const int threads : {2, 5}) {
      set_num_threads(threads);
      DeviceArray out(cpu_backend(), start);
      run(out);
      const Array result = out.download();
      for (std::int64_t i = 0; i < result.count(); ++i)
        ASSERT_TRUE(result.same_bits(i, expected, i)) << threads << " threads, element " << i;
    }
  }

 private:
  int before_ = 1;
};

constexpr std::int64_t kN = 3'000'001;

Array random_array(std::int64_t n) {
  Array result(float32, n);
  Chooser choose(4);
  choose.fill(result, -2, 2);
  return result;
}

TEST_F(ThreadsTest, CountIsChecked) {
  EXPECT_GE(num_threads(), 1);
  set_num_threads(3);
  EXPECT_EQ(num_threads(), 3);
  EXPECT_THROW(set_num_threads(0), ValueError);
  EXPECT_THROW(set_num_threads(-4), ValueError);
  EXPECT_EQ(num_threads(), 3);
}

TEST_F(ThreadsTest, EveryItemIsVisitedOnce) {
  set_num_threads(4);
  std::vector<std::atomic<int>> seen(5'000'000);
  cpu::parallel_for(
      static_cast<std::int64_t>(seen.size()), 1,
      [&](std::int64_t begin, std::int64_t end) {
        EXPECT_EQ(begin % 100, 0);
        for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      },
      100);
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

TEST_F(ThreadsTest, ErrorsReachTheCaller) {
  set_num_threads(4);
  EXPECT_THROW(cpu::parallel_for(10'000'000, 1, [](std::int64_t, std::int64_t) { throw ValueError("no"); }),
               ValueError);
}

TEST_F(ThreadsTest, SameBitsElementwiseInThreads) {
  const Array values = random_array(kN);
  DeviceArray in(cpu_backend(), values);
  for (const Op op : {Op::Tanh, Op::Exp, Op::Gelu}) {
    expect_same(Array(float32, kN), [&](DeviceArray& out) {
      Elementwise call;
      call.op = op;
      call.extent = extent({kN});
      call.inputs = call.outputs = 1;
      call.in = {in.operand()};
      call.out = {out.operand()};
      cpu_backend().run(call);
    });
  }
}

TEST_F(ThreadsTest, SameBitsReducedInThreads) {
  const Array values = random_array(3000 * 1000);
  DeviceArray in(cpu_backend(), values);
  for (const ReduceOp op : {ReduceOp::Sum, ReduceOp::Max, ReduceOp::LogSumExp}) {
    expect_same(Array(float32, 1), [&](DeviceArray& out) {
      Reduce call;
      call.op = op;
      call.extent = extent({3000 * 1000});
      call.reduced = 1;
      call.in = in.operand();
      call.out = out.operand({});
      cpu_backend().run(call);
    });
    expect_same(Array(float32, 1000), [&](DeviceArray& out) {
      Reduce call;
      call.op = op;
      call.extent = extent({1000, 3000});
      call.reduced = 1;
      call.in = in.operand({1, 1000});
      call.out = out.operand({1});
      cpu_backend().run(call);
    });
  }
}

TEST_F(ThreadsTest, SameBitsMultipliedInThreads) {
  const Array values = random_array(400 * 500);
  DeviceArray a(cpu_backend(), values), b(cpu_backend(), values);
  expect_same(Array(float32, 400 * 400), [&](DeviceArray& out) {
    MatMul call;
    call.batch = extent({});
    call.m = call.n = 400;
    call.k = 500;
    call.a = a.operand({500, 1});
    call.b = b.operand({400, 1});
    call.c = out.operand({400, 1});
    cpu_backend().run(call);
  });
}

TEST_F(ThreadsTest, SameBitsOfRandomNumbersInThreads) {
  expect_same(Array(float32, kN), [&](DeviceArray& out) {
    Random call;
    call.kind = Random::Kind::Normal;
    call.sets = 1;
    call.per_set = kN;
    call.out = out.operand();
    cpu_backend().run(call);
  });
}

TEST_F(ThreadsTest, CallsFromSeveralThreadsAtOnce) {
  set_num_threads(2);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([t] {
      const std::int64_t n = 1'500'000;
      Array ones(float32, n);
      for (std::int64_t i = 0; i < n; ++i) ones.set(i, t + 1);
      DeviceArray in(cpu_backend(), ones), out(cpu_backend(), Array(float32, 1));
      for (int repetition = 0; repetition < 5; ++repetition) {
        Reduce call;
        call.op = ReduceOp::Sum;
        call.extent = extent({n});
        call.reduced = 1;
        call.in = in.operand();
        call.out = out.operand({});
        cpu_backend().run(call);
        EXPECT_EQ(out.download().get(0), static_cast<double>(n * (t + 1)));
      }
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace luge::test
