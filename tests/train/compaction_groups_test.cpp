// Live compaction with parameter groups: the bits of a loop in which no set moves, and what cannot move.

#include <luge/train/population.h>
#include <luge/train/stop_train.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "devices.h"
#include "expect.h"
#include "train/messages.h"

namespace luge::test::compaction_groups {
namespace {

class CompactionGroupsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(CompactionGroupsTest);

constexpr std::int64_t kMembers = 37;

/// Four parameters for each set, in groups as `make` says; what no group has stays.
struct Bowls {
  using Make = std::function<std::unique_ptr<Optimizer>(const Parameters&)>;
  Bowls(Device device, const Make& make) : params({.sets = kMembers, .device = device, .dtype = float64, .seed = 5}) {
    params.add("a", {3}, init::normal(0, 1));
    params.add("b", {2, 2}, init::normal(0, 1));
    params.add("c", {}, init::normal(0, 1));
    params.add("d", {2}, init::normal(0, 1));
    optimizer = make(params);
    rule.emplace(stop::when(*optimizer, {.loss_below = PerSet(linspace(0.001, 2, kMembers, on())), .max_steps = 80}));
    target = linspace(-0.5, 0.5, kMembers, on());
  }

  TensorOptions on() const { return {.dtype = float64, .device = params.device()}; }

  Tensor step(const Parameters& own, Optimizer& stepped, stop::StopRule& judge, const Tensor& to) {
    stepped.zero_grad();
    const Tensor loss = square(own["a"] - to.unsqueeze(1)).sum(1) + square(own["b"]).flatten(1).sum(1) +
                        square(own["c"] - to) + square(own["d"]).mean(1);
    loss.sum().backward();
    judge.check(loss);
    stepped.step();
    if (schedule) schedule->step();
    return loss;
  }
  stop::Training train(const stop::TrainOptions& options) {
    return stop::train(*optimizer, *rule, {{"to", target}},
                       [this](stop::Live& live) { return step(live.params, live.optimizer, live.rule, live.data("to")); },
                       options);
  }
  void loop(std::int64_t steps) {
    for (std::int64_t i = 0; i < steps; ++i) step(params, *optimizer, *rule, target);
  }

  Parameters params;
  std::unique_ptr<Optimizer> optimizer;
  std::optional<stop::StopRule> rule;
  std::unique_ptr<LrScheduler> schedule;
  Tensor target;
};

void expect_same(Bowls& actual, Bowls& expected) {
  for (const std::string& name : expected.params.names())
    EXPECT_TRUE(same(actual.params[name].detach(), expected.params[name].detach())) << name;
  const auto got = actual.optimizer->named_state(), wanted = expected.optimizer->named_state();
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].first, wanted[i].first);
    EXPECT_TRUE(same(got[i].second, wanted[i].second)) << got[i].first;
  }
}

template <class Kind, class Options>
Bowls::Make two(Options first, Options second) {
  return [first, second](const Parameters& p) -> std::unique_ptr<Optimizer> {
    return std::make_unique<Kind>(std::vector<ParameterGroup<Options>>{{{p["c"], p["a"]}, first}, {{p["d"], p["b"]}, second}});
  };
}

std::vector<std::pair<const char*, Bowls::Make>> cases() {
  return {
      {"sgd", two<Sgd>(SgdOptions{.lr = 0.02},
                       SgdOptions{.lr = 0.03, .momentum = 0.5, .weight_decay = 0.1, .nesterov = true})},
      {"adam", two<Adam>(AdamOptions{.lr = 0.05},
                         AdamOptions{.lr = 0.02, .beta1 = 0.5, .amsgrad = true, .decoupled_weight_decay = true})},
      {"rmsprop", two<RmsProp>(RmsPropOptions{.lr = 0.02, .centered = true}, RmsPropOptions{.lr = 0.01, .momentum = 0.5})},
      {"adagrad", two<Adagrad>(AdagradOptions{.lr = 0.2}, AdagradOptions{.lr = 0.1, .lr_decay = 0.01})},
      {"some of the arena",
       [](const Parameters& p) -> std::unique_ptr<Optimizer> {
         return std::make_unique<Adam>(std::vector<Tensor>{p["b"], p["a"]}, AdamOptions{.lr = 0.05});
       }},
      {"rates of each set",
       [](const Parameters& p) -> std::unique_ptr<Optimizer> {
         const PerSet rates = linspace(0.01, 0.06, kMembers, {.dtype = float64, .device = p.device()});
         return std::make_unique<Adam>(
             std::vector<Adam::Group>{{{p["a"]}, {.lr = 0.05}}, {{p["b"]}, {.lr = rates}}, {{p["c"], p["d"]}, {.lr = rates}}});
       }},
  };
}

