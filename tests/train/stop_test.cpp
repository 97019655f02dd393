// Stop rules: every criterion alone and with others, quarantine, best parameters; a set alone and among others, eager
// and captured, give the same bits.

#include <luge/train/stop.h>

#include <functional>
#include <vector>

#include "capture/trainings.h"
#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

using stop::Reason;

class StopTest : public DeviceTest {
 protected:
  Tensor values(const std::vector<double>& given, DType dtype = float32) const {
    return from_host(given, {static_cast<std::int64_t>(given.size())}, device()).to(dtype);
  }
};
LUGE_ON_EVERY_DEVICE(StopTest);

std::vector<double> numbers(const std::vector<Reason>& reasons) {
  std::vector<double> result;
  for (const Reason reason : reasons) result.push_back(static_cast<double>(reason));
  return result;
}

/// Minimises x^2 with a step that halves x, from x = 8, 4, 1 and 0.25.
struct Halving {
  Halving(Device device, DType dtype, const stop::Options& options)
      : params({.sets = 4, .device = device, .dtype = dtype}), x(params.add("x", {}, init::zeros())) {
    const NoGrad guard;
    x.copy_(from_host(std::vector<double>{8, 4, 1, 0.25}, {4}, device).to(dtype));
    optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = 0.25});
    rule.emplace(stop::when(*optimizer, options));
  }

  void step() {
    optimizer->zero_grad();
    const Tensor loss = square(x);
    loss.sum().backward();
    rule->check(loss);
    optimizer->step();
  }

  Parameters params;
  Tensor x;
  std::unique_ptr<Optimizer> optimizer;
  std::optional<stop::StopRule> rule;
};

struct CriterionCase {
  const char* name;
  std::function<stop::Options(Device)> options;
  std::vector<Reason> reasons;
  std::vector<double> steps;  ///< each halved x so often
};

std::vector<CriterionCase> criterion_cases() {
  const auto all = [](Reason reason) { return std::vector<Reason>(4, reason); };
  const auto of_sets = [](const std::vector<double>& given, Device device) {
    return PerSet(from_host(given, {4}, device));
  };
  return {
      {"loss", [](Device) { return stop::Options{.loss_below = 1.0}; }, all(Reason::Loss), {3, 2, 0, 0}},
      {"loss of each set",
       [=](Device d) {
         return stop::Options{.loss_below = of_sets({16, 0.25, 4, -1}, d)};
       },
       {Reason::Loss, Reason::Loss, Reason::Loss, Reason::Running},
       {1, 3, 0, -1}},
      {"gradient", [](Device) { return stop::Options{.gradient_below = 1.0}; }, all(Reason::Gradient), {4, 3, 1, 0}},
      {"gradient of each set",
       [=](Device d) {
         return stop::Options{.gradient_below = of_sets({4, 0.5, 2, 0}, d)};
       },
       {Reason::Gradient, Reason::Gradient, Reason::Gradient, Reason::Running},
       {2, 4, 0, -1}},
      {"step", [](Device) { return stop::Options{.step_below = 0.5}; }, all(Reason::Step), {4, 3, 1, 1}},
      {"step of each set",
       [=](Device d) {
         return stop::Options{.step_below = of_sets({2, 0.25, 8, 0}, d)};
       },
       {Reason::Step, Reason::Step, Reason::Step, Reason::Running},
       {2, 4, 1, -1}},
      // Losses fall by 48, 12, 3, 0.75 ...; 12, 3 ...; 0.75 ...: the first of less than 1 ends it.
      {"plateau",
       [](Device) {
         return stop::Options{.plateau = stop::Plateau{1, 1.0}};
       },
       all(Reason::Plateau),
       {4, 3, 1, 1}},
      {"patience",
       [](Device) {
         return stop::Options{.plateau = stop::Plateau{2, 1.0}};
       },
       all(Reason::Plateau),
       {5, 4, 2, 2}},
      {"min_delta of each set",
       [=](Device d) {
         return stop::Options{.plateau = stop::Plateau{1, of_sets({20, 1, 0.01, 0}, d)}};
       },
       {Reason::Plateau, Reason::Plateau, Reason::Plateau, Reason::Running},
       {2, 3, 5, -1}},
      {"max_steps", [](Device) { return stop::Options{.max_steps = 3}; }, all(Reason::MaxSteps), {3, 3, 3, 3}},
      {"no steps", [](Device) { return stop::Options{.max_steps = 0}; }, all(Reason::MaxSteps), {0, 0, 0, 0}},
      {"the first that holds",
       [](Device) {
         return stop::Options{.loss_below = 1.0,
                              .plateau = stop::Plateau{1, 0.9},
                              .gradient_below = 4.0,
                              .step_below = 1.0,
                              .max_steps = 1};
       },
       {Reason::MaxSteps, Reason::Gradient, Reason::Loss, Reason::Loss},
       {1, 1, 0, 0}},
      {"gradient before step, step before plateau",
       [=](Device d) {
         return stop::Options{.plateau = stop::Plateau{1, of_sets({50, 12, 0, 0}, d)},
                              .gradient_below = of_sets({8, 0, 0, 0.125}, d),
                              .step_below = of_sets({4, 2, 0, 0.25}, d),
                              .max_steps = 2};
       },
       {Reason::Gradient, Reason::Step, Reason::MaxSteps, Reason::Step},
       {1, 1, 2, 1}},
  };
}

