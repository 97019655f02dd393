// Pooling: values, places and gradients of small cases by hand, on every device; errors.

#include <luge/nn/pooling.h>
#include <luge/ops/pooling.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

using PoolingTest = DeviceTest;
LUGE_ON_EVERY_DEVICE(PoolingTest);

TEST_P(PoolingTest, TheFirstOfEqualsGetsTheGradient) {
  const Tensor x = tensor({1, 1, 0, 2, 2, 3}, on(float64, true)).view({1, 6});
  const Tensor leaf = x.detach().clone().requires_grad_();
  const Pooled found = max_pool1d_with_indices(leaf, {2});
  EXPECT_TRUE(has_values(found.values.detach(), {1, 3}, float64, {1, 2, 3}));
  EXPECT_TRUE(has_values(found.indices, {1, 3}, int64, {0, 3, 5}));
  found.values.sum().backward();
  EXPECT_TRUE(has_values(leaf.grad(), {1, 6}, float64, {1, 0, 0, 1, 0, 1}));
}

TEST_P(PoolingTest, PaddingIsNeverTheLargest) {
  const double low = -kInfinity;
  const Tensor leaf = tensor({low, low, low}, on(float64, true));
  const Pooled found = max_pool1d_with_indices(leaf.view({1, 3}), {3}, {.stride = {2}, .padding = {1}});
  EXPECT_TRUE(has_values(found.indices, {1, 2}, int64, {0, 1}));
  found.values.sum().backward();
  EXPECT_TRUE(has_values(leaf.grad(), {3}, float64, {1, 1, 0}));
}

TEST_P(PoolingTest, NaNIsTheLargest) {
  const Tensor x = tensor({kNaN, 1, 2, kNaN, 5, 4}, on(float64)).view({1, 6});
  EXPECT_TRUE(has_values(max_pool1d_with_indices(x, {2}).indices, {1, 3}, int64, {0, 3, 4}));
}

TEST_P(PoolingTest, MeansCountPaddingOrNot) {
  const Tensor x = ones({1, 3}, on(float64));
  EXPECT_TRUE(has_values(avg_pool1d(x, {2}, {.padding = {1}}), {1, 2}, float64, {0.5, 1}));
  EXPECT_TRUE(has_values(avg_pool1d(x, {2}, {.padding = {1}, .count_include_pad = false}), {1, 2}, float64, {1, 1}));
  EXPECT_TRUE(has_values(avg_pool1d(x, {2}, {.ceil_mode = true}), {1, 2}, float64, {1, 1}));
  EXPECT_TRUE(has_values(avg_pool2d(ones({1, 2, 2}, on(float64)), {2}, {.divisor_override = 8}), {1, 1, 1}, float64, {0.5}));
}

TEST_P(PoolingTest, AdaptiveWindowsOverlapWhereTheyDoNotDivide) {
  const Tensor leaf = tensor({1, 2, 3, 4, 5}, on(float64, true));
  const Tensor y = adaptive_avg_pool1d(leaf.view({1, 5}), {2});
  EXPECT_TRUE(has_values(y.detach(), {1, 2}, float64, {2, 4}));
  y.sum().backward();
  EXPECT_TRUE(has_values((leaf.grad() * 3).detach(), {5}, float64, {1, 1, 2, 1, 1}));
  const Pooled most = adaptive_max_pool1d(leaf.view({1, 5}), {2});
  EXPECT_TRUE(has_values(most.indices, {1, 2}, int64, {2, 4}));
}

TEST_P(PoolingTest, UnpoolingPutsValuesBack) {
  const Tensor x = arange(16, on(float64)).view({1, 4, 4});
  const Pooled found = max_pool2d_with_indices(x, {2});
  const Tensor back = max_unpool(found.values, found.indices, {4, 4});
  EXPECT_EQ(back.shape(), x.shape());
  EXPECT_EQ(back.sum().item(), 5 + 7 + 13 + 15);
  EXPECT_EQ(max_pool2d(back, {2}).to_vector<double>(), found.values.to_vector<double>());
}

TEST_P(PoolingTest, NormsAndMoreDimensions) {
  EXPECT_TRUE(has_values(lp_pool1d(tensor({{3, 4}}, on(float64)), 2, {2}), {1, 1}, float64, {5}));
  const Tensor x = arange(64, on(float64)).view({2, 1, 2, 2, 2, 4});
  EXPECT_EQ(max_pool3d(x, {2}).shape(), Shape({2, 1, 2, 1, 1, 2}));
  EXPECT_EQ(avg_pool3d(x, {2}).shape(), Shape({2, 1, 2, 1, 1, 2}));
}

TEST(Pooling, LayersStandInSequences) {
  const nn::Sequential model{nn::MaxPool2d{{3}, {.stride = {2}, .padding = {1}}}, nn::AvgPool2d{{2}}, nn::AdaptiveAvgPool2d{{1}}};
  EXPECT_EQ(model(zeros({5, 3, 16, 16})).shape(), Shape({5, 3, 1, 1}));
}

TEST(Pooling, ErrorsNameWhatWasCalled) {
  const Tensor x = zeros({1, 4, 4});
  expect_errors({
      LUGE_ERROR(ValueError, "max_pool2d: kernel_size", max_pool2d(x, {0})),
      LUGE_ERROR(ValueError, "max_pool2d: stride", max_pool2d(x, {2}, {.stride = {0}})),
      LUGE_ERROR(ValueError, "max_pool2d: padding", max_pool2d(x, {2}, {.padding = {2}})),
      LUGE_ERROR(ValueError, "max_pool2d: kernel_size", max_pool2d(x, {2, 2, 2})),
      LUGE_ERROR(ShapeError, "max_pool2d: ", max_pool2d(x, {5})),
      LUGE_ERROR(ShapeError, "avg_pool3d: ", avg_pool3d(x, {2})),
      LUGE_ERROR(DTypeError, "avg_pool2d: ", avg_pool2d(x.to(int64), {2})),
      LUGE_ERROR(DTypeError, "max_pool2d: ", max_pool2d(x.to(boolean), {2})),
      LUGE_ERROR(IndexError, "max_unpool2d: ", max_unpool(x, full({1, 4, 4}, 99, {.dtype = int64}), {8, 8})),
  });
}

}  // namespace
}  // namespace luge::test
