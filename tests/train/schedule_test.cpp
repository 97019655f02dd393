// Learning-rate schedules against the recursions that torch.optim.lr_scheduler documents, and what they refuse.

#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <set>

#include "devices.h"
#include "expect.h"
#include "train/messages.h"

namespace luge::test {
namespace {

class ScheduleTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ScheduleTest);

using Made = std::unique_ptr<LrScheduler>;

/// A schedule, its learning rate at the start, and the next one from the one before: what PyTorch's chainable
/// schedules do. In float64, on the host.
struct Case {
  const char* name;
  std::function<Made(Optimizer&)> make;
  std::function<double(double base)> first;
  std::function<double(double base, double before, int n)> next;
  double floor = 0;  ///< errors are relative to the learning rate, or to base + floor where that is given
};

double unchanged(double base) { return base; }

std::vector<Case> cases() {
  const double pi = std::numbers::pi;
  return {
      {"StepLr", [](Optimizer& o) -> Made { return std::make_unique<StepLr>(o, StepLrOptions{.step_size = 7}); },
       unchanged, [](double, double before, int n) { return n % 7 == 0 ? before * 0.1 : before; }},
      {"StepLr, every step",
       [](Optimizer& o) -> Made { return std::make_unique<StepLr>(o, StepLrOptions{.step_size = 1, .gamma = 1.25}); },
       unchanged, [](double, double before, int) { return before * 1.25; }},
      {"MultiStepLr",
       [](Optimizer& o) -> Made {
         return std::make_unique<MultiStepLr>(o, MultiStepLrOptions{.milestones = {1, 5, 6, 30}, .gamma = 0.5});
       },
       unchanged,
       [](double, double before, int n) {
         return std::set<int>{1, 5, 6, 30}.contains(n) ? before * 0.5 : before;
       }},
      {"ConstantLr", [](Optimizer& o) -> Made { return std::make_unique<ConstantLr>(o); },
       [](double base) { return base / 3; }, [](double, double before, int n) { return n == 5 ? before * 3 : before; }},
      {"ConstantLr of 0",
       [](Optimizer& o) -> Made {
         return std::make_unique<ConstantLr>(o, ConstantLrOptions{.factor = 0, .total_iters = 3});
       },
       [](double) { return 0.0; }, [](double base, double, int n) { return n < 3 ? 0.0 : base; }},
      {"LinearLr", [](Optimizer& o) -> Made { return std::make_unique<LinearLr>(o); },
       [](double base) { return base / 3; },
       [](double, double before, int n) {
         return n > 5 ? before : before * (1 + (2.0 / 3) / (5 * (1.0 / 3) + (n - 1) * (2.0 / 3)));
       }},
      {"LinearLr, down",
       [](Optimizer& o) -> Made {
         return std::make_unique<LinearLr>(o,
                                           LinearLrOptions{.start_factor = 0.9, .end_factor = 0.25, .total_iters = 21});
       },
       [](double base) { return base * 0.9; },
       [](double base, double before, int n) { return n > 21 ? before : before - base * (0.9 - 0.25) / 21; }},
      {"ExponentialLr",
       [](Optimizer& o) -> Made { return std::make_unique<ExponentialLr>(o, ExponentialLrOptions{.gamma = 0.93}); },
       unchanged, [](double, double before, int) { return before * 0.93; }},
      {"CosineAnnealingLr",
       [](Optimizer& o) -> Made {
         return std::make_unique<CosineAnnealingLr>(o, CosineAnnealingLrOptions{.t_max = 12, .eta_min = 0.0005});
       },
       unchanged,
       [pi](double base, double before, int n) {
         if ((n - 1) % 24 == 12) return before + (base - 0.0005) * (1 - std::cos(pi / 12)) / 2;
         return (1 + std::cos(pi * n / 12)) / (1 + std::cos(pi * (n - 1) / 12)) * (before - 0.0005) + 0.0005;
       },
       0.0005},
      {"CosineAnnealingLr, upward",  // eta_min above some learning rates
       [](Optimizer& o) -> Made {
         return std::make_unique<CosineAnnealingLr>(o, CosineAnnealingLrOptions{.t_max = 80, .eta_min = 0.05});
       },
       unchanged,
       [pi](double base, double before, int n) {  // the angle goes on by pi / 80: a sum of cosines
         return before - (base - 0.05) * (std::cos(pi * (n - 1) / 80) - std::cos(pi * n / 80)) / 2;
       },
       0.05},
  };
}

/// 40 steps of one schedule; the learning rates of `rates` sets, one for all where `rates` is 0.
void compare(const Case& kind, Device device, DType dtype, std::int64_t sets, std::int64_t rates) {
  SCOPED_TRACE(std::string(kind.name) + ", " + std::string(name(dtype)) + ", sets " + std::to_string(sets) +
               ", rates " + std::to_string(rates));
  Parameters params({.sets = sets, .device = device, .dtype = dtype});
  params.add("x", {}, init::constant(1));
  std::vector<double> given;
  for (std::int64_t i = 0; i < std::max<std::int64_t>(rates, 1); ++i)
    given.push_back(0.01 * static_cast<double>(i + 1));
  Sgd optimizer(params, {.lr = rates == 0 ? PerSet(given[0]) : PerSet(from_host(given, {rates}, device).to(dtype))});
  const std::vector<double> bases = optimizer.lr().to_vector<double>();  // as the arena holds them

  const Made schedule = kind.make(optimizer);
  std::vector<double> expected;
  for (const double base : bases) expected.push_back(kind.first(base));
  double worst = 0;
  for (int n = 0; n <= 40; ++n) {
    if (n > 0) {
      optimizer.step();
      schedule->step();
      for (std::size_t i = 0; i < bases.size(); ++i) expected[i] = kind.next(bases[i], expected[i], n);
    }
    const Tensor lr = optimizer.lr();
    ASSERT_EQ(lr.shape(), rates == 0 ? Shape{} : Shape{rates});
    ASSERT_EQ(lr.dtype(), dtype);
    ASSERT_TRUE(same(schedule->last_lr(), lr));
    const std::vector<double> actual = lr.to_vector<double>();
    for (std::size_t i = 0; i < bases.size(); ++i) {
      ASSERT_TRUE(std::isfinite(actual[i]));
      const double scale = kind.floor > 0 ? bases[i] + kind.floor : expected[i];
      if (actual[i] != expected[i]) worst = std::max(worst, std::abs(actual[i] - expected[i]) / scale);
    }
  }
  // In float32 one rounding of the float64 formula; in float64 the recursion's own roundings (measured: up to 24
  // units).
  EXPECT_LE(worst, dtype == float32 ? 1.001 * unit_roundoff(float32) : 40 * unit_roundoff(float64));
  EXPECT_EQ(schedule->steps_taken(), 40);
}

TEST_P(ScheduleTest, FollowsPyTorch) {
  for (const Case& kind : cases())
    for (const DType dtype : {float32, float64}) {
      compare(kind, device(), dtype, 1, 0);
      compare(kind, device(), dtype, 1, 1);
      compare(kind, device(), dtype, 7, 0);
      compare(kind, device(), dtype, 7, 7);
    }
}

/// Values worked out by hand from the documented formulas.
TEST_P(ScheduleTest, HitsKnownValues) {
  const auto rates = [&](const std::function<Made(Optimizer&)>& make, int steps) {
    Parameters params({.device = device(), .dtype = float64});
    params.add("x", {}, init::constant(1));
    Adam optimizer(params, {.lr = 0.5});
    const Made schedule = make(optimizer);
    std::vector<double> all{optimizer.lr().item()};
    for (int i = 0; i < steps; ++i) {
      schedule->step();
      all.push_back(optimizer.lr().item());
    }
    return tensor({all[0], all[1], all[2], all[3], all[4]}, {.dtype = float64});
  };
  const auto expect = [](const Tensor& actual, const std::vector<double>& expected) {
    EXPECT_TRUE(has_values(actual, {5}, float64, expected, 2 * unit_roundoff(float64)));
  };
  expect(
      rates([](Optimizer& o) { return std::make_unique<StepLr>(o, StepLrOptions{.step_size = 2, .gamma = 0.5}); }, 4),
      {0.5, 0.5, 0.25, 0.25, 0.125});
  expect(rates(
             [](Optimizer& o) {
               return std::make_unique<MultiStepLr>(o, MultiStepLrOptions{.milestones = {3, 4}, .gamma = 0.5});
             },
             4),
         {0.5, 0.5, 0.5, 0.25, 0.125});
  expect(rates(
             [](Optimizer& o) {
               return std::make_unique<ConstantLr>(o, ConstantLrOptions{.factor = 0.25, .total_iters = 2});
             },
             4),
         {0.125, 0.125, 0.5, 0.5, 0.5});
  expect(rates(
             [](Optimizer& o) {
               return std::make_unique<LinearLr>(
                   o, LinearLrOptions{.start_factor = 0.5, .end_factor = 1, .total_iters = 2});
             },
             4),
         {0.25, 0.375, 0.5, 0.5, 0.5});
  expect(rates([](Optimizer& o) { return std::make_unique<ExponentialLr>(o, ExponentialLrOptions{.gamma = 0.5}); }, 4),
         {0.5, 0.25, 0.125, 0.0625, 0.03125});
  expect(rates(
             [](Optimizer& o) {
               return std::make_unique<CosineAnnealingLr>(o, CosineAnnealingLrOptions{.t_max = 2, .eta_min = 0.125});
             },
             4),
         {0.5, 0.3125, 0.125, 0.3125, 0.5});
}

/// The optimizer steps with the learning rate of the schedule: x goes down by its sum over the steps.
TEST_P(ScheduleTest, IsWhatTheOptimizerStepsWith) {
  Parameters params({.sets = 3, .device = device(), .dtype = float64});
  const Tensor x = params.add("x", {}, init::constant(0));
  Sgd optimizer(params, {.lr = from_host<double>({1, 2, 4}, {3}, device())});
  ExponentialLr schedule(optimizer, {.gamma = 0.5});
  for (int i = 0; i < 4; ++i) {
    optimizer.zero_grad();
    x.sum().backward();
    optimizer.step();
    schedule.step();
  }
  EXPECT_TRUE(has_values(x, {3}, float64, {-1.875, -3.75, -7.5}));
}

TEST_P(ScheduleTest, SetLrScalesWhatFollows) {
  Parameters params({.sets = 2, .device = device(), .dtype = float64});
  params.add("x", {}, init::constant(0));
  Sgd optimizer(params, {.lr = 1.0});
  ExponentialLr schedule(optimizer, {.gamma = 0.5});
  schedule.step();
  optimizer.set_lr(3);
  EXPECT_TRUE(has_values(optimizer.lr(), {}, float64, {3}));
  EXPECT_TRUE(has_values(schedule.last_lr(), {}, float64, {0.5}));
  schedule.step();
  EXPECT_TRUE(has_values(optimizer.lr(), {}, float64, {1.5}));
  optimizer.set_lr(from_host<double>({3, 4}, {2}, device()));  // one for each set from now on
  schedule.step();
  EXPECT_TRUE(has_values(optimizer.lr(), {2}, float64, {1.5, 2}));
  EXPECT_TRUE(has_values(schedule.last_lr(), {2}, float64, {1.5, 2}));
  optimizer.set_lr(7);
  EXPECT_TRUE(has_values(optimizer.lr(), {2}, float64, {7, 7}));

  LinearLr another(optimizer, {.start_factor = 0.5});
  EXPECT_TRUE(has_values(optimizer.lr(), {2}, float64, {3.5, 3.5}));
  schedule.step();
  EXPECT_TRUE(has_values(optimizer.lr(), {2}, float64, {1.75, 1.75}, 1e-15));
}

TEST_P(ScheduleTest, SetLrWhileTheScheduleIsAtZeroIsTheBase) {
  Parameters params({.device = device(), .dtype = float64});
  params.add("x", {}, init::constant(0));
  Sgd optimizer(params, {.lr = 1.0});
  ConstantLr schedule(optimizer, {.factor = 0, .total_iters = 2});
  optimizer.set_lr(4);
  EXPECT_EQ(optimizer.lr().item(), 4);
  schedule.step();
  EXPECT_EQ(optimizer.lr().item(), 0);
  schedule.step();
  EXPECT_EQ(optimizer.lr().item(), 4);
}

/// The learning rates of PyTorch 1.13 and 2 for the same program.
TEST_P(ScheduleTest, SchedulesOfOneOptimizerChain) {
  Parameters params({.sets = 2, .device = device(), .dtype = float64});
  params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = from_host<double>({0.1, 0.2}, {2}, device())});
  LinearLr up(optimizer, {.start_factor = 0.1, .end_factor = 1, .total_iters = 3});
  auto down = std::make_unique<ExponentialLr>(optimizer, ExponentialLrOptions{.gamma = 0.9});
  for (const double expected : {0.01, 0.036, 0.0567, 0.0729, 0.06561}) {
    EXPECT_TRUE(has_values(optimizer.lr(), {2}, float64, {expected, 2 * expected}, 1e-15));
    up.step();
    down->step();
    EXPECT_TRUE(same(down->last_lr(), optimizer.lr()));
  }
  down.reset();  // stays at 0.9^5
  up.step();
  EXPECT_TRUE(has_values(optimizer.lr(), {2}, float64, {0.059049, 0.118098}, 1e-15));
}