TEST_P(StopTest, EveryCriterion) {
  for (const DType dtype : {float32, float64})
    for (const bool captured : {false, true})
      for (const CriterionCase& one : criterion_cases()) {
        SCOPED_TRACE(::testing::Message() << one.name << " " << name(dtype) << (captured ? " captured" : ""));
        Halving training(device(), dtype, one.options(device()));
        Step step = capture([&] { training.step(); });
        for (int i = 0; i < 6; ++i) captured ? step() : training.step();
        EXPECT_TRUE(has_values(training.rule->reason(), {4}, DType::Int32, numbers(one.reasons)));
        EXPECT_TRUE(has_values(training.rule->stopped_at(), {4}, DType::Int64, one.steps));
        std::vector<double> x{8, 4, 1, 0.25}, active;
        for (std::size_t set = 0; set < 4; ++set) {
          active.push_back(one.steps[set] < 0);
          x[set] = std::ldexp(x[set], -static_cast<int>(one.steps[set] < 0 ? 6 : one.steps[set]));
        }
        EXPECT_TRUE(has_values(training.x, {4}, dtype, x));
        EXPECT_TRUE(has_values(training.rule->active(), {4}, DType::Bool, active));
        EXPECT_EQ(training.rule->all_stopped(), std::find(active.begin(), active.end(), 1) == active.end());
      }
}

TEST_P(StopTest, GradientsAndStepsAreJudgedByTheirLargestComponent) {
  Parameters params({.sets = 2, .device = device()});
  const Tensor a = params.add("a", {}, init::zeros()), b = params.add("b", {2, 3}, init::zeros());
  Sgd optimizer(params, {.lr = 1.0});
  auto rule = stop::when(optimizer, {.gradient_below = 3.0, .step_below = 5.0});
  const Tensor slopes = values({0, 0, 0, 0, -9, 0, 0, 4, 0, 0, 0, 0}).reshape({2, 2, 3});
  const auto step = [&](double of_b) {
    optimizer.zero_grad();
    const Tensor loss = a + (b * slopes * of_b).sum({1, 2});
    loss.sum().backward();
    rule.check(loss);
    optimizer.step();
  };
  step(1);  // 9 and 4
  step(1);  // steps of 9 and 4
  EXPECT_TRUE(has_values(rule.reason(), {2}, DType::Int32, numbers({Reason::Running, Reason::Step})));
  step(1e-20);
  EXPECT_TRUE(has_values(rule.reason(), {2}, DType::Int32, numbers({Reason::Gradient, Reason::Step})));
  EXPECT_TRUE(has_values(rule.stopped_at(), {2}, DType::Int64, {2, 1}));
}

