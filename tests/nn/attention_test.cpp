// Attention and recurrent layers from C++, on every device; values of all options are held against PyTorch from Python.

#include <cmath>
#include <vector>

#include <luge/autograd/grad.h>
#include <luge/nn/attention.h>
#include <luge/nn/recurrent.h>
#include <luge/ops/attention.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class AttentionTest : public DeviceTest {
 protected:
  Tensor numbers(const Shape& shape, double seed = 1, DType dtype = float64) {
    return (arange(element_count(shape), on(float64)).reshape(shape) * (1.7 + seed)).sin().to(dtype);
  }
  void expect_close(const Tensor& a, const Tensor& b, double tolerance = 1e-11) {
    ASSERT_EQ(a.shape(), b.shape());
    const auto x = a.to_vector<double>(), y = b.to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << i;
  }
  Parameters parameters(std::optional<std::int64_t> sets = {}) {
    return Parameters({.sets = sets, .device = device(), .dtype = float64});
  }
};
LUGE_ON_EVERY_DEVICE(AttentionTest);

TEST_P(AttentionTest, BlocksAreTheFormula) {
  Tensor q = numbers({2, 150, 3}), k = numbers({2, 70, 3}, 2), v = numbers({2, 70, 4}, 3);
  for (Tensor* const x : {&q, &k, &v}) x->requires_grad_();
  const Tensor found = scaled_dot_product_attention(q, k, v, {.scale = 0.7});
  const Tensor expected = matmul(matmul(q * 0.7, k.transpose(-1, -2)).softmax(-1), v);
  expect_close(found, expected);
  const std::vector<Tensor> ours = grad({found.square().sum()}, {q, k, v}), theirs = grad({expected.square().sum()}, {q, k, v});
  for (std::size_t i = 0; i < 3; ++i) expect_close(ours[i], theirs[i]);
}

TEST_P(AttentionTest, QueriesThatLookAtNothingGetZeros) {
  const Tensor q = numbers({2, 3}), mask = zeros({2, 4}, on(boolean));
  const Tensor found = scaled_dot_product_attention(q, numbers({4, 3}), numbers({4, 5}), {.attn_mask = mask});
  EXPECT_TRUE(has_values(found, {2, 5}, float64, std::vector<double>(10, 0)));
}

TEST_P(AttentionTest, WeightsAreDroppedTheSameOnTheWayBack) {
  const Tensor q = numbers({90, 3}), k = numbers({70, 3}, 2);
  Tensor v = eye(70, on(float64));
  v.requires_grad_();
  const Tensor kept = scaled_dot_product_attention(q, k, v, {.dropout_p = 0.5}), gradient = numbers({90, 70}, 4);
  expect_close(grad({kept}, {v}, {gradient})[0], matmul(kept.detach().transpose(0, 1), gradient));
}

TEST_P(AttentionTest, ErrorsNameTheOperation) {
  const Tensor x = numbers({3, 2});
  expect_errors({
      LUGE_ERROR(ShapeError, "^scaled_dot_product_attention: query is", scaled_dot_product_attention(x, numbers({3, 4}), x)),
      LUGE_ERROR(ValueError, "^scaled_dot_product_attention: dropout_p is 2", scaled_dot_product_attention(x, x, x, {.dropout_p = 2})),
  });
}

TEST_P(AttentionTest, HeadsWithWeightsAndWithoutAgree) {
  Parameters params = parameters();
  const nn::MultiheadAttention attention(params, "a", 4, 2, {.add_bias_kv = true, .add_zero_attn = true});
  const Tensor x = numbers({5, 2, 4});
  const MultiHeadResult whole = attention(x, x, x), lean = attention(x, x, x, {.need_weights = false});
  expect_close(whole.output, lean.output);
  EXPECT_EQ(whole.weights.shape(), (Shape{2, 5, 7}));
  EXPECT_FALSE(lean.weights.defined());
  expect_close(whole.weights.sum(-1), ones({2, 5}, on(float64)));
  EXPECT_EQ(params.names(), (std::vector<std::string>{"a.in_proj_weight", "a.in_proj_bias", "a.bias_k", "a.bias_v", "a.out_proj.weight",
                                                       "a.out_proj.bias"}));
}

TEST_P(AttentionTest, SetsAreIndependent) {
  Parameters params = parameters(3);
  const nn::MultiheadAttention attention(params, "a", 4, 2);
  const nn::Lstm lstm(params, "l", 4, 3, {.num_layers = 2, .bidirectional = true});
  const Tensor x = numbers({5, 2, 4});
  EXPECT_EQ(attention(x, x, x).output.shape(), (Shape{3, 5, 2, 4}));
  const Recurrent found = lstm(x);
  EXPECT_EQ(found.output.shape(), (Shape{3, 5, 2, 6}));
  EXPECT_EQ(found.hidden.shape(), (Shape{3, 4, 2, 3}));
  EXPECT_EQ(found.cell.shape(), (Shape{3, 4, 2, 3}));
  expect_close(lstm(x.unsqueeze(0).expand({3, 5, 2, 4})).output, found.output);
}

TEST_P(AttentionTest, LayersAreCellsStepByStep) {
  Parameters params = parameters();
  const nn::Gru gru(params, "g", 3, 4);
  const nn::Rnn rnn(params, "r", 3, 4, {.relu = true});
  const nn::Lstm lstm(params, "l", 3, 4, {.proj_size = 2});
  const Tensor x = numbers({4, 2, 3});
  Tensor of_gru, of_rnn;
  Recurrent of_lstm;
  for (std::int64_t t = 0; t < 4; ++t) {
    of_gru = gru_cell(x[t], of_gru, gru.weights()[0]);
    of_rnn = rnn_relu_cell(x[t], of_rnn, rnn.weights()[0]);
    of_lstm = lstm_cell(x[t], of_lstm.hidden, of_lstm.cell, lstm.weights()[0]);
  }
  expect_close(gru(x).output[3], of_gru);
  expect_close(rnn(x).output[3], of_rnn);
  expect_close(lstm(x).output[3], of_lstm.hidden);
  expect_close(lstm(x).cell[0], of_lstm.cell);
}

TEST_P(AttentionTest, LayersRefuseWhatTheyCannotBe) {
  Parameters params = parameters();
  expect_errors({
      LUGE_ERROR(ValueError, "^MultiheadAttention a: embed_dim is 5", nn::MultiheadAttention(params, "a", 5, 2)),
      LUGE_ERROR(ValueError, "^Gru g: proj_size is 2", nn::Gru(params, "g", 3, 4, {.proj_size = 2})),
  });
  EXPECT_TRUE(params.names().empty());
  const nn::Lstm lstm(params, "l", 3, 4);
  expect_errors({LUGE_ERROR(ShapeError, "^lstm: input has shape", lstm(numbers({2, 2, 5})))});
}

}  // namespace
}  // namespace luge::test
