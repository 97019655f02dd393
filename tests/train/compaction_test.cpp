// Live compaction: what is left of a training, and of an interrupted one, has the bits of a loop in which no set moves,
// for every optimizer, rule, schedule and data; what would be wrong without a word is an error.

#include <luge/train/population.h>
#include <luge/train/stop_train.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "capture/trainings.h"
#include "devices.h"
#include "expect.h"

namespace luge::test::compaction {
namespace {

using stop::Reason;

class CompactionTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CompactionTest);

constexpr std::int64_t kMembers = 53;

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(const Parameters&, const PerSet&)>;

/// A network for each set, with data of its own and shared data, and everything watched.
struct MovedNetworks {
  MovedNetworks(Device device, DType dtype, const MakeOptimizer& make, const stop::Options& options,
           const PerSet* rate = nullptr)
      : params({.sets = kMembers, .device = device, .dtype = dtype, .seed = 11}) {
    params.add("hidden.weight", {9, 4}, init::normal(0, 0.5));
    params.add("hidden.bias", {9}, init::normal(0, 0.5));
    params.add("frozen", {3}, init::normal(0, 1)).requires_grad_(false);
    params.add("output.weight", {1, 9}, init::normal(0, 0.5));
    params.add("empty", {0, 2}, init::zeros());
    params.add("c", {}, init::zeros());
    const Tensor rates = linspace(0.002, 0.06, kMembers, {.dtype = dtype, .device = device});
    optimizer = make(params, rate ? *rate : PerSet(rates));
    rule.emplace(stop::when(*optimizer, options));
    x = sin(arange(24, {.dtype = dtype, .device = device}) * 0.7).reshape({6, 4});
    y = cos(arange(6 * kMembers, {.dtype = dtype, .device = device}) * 0.37).reshape({kMembers, 6});
    y[7][2].fill_(kNaN);  // goes into quarantine
  }

  Tensor loss_of(const Parameters& own, const Tensor& targets) const {
    const Tensor hidden = tanh(nn::Linear::on(own, "hidden")(x));
    const Tensor out = nn::Linear::on(own, "output")(hidden).squeeze(2) + own["c"].unsqueeze(1);
    return square(out - targets).mean(1) + 0.001 * square(own["frozen"]).sum(1);
  }

  Tensor step(const Parameters& own, Optimizer& stepped, stop::StopRule& judge, const Tensor& targets) {
    stepped.zero_grad();
    const Tensor loss = loss_of(own, targets);
    (stepped.maximize() ? -loss : loss).sum().backward();
    judge.check(loss);
    stepped.step();
    if (schedule) schedule->step();
    return loss;
  }
  Tensor step(stop::Live& live) { return step(live.params, live.optimizer, live.rule, live.data("y")); }
  stop::Training train(const stop::TrainOptions& options) {
    return stop::train(
        *optimizer, *rule, {{"y", y}}, [this](stop::Live& live) { return step(live); }, options);
  }

  /// All that a training changes.
  std::vector<std::pair<std::string, Tensor>> left() {
    std::vector<std::pair<std::string, Tensor>> result;
    for (const std::string& name : params.names()) result.emplace_back(name, params[name].detach());
    for (const auto& part : {optimizer->named_state(), rule->state()})
      result.insert(result.end(), part.begin(), part.end());
    result.emplace_back("active", params.active());
    return result;
  }

  Parameters params;
  Tensor x, y;
  std::unique_ptr<Optimizer> optimizer;
  std::optional<stop::StopRule> rule;
  std::unique_ptr<LrScheduler> schedule;
};

MakeOptimizer adam() {
  return [](const Parameters& p, const PerSet& lr) { return std::make_unique<Adam>(p, AdamOptions{.lr = lr}); };
}

/// Thresholds that differ from set to set, all criteria, and the best parameters.
stop::Options everything(Device device, DType dtype) {
  const TensorOptions on{.dtype = dtype, .device = device};
  return {.loss_below = PerSet(linspace(0.05, 0.4, kMembers, on)),
          .plateau = stop::Plateau{5, PerSet(linspace(1e-2, 1e-6, kMembers, on))},
          .gradient_below = PerSet(linspace(1e-3, 0.05, kMembers, on)),
          .step_below = PerSet(linspace(1e-3, 1e-6, kMembers, on)),
          .max_steps = 90,
          .keep_best = true};
}

void expect_same(MovedNetworks& actual, MovedNetworks& expected) {
  const auto got = actual.left(), wanted = expected.left();
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].first, wanted[i].first);
    EXPECT_TRUE(same(got[i].second, wanted[i].second)) << got[i].first;
  }
}