TEST_P(StopTest, ASetThatGoesOnTakesNoStepForOneThatItDidNotTake) {
  Halving training(device(), float32, {.step_below = 0.0});
  training.step();
  training.params.set_active(values({1, 0, 1, 1}).ne(0));
  training.step();
  training.step();
  training.params.set_active(values({1, 1, 1, 1}).ne(0));
  training.step();  // x of set 1 is what it was at the check before
  training.step();
  EXPECT_TRUE(has_values(training.rule->reason(), {4}, DType::Int32, numbers({4, Reason::Running})));
  EXPECT_TRUE(has_values(training.x, {4}, float32, {0.25, 0.5, 0.03125, 0.0078125}));
}

TEST_P(StopTest, ALossOfOtherDataStopsEarlyAndTheBestParametersComeBack) {
  Halving training(device(), float32, {.plateau = stop::Plateau{2, 0.0}, .nan = false, .keep_best = true});
  const std::vector<std::vector<double>> losses{{5, 5, 5, kNaN},   {4, 6, 5, kNaN}, {3, 4, 4, kInfinity},
                                                {9, 4, 4.5, kNaN}, {3, 4, 4, kNaN}, {2, 1, 1, kNaN}};
  for (const std::vector<double>& loss : losses) {
    training.optimizer->zero_grad();
    square(training.x).sum().backward();
    training.rule->check(values(loss));
    training.optimizer->step();
  }
  // The last of two without an improvement in a row.
  EXPECT_TRUE(has_values(training.rule->stopped_at(), {4}, DType::Int64, {4, 4, 4, 1}));
  EXPECT_TRUE(has_values(training.rule->best_loss(), {4}, float32, {3, 4, 4, kInfinity}));
  EXPECT_TRUE(has_values(training.x, {4}, float32, {0.5, 0.25, 0.0625, 0.125}));
  training.rule->restore_best();
  EXPECT_TRUE(has_values(training.x, {4}, float32, {2, 1, 0.25, 0.125}));
}

TEST_P(StopTest, SeveralRulesGoTogether) {
  Halving training(device(), float32, {.loss_below = 1.0});
  auto other = stop::when(*training.optimizer, {.max_steps = 2});
  for (int i = 0; i < 4; ++i) {
    training.optimizer->zero_grad();
    const Tensor loss = square(training.x);
    loss.sum().backward();
    training.rule->check(loss);
    other.check(loss);
    training.optimizer->step();
  }
  EXPECT_TRUE(has_values(training.rule->reason(), {4}, DType::Int32,
                         numbers({Reason::Running, Reason::Loss, Reason::Loss, Reason::Loss})));
  EXPECT_TRUE(has_values(other.reason(), {4}, DType::Int32,
                         numbers({Reason::MaxSteps, Reason::Running, Reason::Running, Reason::Running})));
  EXPECT_TRUE(training.rule->all_stopped() && other.all_stopped());
  EXPECT_EQ(training.rule->report().held, 1);
  EXPECT_EQ(other.report().held, 3);
}

// ---- quarantine

constexpr std::int64_t kSets = 200;

/// What is left of a training of `kSets` sets, two of which go wrong at steps 3 and 4 if `goes_wrong`.
struct Left {
  std::vector<Tensor> tensors;  ///< parameters and optimizer state
  stop::Report report;
};

