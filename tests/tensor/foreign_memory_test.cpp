// Tensors over memory that luge has not allocated.

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include <luge/luge.h>

#include "expect.h"

namespace luge::test {
namespace {

TEST(ForeignMemoryTest, WritesShowOnBothSides) {
  std::vector<float> memory{1, 2, 3, 4, 5, 6};
  Tensor x = from_memory(memory.data(), {2, 3}, {3, 1}, float32, Device::cpu(), [] {});
  EXPECT_EQ(x.data(), memory.data());
  memory[4] = 50;
  EXPECT_TRUE(has_values(x, {2, 3}, float32, {1, 2, 3, 4, 50, 6}));
  x.mul_(2);
  EXPECT_EQ(memory, (std::vector<float>{2, 4, 6, 8, 100, 12}));
}

TEST(ForeignMemoryTest, AnyStrides) {
  std::vector<double> memory{0, 1, 2, 3, 4, 5};
  const auto over = [&](const Shape& shape, const Strides& strides) {
    return from_memory(memory.data(), shape, strides, float64, Device::cpu(), [] {});
  };
  EXPECT_TRUE(has_values(over({3, 2}, {1, 3}), {3, 2}, float64, {0, 3, 1, 4, 2, 5}));
  EXPECT_TRUE(has_values(over({2, 2}, {0, 5}), {2, 2}, float64, {0, 5, 0, 5}));
  EXPECT_TRUE(has_values(over({}, {}), {}, float64, {0}));
  EXPECT_THROW(over({2, 2}, {0, 1}).add_(1), ShapeError) << "elements that share memory";
}

TEST(ForeignMemoryTest, ReleasedOnceWhenTheLastUserIsGone) {
  std::vector<float> memory(8, 1);
  int released = 0;
  const auto allocated = memory_stats().allocated;
  {
    Tensor x = from_memory(memory.data(), {8}, {1}, float32, Device::cpu(), [&] { ++released; });
    EXPECT_EQ(memory_stats().allocated, allocated) << "it is not luge's";
    x.requires_grad_();
    Tensor part = x.slice(0, 2, 4), loss = (x * x).sum();
    x = {};
    part = {};
    EXPECT_EQ(released, 0) << "the graph still needs it";
    loss.backward();
  }
  EXPECT_EQ(released, 1);
}

/// An optimizer moves loose leaves into memory of its own.
TEST(ForeignMemoryTest, ReleasedWhenAnOptimizerMovesIt) {
  std::vector<float> memory(4, 1);
  int released = 0;
  Tensor x = from_memory(memory.data(), {4}, {1}, float32, Device::cpu(), [&] { ++released; });
  x.requires_grad_();
  Sgd optimizer({x}, {.lr = 0.5});
  x.sum().backward();
  optimizer.step();
  EXPECT_EQ(released, 1);
  EXPECT_TRUE(has_values(x, {4}, float32, {0.5, 0.5, 0.5, 0.5}));
  EXPECT_EQ(memory[0], 1);
}

TEST(ForeignMemoryTest, ACapturedStepMissesIt) {
  std::vector<float> memory(4, 1);
  Tensor x = from_memory(memory.data(), {4}, {1}, float32, Device::cpu(), [] {});
  auto step = capture([&] { x.add_(1); });
  step.run(3);
  EXPECT_EQ(memory[3], 4);
  x = {};
  EXPECT_THROW(step(), Error);
}

TEST(ForeignMemoryTest, BadInputLeavesTheMemoryToTheCaller) {
  float one = 1;
  bool released = false;
  const auto make = [&](void* data, const Shape& shape, const Strides& strides, Device device = Device::cpu()) {
    return from_memory(data, shape, strides, float32, device, [&] { released = true; });
  };
  EXPECT_THROW(make(&one, {1, 1}, {1}), ShapeError);
  EXPECT_THROW(make(&one, {-1}, {1}), ShapeError);
  EXPECT_THROW(make(&one, {1}, {-1}), ValueError);
  EXPECT_THROW(make(nullptr, {1}, {1}), ValueError);
  EXPECT_THROW(make(&one, {3}, {std::numeric_limits<std::int64_t>::max() / 2}), ValueError);
  EXPECT_FALSE(released);
  make(nullptr, {0, 3}, {3, 1});
  EXPECT_TRUE(released);
}

}  // namespace
}  // namespace luge::test
