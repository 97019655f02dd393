// What backward() promises: where gradients go, when they add up, when it refuses.

#include <luge/seam/detail/op_traits.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class BackwardTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(BackwardTest);

TEST_P(BackwardTest, AccumulatesUntilZeroGrad) {
  Tensor x = tensor({1, 2}, on(float32, true));
  EXPECT_FALSE(x.grad().defined());
  (x * 3).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {3, 3}));
  (x * x).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {5, 7}));
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
  (x * x).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {2, 4}));
}

TEST_P(BackwardTest, GradientsAreTheirOwnMemory) {
  Tensor x = tensor({1, 2}, on(float64, true));
  const Tensor seed = tensor({5, 6}, on(float64));
  x.backward(seed);
  (x + 0.0).backward(seed);
  x.grad().fill_(1);
  EXPECT_TRUE(has_values(seed, {2}, float64, {5, 6}));
  Tensor y = tensor({1, 2}, on(float64, true)), z = tensor({1, 2}, on(float64, true));
  (y + z).backward(seed);
  y.grad().fill_(0);
  EXPECT_TRUE(has_values(z.grad(), {2}, float64, {5, 6}));
  EXPECT_TRUE(has_values(seed, {2}, float64, {5, 6}));
}

TEST_P(BackwardTest, RetainGraphRunsAgain) {
  Tensor x = tensor({1, 2}, on(float32, true));
  const Tensor y = (x.exp() * x).sum();
  y.backward({}, true);
  const Tensor once = x.grad().clone();
  y.backward();
  EXPECT_TRUE(same(x.grad(), once + once));
  EXPECT_THROW(y.backward(), AutogradError);
}

TEST_P(BackwardTest, AGraphRunsOnce) {
  Tensor x = tensor({1, 2}, on(float32, true));
  const Tensor middle = x.exp(), y = middle.sum(), z = (middle * 2).sum();
  y.backward();
  expect_errors({
      LUGE_ERROR(AutogradError, "backward: the graph of sum has been used and freed; pass retain_graph = true", y.backward()),
      LUGE_ERROR(AutogradError, "backward: the graph of exp has been used and freed", z.backward()),
  });
}

TEST_P(BackwardTest, RefusesWhatHasNoGraph) {
  const Tensor x = tensor({1, 2}, on()), leaf = tensor({1, 2}, on(float32, true));
  expect_errors({
      LUGE_ERROR(AutogradError, "backward: this tensor of shape \\(\\) does not require a gradient and has no graph", x.sum().backward()),
      LUGE_ERROR(AutogradError, "no graph", leaf.detach().sum().backward()),
      LUGE_ERROR(AutogradError, "no graph", no_grad([&] { return leaf.sum(); }).backward()),
      LUGE_ERROR(AutogradError, "no graph", leaf.ne(1).backward()),
      LUGE_ERROR(AutogradError, "a gradient must be given for a tensor of shape \\(2,\\); only .* one element .*sum\\(\\) or mean", (leaf * 2).backward()),
      LUGE_ERROR(AutogradError, "a gradient must be given for a tensor of shape \\(0,\\)", leaf.slice(0, 0, 0).backward()),
      LUGE_ERROR(ShapeError, "backward: gradient has shape \\(3,\\); the tensor has \\(2,\\)", (leaf * 2).backward(zeros({3}, on()))),
      LUGE_ERROR(ShapeError, "backward: gradient has shape \\(1,\\); the tensor has \\(\\)", leaf.sum().backward(zeros({1}, on()))),
      LUGE_ERROR(DTypeError, "backward: gradient is float64; the tensor is float32", leaf.backward(zeros({2}, on(float64)))),
  });
  EXPECT_FALSE(leaf.grad().defined());
}

TEST_P(BackwardTest, ImplicitGradientForOneElementOfAnyShape) {
  Tensor x = tensor({3}, on(float64, true));
  (x * x).view({1, 1, 1}).backward();
  EXPECT_TRUE(has_values(x.grad(), {1}, float64, {6}));
  x.zero_grad();
  x.backward();
  EXPECT_TRUE(has_values(x.grad(), {1}, float64, {1}));
}

