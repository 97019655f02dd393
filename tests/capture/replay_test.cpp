// A replayed step computes the bits of the eager one.

#include <limits>

#include "devices.h"
#include "expect.h"
#include "trainings.h"

namespace luge::test {
namespace {

class ReplayTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ReplayTest);

void expect_same(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(close(actual[i], expected[i], 0)) << "value " << i << ": " << actual[i] << " instead of " << expected[i];
}

/// Twenty steps of the demo with the monitor; the learning rate, a mask and an input change on the way.
std::vector<double> parabola(bool captured, Device device, DType dtype, std::int64_t sets, const OptimizerCase& kind) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 3});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  const auto optimizer = kind.make(params, 0.01);
  Monitor monitor({.keep_sets = 3, .capacity = 8, .progress = false});
  const TensorOptions options{.dtype = dtype, .device = device};
  Tensor mask = ones({sets}, options), shift = zeros({}, options);
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor loss = (3 * x * x - 2 * x + 3 + shift) * mask;
    loss.sum().backward();
    optimizer->step();
    monitor.record(loss);
    return loss;
  };
  std::vector<double> all = train(captured, 20, body, [&](int step) {
    if (step == 5) optimizer->set_lr(0.02);
    if (step == 9) shift.fill_(-1.5);
    if (step == 12) mask.copy_(arange(sets).to(dtype).to(device).lt(static_cast<double>(sets) / 2).to(dtype));
  });
  append(all, params);
  for (const HistoryRow& row : monitor.history()) {
    for (const double value : {row.mean, row.min, row.max, static_cast<double>(row.not_finite)}) all.push_back(value);
    all.insert(all.end(), row.sets.begin(), row.sets.end());
  }
  return all;
}

TEST_P(ReplayTest, EveryOptimizer) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const DType dtype : {float32, float64})
      for (const std::int64_t sets : {1, 7, 1000}) {
        SCOPED_TRACE(std::string(kind.name) + ", " + std::string(name(dtype)) + ", sets " + std::to_string(sets));
        expect_same(parabola(true, device(), dtype, sets, kind), parabola(false, device(), dtype, sets, kind));
      }
}

TEST_P(ReplayTest, ManySetsOverThreads) {
  const int threads = num_threads();
  set_num_threads(3);
  const OptimizerCase kind = optimizer_cases().front();
  const std::int64_t sets = device().is_cpu() ? 300001 : 20001;
  expect_same(parabola(true, device(), float32, sets, kind), parabola(false, device(), float32, sets, kind));
  set_num_threads(threads);
}

/// Models of several parameters, losses over rows, clipping, an embedding.
std::vector<double> curve_fits(bool captured, Device device, DType dtype, std::int64_t sets, const OptimizerCase& kind) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 9});
  const Tensor a = params.add("a", {1}, init::uniform(0.5, 2)), b = params.add("b", {1}, init::uniform(0.1, 1)),
               c = params.add("c", {1}, init::uniform(-1, 1));
  const auto optimizer = kind.make(params, 0.05);
  const TensorOptions options{.dtype = dtype, .device = device};
  const Tensor t = linspace(0, 3, 25, options);
  Tensor y = exp(t * -0.7) + 0.2;
  return train(
      captured, 12,
      [&] {
        optimizer->zero_grad();
        const Tensor error = a * exp(-b * t) + c - y;  // (sets, 25)
        const Tensor loss = square(error).mean(1);
        loss.sum().backward();
        params.clip_grad_norm_(1.0);
        optimizer->step();
        return loss;
      },
      [&](int step) {
        if (step == 6) y.copy_(exp(t * -0.3));
      });
}

TEST_P(ReplayTest, CurveFits) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const std::int64_t sets : {1, 7, 1000}) {
      SCOPED_TRACE(std::string(kind.name) + ", sets " + std::to_string(sets));
      expect_same(curve_fits(true, device(), float32, sets, kind), curve_fits(false, device(), float32, sets, kind));
    }
}

