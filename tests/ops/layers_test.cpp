#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>
#include <luge/ops/embedding.h>
#include <luge/ops/multilabel_loss.h>
#include <luge/ops/resize.h>

#include "devices.h"
#include "expect.h"
#include "train/messages.h"

namespace luge {
namespace {

class Layers : public test::DeviceTest {
 protected:
  Tensor index(const std::vector<std::int64_t>& values, const Shape& shape) const { return from_host(values, shape, device()); }
};

TEST_P(Layers, ResizeInterpolatesBetweenNeighbours) {
  const Tensor x = tensor({{0, 3}}, on());
  EXPECT_EQ(resize(x, {4}).to_vector<float>(), (std::vector<float>{0, 0, 3, 3}));
  EXPECT_EQ(resize(x, {4}, {.mode = Resize::Linear}).to_vector<float>(), (std::vector<float>{0, 0.75, 2.25, 3}));
  EXPECT_EQ(resize(x, {4}, {.mode = Resize::Linear, .align_corners = true}).to_vector<float>(), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(resize(x, {1}, {.mode = Resize::Area}).to_vector<float>(), (std::vector<float>{1.5}));
}

TEST_P(Layers, EmbeddingLeavesThePaddingRowAlone) {
  const Tensor weight = ones({3, 2}, on(float32, true));
  embedding(index({1, 2, 1, 0}, {4}), weight, {.padding_idx = -1, .scale_grad_by_freq = true}).sum().backward();
  EXPECT_EQ(weight.grad().to_vector<float>(), (std::vector<float>{1, 1, 1, 1, 0, 0}));
}

TEST_P(Layers, BagsOfRowsAreSummedAveragedOrMaximised) {
  const Tensor weight = tensor({{1, 5}, {3, 2}}, on());
  const Tensor bags = index({0, 1, 1, 1}, {2, 2});
  EXPECT_EQ(embedding_bag(bags, weight, {.mode = BagMode::Sum}).to_vector<float>(), (std::vector<float>{4, 7, 6, 4}));
  EXPECT_EQ(embedding_bag(bags, weight).to_vector<float>(), (std::vector<float>{2, 3.5, 3, 2}));
  EXPECT_EQ(embedding_bag(bags, weight, {.mode = BagMode::Max}).to_vector<float>(), (std::vector<float>{3, 5, 3, 2}));
  const Tensor flat = index({0, 1, 1}, {3}), offsets = index({0, 1, 1}, {3});
  EXPECT_EQ(embedding_bag(flat, weight, {.mode = BagMode::Sum, .offsets = offsets}).to_vector<float>(),
            (std::vector<float>{1, 5, 0, 0, 6, 4}));
}

TEST_P(Layers, RowsAreScaledDownToANorm) {
  Tensor weight = tensor({{3, 4}, {3, 4}, {0, 1}}, on());
  renormalize_rows_(weight, index({0, 2}, {2}), 2.5);
  const std::vector<float> rows = weight.to_vector<float>();
  EXPECT_NEAR(rows[0], 1.5, 1e-6);
  EXPECT_EQ(rows[3], 4);
  EXPECT_EQ(rows[5], 1);
}

TEST_P(Layers, MarginOfSeveralLabels) {
  const Tensor x = tensor({{0.1, 0.2, 0.4}}, on());
  EXPECT_NEAR(multilabel_margin_loss(x, index({2, -1, 0}, {1, 3})).item<float>(), 0.5, 1e-6);
}

LUGE_ON_EVERY_DEVICE(Layers);

TEST(LayersErrors, SayWhatIsWrong) {
  const Tensor weight = ones({3, 2}), one = from_host(std::vector<std::int64_t>{1}, {1});
  EXPECT_EQ(test::message_of<ValueError>([&] { embedding(one, weight, {.padding_idx = 3}); }),
            "embedding: padding_idx is 3; the table has 3 rows");
  EXPECT_EQ(test::message_of<ValueError>([&] { embedding_bag(one, weight); }), "embedding_bag: index is (1,); it needs offsets");
  EXPECT_EQ(test::message_of<ValueError>([&] { resize(weight, {0}); }), "interpolate: size is 0; it must be 1 or more");
  EXPECT_EQ(test::message_of<ValueError>([&] { resize(weight, {2}, {.align_corners = true}); }),
            "interpolate: align_corners goes with linear and cubic modes alone");
  EXPECT_EQ(test::message_of<ShapeError>([&] { multilabel_margin_loss(weight, one); }),
            "multilabel_margin_loss: input has shape (3, 2) and target has (1,); both must be (batch, classes) or (classes)");
  EXPECT_EQ(test::message_of<IndexError>([&] { multilabel_margin_loss(ones({1}), one); }).substr(0, 22), "multilabel_margin_loss");
}

}  // namespace
}  // namespace luge
