// Operations that are made of the elementwise ones, as C++ calls them: what differs from the calls of Python, and errors.
// Their values are PyTorch's by tests/agreement.

#include <luge/ops/activation.h>
#include <luge/ops/arithmetic.h>
#include <luge/ops/margin_loss.h>
#include <luge/ops/pointwise_loss.h>
#include <luge/ops/replace.h>
#include <luge/ops/result_type.h>
#include <luge/ops/similarity.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class CompositesTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CompositesTest);

TEST_P(CompositesTest, AlphaScalesTheSecondArgument) {
  const Tensor a = tensor({1, 2}, on(float32)), b = tensor({3, -4}, on(float32));
  EXPECT_TRUE(has_values(add(a, b, 2), {2}, float32, {7, -6}));
  EXPECT_TRUE(has_values(sub(a, b, 0.5), {2}, float32, {-0.5, 4}));
  EXPECT_TRUE(has_values(rsub(a, b), {2}, float32, {2, -6}));
  EXPECT_THROW(add(a.to(int32), b.to(int32), 0.5), DTypeError);
  EXPECT_THROW(sub(a.to(boolean), b.to(boolean), 1), DTypeError);
}

TEST_P(CompositesTest, HalvesAreRoundedOnce) {
  // 2048 + 1 is no float16, and 3 times it is one after one rounding, another one after two.
  const Tensor x = tensor({2048}, on(float16)), one = tensor({1}, on(float16));
  EXPECT_TRUE(has_values(addcmul(x, one, one, 3), {1}, float16, {2052}));
  EXPECT_TRUE(has_values(add(x, one, 3), {1}, float16, {2052}));
}

TEST_P(CompositesTest, PromotionOfThreeKinds) {
  const Tensor strong = zeros({2}, on(int32)), weak = zeros({}, on(int64));
  EXPECT_EQ(result_type(strong, weak), int32);
  EXPECT_EQ(result_type(strong, 2.5), float32);
  EXPECT_EQ(result_type(weak, Scalar(true)), int64);
  EXPECT_THROW(ResultType().dtype(), ValueError);
  EXPECT_FALSE(can_cast(float16, int64));
}

TEST_P(CompositesTest, MasksAreBoolAndValuesFit) {
  const Tensor x = tensor({1, 2}, on(float16)), mask = x > 1;
  EXPECT_TRUE(has_values(masked_fill(x, mask, 5), {2}, float16, {1, 5}));
  EXPECT_TRUE(has_values(masked_fill(x, mask, scalar(5.0, on(float64))), {2}, float16, {1, 5}));
  EXPECT_THROW(masked_fill(x, x, 5), DTypeError);
  EXPECT_THROW(masked_fill(x, mask, 1e6), ValueError);
  EXPECT_THROW(masked_fill(x, mask, x), ShapeError);
}

TEST_P(CompositesTest, TailsOfActivations) {
  const Tensor x = tensor({-1000, 1000}, on(float32));
  EXPECT_TRUE(has_values(logsigmoid(x), {2}, float32, {-1000, 0}));
  EXPECT_TRUE(has_values(elu(x), {2}, float32, {-1, 1000}));
  EXPECT_TRUE(has_values(gelu_tanh(x), {2}, float32, {0, 1000}));
  Tensor leaf = x.clone();
  leaf.requires_grad_();
  elu(leaf).sum().backward();
  EXPECT_TRUE(has_values(leaf.grad(), {2}, float32, {0, 1}));
  EXPECT_THROW(glu(ones({3}, on(float32))), ShapeError);
  EXPECT_THROW(celu(x, 0), ValueError);
  EXPECT_THROW(prelu(x, ones({3}, on(float32))), ShapeError);
}

TEST_P(CompositesTest, LossesOfSets) {
  // (sets, batch) with one target for both sets.
  const Tensor input = tensor({{1, 2}, {3, 5}}, on(float32)), target = tensor({1, 1}, on(float32));
  EXPECT_TRUE(has_values(l1_loss(input, target, Reduction::PerSet), {2}, float32, {0.5, 3}));
  EXPECT_TRUE(has_values(huber_loss(input, target, Reduction::PerSet), {2}, float32, {0.25, 2.5}));
  EXPECT_THROW(l1_loss(input, target), ShapeError);
  EXPECT_THROW(smooth_l1_loss(input, input, Reduction::Mean, -1), ValueError);
  EXPECT_THROW(triplet_margin_loss(input, input, input, {.margin = 0}), ValueError);
}

TEST_P(CompositesTest, CrossEntropyOfProbabilitiesAtTheEnds) {
  Tensor p = tensor({0, 1, 0.5}, on(float64));
  p.requires_grad_();
  const Tensor target = tensor({1, 0, 1}, on(float64));
  const Tensor losses = binary_cross_entropy(p, target, Reduction::None);
  EXPECT_TRUE(has_values(losses, {3}, float64, {100, 100, std::log(2)}));
  losses.sum().backward();
  EXPECT_TRUE(has_values(p.grad(), {3}, float64, {-1e12, 1e12, -2}));
}

TEST_P(CompositesTest, SecondDerivatives) {
  manual_seed(3);
  const Tensor x = rand({6}, on(float64)) * 0.8 + 0.1, target = rand({6}, on(float64));
  EXPECT_TRUE(gradients_agree(
      [&](const std::vector<Tensor>& in) { return binary_cross_entropy(in[0], target, Reduction::None); }, {x.clone().requires_grad_()}));
  EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return cosine_similarity(in[0], target, 0); }, {x.clone().requires_grad_()}));
}

}  // namespace
}  // namespace luge::test