/// Models that learn not to be steep: the loss holds a gradient, which the step differentiates in turn.
std::vector<double> penalised(bool captured, Device device, DType dtype, std::int64_t sets, const OptimizerCase& kind) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 9});
  const Tensor a = params.add("a", {1, 4}, init::uniform(0.5, 2)), b = params.add("b", {1, 4}, init::uniform(-1, 1)),
               c = params.add("c", {1, 4}, init::uniform(-1, 1));
  const auto optimizer = kind.make(params, 0.05);
  const TensorOptions options{.dtype = dtype, .device = device};
  Tensor x = linspace(-1, 2, 36, options).view({9, 4});
  const Tensor target = linspace(0, 1, 9, options);
  return train(
      captured, 8,
      [&] {
        optimizer->zero_grad();
        const Tensor at = x.expand({sets, 9, 4}).clone().requires_grad_();
        const Tensor y = (tanh(a * at + b) * softplus(c * at)).sum(-1);
        const Tensor slope = grad({y.sum()}, {at}, {}, {}, true)[0];
        const Tensor loss = square(y - target).mean(1) + 0.1 * square(slope).sum({1, 2});
        loss.sum().backward();
        optimizer->step();
        return loss;
      },
      [&](int step) {
        if (step == 4) x.mul_(0.5);
      });
}

TEST_P(ReplayTest, PenaltiesOnGradients) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const DType dtype : {float32, float64})
      for (const std::int64_t sets : {1, 7, 300}) {
        if (leaves_out(device(), sets, dtype, kind)) continue;
        SCOPED_TRACE(std::string(kind.name) + ", sets " + std::to_string(sets));
        expect_same(penalised(true, device(), dtype, sets, kind), penalised(false, device(), dtype, sets, kind));
      }
}

/// A leaf whose gradient carries a history within the step; a replay leaves values only.
std::vector<double> newton(bool captured, Device device) {
  const TensorOptions options{.dtype = float64, .device = device};
  Tensor x = tensor({0.3, 2, -1}, options).requires_grad_();
  std::vector<double> all = train(
      captured, 10,
      [&] {
        x.zero_grad();
        const Tensor energy = (x.exp() - 2 * x).sum();
        energy.backward({}, {}, true);
        const Tensor slope = x.grad(), curvature = grad({slope.sum()}, {x})[0];
        no_grad([&] { x.sub_(slope.detach() / curvature); });
        return energy;
      },
      [](int) {});
  const std::vector<double> values = x.to_vector<double>(), slopes = x.grad().to_vector<double>();
  all.insert(all.end(), values.begin(), values.end());
  all.insert(all.end(), slopes.begin(), slopes.end());
  x.zero_grad();  // the history of its gradient leads back to x
  return all;
}

TEST_P(ReplayTest, StepsOfNewton) {
  const std::vector<double> found = newton(true, device());
  expect_same(found, newton(false, device()));
  for (std::size_t i = found.size() - 6; i < found.size() - 3; ++i) EXPECT_NEAR(found[i], std::log(2.0), 1e-6);
}

/// Curve fits whose sets never meet, so that many steps are taken set by set: a step, then 3 and `most` at once. What
/// depends on no parameter, and the total, are needed once for many steps.
std::vector<double> many_fits(bool captured, Device device, DType dtype, std::int64_t sets, int most,
                              const OptimizerCase& kind) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 9});
  const Tensor a = params.add("a", {1}, init::uniform(0.5, 2)), b = params.add("b", {1}, init::uniform(0.1, 1)),
               c = params.add("c", {2, 1}, init::uniform(-1, 1));
  manual_seed(12);
  const auto optimizer = kind.make(params, sets == 7 ? PerSet(rand({7}).to(device) * 0.05) : PerSet(0.02));
  const TensorOptions options{.dtype = dtype, .device = device};
  const Tensor t = linspace(0, 3, 25, options), noise = rand({sets, 2, 25}, options);
  Monitor monitor({.keep_sets = 3, .capacity = 9, .progress = false});
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor wave = (a * exp(-b * t)).unsqueeze(1);                 // (sets, 1, 25)
    const Tensor error = wave + c - (exp(t * -0.7) + noise * 0.1);      // (sets, 2, 25)
    const Tensor loss = square(error).mean({1, 2});
    loss.sum().backward();
    optimizer->step();
    monitor.record(loss);
    return std::vector<Tensor>{loss, loss.sum()};
  };
  std::vector<Tensor> last;
  auto step = capture(body);
  if (captured) {
    for (const int steps : {1, 3, most}) last = step.run(steps);
  } else {
    for (int i = 0; i < 4 + most; ++i) last = body();
  }
  std::vector<double> all;
  for (const Tensor& result : last) {
    const std::vector<double> values = result.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  append(all, params);
  append(all, monitor);
  return all;
}

