// Changes in place are recorded: gradients of what was overwritten, of what came in, of views and of their bases.

#include <vector>

#include <luge/base/memory.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class InPlaceTest : public DeviceTest {
 protected:
  Tensor leaf(const std::vector<double>& values) {
    return from_host(values, {static_cast<std::int64_t>(values.size())}, device()).requires_grad_();
  }
};
LUGE_ON_EVERY_DEVICE(InPlaceTest);

using Inputs = std::vector<Tensor>;

TEST_P(InPlaceTest, EveryOperationPassesGradcheck) {
  const auto check = [&](const char* name, const std::function<Tensor(const Inputs&)>& function) {
    SCOPED_TRACE(name);
    const Tensor a = (arange(6, on(float64)).view({2, 3}) * 0.3 - 0.7).requires_grad_(),
                 b = (arange(3, on(float64)) * 0.5 + 0.4).requires_grad_();
    EXPECT_TRUE(gradients_agree(function, {a, b}));
  };
  check("add_", [](const Inputs& in) { Tensor y = in[0] * 2; return y.add_(in[1]); });
  check("sub_", [](const Inputs& in) { Tensor y = in[0] * 2; return y.sub_(in[1]); });
  check("mul_", [](const Inputs& in) { Tensor y = in[0] * 2; return y.mul_(in[1]); });
  check("div_", [](const Inputs& in) { Tensor y = in[0] * 2; return y.div_(in[1]); });
  check("mul_ by a number", [](const Inputs& in) { Tensor y = in[0] * 3; return y.mul_(3).div_(2).add_(1).sub_(0.5); });
  check("by itself", [](const Inputs& in) { Tensor y = in[0] * 2; return y.mul_(y); });
  check("by its view", [](const Inputs& in) { Tensor y = in[0] * 2; return y.mul_(y[0]); });
  check("copy_", [](const Inputs& in) { Tensor y = in[0] * 2; return y.copy_(in[1]).mul_(in[0]); });
  check("fill_", [](const Inputs& in) { Tensor y = in[0] * 2; y.fill_(3); return y * in[0] + in[1]; });
  check("a tensor without a graph", [&](const Inputs& in) { Tensor y = zeros({2, 3}, on(float64)); return y.add_(in[0]).mul_(in[1]); });
  check("a row", [](const Inputs& in) { Tensor y = in[0] * 2; y[1].mul_(in[1]); return y * y; });
  check("a column, transposed", [](const Inputs& in) { Tensor y = in[0] * 3; y.t()[1].copy_(in[1].slice(0, 0, 2)); return y * y; });
  check("every other element", [](const Inputs& in) { Tensor y = in[0] * 2; y.view({6}).slice(0, 0, 6, 2).mul_(in[1]); return y; });
  check("a view of a view", [](const Inputs& in) { Tensor y = in[0] * 3; y[1].slice(0, 1, 3).add_(in[1].slice(0, 0, 2)); return y.sum({0}); });
  check("two rows", [](const Inputs& in) { Tensor y = in[0] * 2; y[0].copy_(in[1]); y[1].mul_(y[0]); return y; });
  check("an earlier view sees it", [](const Inputs& in) {
    Tensor y = in[0] * 2;
    const Tensor row = y[1];
    y.mul_(in[1]);
    return row * row;
  });
  check("an earlier view of another part", [](const Inputs& in) {
    Tensor y = in[0] * 2;
    const Tensor row = y[1];
    y[0].copy_(in[1]);
    return row * y;
  });
  check("a view changed twice", [](const Inputs& in) {
    Tensor y = in[0] * 3;
    Tensor row = y[1];
    row.mul_(in[1]);
    row.add_(in[1]);
    return row.sum() * y;
  });
  check("a row of zeros", [&](const Inputs& in) {
    Tensor y = zeros({2, 3}, on(float64));
    y[0] = in[1];
    y[1].copy_(in[0][0]);
    return y * y;
  });
  check("an earlier expanded view", [](const Inputs& in) {
    Tensor y = in[0] * 2;
    const Tensor wide = y.slice(1, 0, 1).expand({2, 3}), first = y[1].expand({2, 3});
    y.mul_(in[1]);
    return wide * in[1] + first;
  });
  check("a tensor with strides of its own", [&](const Inputs& in) {
    Tensor column = zeros({3, 2}, on(float64)).select(1, 1).detach();
    column.copy_(in[1]);
    column.slice(0, 1, 3) = in[0][1].slice(0, 0, 2);
    const Tensor last = column[2];
    column.mul_(in[1]);
    return column * in[1] + last;
  });
  check("a first change through a part of strides", [&](const Inputs& in) {
    Tensor turned = zeros({3, 2}, on(float64)).t().detach();
    turned[0].slice(0, 1, 3) = in[1].slice(0, 0, 2);
    turned.select(1, 0) = in[0].select(1, 2);
    return turned * in[0];
  });
  check("a fill of a part", [](const Inputs& in) { Tensor y = in[0] * 2; y[0].fill_(1); return y * in[1]; });
  check("index_copy", [&](const Inputs& in) {
    const Tensor index = from_host(std::vector<std::int64_t>{1, 0, 1}, {3}, device());
    return index_copy(in[1], 0, index, in[0][0]) * in[1];
  });
}

