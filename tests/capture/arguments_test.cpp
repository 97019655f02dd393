// Captured steps that take tensors.

#include <cstdint>
#include <string>
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

// ---- arguments that the step changes in place

/// What a loop of eager calls and one of captured calls leave in x and return.
template <class Function>
void expect_the_same(const Tensor& x, int calls, const Function& f) {
  Tensor eager = x.clone(), given = x.clone();
  auto step = capture(f);
  for (int i = 0; i < calls; ++i) {
    const std::vector<double> expected = f(eager).template to_vector<double>();
    EXPECT_EQ(step(given).template to_vector<double>(), expected) << i;
    EXPECT_EQ(given.to_vector<double>(), eager.to_vector<double>()) << i;
  }
}

TEST_P(ArgumentsTest, WhatIsChangedInPlaceIsCopiedBack) {
  for (const DType dtype : {float32, float64, int64}) {
    const Tensor x = arange(6, on(dtype)).view({2, 3});
    expect_the_same(x, 4, [](Tensor y) {
      y.mul_(2);
      return y.sum();
    });
    expect_the_same(x, 4, [](const Tensor& y) {
      y.select(0, 1).add_(3);
      return y.select(0, 0) + 1;
    });
  }
}

TEST_P(ArgumentsTest, ManyStepsGoOnFromWhatTheyChanged) {
  Tensor x = ones({3}, on()), unchanged = ones({3}, on());
  const std::uint64_t version = unchanged.version();
  auto step = capture([](Tensor y, const Tensor& z) { return y.add_(z).sum(); });
  step.run(5, x, unchanged);
  EXPECT_TRUE(has_values(x, {3}, float32, {6, 6, 6}));
  step.run(300, x, unchanged);
  EXPECT_TRUE(has_values(x, {3}, float32, {306, 306, 306}));
  EXPECT_TRUE(has_values(unchanged, {3}, float32, {1, 1, 1}));
  EXPECT_EQ(unchanged.version(), version);
}

TEST_P(ArgumentsTest, ViewsTakeWhatIsChanged) {
  const Tensor matrix = arange(6, on()).view({2, 3});
  auto step = capture([](Tensor x) { x.add_(10); });
  for (int i = 0; i < 3; ++i) step(matrix.t());
  EXPECT_TRUE(has_values(matrix, {2, 3}, float32, {30, 31, 32, 33, 34, 35}));
  for (int i = 0; i < 2; ++i) step(matrix.slice(1, 0, 2).t());
  EXPECT_TRUE(has_values(matrix, {2, 3}, float32, {50, 51, 32, 53, 54, 35}));
}

TEST_P(ArgumentsTest, AChangeCountsForTheGraphOfWhatWasGiven) {
  const Tensor w = full({2}, 3, on(float32, true));
  Tensor x = ones({2}, on());
  auto step = capture([](Tensor y) { y.mul_(2); });
  for (int i = 0; i < 2; ++i) {
    const Tensor product = w * x;
    step(x);
    expect_errors({LUGE_ERROR(AutogradError, "changed in place", product.sum().backward())});
  }
}

TEST_P(ArgumentsTest, AResultThatIsTheArgumentMayBeGivenAgain) {
  Tensor x = ones({2}, on());
  auto step = capture([](Tensor y) { return y.mul_(2); });
  const Tensor first = step(x);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(step(first).data(), first.data());
  EXPECT_TRUE(has_values(first, {2}, float32, {16, 16}));
  EXPECT_TRUE(has_values(x, {2}, float32, {2, 2}));
  auto turned = capture([](const Tensor& a, const Tensor& b) { return std::vector<Tensor>{a, b, a + b}; });
  std::vector<Tensor> pair = turned(full({2}, 1, on()), full({2}, 2, on()));
  pair = turned(pair[1], pair[0]);
  EXPECT_TRUE(has_values(pair[0], {2}, float32, {2, 2}));
  EXPECT_TRUE(has_values(pair[1], {2}, float32, {1, 1}));
}

TEST_P(ArgumentsTest, ColumnsOfOneMatrixShareNothing) {
  const Tensor matrix = zeros({3, 4}, on());
  auto step = capture([](Tensor x, const Tensor& y) { x.add_(y + 1); });
  for (int i = 0; i < 2; ++i) step(matrix.slice(1, 0, 2), matrix.slice(1, 2, 4));
  EXPECT_TRUE(has_values(matrix, {3, 4}, float32, {2, 2, 0, 0, 2, 2, 0, 0, 2, 2, 0, 0}));
}