TEST_P(ReplayTest, CurveFitsManyStepsAtOnce) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const DType dtype : {float32, float64})
      for (const std::int64_t sets : {1, 7, 1000}) {
        if (leaves_out(device(), sets, dtype, kind)) continue;
        SCOPED_TRACE(std::string(kind.name) + ", " + std::string(name(dtype)) + ", sets " + std::to_string(sets));
        const int most = sets > 100 ? 5 : 40;
        const std::vector<double> eager = many_fits(false, device(), dtype, sets, most, kind);
        EXPECT_GT(eager.size(), 5u * static_cast<std::size_t>(4 + most));
        expect_same(many_fits(true, device(), dtype, sets, most, kind), eager);
      }
}

TEST_P(ReplayTest, CurveFitsOverThreads) {
  const int threads = num_threads();
  set_num_threads(3);
  const OptimizerCase kind = optimizer_cases().back();
  const std::int64_t sets = device().is_cpu() ? 501 : 21;
  expect_same(many_fits(true, device(), float32, sets, 6, kind), many_fits(false, device(), float32, sets, 6, kind));
  set_num_threads(threads);
}

/// Rows of several tiles and of several chunks.
TEST_P(ReplayTest, CurveFitsOfManyPoints) {
  for (const std::int64_t points : {1500, 17001}) {
    const Tensor t = linspace(0, 3, points, on(float64)), y = rand({5, points}, on(float64));
    const auto trained = [&](bool captured) {
      Parameters params({.sets = 5, .device = device(), .dtype = float64, .seed = 6});
      const Tensor a = params.add("a", {1}, init::uniform(0.5, 2)), b = params.add("b", {1}, init::uniform(0.1, 1));
      Adam optimizer(params, {.lr = 0.01});
      const auto body = [&] {
        optimizer.zero_grad();
        const Tensor loss = square(a * tanh(b * t) - y).mean(1);
        loss.sum().backward();
        optimizer.step();
        return loss;
      };
      auto step = capture(body);
      Tensor loss = captured ? step() : body();
      if (captured)
        loss = step.run(4);
      else
        for (int i = 0; i < 4; ++i) loss = body();
      std::vector<double> all = loss.to_vector<double>();
      append(all, params);
      return all;
    };
    expect_same(trained(true), trained(false));
  }
}

std::vector<double> perceptron(bool captured, Device device, const OptimizerCase& kind, std::optional<std::int64_t> sets) {
  Parameters params({.sets = sets, .device = device, .seed = 4});
  const nn::Linear hidden(params, "hidden", 20, 17), output(params, "output", 17, 5);
  const auto optimizer = kind.make(params, 0.05);
  manual_seed(11);
  Tensor images = rand({8, 20}).to(device), labels = randint(0, 5, {8}).to(device);
  std::vector<double> all = train(
      captured, 10,
      [&] {
        optimizer->zero_grad();
        const Tensor dropped = relu(hidden(images)) * rand({17}, {.device = device}).gt(0.2).to(float32);
        const Tensor loss = cross_entropy(output(gelu(dropped)), labels, sets ? Reduction::PerSet : Reduction::Mean);
        loss.sum().backward();
        optimizer->step();
        return loss;
      },
      [&](int step) {
        if (step % 3 != 2) return;
        images.copy_(rand({8, 20}));
        labels.copy_(randint(0, 5, {8}));
      });
  append(all, params);
  return all;
}

