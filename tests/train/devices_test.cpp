// Whole trainings on every device: against the closed form, against the CPU, and set by set.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <luge/luge.h>

#include "devices.h"

namespace luge::test {
namespace {

class TrainingTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(TrainingTest);

/// The demo with many sets: every one against x_k = 1/3 + (x_0 - 1/3) (1 - 6 lr)^k.
TEST_P(TrainingTest, SetsOfTheParabolaFollowTheirClosedForms) {
  constexpr int kEpochs = 80;
  for (const std::int64_t sets : {1, 127, 4097}) {
    Parameters params({.sets = sets, .device = device(), .seed = 1});
    const Tensor x = params.add("x", {}, init::uniform(-2, 2));
    const std::vector<float> start = x.to_vector<float>();
    const Tensor lr = linspace(0.001, 0.299, sets, {.device = device()});
    const std::vector<float> rates = lr.to_vector<float>();
    Sgd optimizer(params, {.lr = lr});
    for (int epoch = 0; epoch < kEpochs; ++epoch) {
      optimizer.zero_grad();
      (3 * x * x - 2 * x + 3).sum().backward();
      optimizer.step();
    }
    const std::vector<float> result = x.to_vector<float>();
    double worst = 0;
    for (std::size_t i = 0; i < result.size(); ++i) {
      const auto rate = static_cast<double>(rates[i]);
      const double expected = 1.0 / 3 + (static_cast<double>(start[i]) - 1.0 / 3) * std::pow(1 - 6 * rate, kEpochs);
      const double unit = static_cast<double>(std::numeric_limits<float>::epsilon()) / std::min(1.0, 6 * rate);
      worst = std::max(worst, std::abs(static_cast<double>(result[i]) - expected) / unit);
    }
    EXPECT_LE(worst, 4) << sets << " sets";
  }
}

struct Case {
  const char* name;
  std::function<std::unique_ptr<Optimizer>(const Parameters&)> make;
};

std::vector<Case> optimizers(const PerSet& lr) {
  return {
      {"Sgd",
       [=](const Parameters& p) { return std::make_unique<Sgd>(p, SgdOptions{.lr = lr, .weight_decay = 0.01}); }},
      {"Nesterov",
       [=](const Parameters& p) {
         return std::make_unique<Sgd>(p, SgdOptions{.lr = lr, .momentum = 0.9, .nesterov = true});
       }},
      {"Maximize",
       [=](const Parameters& p) {
         return std::make_unique<Sgd>(p, SgdOptions{.lr = lr, .momentum = 0.5, .dampening = 0.1, .maximize = true});
       }},
      {"Adam", [=](const Parameters& p) { return std::make_unique<Adam>(p, AdamOptions{.lr = lr}); }},
      {"AdamW", [=](const Parameters& p) { return std::make_unique<AdamW>(p, AdamWOptions{.lr = lr}); }},
  };
}

/// Two parameters of odd sizes, a gradient of every kind, clipping, twenty steps.
std::vector<double> train(Device device, DType dtype, std::int64_t first, std::int64_t sets, const Case& kind) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 5, .first_set = first});
  const Tensor a = params.add("a", {3, 5}, init::uniform(-1, 1)), b = params.add("b", {7}, init::uniform(-1, 1));
  const auto optimizer = kind.make(params);
  for (int step = 0; step < 20; ++step) {
    optimizer->zero_grad();
    const Tensor loss = (a * a).sum(-1).sum(-1) + ((b - 1) * (b - 1)).sum(-1) * 0.5;  // (sets)
    loss.sum().backward();
    params.clip_grad_norm_(1.5);
    optimizer->step();
  }
  std::vector<double> result = a.to(float64).to_vector<double>();
  const std::vector<double> more = b.to(float64).to_vector<double>();
  result.insert(result.end(), more.begin(), more.end());
  return result;
}

TEST_P(TrainingTest, EveryOptimizerEndsWhereTheCpusDoes) {
  for (const DType dtype : {float32, float64}) {
    const double bound = dtype == float32 ? 1e-5 : 1e-13;
    for (const std::int64_t sets : {1, 7, 130}) {
      const auto rates = [&](Device where) {
        return PerSet(linspace(0.01, 0.1, sets, {.dtype = dtype, .device = where}));
      };
      const auto here = optimizers(rates(device())), there = optimizers(rates(Device::cpu()));
      for (std::size_t i = 0; i < here.size(); ++i) {
        const auto actual = train(device(), dtype, 0, sets, here[i]);
        const auto expected = train(Device::cpu(), dtype, 0, sets, there[i]);
        ASSERT_EQ(actual.size(), expected.size());
        for (std::size_t j = 0; j < actual.size(); ++j)
          ASSERT_NEAR(actual[j], expected[j], bound) << here[i].name << ", " << sets << " sets, element " << j;
      }
    }
  }
}