Left quarantined(const OptimizerCase& of, Device device, bool captured, bool goes_wrong, bool watched, int steps) {
  Parameters params({.sets = kSets, .device = device, .seed = 3});
  const Tensor a = params.add("a", {}, init::uniform(1, 2)), b = params.add("b", {21}, init::normal(0, 1));
  const auto optimizer = of.make(params, PerSet(1e-3));
  std::optional<stop::StopRule> rule;
  if (watched) rule.emplace(stop::when(*optimizer));
  Tensor factor = ones({kSets}, {.device = device}), slope = ones({kSets}, {.device = device});
  const auto body = [&] {
    optimizer->zero_grad();
    const Tensor loss = square(a) + square(b).sum(1) * factor + sqrt(a * slope);  // a slope of 0: the gradient is NaN
    loss.sum().backward();
    if (rule) rule->check(loss);
    optimizer->step();
  };
  Step step = capture(body);
  for (int i = 0; i < steps; ++i) {
    if (i == 3 && goes_wrong) factor[17].fill_(std::numeric_limits<float>::quiet_NaN());
    if (i == 4 && goes_wrong) slope[100].fill_(0);
    captured ? step() : body();
  }
  Left left;
  for (const Tensor& tensor : params.tensors()) left.tensors.push_back(tensor.detach().clone());
  for (const auto& [name, tensor] : optimizer->named_state())
    if (tensor.ndim() > 0 && tensor.shape()[0] == kSets) left.tensors.push_back(tensor.clone());
  if (rule) left.report = rule->report();
  return left;
}

TEST_P(StopTest, ASetInQuarantineKeepsItsLastGoodValuesAndDisturbsNoOther) {
  for (const OptimizerCase& of : optimizer_cases())
    for (const bool captured : {false, true}) {
      SCOPED_TRACE(::testing::Message() << of.name << (captured ? " captured" : ""));
      const Left left = quarantined(of, device(), captured, true, true, 7);
      const Left free = quarantined(of, device(), false, false, false, 7);
      const Left third = quarantined(of, device(), false, false, false, 3),
                 fourth = quarantined(of, device(), false, false, false, 4);
      const Tensor ids = arange(kSets, on(DType::Int64)), lost = ids.eq(17), flat = ids.eq(100);
      ASSERT_EQ(left.tensors.size(), free.tensors.size());
      for (std::size_t i = 0; i < left.tensors.size(); ++i) {
        const auto mask = [&](const Tensor& m) { return left.tensors[i].ndim() == 1 ? m : m.reshape({kSets, 1}); };
        const Tensor expected =
            where(mask(lost), third.tensors[i], where(mask(flat), fourth.tensors[i], free.tensors[i]));
        EXPECT_TRUE(same(left.tensors[i], expected)) << i;
      }
      ASSERT_EQ(left.report.quarantined.size(), 2u);
      EXPECT_EQ(left.report.quarantined[0].set, 17);
      EXPECT_EQ(left.report.quarantined[0].step, 3);
      EXPECT_EQ(left.report.quarantined[0].reason, Reason::NanLoss);
      EXPECT_EQ(left.report.quarantined[1].set, 100);
      EXPECT_EQ(left.report.quarantined[1].step, 4);
      EXPECT_EQ(left.report.quarantined[1].reason, Reason::NanGradient);
      EXPECT_EQ(left.report.text(),
                "198 of 200 sets active after 7 checks\n"
                "  running      198\n"
                "  nan_loss     1, after 3 steps\n"
                "  nan_gradient 1, after 4 steps\n"
                "  set 17 is in quarantine after 3 steps: its loss (forward) is not finite\n"
                "  set 100 is in quarantine after 4 steps: its gradient (backward) is not finite");
    }
}

TEST_P(StopTest, WhatIsNotFiniteIsSeenInEveryPlaceOfAGradient) {
  for (const DType dtype : {float32, float64})
    for (const bool with_threshold : {false, true})
      for (const double bad : {kNaN, kInfinity, -kInfinity}) {
        Parameters params({.sets = 6, .device = device(), .dtype = dtype});
        const Tensor a = params.add("a", {}, init::ones()), b = params.add("b", {3, 700}, init::ones());
        Sgd optimizer(params, {.lr = 0.5});
        stop::Options options;
        if (with_threshold) options.gradient_below = 0.0;
        auto rule = stop::when(optimizer, options);
        Tensor of_a = ones({6}, on(dtype)), of_b = full({6, 3, 700}, dtype == float32 ? 1e35 : 1e300, on(dtype));
        of_a[0].fill_(bad);
        of_b[2][0][0].fill_(bad);
        of_b[3][1][333].fill_(bad);
        of_b[4][2][699].fill_(bad);
        optimizer.zero_grad();
        (a * of_a).sum().backward();
        (b * of_b).sum().backward();
        rule.check(ones({6}, on(dtype)));
        optimizer.step();
        const Reason bad_gradient = Reason::NanGradient, good = Reason::Running;
        EXPECT_TRUE(has_values(rule.reason(), {6}, DType::Int32,
                               numbers({bad_gradient, good, bad_gradient, bad_gradient, bad_gradient, good})))
            << name(dtype) << bad << with_threshold;
        EXPECT_TRUE(has_values(a, {6}, dtype, {1, 0.5, 1, 1, 1, 0.5}));
      }
}

