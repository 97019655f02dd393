// L-BFGS against the records of PyTorch, and its errors.

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <luge/luge.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class LbfgsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(LbfgsTest);

Tensor rosenbrock(const Tensor& x) {
  const Tensor first = x.slice(0, 0, -1), second = x.slice(0, 1);
  return ((second - first.square()).square() * 100 + (1 - first).square()).sum();
}

struct Descent {
  std::vector<double> losses, x;
  std::int64_t evaluations = 0, iterations = 0;
};

/// As run_lbfgs of tests/python/test_optimizers.py.
Descent descent(Device device, const LbfgsOptions& options, int steps = 8) {
  Tensor x = tensor({-1.2, 1.0, 0.5, 2.0}, {.dtype = float64, .device = device, .requires_grad = true});
  Lbfgs optimizer({x}, options);
  const double sign = options.maximize ? -1 : 1;
  Descent run;
  for (int i = 0; i < steps; ++i)
    run.losses.push_back(optimizer
                             .step([&] {
                               optimizer.zero_grad();
                               const Tensor loss = rosenbrock(x) * sign;
                               loss.backward();
                               return loss;
                             })
                             .item());
  run.x = x.to_vector<double>();
  run.evaluations = optimizer.evaluations();
  run.iterations = optimizer.iterations();
  EXPECT_EQ(optimizer.steps_taken(), steps);
  return run;
}

TEST_P(LbfgsTest, TakesTheStepsOfPyTorch) {
  const char* const source = std::getenv("LUGE_SOURCE");
  std::ifstream file(std::string(source ? source : ".") + "/tests/python/optimizer_records.json");
  ASSERT_TRUE(file) << "tests/python/optimizer_records.json is not there; run from the repository";
  const nlohmann::json records = nlohmann::json::parse(file);
  const std::vector<std::pair<std::string, LbfgsOptions>> cases{
      {"LBFGS {'lr': 0.001}", {.lr = 1e-3}},
      {"LBFGS {'line_search_fn': 'strong_wolfe'}", {.strong_wolfe = true}},
      {"LBFGS {'line_search_fn': 'strong_wolfe', 'max_iter': 4, 'history_size': 3}", {.max_iter = 4, .history_size = 3, .strong_wolfe = true}},
      {"LBFGS {'line_search_fn': 'strong_wolfe', 'lr': 0.5, 'max_eval': 6}", {.lr = 0.5, .max_eval = 6, .strong_wolfe = true}},
      {"LBFGS {'lr': 0.001, 'max_iter': 5, 'maximize': True}", {.lr = 1e-3, .max_iter = 5, .maximize = true}},
  };
  for (const auto& [name, options] : cases) {
    SCOPED_TRACE(name);
    const auto expected = records.at(name).get<std::vector<std::vector<double>>>();
    const Descent run = descent(device(), options);
    // The valley multiplies a last bit a few thousand times on the way.
    for (std::size_t i = 0; i < expected[0].size(); ++i)
      EXPECT_NEAR(run.losses[i], expected[0][i], 1e-9 * std::max(1.0, std::abs(expected[0][i]))) << "loss " << i;
    for (std::size_t i = 0; i < expected[1].size(); ++i)
      EXPECT_NEAR(run.x[i], expected[1][i], 1e-9 * std::max(1.0, std::abs(expected[1][i]))) << "x " << i;
    EXPECT_GT(run.iterations, 0);
    EXPECT_GE(run.evaluations, run.iterations);
  }
}

TEST_P(LbfgsTest, FitsALayer) {
  Parameters params({.device = device(), .dtype = float64, .seed = 1});
  const nn::Linear layer(params, "layer", 3, 1);
  const Tensor x = (arange(30, on(float64)).square() * 0.37).sin().reshape({10, 3}), y = x.slice(1, 0, 1) * 2 - x.slice(1, 2, 3) + 0.5;
  Lbfgs optimizer(params, {.max_iter = 30, .strong_wolfe = true});
  const auto closure = [&] {
    optimizer.zero_grad();
    const Tensor loss = mse_loss(layer(x), y);
    loss.backward();
    return loss;
  };
  optimizer.step(closure);
  EXPECT_TRUE(has_values(layer.weight().detach(), {1, 3}, float64, {2, 0, -1}, 1e-5));
  EXPECT_TRUE(has_values(layer.bias().detach(), {1}, float64, {0.5}, 1e-5));
}