TEST_P(CompactionGroupsTest, LeavesTheBitsOfALoop) {
  for (const auto& [name, make] : cases())
    for (const bool is_scheduled : {false, true}) {
      SCOPED_TRACE(std::string(name) + (is_scheduled ? " with a schedule" : ""));
      Bowls moving(device(), make), looped(device(), make);
      for (Bowls* const one : {&moving, &looped})
        if (is_scheduled) one->schedule = std::make_unique<ExponentialLr>(*one->optimizer, ExponentialLrOptions{.gamma = 0.99});
      const stop::Training training = moving.train({.every = 3});
      EXPECT_LT(training.rounds.back().size, kMembers);
      looped.loop(training.steps);
      expect_same(moving, looped);
    }
}

TEST_P(CompactionGroupsTest, SetsThatBeganAnewGoOnCounting) {
  for (const auto& [name, make] : cases()) {
    SCOPED_TRACE(name);
    Bowls moving(device(), make), looped(device(), make);
    for (Bowls* const one : {&moving, &looped}) {
      one->loop(3);
      population::restart(*one->optimizer, arange(kMembers, one->on()).gt(20), 3);
    }
    const stop::Training training = moving.train({.every = 3});
    EXPECT_LT(training.rounds.back().size, kMembers);
    looped.loop(training.steps);
    expect_same(moving, looped);
  }
}

TEST_P(CompactionGroupsTest, SetLrOfAGroupReachesTheSetsThatMoved) {
  const Bowls::Make make = cases()[1].second;
  Bowls moving(device(), make), looped(device(), make);
  const auto slower = [](Bowls& of) { of.optimizer->set_lr(of.optimizer->lr(1) * 0.99, 1); };
  const stop::Training training =
      stop::train(*moving.optimizer, *moving.rule, {{"to", moving.target}},
                  [&](stop::Live& live) {
                    slower(moving);
                    return moving.step(live.params, live.optimizer, live.rule, live.data("to"));
                  },
                  {.every = 3});
  for (std::int64_t i = 0; i < training.steps; ++i) slower(looped), looped.loop(1);
  EXPECT_LT(training.rounds.back().size, kMembers);
  expect_same(moving, looped);
}

TEST_P(CompactionGroupsTest, WhatCannotMoveIsAnErrorBeforeTheFirstStep) {
  const auto make = [](const Parameters& p) -> std::unique_ptr<Optimizer> {
    return std::make_unique<CompositeOptimizer>("Own", std::vector<SettingsGroup>{{p.tensors(), {{{"lr", 0.1}}, {}}}});
  };
  Bowls bowls(device(), make);
  int steps = 0;
  const auto step = [&](stop::Live& live) {
    ++steps;
    const Tensor loss = square(live.params["c"].detach());
    live.rule.check(loss);
    return loss;
  };
  EXPECT_MESSAGE(ValueError,
                 "stop.train: this kind of optimizer does not step by a rule of luge's, and its sets do not move; set "
                 "compact to false",
                 stop::train(*bowls.optimizer, *bowls.rule, {}, step));
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(stop::train(*bowls.optimizer, *bowls.rule, {}, step, {.max_steps = 2, .compact = false}).steps, 2);
}

}  // namespace
}  // namespace luge::test::compaction_groups