/// The same training in a loop, eagerly, in which no set moves: so many steps.
void loop(MovedNetworks& networks, std::int64_t steps) {
  for (std::int64_t i = 0; i < steps; ++i)
    networks.step(networks.params, *networks.optimizer, *networks.rule, networks.y);
}

TEST_P(CompactionTest, EveryOptimizerLeavesTheBitsOfALoop) {
  for (const DType dtype : {float32, float64})
    for (const OptimizerCase& of : optimizer_cases()) {
      SCOPED_TRACE(::testing::Message() << of.name << " " << name(dtype));
      MovedNetworks moving(device(), dtype, of.make, everything(device(), dtype));
      MovedNetworks staying(device(), dtype, of.make, everything(device(), dtype));
      MovedNetworks looped(device(), dtype, of.make, everything(device(), dtype));
      const stop::Training moved = moving.train({.every = 4}), stayed = staying.train({.every = 4, .compact = false});
      loop(looped, moved.steps);
      expect_same(moving, looped);
      expect_same(staying, looped);
      EXPECT_TRUE(same(moved.losses(), stayed.losses()));
      EXPECT_EQ(moved.steps, stayed.steps);
      EXPECT_EQ(moved.needed, stayed.needed);
      EXPECT_TRUE(moving.rule->all_stopped());
      EXPECT_EQ(moved.stops.count(Reason::NanLoss), 1);
      EXPECT_LT(moved.rounds.back().size, kMembers);
      EXPECT_EQ(stayed.rounds.back().size, kMembers);
      EXPECT_LT(moved.computed, stayed.computed);
      EXPECT_EQ(stayed.computed, kMembers * stayed.steps);
    }
}

TEST_P(CompactionTest, HyperparametersOfEachSetMoveAlong) {
  const TensorOptions on{.dtype = float32, .device = device()};
  const auto each = [&](double from, double to) { return PerSet(linspace(from, to, kMembers, on)); };
  const std::vector<std::pair<const char*, MakeOptimizer>> cases{
      {"Sgd",
       [&](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
         return std::make_unique<Sgd>(
             p,
             SgdOptions{.lr = lr, .momentum = each(0, 0.9), .dampening = each(0.5, 0), .weight_decay = each(0, 0.1)});
       }},
      {"Adam",
       [&](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
         return std::make_unique<Adam>(p, AdamOptions{.lr = lr,
                                                      .beta1 = each(0.5, 0.95),
                                                      .beta2 = each(0.9, 0.999),
                                                      .epsilon = each(1e-8, 1e-3),
                                                      .weight_decay = each(0, 0.1)});
       }},
      {"RmsProp",
       [&](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
         return std::make_unique<RmsProp>(p, RmsPropOptions{.lr = lr,
                                                            .alpha = each(0.9, 0.99),
                                                            .epsilon = each(1e-8, 1e-3),
                                                            .weight_decay = each(0, 0.1),
                                                            .momentum = each(0, 0.9)});
       }},
      {"Adagrad",
       [&](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
         return std::make_unique<Adagrad>(p, AdagradOptions{.lr = lr,
                                                            .lr_decay = each(0, 0.1),
                                                            .weight_decay = each(0, 0.1),
                                                            .initial_accumulator_value = 0.1,
                                                            .epsilon = each(1e-8, 1e-3)});
       }},
  };
  for (const auto& [name, make] : cases) {
    SCOPED_TRACE(name);
    MovedNetworks moving(device(), float32, make, everything(device(), float32));
    MovedNetworks looped(device(), float32, make, everything(device(), float32));
    loop(looped, moving.train({.every = 3}).steps);
    expect_same(moving, looped);
    EXPECT_TRUE(moving.rule->all_stopped());
  }
}