TEST(Lbfgs, LeavesFrozenParametersAsTheyAre) {
  Parameters params({.dtype = float64});
  const Tensor x = params.add("x", {2}, init::constant(3));
  Tensor frozen = params.add("frozen", {2}, init::constant(2));
  frozen.requires_grad_(false);
  Lbfgs optimizer(params, {.strong_wolfe = true});
  optimizer.step([&] {
    optimizer.zero_grad();
    const Tensor loss = (x - frozen).square().sum();
    loss.backward();
    return loss;
  });
  EXPECT_TRUE(has_values(frozen, {2}, float64, {2, 2}));
  EXPECT_TRUE(has_values(x.detach(), {2}, float64, {2, 2}, 1e-8));
}

TEST(Lbfgs, ErrorsNameIt) {
  Parameters params({.sets = 2});
  const Tensor x = params.add("x", {2}, init::ones());
  const Tensor loose = ones({2}, {.requires_grad = true});
  expect_errors({
      LUGE_ERROR(ValueError, "^Lbfgs: the parameters have 2 sets", Lbfgs(params)),
      LUGE_ERROR(ValueError, "^Lbfgs: the parameters have 2 sets", Lbfgs({x})),
      LUGE_ERROR(ValueError, "^Lbfgs: lr is -1", Lbfgs({loose}, {.lr = -1})),
      LUGE_ERROR(ValueError, "^Lbfgs: max_iter is 0", Lbfgs({loose}, {.max_iter = 0})),
      LUGE_ERROR(ValueError, "^Lbfgs: tolerance_grad is -1", Lbfgs({loose}, {.tolerance_grad = -1})),
  });
  Lbfgs optimizer({loose});
  const auto closure = [&] {
    optimizer.zero_grad();
    const Tensor loss = loose.square().sum();
    loss.backward();
    return loss;
  };
  auto step = capture([&] { return optimizer.step(closure); });
  expect_errors({
      LUGE_ERROR(ValueError, "^step: Lbfgs needs a closure", optimizer.step()),
      LUGE_ERROR(ValueError, "^step: Lbfgs needs a closure", optimizer.step(nullptr)),
      LUGE_ERROR(CaptureError, "item", step()),
  });
}

// ---- parameters as one vector, and clipping by value

TEST(ParameterVector, GoesThereAndBack) {
  Parameters params({.dtype = float64});
  const Tensor a = params.add("a", {2}, init::constant(1)), b = params.add("b", {1, 2}, init::constant(2));
  const Tensor flat = parameters_to_vector({a, b});
  EXPECT_TRUE(has_values(flat.detach(), {4}, float64, {1, 1, 2, 2}));
  (flat * tensor({1, 2, 3, 4}, {.dtype = float64})).sum().backward();
  EXPECT_TRUE(has_values(b.grad(), {1, 2}, float64, {3, 4}));
  vector_to_parameters(tensor({5, 6, 7, 8}, {.dtype = float64}), {a, b});
  EXPECT_TRUE(has_values(a.detach(), {2}, float64, {5, 6}));
  EXPECT_TRUE(has_values(b.detach(), {1, 2}, float64, {7, 8}));
  expect_errors({
      LUGE_ERROR(ShapeError, "^vector_to_parameters: vector has shape \\(3,\\); the parameters have 4", vector_to_parameters(zeros({3}), {a, b})),
      LUGE_ERROR(ValueError, "^parameters_to_vector: no tensors", parameters_to_vector({})),
      LUGE_ERROR(DTypeError, "^parameters_to_vector: tensor 1 is float32", parameters_to_vector({a, zeros({2})})),
  });
  EXPECT_TRUE(has_values(a.detach(), {2}, float64, {5, 6}));
}

TEST(ClipGradValue, ClipsEachElementOfWhatHasAGradient) {
  Parameters params({.dtype = float64});
  const Tensor a = params.add("a", {2}, init::zeros()), unused = params.add("unused", {2}, init::ones());
  Sgd optimizer(params, {.lr = 1.0, .weight_decay = 0.5});
  (a * tensor({3, -0.5}, {.dtype = float64})).sum().backward();
  clip_grad_value_(params.tensors(), 1);
  EXPECT_TRUE(has_values(a.grad(), {2}, float64, {1, -0.5}));
  optimizer.step();
  EXPECT_TRUE(has_values(unused.detach(), {2}, float64, {1, 1}));  // without a gradient it is not stepped
  expect_errors({LUGE_ERROR(ValueError, "^clip_grad_value_: clip_value is -1", clip_grad_value_({a}, -1)),
                 LUGE_ERROR(ValueError, "^clip_grad_value_: clip_value is nan", clip_grad_value_({a}, kNaN))});
}

}  // namespace
}  // namespace luge::test
