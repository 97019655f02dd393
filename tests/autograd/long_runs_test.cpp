// Depth and duration: a million operations under a small stack, thousands of steps in the same memory.

#include <pthread.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

/// Runs `body` on a thread with this many bytes of stack.
template <class Body>
void with_stack(std::size_t bytes, const Body& body) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, bytes), 0);
  pthread_t thread;
  const auto run = [](void* context) -> void* {
    (*static_cast<const Body*>(context))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<Body*>(&body)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

constexpr std::size_t kSmallStack = std::size_t{256} << 10;

class LongRunTest : public DeviceTest {
 protected:
  /// A tenth where the host executes every kernel: its stack would not hold a hundredth.
  int million() const {
#if defined(LUGE_HOST_RUNS_KERNELS)
    if (device().is_cuda()) return 100'000;
#endif
    return 1'000'000;
  }
};
LUGE_ON_EVERY_DEVICE(LongRunTest);

TEST_P(LongRunTest, AMillionOperationsForwardBackwardAndFreed) {
  const Tensor x = scalar(2.0, on(float64, true));
  const std::size_t before = memory_stats(device()).allocated;
  with_stack(kSmallStack, [&] {
    Tensor y = x;
    for (int i = 0; i < million(); ++i) y = i % 2 == 0 ? y + 1.0 : y - 1.0;
    EXPECT_EQ(y.item(), 2);
    y.backward();
    EXPECT_EQ(x.grad().item(), 1);
  });
  EXPECT_LE(memory_stats(device()).allocated, before + 256);  // x has a gradient now
}

TEST_P(LongRunTest, AMillionOperationsFreedWithoutBackward) {
  const Tensor x = scalar(2.0, on(float32, true));
  const std::size_t before = memory_stats(device()).allocated;
  with_stack(kSmallStack, [&] {
    Tensor y = x;
    for (int i = 0; i < million(); ++i) y = -y;
    EXPECT_EQ(y.item(), 2);
  });
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

TEST_P(LongRunTest, AMillionSavedTensorsAndViews) {
  const Tensor x = full({1, 2}, 1.5, on(float32, true));
  const std::size_t before = memory_stats(device()).allocated;
  with_stack(kSmallStack, [&] {
    Tensor y = x;
    for (int i = 0; i < million() / 4; ++i) y = (y * y.detach() * y.detach().pow(-1.0)).t().reshape({1, 2});
    y.sum().backward();
    EXPECT_TRUE(has_values(x.grad(), {1, 2}, float32, {1, 1}, 1e-2));
  });
  EXPECT_LE(memory_stats(device()).allocated, before + 512);
}

TEST_P(LongRunTest, TenThousandStepsDoNotGrow) {
  manual_seed(5);
  const Tensor data = randn({8, 3}, on()), labels = randint(0, 4, {8}, on(int64));
  Tensor w = randn({4, 3}, on()).requires_grad_(), b = zeros({4}, on(float32, true));
  const auto step = [&] {
    w.zero_grad();
    b.zero_grad();
    const Tensor loss = cross_entropy(linear(data, w, b).tanh(), labels) + 0.01 * (w * w).sum();
    loss.backward();
    no_grad([&] {
      w.sub_(0.1 * w.grad());
      b.sub_(0.1 * b.grad());
    });
    return loss;
  };
  const double first = step().item();
  double last = 0;
  for (int i = 0; i < 10; ++i) step();
  reset_peak_memory(device());
  for (int i = 0; i < 10; ++i) step();
  const MemoryStats before = memory_stats(device());
  for (int i = 0; i < 10000; ++i) step();
  last = step().item();
  const MemoryStats after = memory_stats(device());
  EXPECT_EQ(after.allocated, before.allocated);
  EXPECT_EQ(after.reserved, before.reserved);
  EXPECT_EQ(after.peak, before.peak);
  EXPECT_LT(last, first);
}

TEST_P(LongRunTest, AWideGraphFreesItsInputs) {
  const Tensor x = scalar(1.0, on(float64, true));
  const std::size_t before = memory_stats(device()).allocated;
  with_stack(kSmallStack, [&] {
    std::vector<Tensor> parts;
    for (int i = 0; i < 20000; ++i) parts.push_back(-x);
    const Tensor y = stack(parts).sum();
    parts.clear();
    y.backward();
    EXPECT_EQ(x.grad().item(), -20000);
  });
  EXPECT_LE(memory_stats(device()).allocated, before + 256);
}

}  // namespace
}  // namespace luge::test
