// Parts of a plan that go set by set: networks of every shape, with the bits of the eager step, of each set alone and of
// any number of threads.

#include <luge/base/threads.h>

#include "devices.h"
#include "expect.h"
#include "has_words.h"
#include "trainings.h"

namespace luge::test {
namespace {

class SegmentTest : public DeviceTest {
 protected:
  void TearDown() override { set_num_threads(threads_); }

 private:
  int threads_ = num_threads();
};
LUGE_ON_EVERY_DEVICE(SegmentTest);

enum class NetworkLoss { Mse, CrossEntropy, Softmax };

/// NetworkCase of two layers and what they are trained with.
struct NetworkCase {
  std::int64_t sets, in, hidden, out, batch;
  NetworkLoss loss = NetworkLoss::Mse;
  bool has_own_rows = false;  ///< each set of its own, not of the same as all
  bool records = false, clips = false;
  DType dtype = float32;
  bool has_relu = false;  ///< not tanh
};

/// Results of all steps, then parameters and gradients, set after set, and what the monitor has.
struct TrainedNetworks {
  std::vector<double> losses, parameters, recorded;
  std::string plan;
  bool is_fused = false;  ///< the plan launches fewer kernels than there were calls
};

/// The sets [first, first + sets) of the networks. `steps_at_once`: of a replay, once there is one.
TrainedNetworks train_networks(const NetworkCase& of, Device device, bool captured, std::int64_t first, std::int64_t sets,
                std::int64_t steps_at_once = 1) {
  constexpr int kReplays = 3;
  Parameters params({.sets = sets, .device = device, .dtype = of.dtype, .seed = 5, .first_set = first});
  const nn::Linear hidden(params, "hidden", of.in, of.hidden), output(params, "output", of.hidden, of.out);
  const Tensor rates = linspace(0.001, 0.05, of.sets, {.dtype = of.dtype, .device = device}).slice(0, first, first + sets).clone();
  Adam optimizer(params, {.lr = rates, .weight_decay = 0.01});
  manual_seed(7);
  const TensorOptions options{.dtype = of.dtype, .device = device};
  const auto rows_of = [&](const Tensor& all) {
    return (of.has_own_rows ? all.slice(0, first, first + sets) : all.select(0, 0)).clone();
  };
  const Tensor x = rows_of(randn({of.sets, of.batch, of.in}, options));
  const Tensor y = rows_of(randn({of.sets, of.batch, of.out}, options));
  const Tensor labels = rows_of(randint(0, of.out, {of.sets, of.batch}, {.dtype = int64, .device = device}));
  Monitor monitor({.keep_sets = 3, .capacity = 64, .progress = false});
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor z = output(of.has_relu ? relu(hidden(x)) : tanh(hidden(x)));
    const Tensor loss = of.loss == NetworkLoss::Mse            ? mse_loss(z, y, Reduction::PerSet)
                        : of.loss == NetworkLoss::CrossEntropy ? cross_entropy(z, labels, Reduction::PerSet)
                                                        : (softmax(z, -1) * y).mean({1, 2});
    loss.sum().backward();
    if (of.clips) params.clip_grad_norm_(0.1);
    optimizer.step();
    if (of.records) monitor.record(loss);
    return loss;
  };
  TrainedNetworks result;
  const auto keep = [&](const Tensor& from) {
    const std::vector<double> values = from.to_vector<double>();
    result.losses.insert(result.losses.end(), values.begin(), values.end());
  };
  auto step = capture(body);
  keep(captured ? step() : body());
  for (int replay = 0; replay < kReplays; ++replay) {
    if (captured) {
      keep(step.run(steps_at_once));
      continue;
    }
    for (std::int64_t s = 1; s < steps_at_once; ++s) body();
    keep(body());
  }
  for (const Tensor& tensor : params.tensors())
    for (const Tensor& part : {tensor, tensor.grad()}) {
      const std::vector<double> values = part.to_vector<double>();
      result.parameters.insert(result.parameters.end(), values.begin(), values.end());
    }
  append(result.recorded, monitor);
  if (captured) {
    result.plan = step.plan();
    result.is_fused = step.figures().launches < step.figures().recorded_calls;
  }
  return result;
}

void expect_equal(const std::vector<double>& actual, const std::vector<double>& expected, const char* what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(close(actual[i], expected[i], 0)) << what << ", value " << i << ": " << actual[i] << " instead of " << expected[i];
}

void expect_equal(const TrainedNetworks& actual, const TrainedNetworks& expected) {
  expect_equal(actual.losses, expected.losses, "losses");
  expect_equal(actual.parameters, expected.parameters, "parameters");
  expect_equal(actual.recorded, expected.recorded, "recorded");
}

/// Small enough for a block of several sets, larger than a block, fewer sets than threads, of one set and beyond
/// CUDA's own products; odd sizes throughout.
std::vector<NetworkCase> network_cases() {
  return {{.sets = 50, .in = 3, .hidden = 5, .out = 2, .batch = 7, .records = true},
          {.sets = 50, .in = 3, .hidden = 17, .out = 1, .batch = 33, .has_own_rows = true},
          {.sets = 9, .in = 20, .hidden = 65, .out = 10, .batch = 200,
           .loss = NetworkLoss::CrossEntropy, .records = true},
          {.sets = 9, .in = 20, .hidden = 33, .out = 9, .batch = 31,
           .loss = NetworkLoss::CrossEntropy, .has_own_rows = true},
          {.sets = 30, .in = 4, .hidden = 16, .out = 8, .batch = 16,
           .loss = NetworkLoss::Softmax, .has_own_rows = true, .clips = true},
          {.sets = 300, .in = 4, .hidden = 16, .out = 8, .batch = 48,
           .loss = NetworkLoss::Softmax, .has_own_rows = true, .clips = true},
          {.sets = 3, .in = 70, .hidden = 130, .out = 4, .batch = 129, .records = true, .clips = true},
          {.sets = 1, .in = 140, .hidden = 150, .out = 131, .batch = 150, .loss = NetworkLoss::CrossEntropy},
          {.sets = 2, .in = 1, .hidden = 1, .out = 1, .batch = 1},
          {.sets = 1, .in = 8, .hidden = 9, .out = 3, .batch = 5, .loss = NetworkLoss::CrossEntropy},
          {.sets = 40, .in = 6, .hidden = 16, .out = 3, .batch = 20,
           .loss = NetworkLoss::Softmax, .records = true, .dtype = float64},
          {.sets = 60, .in = 16, .hidden = 64, .out = 1, .batch = 70, .has_relu = true},
          {.sets = 50, .in = 5, .hidden = 19, .out = 3, .batch = 37,
           .loss = NetworkLoss::CrossEntropy, .has_own_rows = true, .has_relu = true},
          {.sets = 20, .in = 3, .hidden = 9, .out = 2, .batch = 11, .dtype = float64, .has_relu = true},
          {.sets = 1, .in = 8, .hidden = 19, .out = 3, .batch = 21, .loss = NetworkLoss::CrossEntropy, .has_relu = true},
          {.sets = 1, .in = 70, .hidden = 130, .out = 1, .batch = 1, .records = true, .has_relu = true}};
}

TEST_P(SegmentTest, EagerStepsAndReplaysHaveTheSameBits) {
  for (const NetworkCase& of : network_cases()) {
    SCOPED_TRACE(of.sets);
    const TrainedNetworks eager = train_networks(of, device(), false, 0, of.sets);
    const TrainedNetworks captured = train_networks(of, device(), true, 0, of.sets);
    expect_equal(captured, eager);
    // Without a compiler of kernels a GPU fuses nothing, and has no part of the plan that goes set by set.
    const bool takes_sets_apart = of.sets > 1 && (device().is_cpu() || captured.is_fused);
    EXPECT_EQ(has_words(captured.plan, {"set by set"}), takes_sets_apart) << captured.plan;
    if (HasFatalFailure()) return;
  }
}

TEST_P(SegmentTest, SeveralStepsAtOnce) {
  for (const NetworkCase& of : network_cases()) {
    SCOPED_TRACE(of.sets);
    expect_equal(train_networks(of, device(), true, 0, of.sets, 3), train_networks(of, device(), false, 0, of.sets, 3));
    if (HasFatalFailure()) return;
  }
}

TEST_P(SegmentTest, ASetHasTheBitsItHasAlone) {
  if (!device().is_cpu()) GTEST_SKIP() << "cuBLAS chooses its algorithm by batch size";
  for (NetworkCase of : network_cases()) {
    SCOPED_TRACE(of.sets);
    of.records = false;  // a summary is of all sets
    const TrainedNetworks all = train_networks(of, device(), true, 0, of.sets);
    for (const std::int64_t set : {std::int64_t{0}, of.sets / 2, of.sets - 1}) {
      const TrainedNetworks alone = train_networks(of, device(), true, set, 1);
      for (std::size_t step = 0; step < alone.losses.size(); ++step)
        ASSERT_EQ(alone.losses[step], all.losses[step * static_cast<std::size_t>(of.sets) + static_cast<std::size_t>(set)]);
      const auto sets = static_cast<std::size_t>(of.sets);
      std::size_t at = 0;  // of a parameter's first set
      for (const std::int64_t size : {of.hidden * of.in, of.hidden, of.out * of.hidden, of.out})
        for (int part = 0; part < 2; ++part) {  // values, gradients
          const auto n = static_cast<std::size_t>(size);
          for (std::size_t i = 0; i < n; ++i)
            ASSERT_EQ(alone.parameters[at + i], all.parameters[at * sets + static_cast<std::size_t>(set) * n + i])
                << "set " << set << ", element " << at + i;
          at += n;
        }
    }
  }
}

TEST_P(SegmentTest, ThreadsDoNotChangeABit) {
  if (!device().is_cpu()) GTEST_SKIP() << "set_num_threads is of the CPU backend; no kernel of CUDA reads it";
  for (NetworkCase of : network_cases()) {
    SCOPED_TRACE(of.sets);
    of.sets = of.sets > 3 ? 10 * of.sets : of.sets;
    of.batch *= 3;
    set_num_threads(1);
    const TrainedNetworks one = train_networks(of, device(), true, 0, of.sets);
    for (const int threads : {2, 3}) {
      set_num_threads(threads);
      expect_equal(train_networks(of, device(), true, 0, of.sets), one);
      if (HasFatalFailure()) return;
    }
  }
}

/// The losses of some sets need no more than a hundredth of the activations' memory, and do not cut a training in two.
TEST_P(SegmentTest, ATrainingIsOneSegment) {
  if (!device().is_cpu()) GTEST_SKIP() << "without a compiler of kernels a GPU has no segments";
  constexpr std::int64_t kSets = 160;
  Parameters params({.sets = kSets, .seed = 3});
  const nn::Linear first(params, "first", 4, 64), second(params, "second", 64, 64), third(params, "third", 64, 1);
  Adam optimizer(params, {.lr = 0.01});
  const Tensor x = randn({256, 4}), y = randn({256, 1});
  const auto loss_of = [&] {  // the backward pass finds nothing but what it needs
    Tensor h = x;
    for (const nn::Linear* const layer : {&first, &second}) {
      h = (*layer)(h);
      h = relu(h);
    }
    return (third(h) - y).square().mean({1, 2}).sum();
  };
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = loss_of();
    loss.backward();
    optimizer.step();
    return loss;
  }, {.keep_gradients = false});
  step();
  const std::string plan = step.plan();
  const auto is_of_sets = [&](std::size_t from) { return plan.find("set by set", from); };
  const std::size_t found = is_of_sets(0);
  ASSERT_NE(found, std::string::npos) << plan;
  EXPECT_EQ(is_of_sets(found + 1), std::string::npos) << plan;
}