TEST_P(ScheduleTest, OneAfterTheOther) {
  Parameters params({.device = device(), .dtype = float64});
  params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 1.0});
  ConstantLr first(optimizer, {.factor = 0.1, .total_iters = 2});
  LinearLr second(optimizer, {.start_factor = 0.5, .total_iters = 2});
  ExponentialLr third(optimizer, {.gamma = 0.5});
  SequentialLr all(optimizer, {.schedulers = {first, second, third}, .milestones = {2, 4}});
  for (const double expected : {0.1, 0.1, 0.5, 0.75, 1.0, 0.5, 0.25}) {
    EXPECT_NEAR(optimizer.lr().item(), expected, 1e-15);
    all.step();
  }
  EXPECT_EQ(all.steps_taken(), 7);
  EXPECT_MESSAGE(ValueError, "step: this schedule is part of a SequentialLr; step that one", second.step());
}

TEST_P(ScheduleTest, ChainedSchedulerStepsAll) {
  Parameters params({.device = device(), .dtype = float64});
  params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 1.0});
  ConstantLr first(optimizer, {.factor = 0.1, .total_iters = 3});
  ExponentialLr second(optimizer, {.gamma = 0.5});
  second.step();  // what it has counted stays
  ChainedScheduler all({first, second});
  for (const double expected : {0.05, 0.025, 0.0125, 0.0625}) {
    EXPECT_NEAR(optimizer.lr().item(), expected, 1e-15);
    all.step();
  }
}

