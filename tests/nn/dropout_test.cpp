#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>
#include <luge/nn/dropout.h>
#include <luge/nn/shapes.h>

#include "devices.h"
#include "expect.h"
#include "train/messages.h"

namespace luge {
namespace {

class Dropout : public test::DeviceTest {};

TEST_P(Dropout, KeepsTheMeanAndDropsTheShareThatIsAskedFor) {
  manual_seed(1);
  const Tensor y = dropout(ones({20000}, on()), 0.25).to(Device::cpu());
  EXPECT_NEAR(y.mean().item<float>(), 1, 0.02);
  EXPECT_NEAR((y == 0).to(float32).mean().item<float>(), 0.25, 0.02);
}

TEST_P(Dropout, GivesGradientsToWhatStaysAlone) {
  const Tensor x = ones({64}, on(float32, true));
  const Tensor y = dropout(x, 0.5);
  y.sum().backward();
  EXPECT_EQ(x.grad().to_vector<float>(), y.to_vector<float>());
}

TEST_P(Dropout, OfASetIsTheSameAloneAndInABatch) {
  manual_seed(3);
  const Tensor together = feature_dropout(ones({3, 4, 5, 2}, on()), 0.5, true, Draw{});
  for (std::int64_t i = 0; i < 3; ++i) {
    manual_seed(3);
    const Tensor alone = feature_dropout(ones({1, 4, 5, 2}, on()), 0.5, true, Draw{.first_set = i});
    EXPECT_EQ(alone[0].to_vector<float>(), together[i].to_vector<float>());
  }
}

LUGE_ON_EVERY_DEVICE(Dropout);

TEST(DropoutLayer, InASequentialFollowsTheOneThatIsKept) {
  nn::Dropout layer(0.5);
  const nn::Sequential model{nn::Identity{}, layer, nn::Flatten{}};
  const Tensor x = ones({4, 3, 2});
  EXPECT_EQ(model(x).shape(), Shape({4, 6}));
  EXPECT_NE(model(x).to_vector<float>(), x.to_vector<float>());
  layer.eval();
  EXPECT_EQ(model(x).to_vector<float>(), x.to_vector<float>());
}

TEST(DropoutLayer, OfAnArenaWithSetsDrawsForEachSet) {
  Parameters params({.sets = 2, .first_set = 5});
  manual_seed(7);
  const Tensor y = nn::AlphaDropout(0.5, params)(ones({2, 30}));
  Parameters second({.sets = 1, .first_set = 6});
  manual_seed(7);
  EXPECT_EQ(nn::AlphaDropout(0.5, second)(ones({1, 30})).to_vector<float>(), y[1].to_vector<float>());
}

TEST(DropoutLayer, SaysWhatIsWrong) {
  EXPECT_EQ(test::message_of<ValueError>([] { nn::Dropout layer(1.5); }), "Dropout: p is 1.5; it must be from 0 to 1");
  EXPECT_EQ(test::message_of<ShapeError>([] { nn::FeatureDropout layer(0.5); layer(ones({3})); }),
            "feature_dropout: the tensor has shape (3,); it needs 2 dimensions or more");
  EXPECT_EQ(test::message_of<DTypeError>([] { dropout(ones({3}, {.dtype = int64})); }),
            "dropout: the tensor is int64; allowed are the floating dtypes");
}

}  // namespace
}  // namespace luge
