// nn::Linear against the operations it is made of.

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "expect.h"
#include "nn/layer_gradcheck.h"
#include "train/messages.h"

namespace luge {
namespace {

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

void expect_near(const Tensor& a, const Tensor& b, double tolerance = 1e-12) {
  ASSERT_EQ(a.shape(), b.shape());
  const auto x = values(a), y = values(b);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], tolerance) << "element " << i;
}

Tensor input(const Shape& shape) { return randn(shape, {.dtype = float64, .requires_grad = true}); }

/// x weight^T + bias from matmul, transpose and add.
Tensor composed(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor product = matmul(x, weight.transpose(-1, -2));
  return weight.ndim() == 2 ? product + bias : product + bias.unsqueeze(1);
}

/// Forward, and all three gradients under uneven weights of the outputs.
void compare(Parameters params, const nn::Linear& layer, const Shape& shape) {
  SCOPED_TRACE(to_string(shape));
  Tensor x = input(shape);
  const auto run = [&](const Tensor& y) {
    params.zero_grad();
    x.zero_grad();
    (y * cos(arange(static_cast<double>(y.numel()), {.dtype = float64}).view(y.shape()))).sum().backward();
    return std::vector<Tensor>{y.detach().clone(), x.grad().clone(), layer.weight().grad().clone(),
                               layer.bias().grad().clone()};
  };
  const auto ours = run(layer(x)), theirs = run(composed(x, layer.weight(), layer.bias()));
  for (std::size_t i = 0; i < ours.size(); ++i) expect_near(ours[i], theirs[i]);
}

TEST(Linear, EqualsTheComposedOperations) {
  Parameters params({.dtype = float64, .seed = 1});
  const nn::Linear layer(params, "layer", 5, 3);
  EXPECT_EQ(layer.weight().shape(), Shape({3, 5}));
  EXPECT_EQ(layer.bias().shape(), Shape({3}));
  EXPECT_EQ(params.names(), (std::vector<std::string>{"layer.weight", "layer.bias"}));
  for (const Shape& shape : {Shape{5}, Shape{1, 5}, Shape{7, 5}, Shape{2, 3, 5}, Shape{2, 2, 3, 5}})
    compare(params, layer, shape);
}

TEST(Linear, WithSetsEqualsTheComposedOperations) {
  Parameters params({.sets = 4, .dtype = float64, .seed = 1});
  const nn::Linear layer(params, "layer", 5, 3);
  EXPECT_EQ(layer.weight().shape(), Shape({4, 3, 5}));
  EXPECT_EQ(layer.bias().shape(), Shape({4, 3}));
  for (const Shape& shape : {Shape{7, 5}, Shape{4, 7, 5}, Shape{1, 5}, Shape{4, 5}, Shape{4, 1, 5}})
    compare(params, layer, shape);
}

TEST(Linear, EverySetIsAnOrdinaryLayer) {
  Parameters batched({.sets = 3, .seed = 2});
  const nn::Linear all(batched, "layer", 6, 2);
  const Tensor shared = randn({4, 6}), own = randn({3, 4, 6});
  const Tensor y = all(shared), z = all(own);
  for (std::int64_t set = 0; set < 3; ++set) {
    Parameters alone({.sets = 1, .seed = 2, .first_set = set});
    const nn::Linear one(alone, "layer", 6, 2);
    EXPECT_EQ(one(shared)[0].to_vector<float>(), y[set].to_vector<float>());
    EXPECT_EQ(one(own[set])[0].to_vector<float>(), z[set].to_vector<float>());
  }
}

TEST(Linear, WithoutBias) {
  Parameters params({.dtype = float64});
  const nn::Linear layer(params, "layer", 4, 2, {.bias = false, .weight_init = init::ones()});
  EXPECT_FALSE(layer.bias().defined());
  EXPECT_EQ(params.count(), 8);
  EXPECT_EQ(values(layer(tensor({1, 2, 3, 4}, {.dtype = float64}))), (std::vector<double>{10, 10}));
}

TEST(Linear, StartsAsInPyTorch) {
  Parameters params({.seed = 3});
  const nn::Linear layer(params, "layer", 400, 500);
  double largest = 0, largest_bias = 0;
  for (const double w : values(layer.weight())) largest = std::max(largest, std::abs(w));
  for (const double b : values(layer.bias())) largest_bias = std::max(largest_bias, std::abs(b));
  EXPECT_NEAR(largest, 0.05, 1e-5);
  EXPECT_NEAR(largest_bias, 0.05, 5e-4);
  EXPECT_LE(largest_bias, 0.05);
  const nn::Linear own(params, "own", 4, 2, {.weight_init = init::constant(2), .bias_init = init::constant(3)});
  EXPECT_EQ(values(own.weight())[0], 2);
  EXPECT_EQ(values(own.bias())[0], 3);
}