TEST_P(TrainingTest, StateMakesAnotherOptimizerGoOn) {
  for (const Case& kind : optimizers(linspace(0.01, 0.1, 5, on()))) {
    SCOPED_TRACE(kind.name);
    const auto make = [&] {
      Parameters params({.sets = 5, .device = device(), .seed = 3});
      params.add("w", {7}, init::normal(0, 1));
      return params;
    };
    const auto run = [](Optimizer& optimizer) {
      for (int step = 0; step < 4; ++step) {
        optimizer.zero_grad();
        sin(optimizer.parameters()["w"]).sum().backward();
        optimizer.step();
      }
    };
    const Parameters params = make(), others = make();
    const auto optimizer = kind.make(params), other = kind.make(others);
    run(*optimizer);
    no_grad([&] { Tensor(others["w"]).copy_(params["w"]); });
    optimizer->set_lr(0.03);
    const std::vector<Tensor> from = optimizer->state(), to = other->state();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) Tensor(to[i]).copy_(from[i]);
    EXPECT_EQ(other->steps_taken(), 4);
    run(*optimizer);
    run(*other);
    EXPECT_EQ(others["w"].to_vector<float>(), params["w"].to_vector<float>());
    EXPECT_EQ(other->lr().to_vector<float>(), optimizer->lr().to_vector<float>());
  }
}

TEST_P(TrainingTest, ASetIsTheSameAloneAndInAnyBatch) {
  constexpr std::int64_t kSets = 130;
  for (const Case& kind : optimizers(0.03)) {
    const auto all = train(device(), float32, 0, kSets, kind);
    for (const std::int64_t set : {0, 1, 64, 129}) {
      const auto alone = train(device(), float32, set, 1, kind);
      for (std::int64_t i = 0; i < 15; ++i)
        ASSERT_EQ(alone[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(set * 15 + i)]) << kind.name;
      for (std::int64_t i = 0; i < 7; ++i)
        ASSERT_EQ(alone[static_cast<std::size_t>(15 + i)], all[static_cast<std::size_t>(kSets * 15 + set * 7 + i)])
            << kind.name;
    }
  }
}

struct Trained {
  std::vector<HistoryRow> history;
  std::vector<float> weights;
};

/// Ten steps of the perceptron 784-256-10 on batches of 64 made-up images.
template <class O, class Options>
Trained train_perceptron(Device device, const Options& options) {
  Parameters params({.device = device, .seed = 2});
  const nn::Sequential model(nn::Linear(params, "hidden", 784, 256), nn::Relu{}, nn::Linear(params, "output", 256, 10));
  O optimizer(params, options);
  Monitor monitor({.total = 10, .progress = false});
  manual_seed(11);
  for (int step = 0; step < 10; ++step) {
    const Tensor images = rand({64, 784}).to(device), labels = randint(0, 10, {64}).to(device);
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(model(images), labels);
    loss.backward();
    optimizer.step();
    monitor.record(loss);
  }
  Trained result;
  result.history = monitor.history();
  for (const Tensor& parameter : params.tensors()) {
    const std::vector<float> values = parameter.flatten().to_vector<float>();
    result.weights.insert(result.weights.end(), values.begin(), values.end());
  }
  return result;
}

TEST_P(TrainingTest, TenStepsOfThePerceptronEqualTheCpus) {
  const SgdOptions sgd{.lr = 0.05, .momentum = 0.9};
  const Trained actual = train_perceptron<Sgd>(device(), sgd), expected = train_perceptron<Sgd>(Device::cpu(), sgd);
  ASSERT_EQ(actual.history.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_NEAR(actual.history[i].mean, expected.history[i].mean, 1e-5 * expected.history[i].mean) << "step " << i;
  ASSERT_EQ(actual.weights.size(), expected.weights.size());
  for (std::size_t i = 0; i < actual.weights.size(); ++i)
    ASSERT_NEAR(actual.weights[i], expected.weights[i], 1e-5f) << "weight " << i;
  EXPECT_LT(actual.history[9].mean, actual.history[0].mean * 1.5);  // it trains, and does not explode
}

/// Adam divides small gradients by small numbers, so single weights may differ; the losses may not.
TEST_P(TrainingTest, TenStepsOfAdamLoseAsTheCpusDo) {
  const AdamOptions adam{.lr = 1e-3};
  const Trained actual = train_perceptron<Adam>(device(), adam), expected = train_perceptron<Adam>(Device::cpu(), adam);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_NEAR(actual.history[i].mean, expected.history[i].mean, 1e-4 * expected.history[i].mean) << "step " << i;
}

}  // namespace
}  // namespace luge::test
