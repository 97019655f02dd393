// What is counted, what is given back, and what happens when there is no more.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class MemoryTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(MemoryTest);

TEST_P(MemoryTest, CountsWhatTensorsHold) {
  const std::size_t before = memory_stats(device()).allocated;
  {
    const Tensor x = zeros({1000, 1000}, on());
    EXPECT_GE(memory_stats(device()).allocated, before + 4000000);
    const Tensor view = x.t().slice(0, 5), copy = x;
    EXPECT_LT(memory_stats(device()).allocated, before + 6000000);
  }
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

TEST_P(MemoryTest, AViewKeepsTheStorageAlive) {
  const std::size_t before = memory_stats(device()).allocated;
  Tensor view = arange(100000, on(float32)).slice(0, 99999);
  EXPECT_GT(memory_stats(device()).allocated, before);
  EXPECT_EQ(view.item(), 99999);
  view = {};
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

TEST_P(MemoryTest, ThePeakStaysUntilReset) {
  reset_peak_memory(device());
  const std::size_t before = memory_stats(device()).peak;
  { const Tensor x = zeros({500000}, on()); }
  EXPECT_GE(memory_stats(device()).peak, before + 2000000);
  reset_peak_memory(device());
  EXPECT_EQ(memory_stats(device()).peak, memory_stats(device()).allocated);
}

TEST_P(MemoryTest, TheCacheIsGivenBack) {
  { const Tensor x = zeros({16 << 20}, on(float64)); }
  const std::size_t held = memory_stats(device()).reserved;
  release_cache(device());
  EXPECT_LT(memory_stats(device()).reserved, held);
}

TEST_P(MemoryTest, ImpossibleSizesRaiseOutOfMemory) {
  const Tensor x = ones({10}, on());
  const std::size_t before = memory_stats(device()).allocated;
  expect_errors({
      LUGE_ERROR(OutOfMemoryError, "[0-9]{16,}", zeros({std::int64_t{1} << 51}, on())),
      LUGE_ERROR(OutOfMemoryError, "[0-9]{16,}", zeros({std::int64_t{1} << 60}, on())),
      LUGE_ERROR(OutOfMemoryError, "[0-9]{16,}", x.expand({std::int64_t{1} << 48, 10}).exp()),
      LUGE_ERROR(OutOfMemoryError, "[0-9]{16,}", x.expand({std::int64_t{1} << 48, 10}).clone()),
      LUGE_ERROR(ShapeError, "more than 2\\^63 - 1 bytes", zeros({std::int64_t{1} << 61}, on())),
      LUGE_ERROR(ShapeError, "more than 2\\^63 - 1", x.expand({std::int64_t{1} << 62, 10})),
  });
  EXPECT_EQ(memory_stats(device()).allocated, before);
  EXPECT_TRUE(has_values(zeros({3}, on()), {3}, float32, {0, 0, 0}));
}

/// A limit for the CPU's allocator that goes away with its scope.
class Limit {
 public:
  explicit Limit(std::size_t bytes) { set_memory_limit(bytes); }
  ~Limit() { set_memory_limit(0); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
};

TEST(MemoryLimit, IsToldInTheErrorAndASmallerRunSucceeds) {
  release_cache();
  const Limit limit(memory_stats().reserved + (std::size_t{32} << 20));
  EXPECT_EQ(memory_limit(), memory_stats().reserved + (std::size_t{32} << 20));
  const Tensor fits = ones({1 << 20});
  const std::size_t before = memory_stats().allocated;
  try {
    ones({1 << 25});
    FAIL() << "the limit was ignored";
  } catch (const OutOfMemoryError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("134217728 bytes on cpu"), std::string::npos) << text;
    EXPECT_NE(text.find(std::to_string(before)), std::string::npos) << text;
    EXPECT_NE(text.find(std::to_string(memory_limit())), std::string::npos) << text;
  }
  EXPECT_EQ(memory_stats().allocated, before);
  EXPECT_EQ((fits + fits).sum().item(), 2 << 20);
}

TEST(MemoryLimit, DefaultsToTheMachine) {
  const std::size_t standard = memory_limit();
  EXPECT_GT(standard, std::size_t{1} << 28);
  set_memory_limit(12345);
  EXPECT_EQ(memory_limit(), 12345u);
  set_memory_limit(0);
  EXPECT_EQ(memory_limit(), standard);
}

TEST(MemoryLimit, TheCacheMakesRoomForOtherSizes) {
  release_cache();
  const Limit limit(memory_stats().reserved + (std::size_t{64} << 20));
  for (int megabytes = 1; megabytes <= 56; megabytes += 5) {
    const Tensor x = zeros({std::int64_t{megabytes} << 18});
    EXPECT_EQ(x.sum().item(), 0);
  }
}

}  // namespace
}  // namespace luge::test