TEST_P(CompactionTest, SchedulesGoOnForOneRateAndForOneOfEachSet) {
  const PerSet one = 0.03;
  for (const ScheduleCase& of : schedule_cases())
    for (const bool each : {false, true}) {
      SCOPED_TRACE(::testing::Message() << of.name << (each ? " of each set" : ""));
      const auto make = [&] {
        auto networks =
            std::make_unique<MovedNetworks>(device(), float32, adam(), everything(device(), float32), each ? nullptr : &one);
        networks->schedule = of.make(*networks->optimizer);
        return networks;
      };
      const auto moving = make(), looped = make();
      const stop::Training moved = moving->train({.every = 3, .max_steps = 60});
      EXPECT_LT(moved.rounds.back().size, kMembers);
      loop(*looped, moved.steps);
      expect_same(*moving, *looped);
      EXPECT_EQ(moving->schedule->steps_taken(), moved.steps);
      EXPECT_TRUE(same(moving->optimizer->lr(), looped->optimizer->lr()));
    }
}

TEST_P(CompactionTest, ATrainingInPartsIsOneTraining) {
  MovedNetworks whole(device(), float32, adam(), everything(device(), float32)),
      parts(device(), float32, adam(), everything(device(), float32));
  const stop::Training once = whole.train({.every = 5});
  std::int64_t steps = 0;
  for (const std::int64_t part : {0, 7, 20, 3}) {
    const stop::Training training = parts.train({.every = 5, .max_steps = part});
    EXPECT_EQ(training.steps, part);
    steps += part;
    EXPECT_EQ(parts.rule->report().checks, steps);
  }
  const stop::Training rest = parts.train({.every = 5});
  EXPECT_LT(rest.rounds.front().size, kMembers);  // the first round begins smaller
  // Checks beyond the last stop change nothing but their count.
  loop(whole, std::max<std::int64_t>(0, steps + rest.steps - once.steps));
  loop(parts, std::max<std::int64_t>(0, once.steps - steps - rest.steps));
  expect_same(parts, whole);
}

TEST_P(CompactionTest, WhatAnExceptionInterruptsIsBackInItsPlace) {
  struct Interrupted : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  MovedNetworks moving(device(), float32, adam(), everything(device(), float32)),
      looped(device(), float32, adam(), everything(device(), float32));
  std::int64_t size = kMembers;
  const auto train = [&] {
    stop::train(*moving.optimizer, *moving.rule, {{"y", moving.y}},
                [&](stop::Live& live) {
                  size = live.params.sets();
                  return moving.step(live);
                },
                {.every = 4, .between = [&] {
                   if (size < kMembers / 2) throw Interrupted("enough");
                 }});
  };
  EXPECT_THROW(train(), Interrupted);
  const stop::Report report = moving.rule->report();
  EXPECT_GT(report.active, 0);
  EXPECT_LT(report.active, kMembers / 2);
  loop(looped, report.checks);
  expect_same(moving, looped);
  EXPECT_EQ(moving.params.tensors()[0].shape(), (Shape{kMembers, 9, 4}));
  loop(looped, moving.train({.every = 4}).steps);
  expect_same(moving, looped);

  // An error of the step itself, when it is recorded for fewer sets.
  MovedNetworks failing(device(), float32, adam(), everything(device(), float32)),
      until(device(), float32, adam(), everything(device(), float32));
  const auto fail = [&] {
    stop::train(*failing.optimizer, *failing.rule, {{"y", failing.y}},
                [&](stop::Live& live) {
                  const Tensor loss = failing.step(live);
                  if (!live.is_whole()) throw Interrupted("no");
                  return loss;
                },
                {.every = 4});
  };
  EXPECT_THROW(fail(), Interrupted);
  loop(until, failing.rule->report().checks);
  expect_same(failing, until);
  failing.optimizer->zero_grad();  // nothing is lent any more
}

TEST_P(CompactionTest, GradientsThatAStepGoesOnFromMoveAlong) {
  // Each step adds to the gradient, as momentum without decay does.
  const auto run = [&](bool compact) {
    Parameters params({.sets = 20, .device = device(), .seed = 5});
    params.add("x", {}, init::uniform(0.5, 4));
    params.add("y", {3}, init::uniform(0.5, 4));
    Sgd optimizer(params, {.lr = 1e-3});
    stop::StopRule rule = stop::when(optimizer, {.loss_below = 2.0, .max_steps = 400});
    const stop::Training training = stop::train(optimizer, rule, {},
                                                [](stop::Live& live) {
                                                  const Tensor loss =
                                                      square(live.params["x"]) + square(live.params["y"]).sum(1);
                                                  loss.sum().backward();
                                                  live.rule.check(loss);
                                                  live.optimizer.step();
                                                  return loss;
                                                },
                                                {.every = 2, .compact = compact});
    EXPECT_EQ(training.rounds.back().size < 20, compact);
    return std::vector<Tensor>{params["x"].detach(), params["y"].detach(), rule.stopped_at(), training.losses()};
  };
  const std::vector<Tensor> moved = run(true), stayed = run(false);
  for (std::size_t i = 0; i < moved.size(); ++i) EXPECT_TRUE(same(moved[i], stayed[i])) << i;
}