TEST_P(StopTest, FrozenParametersAndThoseWithoutAGradientAreNotAskedForOne) {
  Parameters params({.sets = 2, .device = device()});
  Tensor a = params.add("a", {}, init::ones()), b = params.add("b", {2}, init::ones()),
         c = params.add("c", {0}, init::ones());
  Sgd optimizer(params, {.lr = 0.5});
  auto rule = stop::when(optimizer, {});
  const Tensor bad = values({1, kNaN}).reshape({2, 1});
  (b * bad).sum().backward();
  rule.check(ones({2}, on()));
  EXPECT_TRUE(has_values(rule.reason(), {2}, DType::Int32, numbers({Reason::Running, Reason::NanGradient})));
  params.set_active(ones({}, on(DType::Bool)));
  b.requires_grad_(false);
  rule.check(ones({2}, on()));
  EXPECT_TRUE(has_values(rule.reason(), {2}, DType::Int32, numbers({Reason::Running, Reason::Running})));
  b.requires_grad_(true);
  optimizer.zero_grad();
  square(a).sum().backward();
  rule.check(ones({2}, on()));
  EXPECT_TRUE(has_values(rule.active(), {2}, DType::Bool, {1, 1}));
}

// ---- the same bits

/// A small network for each set, with everything watched.
struct Networks {
  Networks(Device device, DType dtype, std::int64_t sets, std::int64_t first)
      : params({.sets = sets, .device = device, .dtype = dtype, .seed = 11, .first_set = first}),
        w(params.add("w", {4, 9}, init::normal(0, 0.5))),
        v(params.add("v", {9}, init::normal(0, 0.5))),
        c(params.add("c", {}, init::zeros())),
        optimizer(params, {.lr = 0.05}),
        rule(stop::when(optimizer, {.loss_below = 0.15,
                                    .plateau = stop::Plateau{4, 5e-3},
                                    .gradient_below = 0.05,
                                    .step_below = 2e-3,
                                    .max_steps = 30,
                                    .keep_best = true})) {
    const NoGrad guard;
    x = sin(arange(24, {.dtype = dtype, .device = device}) * 0.7).reshape({6, 4});
    y = cos(arange(6, {.dtype = dtype, .device = device}));
  }

  Tensor step() {
    optimizer.zero_grad();
    const Tensor hidden = tanh(matmul(x, w));
    const Tensor loss =
        square((hidden * v.reshape({w.shape()[0], 1, 9})).sum(2) + c.reshape({w.shape()[0], 1}) - y).mean(1);
    loss.sum().backward();
    rule.check(loss);
    optimizer.step();
    return loss;
  }

  /// Parameters, then what the rule has noted, of sets [first, last).
  std::vector<Tensor> left(std::int64_t first, std::int64_t last) const {
    std::vector<Tensor> result;
    for (const Tensor& tensor : params.tensors()) result.push_back(tensor.detach().slice(0, first, last).clone());
    for (const auto& [name, tensor] : rule.state())
      if (tensor.ndim() > 0) result.push_back(tensor.slice(0, first, last).clone());
    return result;
  }

  Parameters params;
  Tensor w, v, c, x, y;
  Adam optimizer;
  stop::StopRule rule;
};