TEST_P(ArgumentsTest, ThatCannotTakeAChange) {
  Tensor x = ones({4}, on()), state = zeros({4}, on()), count = zeros({}, on());
  auto step = capture([&](Tensor y, const Tensor& z) {
    count.add_(1);
    state.add_(z);
    y.mul_(2);
    return y + z;
  });
  const std::string at = "capture \\(arguments_test.cpp:[0-9]+\\): argument 0 of shape \\(4,\\) ";
  const std::string cannot = at + "is changed in place by the step and cannot be: copy_: .* was expanded";
  const std::string shares = at + "is changed in place by the step and shares memory with argument 1";
  const std::string elsewhere = at + "shares memory with another tensor that the step works on or returns";
  const Tensor expanded = ones({1}, on()).expand({4}), both = ones({7}, on());
  const auto expect_refused = [&] {
    expect_errors({
        LUGE_ERROR(CaptureError, cannot.c_str(), step(expanded, x)),
        LUGE_ERROR(CaptureError, shares.c_str(), step(x, x)),
        LUGE_ERROR(CaptureError, shares.c_str(), step(both.slice(0, 0, 4), both.slice(0, 3, 7))),
        LUGE_ERROR(CaptureError, elsewhere.c_str(), step(state, x)),
    });
  };
  expect_refused();
  EXPECT_EQ(count.item<double>(), 0);
  EXPECT_TRUE(has_values(state, {4}, float32, {0, 0, 0, 0}));
  Tensor good = ones({4}, on());
  const Tensor result = step(good, x);
  step(good, x);
  expect_refused();
  expect_errors({LUGE_ERROR(CaptureError, elsewhere.c_str(), step(result, x))});
  EXPECT_EQ(count.item<double>(), 2);
  EXPECT_TRUE(has_values(x, {4}, float32, {1, 1, 1, 1}));
  EXPECT_TRUE(has_values(good, {4}, float32, {4, 4, 4, 4}));
  EXPECT_TRUE(has_values(step(x, expanded), {4}, float32, {3, 3, 3, 3}));
}

TEST_P(ArgumentsTest, ThatIsWrittenElsewhereBeforeItIsRead) {
  Tensor state = ones({2}, on());
  auto late = capture([&](const Tensor& x) {
    state.add_(1);
    return x * 2;
  });
  auto soon = capture([&](const Tensor& x) {
    const Tensor twice = x * 2;
    state.add_(1);
    return twice;
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(has_values(soon(state), {2}, float32, {2.0 + 2 * i, 2.0 + 2 * i}));
  const auto refused = [&] {
    expect_errors({LUGE_ERROR(CaptureError, "argument 0 of shape .* shares memory with another tensor that the step writes", late(state))});
  };
  refused();
  late(ones({2}, on()));
  refused();
  EXPECT_TRUE(has_values(state, {2}, float32, {5, 5}));
}

TEST_P(ArgumentsTest, StepsBeforeOneThatFailsCount) {
  Tensor x = ones({2}, on()), last;
  int runs = 0;
  auto step = capture([&](Tensor y) {
    last = y.add_(1) * 2;  // a step that leaves something runs its function again
    if (++runs == 2) static_cast<void>(last.sum().item());
  });
  expect_errors({LUGE_ERROR(CaptureError, "reads a value on the host", step.run(2, x))});
  EXPECT_TRUE(has_values(x, {2}, float32, {2, 2}));
  auto fails = capture([&](Tensor y) {
    y.add_(1);
    static_cast<void>(y.sum().item());
  });
  expect_errors({LUGE_ERROR(CaptureError, "reads a value on the host", fails(x))});
  EXPECT_TRUE(has_values(x, {2}, float32, {2, 2}));
}

TEST_P(ArgumentsTest, DoNotBecomeLeaves) {
  Tensor x = ones({2}, on());
  auto step = capture([](Tensor y) { square(y.requires_grad_()).sum().backward(); });
  expect_errors({LUGE_ERROR(CaptureError, "argument 0 of shape \\(2,\\) is made to require a gradient within the step.*detach", step(x))});
  EXPECT_FALSE(x.requires_grad());
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