TEST_P(BackwardTest, TakesTheGivenGradient) {
  Tensor x = tensor({1, 2, 3}, on(float64, true));
  (x * x).backward(tensor({1, 10, 100}, on(float64)));
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {2, 40, 600}));
  x.zero_grad();
  (x * 2).backward(tensor({1}, on(float64)).expand({3}));
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {2, 2, 2}));
  x.zero_grad();
  const Tensor strided = arange(6, on(float64)).view({3, 2}).select(1, 1);
  (x * 2).backward(strided);
  EXPECT_TRUE(has_values(x.grad(), {3}, float64, {2, 6, 10}));
  EXPECT_TRUE(x.grad().is_contiguous());
}

TEST_P(BackwardTest, NoGradNests) {
  Tensor x = tensor({1, 2}, on(float32, true));
  EXPECT_TRUE(grad_enabled());
  {
    const NoGrad outer;
    EXPECT_FALSE((x * 2).requires_grad());
    {
      const NoGrad inner;
      EXPECT_FALSE(grad_enabled());
    }
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE(no_grad([&] { return x + 1; }).requires_grad());
    EXPECT_FALSE(grad_enabled());
    EXPECT_TRUE(zeros({2}, on(float32, true)).requires_grad());
  }
  EXPECT_TRUE((x * 2).requires_grad());
  EXPECT_THROW(no_grad([&]() -> Tensor { return x.view({7}); }), ShapeError);
  EXPECT_TRUE(grad_enabled());
}

TEST_P(BackwardTest, NoGradAllowsStepsInPlace) {
  Tensor w = tensor({1, 2}, on(float32, true));
  (w * w).sum().backward();
  no_grad([&] { w.sub_(0.5 * w.grad()); });
  EXPECT_TRUE(has_values(w, {2}, float32, {0, 0}));
  EXPECT_TRUE(w.is_leaf() && w.requires_grad());
}

TEST_P(BackwardTest, DetachCutsTheGraph) {
  Tensor x = tensor({1, 2}, on(float32, true));
  (x * x.detach()).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {1, 2}));
}

TEST_P(BackwardTest, LeavesAndResults) {
  Tensor x = tensor({1, 2}, on(float32, true)), plain = tensor({1, 2}, on());
  const Tensor y = x * plain;
  EXPECT_TRUE(x.is_leaf() && x.requires_grad());
  EXPECT_TRUE(plain.is_leaf() && !plain.requires_grad());
  EXPECT_TRUE(!y.is_leaf() && y.requires_grad());
  EXPECT_TRUE((plain * plain).is_leaf());
  y.sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(y.grad().defined());
  EXPECT_FALSE(plain.grad().defined());
  x.requires_grad_(false);
  EXPECT_FALSE((x * 2).requires_grad());
  x.requires_grad_();
  EXPECT_TRUE((x * 2).requires_grad());
}

TEST_P(BackwardTest, OnlyWhatIsAskedForIsComputed) {
  Tensor a = tensor({1, 2}, on(float32, true)), b = tensor({3, 4}, on());
  Tensor seed = tensor({1, 1}, on());
#define LUGE_ROW(function, Formula, ...)          \
  if constexpr (is_differentiable(Op::Formula)) { \
    luge::function(a, b).backward(seed);          \
    luge::function(b, a).backward(seed);          \
  }
  LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  EXPECT_FALSE(b.grad().defined());
  EXPECT_TRUE(a.grad().defined());
}

TEST_P(BackwardTest, GradientsHaveTheLeafsDType) {
  Tensor single = tensor({1, 2}, on(float32, true)), twice = tensor({1, 2}, on(float64, true));
  const Tensor y = single * twice;
  EXPECT_EQ(y.dtype(), float64);
  y.sum().backward();
  EXPECT_TRUE(has_values(single.grad(), {2}, float32, {1, 2}));
  EXPECT_TRUE(has_values(twice.grad(), {2}, float64, {1, 2}));
}

TEST_P(BackwardTest, IntegersTakePartWithoutAGradient) {
  Tensor x = tensor({1, 2}, on(float32, true));
  const Tensor i = tensor({2, 3}, on(int64)), b = tensor({1, 0}, on(boolean));
  (x * i + b * x).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float32, {3, 3}));
}

}  // namespace
}  // namespace luge::test