TEST_P(StopTest, ASetAloneIsTheSameAsInABatchAndReplaysAreAsEagerSteps) {
  constexpr std::int64_t kMany = 40;
  for (const DType dtype : {float32, float64}) {
    SCOPED_TRACE(name(dtype));
    Networks eager(device(), dtype, kMany, 0), replayed(device(), dtype, kMany, 0), at_once(device(), dtype, kMany, 0);
    Step step = capture([&] { return replayed.step(); }), steps = capture([&] { return at_once.step(); });
    for (int i = 0; i < 50; ++i) {
      eager.step();
      step();
    }
    steps.run(50);
    const std::vector<Tensor> expected = eager.left(0, kMany), got = replayed.left(0, kMany),
                              last = at_once.left(0, kMany);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(same(got[i], expected[i])) << i;
      EXPECT_TRUE(same(last[i], expected[i])) << i;
    }
    EXPECT_TRUE(eager.rule.all_stopped());
    const stop::Report report = eager.rule.report();
    for (const Reason reason : {Reason::Gradient, Reason::Plateau, Reason::MaxSteps, Reason::Loss})
      EXPECT_GT(report.count(reason), 0) << stop::name(reason) << '\n' << report.text();
    for (const std::int64_t set : {0, 1, 7, 20, 39}) {
      Networks alone(device(), dtype, 1, set);
      for (int i = 0; i < 50; ++i) alone.step();
      const std::vector<Tensor> own = alone.left(0, 1), same_set = eager.left(set, set + 1);
      for (std::size_t i = 0; i < own.size(); ++i) EXPECT_TRUE(same(own[i], same_set[i])) << set << " " << i;
    }
  }
}

TEST_P(StopTest, AnOrdinaryModelIsOneSet) {
  for (const bool captured : {false, true}) {
    Parameters params({.device = device()});
    const Tensor x = params.add("x", {2}, init::constant(8)), y = params.add("y", {}, init::constant(1));
    Sgd optimizer(params, {.lr = 0.25});
    auto rule = stop::when(optimizer, {.loss_below = 3.0, .step_below = 0.0, .keep_best = true});
    EXPECT_TRUE(has_values(rule.reason(), {}, DType::Int32, {0}));
    const auto body = [&] {
      optimizer.zero_grad();
      const Tensor loss = (square(x).sum() + square(y)).reshape(captured ? Shape{1} : Shape{});
      loss.sum().backward();
      rule.check(loss);
      optimizer.step();
    };
    Step step = capture(body);
    for (int i = 0; i < 5; ++i) captured ? step() : body();
    EXPECT_TRUE(has_values(rule.reason(), {}, DType::Int32, numbers({Reason::Loss})));
    EXPECT_TRUE(has_values(rule.stopped_at(), {}, DType::Int64, {3}));
    EXPECT_TRUE(has_values(rule.active(), {}, DType::Bool, {0}));
    EXPECT_TRUE(has_values(rule.best_loss(), {}, float32, {2 + 0.015625}));
    EXPECT_TRUE(has_values(x, {2}, float32, {1, 1}));
    EXPECT_EQ(rule.report().text(), "0 of 1 set active after 5 checks\n  loss         1, after 3 steps");
  }
}

TEST_P(StopTest, LooseLeavesAreWatchedThroughTheirOptimizer) {
  Tensor x = full({3}, 8, on());
  x.requires_grad_();
  Sgd optimizer({x}, {.lr = 0.25});
  auto rule = stop::when(optimizer, {.max_steps = 2});
  while (!rule.all_stopped()) {
    optimizer.zero_grad();
    const Tensor loss = square(x).sum();
    loss.backward();
    rule.check(loss);
    optimizer.step();
  }
  EXPECT_TRUE(has_values(x, {3}, float32, {2, 2, 2}));
}

// ---- state