TEST_P(ReplayTest, PerceptronWithDropout) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const std::optional<std::int64_t> sets : {std::optional<std::int64_t>(), std::optional<std::int64_t>(3)}) {
      SCOPED_TRACE(kind.name);
      expect_same(perceptron(true, device(), kind, sets), perceptron(false, device(), kind, sets));
    }
}

/// K micro-batches and one step are one step on the whole batch.
TEST_P(ReplayTest, MicroBatches) {
  constexpr int kParts = 4, kRows = 6;
  const Tensor inputs = rand({kParts * kRows, 5}, on(float64)), targets = rand({kParts * kRows, 3}, on(float64));
  const auto trained = [&](bool captured, int parts) {
    Parameters params({.device = device(), .dtype = float64, .seed = 2});
    const nn::Linear model(params, "model", 5, 3);
    Adam optimizer(params, {.lr = 0.01});
    const std::int64_t rows = kParts * kRows / parts;
    train(captured, 15, [&] {
      optimizer.zero_grad();
      Tensor total;
      for (int p = 0; p < parts; ++p) {
        const Tensor x = inputs.slice(0, p * rows, (p + 1) * rows), y = targets.slice(0, p * rows, (p + 1) * rows);
        const Tensor loss = mse_loss(tanh(model(x)), y) * (1.0 / parts);
        loss.backward();
        total = total.defined() ? total + loss.detach() : loss.detach();
      }
      optimizer.step();
      return total;
    });
    return model.weight().to_vector<double>();
  };
  const std::vector<double> whole = trained(false, 1), parts = trained(false, kParts);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(parts[i], whole[i], 1e-12);
  expect_same(trained(true, kParts), parts);
}

/// run(k) is k steps: their losses are recorded one by one, also where the ring takes fewer at once.
std::vector<double> many_steps(bool captured, Device device, DType dtype, std::int64_t sets, const OptimizerCase& kind) {
  Parameters params({.sets = sets, .device = device, .dtype = dtype, .seed = 5});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  manual_seed(8);
  const auto optimizer = kind.make(params, sets == 7 ? PerSet(rand({7}).to(device) * 0.05) : PerSet(0.01));
  Monitor monitor({.keep_sets = 3, .capacity = 9, .progress = false});
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor loss = 3 * x * x - 2 * x + 3;
    loss.sum().backward();
    optimizer->step();
    monitor.record(loss);
    return loss.sum();
  };
  std::vector<double> all;
  Tensor last;
  if (captured) {
    auto step = capture(body);
    step.run(3);
    last = step.run(20);
  } else {
    for (int i = 0; i < 23; ++i) last = body();
  }
  all.push_back(last.item());
  append(all, params);
  append(all, monitor);
  return all;
}

TEST_P(ReplayTest, ManyStepsAtOnce) {
  for (const OptimizerCase& kind : optimizer_cases())
    for (const DType dtype : {float32, float64})
      for (const std::int64_t sets : {1, 7, 1000, 20000}) {
        if (sets > 1000 && !device().is_cpu()) continue;  // executed thread by thread
        SCOPED_TRACE(std::string(kind.name) + ", sets " + std::to_string(sets));
        const std::vector<double> eager = many_steps(false, device(), dtype, sets, kind);
        EXPECT_GT(eager.size(), 23u * 5u);
        expect_same(many_steps(true, device(), dtype, sets, kind), eager);
      }
}

/// A step that records twice needs twice the room.
TEST_P(ReplayTest, MonitorsInStepsThatRecordTwice) {
  const Tensor x = rand({40}, on());
  const auto recorded = [&](std::int64_t capacity) {
    Monitor monitor({.capacity = capacity, .progress = false});
    auto step = capture([&] {
      monitor.record(x * 2);
      monitor.record(x + 1);
    });
    step.run(10);
    return monitor.history().size();
  };
  EXPECT_EQ(recorded(5), 20u);
  EXPECT_THROW(recorded(1), ValueError);
}