TEST_P(InPlaceTest, AnExpandedBaseIsRefused) {
  Tensor w = leaf({1, 2, 3}), wide = zeros({3}, on(float64)).expand({2, 3}).detach();
  EXPECT_THROW(wide[0].copy_(w), AutogradError);
  EXPECT_EQ(wide.sum().item(), 0);
}

TEST_P(InPlaceTest, AHistoryThatSavesWhatItOverwritesIsFreed) {
  const std::size_t before = memory_stats(device()).allocated;
  {
    const Tensor x = ones({1000}, on(float32, true));
    Tensor y = x * 1, z = zeros({1000}, on()), u = zeros({1000}, on());
    y.add_(y.square());
    z.slice(0, 500) = (z.slice(0, 0, 500) * x.slice(0, 0, 500)).exp();
    u.copy_(u * x);
  }
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

TEST_P(InPlaceTest, WhatIsOverwrittenHasNoGradient) {
  Tensor x = leaf({1, 2, 3}), w = leaf({5, 6, 7});
  Tensor y = x * 1;
  y.slice(0, 1, 3).copy_(w.slice(0, 0, 2));
  y.sum().backward();
  EXPECT_TRUE(has_values(y, {3}, float64, {1, 5, 6}));
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {1, 0, 0}));
  EXPECT_TRUE(has_values(w.grad(), {3}, float64, {1, 1, 0}));
}

TEST_P(InPlaceTest, AssignmentToAPartWritesThrough) {
  Tensor x = zeros({2, 3}, on());
  x[0] = tensor({1, 2, 3}, on());
  x[1] = 4;
  x.slice(1, 0, 1) = 9;
  EXPECT_TRUE(has_values(x, {2, 3}, float32, {9, 2, 3, 9, 4, 4}));
  Tensor handle = x[0];
  handle = zeros({3}, on());  // a name sees other data
  EXPECT_TRUE(has_values(x[0], {3}, float32, {9, 2, 3}));
}

TEST_P(InPlaceTest, OfEqualIndicesTheLastStays) {
  for (const DType dtype : {float32, float64, int32, int64, boolean}) {
    const Tensor x = zeros({3, 2}, on(dtype)), source = tensor({{1, 0}, {1, 1}, {0, 0}, {0, 1}}, on(dtype));
    for (const DType index_dtype : {int32, int64}) {
      const Tensor index = tensor({2, 0, 2, 2}, on(index_dtype));
      const Tensor y = index_copy(x, 0, index, source);
      EXPECT_TRUE(y[2].eq(source[3]).all().item<bool>()) << name(dtype);
      EXPECT_TRUE(y[0].eq(source[1]).all().item<bool>()) << name(dtype);
      EXPECT_TRUE(y[1].eq(0).all().item<bool>()) << name(dtype);
    }
  }
  Tensor x = leaf({1, 2, 3}), source = leaf({4, 5, 6});
  const Tensor index = from_host(std::vector<std::int64_t>{1, 1, 2}, {3}, device());
  index_copy(x, 0, index, source).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {1, 0, 0}));
  EXPECT_TRUE(has_values(source.grad(), {3}, float64, {0, 1, 1}));
}