/// As PyTorch's Counter: in any order, and one that is given twice counts twice.
TEST_P(ScheduleTest, MilestonesInAnyOrder) {
  Parameters params({.device = device(), .dtype = float64});
  params.add("x", {}, init::constant(1));
  Sgd optimizer(params, {.lr = 1.0});
  MultiStepLr schedule(optimizer, {.milestones = {3, 1, 3}, .gamma = 0.5});
  for (const double expected : {1.0, 0.5, 0.5, 0.125, 0.125}) {
    EXPECT_EQ(optimizer.lr().item(), expected);
    schedule.step();
  }
}

TEST_P(ScheduleTest, RefusesPartsThatDoNotFit) {
  Parameters params({.device = device()}), others({.device = device()});
  params.add("x", {}, init::constant(0));
  others.add("x", {}, init::constant(0));
  Sgd o(params, {.lr = 1}), other(others, {.lr = 1});
  ExponentialLr a(o, {.gamma = 0.5}), b(o, {.gamma = 0.5}), foreign(other, {.gamma = 0.5});
  EXPECT_MESSAGE(ValueError, "SequentialLr: there are no schedulers; at least one is needed", SequentialLr(o, {}));
  EXPECT_MESSAGE(ValueError, "SequentialLr: there are 2 milestones for 2 schedulers; there must be one fewer",
                 SequentialLr(o, {{a, b}, {1, 2}}));
  EXPECT_MESSAGE(ValueError, "SequentialLr: milestones[0] is 0; it must be 1 or more", SequentialLr(o, {{a, b}, {0}}));
  EXPECT_MESSAGE(ValueError, "SequentialLr: scheduler 0 is not of the optimizer given",
                 SequentialLr(other, {{a, b}, {1}}));
  EXPECT_MESSAGE(ValueError, "ChainedScheduler: scheduler 1 is of another optimizer than scheduler 0",
                 ChainedScheduler({a, foreign}));
  EXPECT_MESSAGE(ValueError, "ChainedScheduler: schedulers 0 and 1 are the same", ChainedScheduler({a, a}));
  a.step();  // nothing has taken it over
  EXPECT_EQ(o.lr().item(), 0.5);
  const ChainedScheduler all({a, b});
  EXPECT_MESSAGE(ValueError, "ChainedScheduler: scheduler 0 is part of a ChainedScheduler already",
                 ChainedScheduler({b}));
}

