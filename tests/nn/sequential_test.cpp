#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "expect.h"
#include "nn/layer_gradcheck.h"

namespace luge {
namespace {

Tensor grid() { return linspace(-2, 2, 12, {.dtype = float64}).view({3, 4}).clone(); }

TEST(Activation, OfEveryRowIsItsFunction) {
  const Tensor x = grid() + 2.5;  // in the domain of most of them
#define LUGE_ROW(function, Formula, ...) \
  EXPECT_TRUE(test::same(nn::Formula{}(x), luge::function(x))) << #function;
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  EXPECT_EQ(nn::LeakyRelu()(grid()).to_vector<double>(), leaky_relu(grid()).to_vector<double>());
  EXPECT_EQ(nn::LeakyRelu(0.3)(grid()).to_vector<double>(), leaky_relu(grid(), 0.3).to_vector<double>());
  EXPECT_EQ(nn::Softplus(2)(grid()).to_vector<double>(), softplus(grid(), 2).to_vector<double>());
  EXPECT_EQ(nn::Clamp(-1, 1)(grid()).to_vector<double>(), clamp(grid(), -1, 1).to_vector<double>());
  EXPECT_EQ(nn::Softmax{0}(grid()).to_vector<double>(), softmax(grid(), 0).to_vector<double>());
  EXPECT_EQ(nn::Softmax{}(grid()).to_vector<double>(), softmax(grid(), 1).to_vector<double>());
  EXPECT_EQ(nn::LogSoftmax{}(grid()).to_vector<double>(), log_softmax(grid(), 1).to_vector<double>());
}

TEST(Sequential, RunsItsLayersInOrder) {
  Parameters params({.dtype = float64, .seed = 1});
  const nn::Linear hidden(params, "hidden", 4, 5), output(params, "output", 5, 2);
  const nn::Sequential model(hidden, nn::Relu{}, output, nn::LogSoftmax{});
  EXPECT_EQ(model.size(), 4U);
  const Tensor expected = log_softmax(output(relu(hidden(grid()))), 1);
  EXPECT_EQ(model(grid()).to_vector<double>(), expected.to_vector<double>());

  nn::Sequential grown;
  EXPECT_EQ(grown(grid()).to_vector<double>(), grid().to_vector<double>());
  grown.push_back(hidden)
      .push_back([](const Tensor& x) { return relu(x); })
      .push_back(output)
      .push_back(nn::LogSoftmax{});
  EXPECT_EQ(grown(grid()).to_vector<double>(), expected.to_vector<double>());
  nn::Sequential outer(nn::Tanh{});
  outer.push_back(grown);
  const nn::Sequential copy(outer);
  EXPECT_EQ(copy(grid()).to_vector<double>(), grown(tanh(grid())).to_vector<double>());
}

/// A layer whose copies share nothing.
struct Switch {
  bool on = true;
  void train(bool given = true) { on = given; }
  Tensor operator()(const Tensor& x) const { return on ? x + 1 : x; }
};

TEST(Sequential, SaysToItsLayersWhetherTheyTrain) {
  nn::Dropout dropout(1.0);
  const nn::Sequential model(nn::Tanh{}, Switch{}, nn::Sequential(dropout)), copy = model;
  EXPECT_TRUE(test::same(model(grid()), grid() * 0));
  copy.eval();
  EXPECT_FALSE(dropout.training());
  EXPECT_TRUE(test::same(model(grid()), tanh(grid())));
  model.train();
  EXPECT_TRUE(test::same(copy(grid()), grid() * 0));
}

TEST(Sequential, PassesGradcheck) {
  for (const bool batched : {false, true}) {
    ParametersOptions options{.dtype = float64, .seed = 2};
    if (batched) options.sets = 3;
    Parameters params(options);
    const nn::Sequential model(nn::Linear(params, "a", 4, 3), nn::Gelu{}, nn::Linear(params, "b", 3, 3), nn::Silu{},
                               nn::Linear(params, "c", 3, 2), nn::Softmax{});
    test::expect_gradients(params, model, grid());
  }
}

TEST(Sequential, LearnsXor) {
  Parameters params({.seed = 7});
  const nn::Sequential model(nn::Linear(params, "hidden", 2, 8), nn::Tanh{}, nn::Linear(params, "output", 8, 1));
  const Tensor x = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}}), y = tensor({0, 1, 1, 0}).view({4, 1});
  Adam optimizer(params, {.lr = 0.05});
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    mse_loss(model(x), y).backward();
    optimizer.step();
  }
  EXPECT_LT(mse_loss(model(x), y).item(), 1e-3);
}

}  // namespace
}  // namespace luge
