// grad(): gradients of chosen tensors, which leave all leaves alone.

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "expect.h"
#include "has_words.h"

namespace luge::test {
namespace {

Tensor leaf(std::initializer_list<double> values) { return tensor(values, {.dtype = float64, .requires_grad = true}); }

TEST(GradTest, OfLeavesAndOfResults) {
  const Tensor x = leaf({1, 2, 3}), w = leaf({4, 5, 6});
  const Tensor product = x * w, loss = (product * product).sum();
  const std::vector<Tensor> found = grad({loss}, {x, product, w});
  EXPECT_TRUE(has_values(found[0], {3}, float64, {32, 100, 216}));
  EXPECT_TRUE(has_values(found[1], {3}, float64, {8, 20, 36}));
  EXPECT_TRUE(has_values(found[2], {3}, float64, {8, 40, 108}));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
}

TEST(GradTest, LeavesGradientsThatAreThere) {
  const Tensor x = leaf({1, 2});
  (x * 3).sum().backward();
  EXPECT_TRUE(has_values(grad({(x * x).sum()}, {x})[0], {2}, float64, {2, 4}));
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {3, 3}));
  (x * 1).sum().backward();
  EXPECT_TRUE(has_values(x.grad(), {2}, float64, {4, 4})) << "it goes on accumulating";
}

TEST(GradTest, SeveralOutputsAreSummed) {
  const Tensor x = leaf({1, 2});
  const Tensor a = x * 3, b = x * x;
  const Tensor weights = tensor({10, 20}, {.dtype = float64});
  EXPECT_TRUE(has_values(grad({a, b}, {x}, {weights, weights})[0], {2}, float64, {50, 140}));
  EXPECT_TRUE(has_values(grad({x, (x * x).sum()}, {x}, {weights, {}})[0], {2}, float64, {12, 24}))
      << "an output that is a leaf";
  const Tensor y = x * x;
  EXPECT_TRUE(has_values(grad({y}, {y, x, x}, {weights})[0], {2}, float64, {10, 20}));
}

TEST(GradTest, TheSameAsBackward) {
  const Tensor x = rand({40, 30}, {.dtype = float64, .requires_grad = true});
  const auto loss = [&] { return (x.matmul(x.transpose(0, 1)).tanh() * sigmoid(x.sum(1))).logsumexp({0, 1}); };
  const Tensor found = grad({loss()}, {x})[0];
  loss().backward();
  EXPECT_EQ(found.to_vector<double>(), x.grad().to_vector<double>());
}

TEST(GradTest, UnusedInputs) {
  const Tensor x = leaf({1}), other = leaf({2});
  const std::vector<Tensor> found = grad({x.sum()}, {other, x}, {}, false, false, true);
  EXPECT_FALSE(found[0].defined());
  EXPECT_TRUE(has_values(found[1], {1}, float64, {1}));
  try {
    grad({x.sum()}, {x, other});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const AutogradError& error) {
    EXPECT_TRUE(has_words(error.what(), {"grad", "input 1"}));
  }
}

TEST(GradTest, TheGraphIsFreedOrKept) {
  const Tensor x = leaf({1, 2});
  const Tensor loss = (x * x).sum();
  grad({loss}, {x}, {}, true);
  EXPECT_TRUE(has_values(grad({loss}, {x})[0], {2}, float64, {2, 4}));
  EXPECT_THROW(grad({loss}, {x}), AutogradError);
}

TEST(GradTest, BadInput) {
  const Tensor x = leaf({1, 2}), constant = tensor({1.0}, {.dtype = float64});
  EXPECT_THROW(grad({x * 2}, {x}), AutogradError) << "an output of two elements without a gradient";
  EXPECT_THROW(grad({x.sum()}, {constant}), AutogradError);
  EXPECT_THROW(grad({constant}, {x}), AutogradError);
  EXPECT_THROW(grad({x.sum()}, {x}, {constant, constant}), ValueError);
  EXPECT_THROW(grad({x * 2}, {x}, {constant}), ShapeError);
  EXPECT_THROW(grad({x * 2}, {x}, {ones({2})}), DTypeError);
  EXPECT_THROW(grad({Tensor()}, {x}), Error);
  EXPECT_FALSE(x.grad().defined());
}

}  // namespace
}  // namespace luge::test