/// Whether gradients were written before is part of what a step goes on from.
TEST_P(ReplayTest, GradientsFromOutside) {
  const auto trained = [&](bool captured) {
    Parameters params({.device = device(), .seed = 2});
    const Tensor w = params.add("w", {33}, init::uniform(-1, 1));
    Sgd optimizer(params, {.lr = 0.1});
    std::vector<double> all = train(
        captured, 9,
        [&] {
          const Tensor loss = square(w).sum();
          loss.backward();
          return loss;
        },
        [&](int step) {
          if (step % 3 != 0) return;
          optimizer.step();
          optimizer.zero_grad();
        });
    append(all, params);
    return all;
  };
  expect_same(trained(true), trained(false));
}

/// Leaves without an arena collect gradients in memory of their own.
TEST_P(ReplayTest, LooseLeaves) {
  const auto trained = [&](bool captured) {
    manual_seed(3);
    Tensor w = rand({50}, on(float32, true));
    std::vector<double> all = train(captured, 6, [&] {
      w.zero_grad();
      const Tensor loss = square(w - 0.5).sum();
      loss.backward();
      const NoGrad guard;
      w.sub_(w.grad() * 0.1);
      return loss;
    });
    for (const Tensor& part : {w, w.grad()}) {
      const std::vector<double> values = part.to_vector<double>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  };
  expect_same(trained(true), trained(false));
}

/// A gradient nobody keeps is never stored; the training is the same.
TEST_P(ReplayTest, GradientsNotKept) {
  const auto trained = [&](bool keep) {
    Parameters params({.sets = 5000, .device = device(), .seed = 3});
    const Tensor x = params.add("x", {}, init::uniform(-2, 2));
    Sgd optimizer(params, {.lr = 0.01});
    auto step = capture(
        [&] {
          optimizer.zero_grad();
          const Tensor loss = 3 * x * x - 2 * x + 3;
          loss.sum().backward();
          optimizer.step();
          return loss.sum();
        },
        {.keep_gradients = keep});
    for (int i = 0; i < 10; ++i) step();
    if (!keep) {
      EXPECT_TRUE(has_values(x.grad().sum(), {}, float32, {0}));
    }
    return std::pair(x.to_vector<double>(), step.figures().bytes);
  };
  const auto [kept, kept_bytes] = trained(true);
  const auto [dropped, dropped_bytes] = trained(false);
  expect_same(dropped, kept);
  if (device().is_cpu()) {
    EXPECT_EQ(kept_bytes - dropped_bytes, 4 * 5000);
  }
}

TEST_P(ReplayTest, ResultsAreTheSameTensors) {
  Tensor x = ones({10}, on());
  auto step = capture([&] { return std::vector<Tensor>{x * 2, (x + 1).sum()}; });
  const std::vector<Tensor> first = step();
  x.fill_(3);
  const std::vector<Tensor> second = step.run(3);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].data(), second[0].data());
  EXPECT_TRUE(has_values(first[0], {10}, float32, std::vector<double>(10, 6)));
  EXPECT_TRUE(has_values(first[1], {}, float32, {40}));
  auto nothing = capture([&] { x.add_(1); });
  nothing.run(4);
  EXPECT_TRUE(has_values(x, {10}, float32, std::vector<double>(10, 7)));
}

/// In-place changes by a replay are seen by autograd outside of it.
TEST_P(ReplayTest, ReplaysCountAsWrites) {
  Tensor x = ones({4}, on()), w = ones({4}, on(float32, true));
  auto step = capture([&] { x.add_(1); });
  step();
  const Tensor product = w * x;
  step();
  EXPECT_THROW(product.sum().backward(), AutogradError);
}

}  // namespace
}  // namespace luge::test
