// Captured steps that take tensors.

#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class ArgumentsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ArgumentsTest);

TEST_P(ArgumentsTest, AreCopiedIntoTheStep) {
  Tensor w = zeros({3}, on());
  auto step = capture([&](const Tensor& x, const Tensor& y) {
    w.add_(x * y);
    return x + y;
  });
  Tensor x = ones({3}, on());
  const Tensor y = full({3}, 2, on());
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(has_values(step(x, y), {3}, float32, {3.0 + i, 3.0 + i, 3.0 + i}));
    x.add_(1);
  }
  EXPECT_TRUE(has_values(w, {3}, float32, {20, 20, 20}));
  step.run(5, ones({3}, on()), ones({3}, on()));
  EXPECT_TRUE(has_values(w, {3}, float32, {25, 25, 25}));
  EXPECT_TRUE(has_values(x, {3}, float32, {5, 5, 5}));
}

TEST_P(ArgumentsTest, ViewsAreTakenAsTheyLie) {
  const Tensor matrix = arange(6, on()).view({2, 3});
  auto step = capture([](const Tensor& x) { return x * 2; });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(has_values(step(matrix.t()), {3, 2}, float32, {0, 6, 2, 8, 4, 10}));
}

TEST_P(ArgumentsTest, OfAnotherShapeOrTypeRecordAnotherPlan) {
  Tensor total = zeros({}, on());
  int runs = 0;
  auto step = capture([&](const Tensor& batch) {
    ++runs;
    total.add_(batch.to(float32).sum());
    return batch * 2;
  });
  for (const std::int64_t size : {4, 4, 3, 4, 3, 4}) EXPECT_EQ(step(ones({size}, on())).shape(), Shape{size});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(step(ones({4}, on(float64))).dtype(), float64);
  EXPECT_EQ(total.item<double>(), 30);
  EXPECT_EQ(runs, 3);
}

TEST_P(ArgumentsTest, Errors) {
  Tensor x = zeros({2}, on());
  auto step = capture([&](const Tensor& y) { x.add_(y); });
  const Tensor leaf = ones({2}, on(float32, true));
  expect_errors({
      LUGE_ERROR(AutogradError, "step: argument 0 of shape \\(2,\\) requires a gradient", step(leaf)),
      LUGE_ERROR(AutogradError, "step: argument 0 of shape \\(2,\\) requires a gradient", step(leaf * 2)),
      LUGE_ERROR(ValueError, "step: argument 0 is an undefined tensor", step(Tensor())),
      LUGE_ERROR(ValueError, "run: steps is 0", step.run(0, x)),
  });
  EXPECT_TRUE(has_values(x, {2}, float32, {0, 0}));
  auto any = capture([](const Tensor& y) { return y + 1; });
  for (std::int64_t size = 1; size <= 16; ++size) any(ones({size}, on()));
  expect_errors({LUGE_ERROR(CaptureError, "arguments of 17 different shapes, dtypes or devices; allowed are 16",
                            any(ones({17}, on())))});
  EXPECT_TRUE(has_values(any(ones({2}, on())), {2}, float32, {2, 2}));
}

}  // namespace
}  // namespace luge::test
