// Layers of convolutions: their parameters, gradients and sets.

#include <luge/nn/convolution.h>

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "nn/layer_gradcheck.h"

namespace luge {
namespace {

TEST(ConvolutionLayers, HaveGradients) {
  manual_seed(1);
  for (const std::int64_t sets : {0, 2}) {
    const ParametersOptions options =
        sets > 0 ? ParametersOptions{.sets = sets, .dtype = float64, .seed = 1} : ParametersOptions{.dtype = float64, .seed = 1};
    Parameters params(options);
    const nn::Conv1d signal(params, "signal", 2, 4, 3, {.padding = "same", .groups = 2});
    const nn::Conv2d image(params, "image", 2, 3, {2, 3}, {.stride = 2, .padding = 1});
    const nn::ConvTranspose2d back(params, "back", 2, 3, 2, {.stride = 2, .bias = false});
    test::expect_gradients(params, [&](const Tensor& x) { return signal(x).sum() + 0 * image.weight().sum() + 0 * back.weight().sum() + 0 * image.bias().sum(); },
                           randn({2, 2, 5}, {.dtype = float64}));
    const auto both = [&](const Tensor& x) { return image(x).sum() + back(x).sum() + 0 * signal.weight().sum() + 0 * signal.bias().sum(); };
    test::expect_gradients(params, both, randn({2, 2, 4, 3}, {.dtype = float64}));
  }
}

TEST(ConvolutionLayers, HaveParametersInTheArena) {
  Parameters params({.sets = 3});
  const nn::Conv2d layer(params, "layer", 4, 6, 3, {.groups = 2});
  EXPECT_EQ(params.names(), (std::vector<std::string>{"layer.weight", "layer.bias"}));
  EXPECT_EQ(layer.weight().shape(), Shape({3, 6, 2, 3, 3}));
  EXPECT_EQ(layer.bias().shape(), Shape({3, 6}));
  EXPECT_EQ(layer(zeros({5, 4, 8, 7})).shape(), Shape({3, 5, 6, 6, 5}));
  EXPECT_EQ(layer(zeros({3, 5, 4, 8, 7})).shape(), Shape({3, 5, 6, 6, 5}));
  EXPECT_THROW(layer(zeros({5, 3, 8, 7})), ShapeError);
  EXPECT_THROW(nn::Conv2d(params, "other", 4, 6, 3, {.groups = 4}), ValueError);
  EXPECT_THROW(nn::Conv2d(params, "other", 4, 6, 0), ValueError);
  EXPECT_THROW(nn::Conv1d(params, "layer", 4, 6, 3), ValueError);
  EXPECT_EQ(params.names().size(), 2U);
}

}  // namespace
}  // namespace luge