TEST_P(ScheduleTest, MayOutliveItsOptimizer) {
  Parameters params({.device = device()});
  params.add("x", {}, init::constant(0));
  auto optimizer = std::make_unique<Adam>(params, AdamOptions{.lr = 1});
  ExponentialLr schedule(*optimizer, {.gamma = 0.5});
  optimizer.reset();
  schedule.step();
  EXPECT_TRUE(has_values(schedule.last_lr(), {}, float32, {0.5}));
  EXPECT_EQ(schedule.steps_taken(), 1);
}

TEST_P(ScheduleTest, RefusesBadOptions) {
  Parameters params({.device = device()});
  params.add("x", {}, init::constant(0));
  Sgd o(params, {.lr = 0.5});
  EXPECT_MESSAGE(ValueError, "StepLr: step_size is 0; it must be 1 or more", StepLr(o, {}));
  EXPECT_MESSAGE(ValueError, "StepLr: gamma is -0.5; it must be above 0 and finite",
                 StepLr(o, {.step_size = 2, .gamma = -0.5}));
  EXPECT_MESSAGE(ValueError, "MultiStepLr: milestones is empty; it must have 1 or more", MultiStepLr(o, {}));
  EXPECT_MESSAGE(ValueError, "MultiStepLr: milestones[0] is 0; it must be 1 or more",
                 MultiStepLr(o, {.milestones = {0, 3}}));
  EXPECT_MESSAGE(ValueError, "MultiStepLr: gamma is inf; it must be above 0 and finite",
                 MultiStepLr(o, {.milestones = {1}, .gamma = HUGE_VAL}));
  EXPECT_MESSAGE(ValueError, "ConstantLr: factor is 1.5; it must be from 0 to 1", ConstantLr(o, {.factor = 1.5}));
  EXPECT_MESSAGE(ValueError, "ConstantLr: total_iters is -1; it must be 1 or more", ConstantLr(o, {.total_iters = -1}));
  EXPECT_MESSAGE(ValueError, "LinearLr: start_factor is 0; it must be above 0 and at most 1",
                 LinearLr(o, {.start_factor = 0}));
  EXPECT_MESSAGE(ValueError, "LinearLr: end_factor is nan; it must be from 0 to 1", LinearLr(o, {.end_factor = NAN}));
  EXPECT_MESSAGE(ValueError, "LinearLr: total_iters is 0; it must be 1 or more", LinearLr(o, {.total_iters = 0}));
  EXPECT_MESSAGE(ValueError, "ExponentialLr: gamma is 0; it must be above 0 and finite", ExponentialLr(o, {}));
  EXPECT_MESSAGE(ValueError, "CosineAnnealingLr: t_max is 0; it must be 1 or more", CosineAnnealingLr(o, {}));
  EXPECT_MESSAGE(ValueError, "CosineAnnealingLr: eta_min is -0.1; it must be 0 or more and finite",
                 CosineAnnealingLr(o, {.t_max = 3, .eta_min = -0.1}));
  EXPECT_TRUE(has_values(o.lr(), {}, float32, {0.5}));
}

}  // namespace
}  // namespace luge::test
