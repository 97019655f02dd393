#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "expect.h"
#include "nn/layer_gradcheck.h"
#include "train/messages.h"

namespace luge {
namespace {

Tensor index(const std::vector<std::int64_t>& values, const Shape& shape) { return from_host(values, shape); }

TEST(Embedding, PicksRowsForIndicesOfAnyShape) {
  Parameters params({.seed = 1});
  const nn::Embedding table(params, "tokens", 5, 3);
  EXPECT_EQ(table.weight().shape(), Shape({5, 3}));
  const Tensor w = table.weight().detach();
  const Tensor y = table(index({4, 0, 0, 2, 1, 3}, {2, 3}));
  EXPECT_EQ(y.shape(), Shape({2, 3, 3}));
  EXPECT_EQ(y[0][0].to_vector<float>(), w[4].to_vector<float>());
  EXPECT_EQ(y[1][2].to_vector<float>(), w[3].to_vector<float>());
  EXPECT_EQ(table(scalar(2)).to_vector<float>(), w[2].to_vector<float>());
  EXPECT_EQ(table(index({1, 2}, {2}).to(int32))[1].to_vector<float>(), w[2].to_vector<float>());
  EXPECT_EQ(table(zeros({0}, {.dtype = int64})).shape(), Shape({0, 3}));
  EXPECT_EQ(table(zeros({2, 0}, {.dtype = int64})).shape(), Shape({2, 0, 3}));
}

TEST(Embedding, AddsUpTheGradientsOfEqualIndices) {
  Parameters params({.dtype = float64, .seed = 1});
  const nn::Embedding table(params, "tokens", 4, 2);
  (table(index({1, 3, 1}, {3})) * tensor({{1, 2}, {10, 20}, {100, 200}}, {.dtype = float64})).sum().backward();
  EXPECT_EQ(table.weight().grad().to_vector<double>(), (std::vector<double>{0, 0, 101, 202, 0, 0, 10, 20}));
}

TEST(Embedding, OfEverySetIsAnOrdinaryOne) {
  Parameters batched({.sets = 3, .seed = 1});
  const nn::Embedding all(batched, "tokens", 5, 2);
  const Tensor w = all.weight().detach();
  const Tensor shared = all(index({4, 0}, {2})), own = all(index({4, 0, 1, 1, 2, 3}, {3, 2}));
  EXPECT_EQ(shared.shape(), Shape({3, 2, 2}));
  EXPECT_EQ(own.shape(), Shape({3, 2, 2}));
  for (std::int64_t set = 0; set < 3; ++set) {
    EXPECT_EQ(shared[set][0].to_vector<float>(), w[set][4].to_vector<float>());
    EXPECT_EQ(shared[set][1].to_vector<float>(), w[set][0].to_vector<float>());
  }
  EXPECT_EQ(own[1][0].to_vector<float>(), w[1][1].to_vector<float>());
  EXPECT_EQ(own[2][1].to_vector<float>(), w[2][3].to_vector<float>());
  (own * 2).sum().backward();
  EXPECT_EQ(all.weight().grad()[1].to_vector<float>(), (std::vector<float>{0, 0, 4, 4, 0, 0, 0, 0, 0, 0}));
}

TEST(Embedding, PassesGradcheck) {
  Parameters ordinary({.dtype = float64, .seed = 1}), batched({.sets = 2, .dtype = float64, .seed = 1});
  const nn::Embedding one(ordinary, "tokens", 4, 3), sets(batched, "tokens", 4, 3);
  const Tensor shared = index({1, 1, 3}, {3}), own = index({1, 1, 3, 0, 2, 0}, {2, 3});
  for (const Tensor& at : {shared, own}) {
    test::expect_gradients(
        ordinary, [&](const Tensor& i) { return tanh(one(i)); }, at);
    test::expect_gradients(
        batched, [&](const Tensor& i) { return tanh(sets(i)); }, at);
  }
}

TEST(Embedding, LeavesThePaddingRowAtZero) {
  for (const bool batched : {false, true}) {
    ParametersOptions options{.seed = 1};
    if (batched) options.sets = 2;
    Parameters params(options);
    const nn::Embedding table(params, "tokens", 3, 2, {}, -1);
    const Tensor rows = table(index({2, 0, 2}, {3}));
    rows.sum().backward();
    const std::vector<float> values = table.weight().to_vector<float>(), gradient = table.weight().grad().to_vector<float>();
    EXPECT_EQ(std::vector<float>(values.end() - 2, values.end()), (std::vector<float>{0, 0}));
    EXPECT_EQ(std::vector<float>(gradient.end() - 6, gradient.end()), (std::vector<float>{1, 1, 0, 0, 0, 0}));
  }
  Parameters params;
  EXPECT_MESSAGE(ValueError, "Embedding tokens: padding_idx is 3; the table has 3 rows", nn::Embedding(params, "tokens", 3, 2, {}, 3));
  EXPECT_TRUE(params.names().empty());
}

TEST(Embedding, FunctionIsTheLayers) {
  Parameters params({.sets = 2, .seed = 1});
  const nn::Embedding table(params, "tokens", 5, 3);
  const Tensor at = index({4, 0, 1, 1}, {2, 2});
  EXPECT_EQ(nn::embedding(at, table.weight()).to_vector<float>(), table(at).to_vector<float>());
  const Tensor weight = table.weight();
  EXPECT_MESSAGE(ShapeError, "embedding: index is (3, 2); allowed are (batch) and (2, ...)",
                 nn::embedding(zeros({3, 2}, {.dtype = int64}), weight));
  EXPECT_MESSAGE(ShapeError, "embedding: index is (1, 2); allowed are (batch) and (2, ...)",
                 nn::embedding(zeros({1, 2}, {.dtype = int64}), weight));
  EXPECT_MESSAGE(ShapeError, "embedding: index is (); allowed are (batch) and (2, ...)",
                 nn::embedding(scalar(1), weight));
  EXPECT_MESSAGE(ShapeError, "embedding: weight is (5,); allowed are (count, dim) and (sets, count, dim)",
                 nn::embedding(at, zeros({5})));
  EXPECT_MESSAGE(IndexError, "embedding: index 9 at position 0 is out of range; allowed are 0 to 2; dim 0 has size 3",
                 nn::embedding(tensor({9}, {.dtype = int64}), zeros({3, 2})));
  EXPECT_MESSAGE(DTypeError, "embedding: index is float32; allowed are int32 and int64",
                 nn::embedding(zeros({2}), weight));
}

TEST(Embedding, IsMadeOnParametersThatAreThere) {
  Parameters params, batched({.sets = 3});
  const nn::Embedding table(params, "tokens", 5, 3), sets(batched, "tokens", 5, 3);
  EXPECT_EQ(nn::Embedding::on(params, "tokens").weight().impl(), table.weight().impl());
  EXPECT_TRUE(test::same(nn::Embedding::on(batched, "tokens")(index({0, 4}, {2})), sets(index({0, 4}, {2}))));
  params.add("flat.weight", {4}, init::zeros());
  EXPECT_MESSAGE(ShapeError, "Embedding flat: the weight has shape (4,); it must be (count, dim)",
                 nn::Embedding::on(params, "flat"));
  EXPECT_THROW(nn::Embedding::on(params, "none"), ValueError);
}

TEST(Embedding, NamesItselfInErrors) {
  Parameters params, batched({.sets = 3});
  const nn::Embedding table(params, "tokens", 5, 3), sets(batched, "tokens", 5, 3);
  EXPECT_MESSAGE(ValueError, "Embedding e: count is 0 and dim is 2; both must be 1 or more",
                 nn::Embedding(params, "e", 0, 2));
  EXPECT_MESSAGE(DTypeError, "Embedding tokens: index is float32; allowed are int32 and int64", table(zeros({2})));
  EXPECT_MESSAGE(ShapeError, "Embedding tokens: index is (2, 4); allowed are (batch) and (3, ...)",
                 sets(zeros({2, 4}, {.dtype = int64})));
  EXPECT_THROW(table(index({0, 5}, {2})), IndexError);
  EXPECT_THROW(sets(index({0, -1}, {2})), IndexError);
  EXPECT_THROW(sets(index({0, 5, 0}, {3, 1})), IndexError);
}

}  // namespace
}  // namespace luge