TEST_P(StopTest, ARestoredRuleGoesOnAsTheOneBefore) {
  Networks whole(device(), float32, 40, 0), first(device(), float32, 40, 0), second(device(), float32, 40, 0);
  for (int i = 0; i < 50; ++i) whole.step();
  for (int i = 0; i < 25; ++i) first.step();
  EXPECT_FALSE(first.rule.all_stopped());
  const std::vector<Tensor> parameters = first.params.tensors(), moments = first.optimizer.state();
  {
    const NoGrad guard;
    std::vector<Tensor> to = second.params.tensors(), state = second.optimizer.state();
    for (std::size_t i = 0; i < to.size(); ++i) to[i].copy_(parameters[i]);
    for (std::size_t i = 0; i < state.size(); ++i) state[i].copy_(moments[i]);
  }
  second.rule.restore(first.rule.state());
  EXPECT_TRUE(same(second.rule.active(), first.rule.active()));
  for (int i = 0; i < 25; ++i) second.step();
  const std::vector<Tensor> expected = whole.left(0, 40), got = second.left(0, 40);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
}

// ---- errors

TEST_P(StopTest, BadOptions) {
  Parameters params({.sets = 3, .device = device()});
  const Tensor x = params.add("x", {}, init::ones());
  Sgd optimizer(params, {.lr = 0.5});
  Step step = capture([&] {
    optimizer.zero_grad();
    square(x).sum().backward();
    optimizer.step();
  });
  step();
  const double nan = kNaN;
  expect_errors({
      LUGE_ERROR(ValueError, "stop.when: loss_below is nan; it must be a number",
                 stop::when(optimizer, {.loss_below = nan})),
      LUGE_ERROR(ValueError, "stop.when: gradient_below is -1; it must be 0 or more",
                 stop::when(optimizer, {.gradient_below = -1.0})),
      LUGE_ERROR(ValueError, "stop.when: step_below of set 1 is -2; it must be 0 or more",
                 stop::when(optimizer, {.step_below = values({1, -2, 3})})),
      LUGE_ERROR(ShapeError,
                 "stop.when: loss_below has shape \\(2,\\); allowed are one number and a tensor of shape \\(3,\\)",
                 stop::when(optimizer, {.loss_below = values({1, 2})})),
      LUGE_ERROR(DTypeError, "stop.when: loss_below is int64",
                 stop::when(optimizer, {.loss_below = zeros({3}, on(DType::Int64))})),
      LUGE_ERROR(ValueError, "stop.when: the patience of plateau is 0; it must be from 1 to 2147483647",
                 stop::when(optimizer, {.plateau = stop::Plateau{}})),
      LUGE_ERROR(ValueError, "stop.when: the min_delta of plateau is -1; it must be 0 or more and finite",
                 stop::when(optimizer, {.plateau = stop::Plateau{1, -1.0}})),
      LUGE_ERROR(ValueError, "stop.when: max_steps is -1; it must be 0 or more",
                 stop::when(optimizer, {.max_steps = -1})),
      LUGE_ERROR(ValueError, "stop.when: there is nothing to watch: nan is false and no criterion is given",
                 stop::when(optimizer, {.nan = false})),
  });
  // None of them has touched the sets: a step that was captured before is as it was.
  step();
}