TEST_P(CompactionTest, DataOfEveryDtypeAndLayoutMovesAlongAndSetsKnowTheirNumbers) {
  constexpr std::int64_t kFew = 10;
  Parameters params({.sets = kFew, .device = device()});
  params.add("x", {}, init::zeros());
  Sgd optimizer(params, {.lr = 1.0});
  stop::StopRule rule = stop::when(optimizer, {.loss_below = 0.0});
  const Tensor numbers = arange(kFew, on(DType::Int64));
  const Tensor wide = arange(3 * kFew, on(float64)).reshape({3, kFew});
  const stop::PerSetData data{{"int64", numbers},
                              {"int32", numbers.to(DType::Int32)},
                              {"uint8", numbers.to(DType::UInt8)},
                              {"float16", numbers.to(DType::Float16)},
                              {"bool", numbers.ge(5)},
                              {"columns", wide.transpose(0, 1)},
                              {"expanded", ones({1, 2}, on()).expand({kFew, 2})}};
  std::vector<std::int64_t> sizes;
  // Set i has i + 1 to go, one at each step.
  const stop::Training training = stop::train(
      optimizer, rule, data,
      [&](stop::Live& live) {
        const std::int64_t size = live.params.sets();
        sizes.push_back(size);
        const Tensor own = live.sets.to(float32);
        const Tensor agree =
            live.data("int64").to(float32).eq(own).to(float32) * live.data("int32").to(float32).eq(own).to(float32) *
            live.data("uint8").to(float32).eq(own).to(float32) * live.data("float16").to(float32).eq(own).to(float32) *
            live.data("bool").eq(own.ge(5)).to(float32) *
            (live.data("columns").to(float32).sum(1) - (3 * own + 3 * kFew)).eq(0).to(float32) *
            live.data("expanded").sum(1).eq(2).to(float32);
        live.optimizer.zero_grad();
        const Tensor loss = (own + live.params["x"]) * agree + (1 - agree) * 1000;
        loss.sum().backward();
        live.rule.check(loss);
        live.optimizer.step();
        return loss;
      },
      {.every = 1});
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{10, 8, 6, 4, 3, 2, 1}));
  std::vector<double> steps, losses;
  for (std::int64_t set = 0; set < kFew; ++set) steps.push_back(static_cast<double>(set));
  EXPECT_TRUE(has_values(rule.stopped_at(), {kFew}, DType::Int64, steps));
  EXPECT_EQ(training.steps, kFew);
  EXPECT_EQ(training.needed, kFew * (kFew + 1) / 2);
  EXPECT_EQ(training.computed, 10 + 10 + 8 + 8 + 6 + 6 + 4 + 3 + 2 + 1);  // 10 active: 10, 9: 10, 8: 8, 7: 8, ...
  for (std::int64_t round = 0; round < kFew; ++round)
    for (std::int64_t set = 0; set < kFew; ++set)
      losses.push_back(set < round ? kNaN : static_cast<double>(set - round));
  EXPECT_TRUE(has_values(training.losses(), {kFew, kFew}, float32, losses));
}

TEST_P(CompactionTest, SizesRespectMinSetsAndHeldSetsStayWhereTheyAre) {
  MovedNetworks moving(device(), float32, adam(), everything(device(), float32)),
      looped(device(), float32, adam(), everything(device(), float32));
  const Tensor held = arange(kMembers, on(DType::Int64)).to(float32);
  for (MovedNetworks* const networks : {&moving, &looped}) {
    loop(*networks, 3);
    networks->params.set_active(logical_and(networks->params.active(), held.ge(20)));
  }
  const stop::Training training = moving.train({.every = 2, .min_sets = 9});
  loop(looped, training.steps);
  expect_same(moving, looped);
  EXPECT_EQ(training.rounds.back().size, 12);
  EXPECT_LE(training.rounds.front().size, 48);
  EXPECT_GT(training.stops.held, 0);
  for (MovedNetworks* const networks : {&moving, &looped}) networks->params.set_active(ones({}, on(DType::Bool)));
  loop(looped, moving.train({.every = 2}).steps);
  expect_same(moving, looped);
}

