// Trainings of 10,000 steps, eager and captured: not one byte of tensors more after the last step than after the
// tenth, at no time.

#include <cmath>
#include <string>
#include <string_view>

#include "capture/trainings.h"
#include "devices.h"

namespace luge::test {
namespace {

class LongTrainingTest : public DeviceTest {
 protected:
  /// Fewer where the host executes every kernel.
  int steps() const {
#if defined(LUGE_HOST_RUNS_KERNELS)
    return 50;
#else
    return 10'000;
#endif
  }

  /// There the host's compiler takes seconds for each fused kernel: only the first training is captured.
  bool captures(const char* what) const {
#if defined(LUGE_HOST_RUNS_KERNELS)
    return device().is_cpu() || std::string_view(what) == "parabola";
#else
    static_cast<void>(what);
    return true;
#endif
  }

  /// Runs `body` until the tenth step, and then to the end. What it returns stays until the next step, as in a loop
  /// that looks at its loss.
  template <class Body>
  void expect_no_growth(const char* what, const Body& body) {
    for (const bool captured : {false, true}) {
      if (captured && !captures(what)) continue;
      SCOPED_TRACE(std::string(what) + (captured ? ", captured" : ", eager"));
      auto step = capture(body);
      Tensor loss;
      const auto run = [&](int count) {
        for (int i = 0; i < count; ++i) loss = captured ? step() : body();
      };
      run(9);
      reset_peak_memory(device());
      run(1);
      const MemoryStats tenth = memory_stats(device());
      run(steps() - 10);
      const MemoryStats last = memory_stats(device());
      EXPECT_EQ(last.allocated, tenth.allocated);
      EXPECT_EQ(last.peak, tenth.peak);
      EXPECT_EQ(last.reserved, tenth.reserved);
      EXPECT_TRUE(std::isfinite(loss.sum().item()));
    }
  }
};
LUGE_ON_EVERY_DEVICE(LongTrainingTest);

TEST_P(LongTrainingTest, Parabola) {
  Parameters params({.device = device()});
  const Tensor x = params.add("x", {}, init::constant(-1));
  Sgd optimizer(params, {.lr = 0.01});
  Monitor monitor({.progress = false});
  expect_no_growth("parabola", [&] {
    optimizer.zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.backward();
    optimizer.step();
    monitor.record(loss);
    return loss;
  });
}

TEST_P(LongTrainingTest, ManySets) {
  Parameters params({.sets = 300, .device = device(), .seed = 1});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  const Tensor lr = linspace(0.01, 0.29, 300, {.device = device()});
  Sgd optimizer(params, {.lr = lr});
  Monitor monitor({.keep_sets = 300, .progress = false});
  expect_no_growth("sets", [&] {
    optimizer.zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer.step();
    monitor.record(loss);
    return loss;
  });
}

TEST_P(LongTrainingTest, LooseTensors) {
  manual_seed(42);
  const Tensor x = 10 * rand({50}, on()), y = 1.5 * x - 4 + randn({50}, on());
  const Tensor w = zeros({}, on(float32, true)), b = zeros({}, on(float32, true));
  Sgd optimizer({w, b}, {.lr = 0.01, .momentum = 0.9});
  expect_no_growth("regression", [&] {
    optimizer.zero_grad();
    const Tensor loss = mse_loss(w * x + b, y);
    loss.backward();
    optimizer.step();
    return loss;
  });
}

TEST_P(LongTrainingTest, Perceptron) {
  manual_seed(7);
  const Tensor all = rand({40, 2}, on()) * 4 - 2;
  const Tensor side = all.select(1, 0) + 2 * all.select(1, 1) - 0.5;
  const Tensor clear = (side.abs() > 0.4).to(float32), y = side.sign() * clear;
  Parameters params({.device = device()});
  const nn::Linear neuron(params, "neuron", 2, 1, {.weight_init = init::zeros(), .bias_init = init::zeros()});
  Sgd optimizer(params, {.lr = 0.1});
  expect_no_growth("perceptron", [&] {
    optimizer.zero_grad();
    const Tensor loss = relu(0.01 - y * neuron(all).squeeze(1)) * clear;
    loss.sum().backward();
    optimizer.step();
    return loss;
  });
}

TEST_P(LongTrainingTest, BatchesOfImages) {
  manual_seed(3);
  const LabelledImages images{rand({40, 2, 2}, on()), randint(0, 3, {40}, on(int64))};
  Parameters params({.sets = 2, .device = device(), .seed = 1});
  const nn::Sequential model{nn::Linear(params, "hidden", 4, 8), nn::Relu{}, nn::Linear(params, "output", 8, 3)};
  Adam optimizer(params, {.lr = 1e-3});
  BatchStream stream(Batches(images, {.batch = 16, .seed = 1, .device = device()}));  // the last one is smaller
  const auto loss_of = [&](const Batch& batch) {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(model(batch.images), batch.labels, Reduction::PerSet);
    loss.sum().backward();
    params.clip_grad_norm_(1);
    optimizer.step();
    return loss;
  };
  // The batch is made between the steps, as a captured step wants it.
  Tensor loss;
  for (int i = 0; i < 10; ++i) {
    if (i == 6) reset_peak_memory(device());
    loss = loss_of(stream.next());
  }
  while (stream.index() != 1) loss = loss_of(stream.next());
  const MemoryStats tenth = memory_stats(device());
  for (int i = 0; i < steps() / 3 * 3; ++i) loss = loss_of(stream.next());
  const MemoryStats last = memory_stats(device());
  EXPECT_EQ(last.allocated, tenth.allocated);
  EXPECT_EQ(last.peak, tenth.peak);
  EXPECT_EQ(last.reserved, tenth.reserved);

  const Batch fed = BatchStream(Batches(images, {.batch = 16, .seed = 1, .device = device()})).next();
  expect_no_growth("images", [&] { return loss_of(fed); });
}

TEST_P(LongTrainingTest, EveryOptimizer) {
  for (const OptimizerCase& rule : optimizer_cases()) {
    Parameters params({.sets = 3, .device = device(), .seed = 3});
    const nn::Sequential model{nn::Linear(params, "hidden", 2, 4), nn::Tanh{}, nn::Linear(params, "output", 4, 1)};
    const Tensor inputs = tensor({{0, 0}, {0, 1}, {1, 0}, {1, 1}}).to(device());
    const Tensor wanted = tensor({0, 1, 1, 0}).to(device());
    const double sign = std::string(rule.name) == "Momentum" || std::string(rule.name) == "Adagrad" ? -1 : 1;
    const std::unique_ptr<Optimizer> optimizer = rule.make(params, 0.01);
    expect_no_growth(rule.name, [&] {
      optimizer->zero_grad();
      const Tensor loss = sign * mse_loss(model(inputs).squeeze(2), wanted, Reduction::PerSet);
      loss.sum().backward();
      optimizer->step();
      return loss;
    });
  }
}

TEST_P(LongTrainingTest, EverySchedule) {
  for (const ScheduleCase& schedule : schedule_cases()) {
    Parameters params({.device = device()});
    const Tensor x = params.add("x", {}, init::constant(-1));
    Sgd optimizer(params, {.lr = 0.01});
    const std::unique_ptr<LrScheduler> rates = schedule.make(optimizer);
    expect_no_growth(schedule.name, [&] {
      optimizer.zero_grad();
      const Tensor loss = 3 * x * x - 2 * x + 3;
      loss.backward();
      optimizer.step();
      rates->step();
      return loss;
    });
  }
}

}  // namespace
}  // namespace luge::test