TEST_P(InPlaceTest, WhatTheWayBackNeedsMustNotChange) {
  Tensor x = leaf({1, 2, 3});
  Tensor y = x * 2;
  const Tensor z = y * y;
  y.add_(1);
  expect_errors({LUGE_ERROR(AutogradError, "mul: a tensor of shape \\(3,\\) that the derivative needs was changed in place",
                            z.sum().backward())});
}

TEST_P(InPlaceTest, LeavesAreNotChanged) {
  Tensor x = leaf({1, 2, 3});
  expect_errors({
      LUGE_ERROR(AutogradError, "add_: a leaf that requires a gradient, or a view of one, cannot be changed", x.add_(1)),
      LUGE_ERROR(AutogradError, "fill_: a leaf that requires a gradient, or a view of one, cannot be changed", x[0].fill_(1)),
      LUGE_ERROR(AutogradError, "copy_: a leaf that requires a gradient, or a view of one, cannot be changed", x.slice(0, 0, 2).copy_(x.slice(0, 1, 3))),
      LUGE_ERROR(AutogradError, "fill_: a leaf that requires a gradient, or a view of one, cannot be changed", x[0] = 1),
  });
  EXPECT_TRUE(has_values(x, {3}, float64, {1, 2, 3}));
  const NoGrad quiet;
  x[0] = 7;
  EXPECT_TRUE(has_values(x, {3}, float64, {7, 2, 3}));
}

TEST_P(InPlaceTest, AViewMadeWithoutRecordingIsNotChanged) {
  Tensor x = leaf({1, 2, 3});
  Tensor y = x * 2;
  Tensor row = no_grad([&] { return y.slice(0, 0, 1); });
  expect_errors({LUGE_ERROR(AutogradError, "add_: this view was made without recording gradients", row.add_(1))});
}

TEST_P(InPlaceTest, IntegersAndPlainTensorsStayPlain) {
  Tensor x = zeros({3}, on()), n = zeros({3}, on(int64));
  x[0].add_(1);
  n[1].add_(2);
  EXPECT_FALSE(x.requires_grad());
  EXPECT_FALSE(n.requires_grad());
  EXPECT_TRUE(x.is_leaf() && n.is_leaf());
  Tensor w = leaf({1, 2, 3});
  n.copy_(w);  // values only
  EXPECT_FALSE(n.requires_grad());
}

TEST_P(InPlaceTest, EmptyAndScalar) {
  Tensor w = leaf({2}).view({}).detach().requires_grad_();
  Tensor y = zeros({}, on(float64));
  y.copy_(w);
  y.mul_(w);
  y.backward();
  EXPECT_TRUE(has_values(w.grad(), {}, float64, {4}));
  Tensor e = zeros({0, 3}, on(float64));
  const Tensor empty = zeros({0, 3}, on(float64, true));
  e.add_(empty);
  e.sum().backward();
  EXPECT_EQ(empty.grad().shape(), Shape({0, 3}));
}

TEST_P(InPlaceTest, CapturedStepsRecordIt) {
  const auto run = [&](bool captured) {
    Tensor w = (arange(3, on()) + 1).requires_grad_(), x = arange(6, on()).view({2, 3});
    const auto body = [&] {
      w.zero_grad();
      Tensor y = x * w;
      y[0] = w;
      y.slice(1, 1, 3).mul_(2);
      y.sum().backward();
      const NoGrad quiet;
      w.sub_(w.grad() * 0.1);
      return y;
    };
    auto step = capture(body);
    std::vector<double> all;
    for (int i = 0; i < 4; ++i)
      for (const Tensor& part : {captured ? step() : body(), w})
        for (const double value : part.to_vector<double>()) all.push_back(value);
    return all;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST_P(InPlaceTest, AGradientThatGetsAHistoryDoesNotKeepItsLeaf) {
  const std::size_t before = memory_stats(device()).allocated;
  {
    const Tensor x = ones({1000}, on()).requires_grad_();
    const Tensor y = x * x;
    y.sum().backward();
    Tensor gradient = x.grad();
    gradient.mul_(y);
    EXPECT_FALSE(gradient.is_leaf());
    EXPECT_TRUE(x.grad().is_leaf());
    EXPECT_TRUE(same(x.grad(), gradient.detach()));  // of one memory
  }
  EXPECT_EQ(memory_stats(device()).allocated, before);
}

}  // namespace
}  // namespace luge::test