TEST_P(CompactionTest, AnOrdinaryModelAndAStepThatReturnsNothing) {
  Parameters params({.device = device()});
  const Tensor x = params.add("x", {2}, init::constant(4));
  Sgd optimizer(params, {.lr = 0.25});
  stop::StopRule rule = stop::when(optimizer, {.loss_below = 1.0});
  const auto step = [&](stop::Live& live) {
    live.optimizer.zero_grad();
    const Tensor loss = square(live.params["x"]).sum();
    loss.backward();
    live.rule.check(loss);
    live.optimizer.step();
  };
  const stop::Training training = stop::train(optimizer, rule, {}, step, {.every = 3});
  EXPECT_FALSE(training.losses().defined());
  EXPECT_TRUE(has_values(x, {2}, float32, {0.5, 0.5}));
  EXPECT_EQ(training.text(),
            "1 set took 6 steps in 2 rounds\n"
            "          1 computed for      6 steps, 1 to 1 of them active when a round began\n"
            "  6 steps of single sets computed, 1.50 for each that was needed; without compaction 1.50\n"
            "0 of 1 set active after 6 checks\n"
            "  loss         1, after 3 steps");
  EXPECT_EQ(stop::train(optimizer, rule, {}, step).steps, 0);
}

TEST_P(CompactionTest, WhatCannotBeRightIsAnErrorAndLeavesAllInPlace) {
  MovedNetworks networks(device(), float32, adam(), everything(device(), float32)), other(device(), float32, adam(), {});
  Optimizer& optimizer = *networks.optimizer;
  stop::StopRule& rule = *networks.rule;
  const auto step = [&](stop::Live& live) { return networks.step(live); };
  const auto with = [&](const stop::PerSetData& data) { return stop::train(optimizer, rule, data, step); };
  const Tensor y = networks.y;
  Tensor needs = y.clone();
  needs.requires_grad_();
  expect_errors({
      LUGE_ERROR(ValueError, "stop.train: every is 0; it must be 1 or more", networks.train({.every = 0})),
      LUGE_ERROR(ValueError, "stop.train: max_steps is -1; it must be 0 or more", networks.train({.max_steps = -1})),
      LUGE_ERROR(ValueError, "stop.train: min_sets is 0; it must be 1 or more", networks.train({.min_sets = 0})),
      LUGE_ERROR(ValueError, "stop.train: the rule is of another optimizer's parameters",
                 stop::train(optimizer, *other.rule, {}, step)),
      LUGE_ERROR(ValueError, "stop.train: data 'y' is an undefined tensor", with({{"y", Tensor()}})),
      LUGE_ERROR(ValueError, "stop.train: the name 'y' is given twice in data", with({{"y", y}, {"y", y}})),
      LUGE_ERROR(ShapeError, "stop.train: data 'x' has shape \\(6, 4\\); its first axis must be the 53 sets",
                 with({{"x", networks.x}})),
      LUGE_ERROR(AutogradError, "stop.train: data 'y' requires a gradient", with({{"y", needs}})),
      LUGE_ERROR(ValueError, "Live: there is no data 'y'; stop.train was given none", with({})),
      LUGE_ERROR(ValueError, "Live: there is no data 'y'; the names are: z", with({{"z", y}})),
      LUGE_ERROR(
          ShapeError,
          "stop.train: the step returned a tensor of shape \\(\\); it must be \\(53,\\), one loss per set, or nothing",
          stop::train(optimizer, rule, {{"y", y}}, [&](stop::Live& live) { return networks.step(live).sum(); })),
      LUGE_ERROR(DTypeError, "stop.train: the step returned a tensor of int64; losses are floating",
                 stop::train(optimizer, rule, {{"y", y}},
                             [&](stop::Live& live) { return networks.step(live).to(DType::Int64); })),
      LUGE_ERROR(CaptureError, ".*",
                 stop::train(optimizer, rule, {{"y", y}},
                             [&](stop::Live& live) {
                               const Tensor loss = networks.step(live);
                               static_cast<void>(loss.sum().item());
                               return loss;
                             })),
  });
  MovedNetworks fresh(device(), float32, adam(), everything(device(), float32));
  expect_same(networks, fresh);
  expect_errors({LUGE_ERROR(ValueError, "stop.train: the step did not call check of the rule that it is given",
                            stop::train(optimizer, rule, {}, [](stop::Live& live) {
                              live.optimizer.zero_grad();
                              live.params["c"].sum().backward();
                              live.optimizer.step();
                            }))});
}