TEST(Linear, PassesGradcheck) {
  for (const bool batched : {false, true}) {
    ParametersOptions options{.dtype = float64, .seed = 4};
    if (batched) options.sets = 2;
    Parameters params(options);
    const nn::Linear hidden(params, "hidden", 3, 4), output(params, "output", 4, 2);
    test::expect_gradients(
        params, [&](const Tensor& x) { return output(tanh(hidden(x))); }, input({5, 3}));
  }
}

TEST(Linear, NamesItselfInErrors) {
  Parameters params, batched({.sets = 3});
  const nn::Linear layer(params, "hidden", 784, 4), sets(batched, "hidden", 784, 4);
  EXPECT_MESSAGE(ShapeError, "Linear hidden: x is (64, 100); allowed is (..., 784)", layer(zeros({64, 100})));
  EXPECT_MESSAGE(ShapeError, "Linear hidden: x is (); allowed is (..., 784)", layer(zeros({})));
  EXPECT_MESSAGE(ShapeError, "Linear hidden: x is (64, 100); allowed are (batch, 784) and (3, ..., 784)",
                 sets(zeros({64, 100})));
  EXPECT_MESSAGE(ShapeError, "Linear hidden: x is (5, 64, 784); allowed are (batch, 784) and (3, ..., 784)",
                 sets(zeros({5, 64, 784})));
  EXPECT_MESSAGE(ShapeError, "Linear hidden: x is (784,); allowed are (batch, 784) and (3, ..., 784)",
                 sets(zeros({784})));
  EXPECT_MESSAGE(ValueError, "Linear hidden: x is an undefined tensor", layer(Tensor()));
  EXPECT_THROW(layer(zeros({2, 784}, {.dtype = float64})), DTypeError);
  EXPECT_MESSAGE(ValueError, "Linear l: in_features is 0 and out_features is 3; both must be 1 or more",
                 nn::Linear(params, "l", 0, 3));
}

TEST(Linear, IsMadeOnParametersThatAreThere) {
  for (const bool batched : {false, true})
    for (const bool bias : {false, true}) {
      ParametersOptions options{.dtype = float64, .seed = 3};
      if (batched) options.sets = 2;
      Parameters params(options);
      const nn::Linear layer(params, "hidden", 3, 4, {.bias = bias}), again = nn::Linear::on(params, "hidden");
      EXPECT_EQ(again.weight().impl(), layer.weight().impl());
      EXPECT_EQ(again.bias().defined(), bias);
      const Tensor x = input({5, 3});
      EXPECT_TRUE(test::same(again(x), layer(x)));
      EXPECT_MESSAGE(ShapeError,
                     batched ? "Linear hidden: x is (5, 4); allowed are (batch, 3) and (2, ..., 3)"
                             : "Linear hidden: x is (5, 4); allowed is (..., 3)",
                     again(zeros({5, 4})));
    }
  Parameters params;
  params.add("a.weight", {4}, init::zeros());
  params.add("b.weight", {4, 3}, init::zeros());
  params.add("b.bias", {3}, init::zeros());
  EXPECT_MESSAGE(ValueError, "Parameters: there is no 'c.weight'; the names are: a.weight, b.weight, b.bias",
                 nn::Linear::on(params, "c"));
  EXPECT_MESSAGE(ShapeError, "Linear a: the weight has shape (4,); it must be (out, in)", nn::Linear::on(params, "a"));
  EXPECT_MESSAGE(ShapeError, "Linear b: the bias has shape (3,); it must be (4,), as the weight has (4, 3)",
                 nn::Linear::on(params, "b"));
}

TEST(Linear, IsAddedWholeOrNotAtAll) {
  Parameters params;
  params.add("layer.bias", {1}, init::zeros());
  EXPECT_MESSAGE(ValueError, "Parameters: the name 'layer.bias' is in use; names must be unique",
                 nn::Linear(params, "layer", 2, 2));
  EXPECT_EQ(params.names(), std::vector<std::string>{"layer.bias"});
}

}  // namespace
}  // namespace luge