TEST_P(StopTest, BadLosses) {
  Halving training(device(), float32, {.gradient_below = 1.0});
  auto& rule = *training.rule;
  expect_errors({
      LUGE_ERROR(ValueError, "StopRule.check: loss is an undefined tensor", rule.check(Tensor())),
      LUGE_ERROR(ShapeError, "StopRule.check: loss has shape \\(\\); it must be \\(4,\\), one loss per set",
                 rule.check(ones({}, on()))),
      LUGE_ERROR(ShapeError, "StopRule.check: loss has shape \\(4, 1\\)", rule.check(ones({4, 1}, on()))),
      LUGE_ERROR(DTypeError, "StopRule.check: loss is float64; it must be float32, as the parameters are",
                 rule.check(ones({4}, on(float64)))),
      LUGE_ERROR(ValueError,
                 "StopRule.check: the rule has a gradient_below and no parameter has a gradient; call check between",
                 rule.check(ones({4}, on()))),
      LUGE_ERROR(ValueError, "StopRule.best_loss: the rule was made without keep_best", rule.best_loss()),
      LUGE_ERROR(ValueError, "StopRule.restore_best: the rule was made without keep_best", rule.restore_best()),
  });
  EXPECT_EQ(rule.report().checks, 0);
  if (device().is_cuda())
    expect_errors({LUGE_ERROR(DeviceError, "StopRule.check: loss is on cpu and the parameters are on cuda",
                              rule.check(ones({4})))});
  Parameters ordinary({.device = device()});
  ordinary.add("x", {}, init::ones());
  Sgd optimizer(ordinary, {.lr = 0.5});
  auto one = stop::when(optimizer);
  expect_errors({LUGE_ERROR(ShapeError, "StopRule.check: loss has shape \\(2,\\); it must be \\(\\) or \\(1,\\)",
                            one.check(ones({2}, on())))});
}

TEST_P(StopTest, BadStates) {
  Halving training(device(), float32, {.plateau = stop::Plateau{2, 0.0}}),
      other(device(), float32, {.keep_best = true});
  auto& rule = *training.rule;
  training.step();
  const auto with = [&](const char* name, const Tensor& value) {
    auto state = rule.state();
    for (auto& [own, tensor] : state)
      if (own == name) tensor = value;
    return state;
  };
  expect_errors({
      LUGE_ERROR(ValueError,
                 "StopRule.restore: the state has no 'plateau.loss'; it is of a rule that was made with other criteria",
                 rule.restore(other.rule->state())),
      LUGE_ERROR(ShapeError, "StopRule.restore: 'stopped_at' has shape \\(5,\\); it must be \\(4,\\)",
                 rule.restore(with("stopped_at", zeros({5}, on(DType::Int64))))),
      LUGE_ERROR(DTypeError, "StopRule.restore: 'reason' is float32; it must be int32",
                 rule.restore(with("reason", zeros({4}, on())))),
      LUGE_ERROR(ValueError, "StopRule.restore: the reason of set 0 is 8; reasons are from 0 to 7",
                 rule.restore(with("reason", full({4}, 8, on(DType::Int32))))),
  });
  auto more = rule.state();
  more.emplace_back("other", Tensor());
  expect_errors(
      {LUGE_ERROR(ValueError, "StopRule.restore: the state has 'other', which this rule has not", rule.restore(more))});
  EXPECT_EQ(rule.report().checks, 1);
  EXPECT_EQ(rule.report().active, 4);
}

TEST_P(StopTest, WhatCannotBeCaptured) {
  Halving training(device(), float32, {.max_steps = 3});
  auto& rule = *training.rule;
  const auto captured = [](const auto& call) { capture([&] { call(); })(); };
  expect_errors({
      LUGE_ERROR(CaptureError, "StopRule.all_stopped", captured([&] { rule.all_stopped(); })),
      LUGE_ERROR(CaptureError, "StopRule.report", captured([&] { rule.report(); })),
      LUGE_ERROR(CaptureError, "StopRule.restore", captured([&] { rule.restore(rule.state()); })),
      LUGE_ERROR(CaptureError, "stop.when .* makes a rule, which is to outlive the step",
                 captured([&] { stop::when(*training.optimizer); })),
  });
  Step step = capture([&] { training.step(); });
  step();
  training.rule.reset();
  expect_errors({LUGE_ERROR(CaptureError, "step: the StopRule that the recorded step works on is gone", step())});

  Parameters params({.sets = 2, .device = device()});
  const Tensor x = params.add("x", {}, init::ones());
  Sgd optimizer(params, {.lr = 0.5});
  Step before = capture([&] {
    optimizer.zero_grad();
    square(x).sum().backward();
    optimizer.step();
  });
  before();
  const auto late = stop::when(optimizer);
  expect_errors({LUGE_ERROR(CaptureError, "steps every set; capture it again", before())});
}

}  // namespace
}  // namespace luge::test