TEST_P(CompactionTest, AStepThatMistakesTheWholeForTheLiveSetsIsAnError) {
  const auto train = [&](const std::function<Tensor(MovedNetworks&, stop::Live&)>& step) {
    MovedNetworks networks(device(), float32, adam(), everything(device(), float32));
    stop::train(*networks.optimizer, *networks.rule, {{"y", networks.y}},
                [&](stop::Live& live) { return step(networks, live); }, {.every = 4});
  };
  const char* const left_behind = "Parameters: the sets that still go on have moved to parameters of their own";
  expect_errors({
      LUGE_ERROR(ValueError, left_behind, train([](MovedNetworks& n, stop::Live& live) {
                   return n.step(live.params, *n.optimizer, live.rule, live.data("y"));
                 })),
      LUGE_ERROR(ValueError, left_behind, train([](MovedNetworks& n, stop::Live& live) {
                   n.params.zero_grad();
                   return n.step(live);
                 })),
      LUGE_ERROR(ValueError, left_behind, train([](MovedNetworks& n, stop::Live& live) {
                   n.params.set_active(n.params.active());
                   return n.step(live);
                 })),
      LUGE_ERROR(ShapeError, "StopRule.check: loss has shape \\(32,\\); it must be \\(53,\\)",
                 train([](MovedNetworks& n, stop::Live& live) {
                   return n.step(live.params, live.optimizer, *n.rule, live.data("y"));
                 })),
      LUGE_ERROR(ShapeError, ".*", train([](MovedNetworks& n, stop::Live& live) {
                   return n.step(live.params, live.optimizer, live.rule, n.y);
                 })),
      LUGE_ERROR(ValueError, "population.restart: this optimizer stands for the sets of another one",
                 train([](MovedNetworks& n, stop::Live& live) {
                   if (!live.is_whole()) population::restart(live.optimizer, live.params.active());
                   return n.step(live);
                 })),
      LUGE_ERROR(ValueError, "population.clone: the sets that still go on have moved",
                 train([](MovedNetworks& n, stop::Live& live) {
                   if (!live.is_whole())
                     population::clone(*n.optimizer,
                                       arange(kMembers, {.dtype = DType::Int64, .device = live.params.device()}));
                   return n.step(live);
                 })),
      LUGE_ERROR(ValueError, "set_lr: this Adam stands for the sets of another one",
                 train([](MovedNetworks& n, stop::Live& live) {
                   live.optimizer.set_lr(live.optimizer.lr() * 0.5);
                   return n.step(live);
                 })),
  });
}

TEST_P(CompactionTest, SetsThatBeganAnewGoOnCountingWhereTheyMove) {
  for (const OptimizerCase& of : optimizer_cases()) {
    SCOPED_TRACE(of.name);
    MovedNetworks moving(device(), float32, of.make, everything(device(), float32));
    MovedNetworks looped(device(), float32, of.make, everything(device(), float32));
    for (MovedNetworks* const networks : {&moving, &looped}) {
      loop(*networks, 3);
      population::restart(*networks->optimizer, arange(kMembers, {.dtype = float32, .device = device()}).gt(20), 3);
    }
    const stop::Training training = moving.train({.every = 4});
    loop(looped, training.steps);
    EXPECT_LT(training.rounds.back().size, kMembers);
    expect_same(moving, looped);
  }
}

TEST_P(CompactionTest, SetLrOfTheOptimizerInTheStepReachesTheSetsThatMoved) {
  const auto make = [&] {
    return std::make_unique<MovedNetworks>(device(), float32, adam(), everything(device(), float32));
  };
  const auto moving = make(), looped = make();
  const stop::Training training = stop::train(*moving->optimizer, *moving->rule, {{"y", moving->y}},
                                              [&](stop::Live& live) {
                                                moving->optimizer->set_lr(moving->optimizer->lr() * 0.99);
                                                return moving->step(live);
                                              },
                                              {.every = 4});
  for (std::int64_t i = 0; i < training.steps; ++i) {
    looped->optimizer->set_lr(looped->optimizer->lr() * 0.99);
    loop(*looped, 1);
  }
  EXPECT_LT(training.rounds.back().size, kMembers);
  expect_same(*moving, *looped);
}

}  // namespace
}  // namespace luge::test::compaction
