// Normalizing layers: their parameters and statistics, sets, gradients, errors.

#include <luge/nn/normalization.h>
#include <luge/nn/pooling.h>
#include <luge/ops/normalization.h>

#include "devices.h"
#include "expect.h"
#include "nn/layer_gradcheck.h"

namespace luge::test {
namespace {

using NormalizationTest = DeviceTest;
LUGE_ON_EVERY_DEVICE(NormalizationTest);

TEST_P(NormalizationTest, RowsHaveMeanZeroAndVarianceOne) {
  const Tensor x = tensor({{1, 3}, {-5, 5}}, on(float64));
  EXPECT_TRUE(has_values(layer_norm(x, {2}, {}, {}, 0), {2, 2}, float64, {-1, 1, -1, 1}));
  EXPECT_TRUE(has_values(group_norm(x.view({1, 4}), 2, {}, {}, 0), {1, 4}, float64, {-1, 1, -1, 1}));
  EXPECT_TRUE(has_values(instance_norm(x.view({1, 2, 2}), {}, {}, {}, {}, true, 0.1, 0), {1, 2, 2}, float64, {-1, 1, -1, 1}));
  EXPECT_TRUE(has_values(batch_norm(x.t(), {}, {}, {}, {}, true, 0.1, 0), {2, 2}, float64, {-1, -1, 1, 1}));
  EXPECT_TRUE(has_values(rms_norm(tensor({{3, -3}}, on(float64)), {2}, tensor({1, 2}, on(float64)), 0), {1, 2}, float64, {1, -2}));
  const Tensor halves = local_response_norm(ones({1, 2, 1}, on(float64)), 1, 1, 1);
  EXPECT_TRUE(has_values(halves, {1, 2, 1}, float64, {0.5, 0.5}));
}

TEST_P(NormalizationTest, RunningStatisticsFollow) {
  const Tensor mean = zeros({1}, on(float64)), variance = ones({1}, on(float64));
  const Tensor x = tensor({1, 3}, on(float64)).unsqueeze(1);
  batch_norm(x, mean, variance, {}, {}, true, 0.5, 0);
  EXPECT_TRUE(has_values(mean, {1}, float64, {1}));
  EXPECT_TRUE(has_values(variance, {1}, float64, {1.5}));  // of 1 and 2, divided by n - 1
  EXPECT_TRUE(has_values(batch_norm(x, tensor({1}, on(float64)), tensor({4}, on(float64)), {}, {}, false, 0.5, 0), {2, 1}, float64, {0, 1}));
}

TEST(Normalization, LayersKeepTheirParametersInTheArena) {
  Parameters params({.dtype = float64});
  const nn::LayerNorm layer(params, "layer", {3, 2});
  const nn::RmsNorm rms(params, "rms", {2});
  const nn::GroupNorm group(params, "group", 2, 4);
  const nn::BatchNorm batch(params, "batch", 3);
  const nn::BatchNorm bare(params, "bare", 3, {.affine = false});
  EXPECT_EQ(params.names(), (std::vector<std::string>{"layer.weight", "layer.bias", "rms.weight", "group.weight", "group.bias",
                                                      "batch.weight", "batch.bias"}));
  EXPECT_EQ(layer.weight().shape(), Shape({3, 2}));
  EXPECT_FALSE(bare.weight().defined());
  EXPECT_EQ(batch.running_mean().dtype(), float64);
  const nn::LayerNorm plain(params, "plain", {2}, {.bias = false});
  EXPECT_FALSE(plain.bias().defined());
}

TEST(Normalization, CopiesOfALayerAreOne) {
  Parameters params({.dtype = float64});
  nn::BatchNorm norm(params, "norm", 2);
  nn::Sequential model{norm, nn::Relu{}};
  const Tensor x = tensor({{1, 2}, {3, 6}}, {.dtype = float64});
  model(x);
  EXPECT_EQ(norm.running_mean().to_vector<double>(), (std::vector<double>{0.2, 0.4}));
  EXPECT_EQ(norm.batches().item<std::int64_t>(), 1);
  norm.eval();
  model(x);
  EXPECT_EQ(norm.batches().item<std::int64_t>(), 1);
}

TEST(Normalization, AllBatchesCountAlikeWithoutMomentum) {
  Parameters params({.dtype = float64});
  nn::BatchNorm norm(params, "norm", 1, {.momentum = std::nullopt});
  for (const double value : {1.0, 2.0, 6.0}) norm(full({4, 1}, value, {.dtype = float64}));
  EXPECT_NEAR(norm.running_mean().item(), 3, 1e-15);
}

TEST(Normalization, EverySetIsALayerOfItsOwn) {
  const Tensor x = randn({3, 4, 2, 5});
  Parameters together({.sets = 3});
  const nn::BatchNorm all(together, "norm", 2);
  const nn::GroupNorm groups(together, "group", 1, 2);
  const nn::LayerNorm layer(together, "layer", {5});
  const Tensor y = all(x), grouped = groups(x), rows = layer(x);
  EXPECT_EQ(all.running_mean().shape(), Shape({3, 2}));
  EXPECT_EQ(all.batches().shape(), Shape({3}));
  EXPECT_EQ(all(x[0].slice(2, 0, 1).reshape({4, 2})).shape(), Shape({3, 4, 2}));
  for (std::int64_t set = 0; set < 3; ++set) {
    Parameters one;
    const nn::BatchNorm alone(one, "norm", 2);
    EXPECT_EQ(alone(x[set]).to_vector<float>(), y[set].to_vector<float>());
    EXPECT_EQ(nn::GroupNorm(one, "group", 1, 2)(x[set]).to_vector<float>(), grouped[set].to_vector<float>());
    EXPECT_EQ(nn::LayerNorm(one, "layer", {5})(x[set]).to_vector<float>(), rows[set].to_vector<float>());
  }
}

TEST(Normalization, PassesGradcheck) {
  const Tensor x = randn({2, 4, 2, 3}, {.dtype = float64});
  for (const bool sets : {false, true}) {
    Parameters params({.sets = sets ? std::optional<std::int64_t>(2) : std::nullopt, .dtype = float64});
    const Tensor in = sets ? x : x[0];
    expect_gradients(params, nn::LayerNorm(params, "layer", {3}), in);
    params = Parameters({.sets = sets ? std::optional<std::int64_t>(2) : std::nullopt, .dtype = float64});
    expect_gradients(params, nn::RmsNorm(params, "rms", {3}), in);
    params = Parameters({.sets = sets ? std::optional<std::int64_t>(2) : std::nullopt, .dtype = float64});
    expect_gradients(params, nn::GroupNorm(params, "group", 1, 2), in);
    params = Parameters({.sets = sets ? std::optional<std::int64_t>(2) : std::nullopt, .dtype = float64});
    expect_gradients(params, nn::BatchNorm(params, "batch", 2), in);
  }
}

TEST(Normalization, ErrorsNameWhatWasCalled) {
  Parameters params;
  expect_errors({
      LUGE_ERROR(ValueError, "LayerNorm norm: ", nn::LayerNorm(params, "norm", {})),
      LUGE_ERROR(ValueError, "GroupNorm norm: ", nn::GroupNorm(params, "norm", 2, 3)),
      LUGE_ERROR(ValueError, "BatchNorm norm: ", nn::BatchNorm(params, "norm", 0)),
      LUGE_ERROR(ShapeError, "layer_norm: ", layer_norm(zeros({2, 3}), {4})),
      LUGE_ERROR(DTypeError, "rms_norm: ", rms_norm(zeros({2, 3}, {.dtype = int64}), {3})),
      LUGE_ERROR(ValueError, "batch_norm: ", batch_norm(zeros({2, 3}), {}, {})),
      LUGE_ERROR(ValueError, "batch_norm: ", batch_norm(zeros({1, 3}), {}, {}, {}, {}, true)),
      LUGE_ERROR(ShapeError, "group_norm: ", group_norm(zeros({2, 3}), 2)),
      LUGE_ERROR(ShapeError, "local_response_norm: ", local_response_norm(zeros({2, 3}), 2)),
  });
  EXPECT_EQ(params.names().size(), 0U);
}

}  // namespace
}  // namespace luge::test