/// A relu that a product takes along leaves what the product itself makes where somebody wants it.
TEST_P(SegmentTest, WhatARelusProductMakesMayBeReturned) {
  for (const std::int64_t sets : {1, 6}) {
    const auto train = [&](bool captured) {
      Parameters params({.sets = sets, .device = device(), .seed = 3});
      const nn::Linear hidden(params, "hidden", 4, 19), output(params, "output", 19, 2);
      Sgd optimizer(params, {.lr = 0.1});
      manual_seed(7);
      const Tensor x = randn({11, 4}, {.device = device()});
      const auto body = [&] {
        optimizer.zero_grad();
        const Tensor z = hidden(x);
        output(relu(z)).square().sum().backward();
        optimizer.step();
        return z;
      };
      auto step = capture(body);
      std::vector<double> made;
      for (int i = 0; i < 3; ++i) {
        const std::vector<double> values = (captured ? step() : body()).to_vector<double>();
        made.insert(made.end(), values.begin(), values.end());
      }
      return made;
    };
    const std::vector<double> eager = train(false);
    EXPECT_TRUE(std::any_of(eager.begin(), eager.end(), [](double value) { return value < 0; }));
    expect_equal(train(true), eager, "before the relu");
  }
}

/// What every set reads and one of them writes keeps sets together.
TEST_P(SegmentTest, SetsThatMeetAreNotTakenApart) {
  constexpr std::int64_t kSets = 12;
  Parameters params({.sets = kSets, .device = device(), .seed = 3});
  const Tensor w = params.add("w", {kSets}, init::uniform(-1, 1));
  Sgd optimizer(params, {.lr = 0.1});
  Tensor before;
  const auto body = [&] {
    optimizer.zero_grad();
    const Tensor turned = w.transpose(0, 1) * 1.5;        // row i reads all sets
    const Tensor loss = (matmul(w, turned) - turned).sum(1);
    loss.sum().backward();
    optimizer.step();
    return loss;
  };
  before = w.detach().clone();
  std::vector<double> eager, replayed;
  const auto keep = [](std::vector<double>& to, const Tensor& loss) {
    const std::vector<double> values = loss.to_vector<double>();
    to.insert(to.end(), values.begin(), values.end());
  };
  for (int i = 0; i < 3; ++i) keep(eager, body());
  no_grad([&] { Tensor(w).copy_(before); });
  auto step = capture(body);
  for (int i = 0; i < 3; ++i) keep(replayed, step());
  expect_equal(replayed, eager, "losses");
}

}  // namespace
}  // namespace luge::test
