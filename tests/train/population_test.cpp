// Populations: clones and sets that begin anew go on with the bits that they should have, eager and captured.

#include <luge/train/population.h>

#include <set>
#include <vector>

#include "capture/trainings.h"
#include "folder.h"
#include "population_fixture.h"

namespace luge::test {
namespace {

LUGE_ON_EVERY_DEVICE(PopulationTest);

constexpr std::int64_t kMembers = 4;

/// Four sets that differ by their start and their learning rate.
struct Training {
  Training(const OptimizerCase& rule, Device device, std::int64_t sets = kMembers, std::int64_t first_set = 0)
      : params({.sets = sets, .device = device, .seed = 5, .first_set = first_set}),
        a(params.add("a", {}, init::normal(0, 1))),
        b(params.add("b", {70}, init::uniform(-1, 1))),
        c(params.add("c", {2}, init::constant(0.5))),
        optimizer(rule.make(params, from_host(std::vector<float>{0.1F, 0.05F, 0.02F, 0.01F}, {kMembers}, device)
                                        .slice(0, first_set, first_set + sets))) {}

  void step() {
    optimizer->zero_grad();
    ((square(a - 0.3) + a).sum() + square(b).sum() + exp(c).sum()).backward();
    optimizer->step();
  }
  /// Parameters and state, with a first axis of sets.
  std::vector<Tensor> all() const {
    std::vector<Tensor> result;
    for (const Tensor& tensor : params.tensors()) result.push_back(tensor.detach().clone());
    for (const auto& [name, tensor] : optimizer->named_state())
      if (name == "lr" || name.find('.') != std::string::npos) result.push_back(tensor.clone());
    return result;
  }

  Parameters params;
  Tensor a, b, c;
  std::unique_ptr<Optimizer> optimizer;
};

TEST_P(PopulationTest, ClonesGoOnAsTheirSources) {
  for (const OptimizerCase& rule : optimizer_cases())
    for (const bool captured : {false, true}) {
      SCOPED_TRACE(rule.name);
      Training training(rule, device()), other(rule, device());
      const auto body = [&] { training.step(); };
      Step step = capture(body);
      const auto go = [&](int steps) {
        for (int i = 0; i < steps; ++i) captured ? step() : body(), other.step();
      };
      go(4);
      // Sets 0 and 1 change places, set 2 becomes set 3.
      population::clone(*training.optimizer, indices({1, 0, 3, 3}));
      go(4);
      const std::vector<Tensor> cloned = training.all(), free = other.all();
      for (std::size_t i = 0; i < cloned.size(); ++i) {
        const std::int64_t source[] = {1, 0, 3, 3};
        for (std::int64_t set = 0; set < kMembers; ++set)
          EXPECT_TRUE(same(cloned[i][set], free[i][source[set]])) << i << " " << set;
      }
    }
}

TEST_P(PopulationTest, ClonesTakeHyperparametersAlongOrNot) {
  const Tensor rate = values({0.1, 0.2, 0.3}), decay = values({0.01, 0.02, 0.03});
  for (const bool along : {false, true}) {
    Parameters params({.sets = 3, .device = device()});
    params.add("x", {}, init::constant(1));
    AdamW optimizer(params, {.lr = rate, .beta1 = 0.8, .weight_decay = decay});
    population::clone(optimizer, indices({2, 1, 1}).to(int32), {.hyperparameters = along});
    EXPECT_TRUE(same(hyperparameter(optimizer, "lr"), along ? values({0.3, 0.2, 0.2}) : rate));
    EXPECT_TRUE(same(hyperparameter(optimizer, "weight_decay"), along ? values({0.03, 0.02, 0.02}) : decay));
    EXPECT_TRUE(has_values(hyperparameter(optimizer, "beta1"), {}, float32, {0.8}, 1e-7));
  }
}

TEST_P(PopulationTest, SchedulesGoOnFromTheRateOfTheSource) {
  for (const ScheduleCase& schedule : schedule_cases()) {
    SCOPED_TRACE(schedule.name);
    Training training(optimizer_cases()[0], device());
    const auto lr = schedule.make(*training.optimizer);
    const auto go = [&](int steps) {
      for (int i = 0; i < steps; ++i) training.step(), lr->step();
    };
    go(3);
    population::clone(*training.optimizer, indices({0, 1, 2, 0}));
    EXPECT_TRUE(same(lr->last_lr()[3], lr->last_lr()[0]));
    go(8);
    EXPECT_TRUE(same(training.b[3], training.b[0]));
    EXPECT_TRUE(same(training.optimizer->lr()[3], training.optimizer->lr()[0]));
  }
}

TEST_P(PopulationTest, TensorsAreClonedLikewise) {
  const Tensor one = values({1, 2, 3}), two = values({1, 2, 3, 4, 5, 6}).reshape({3, 2}).to(DType::Int64),
               none = zeros({3, 0}, on());
  population::clone({one, two, none}, indices({1, 2, 0}));
  EXPECT_TRUE(has_values(one, {3}, float32, {2, 3, 1}));
  EXPECT_TRUE(has_values(two, {3, 2}, DType::Int64, {3, 4, 5, 6, 1, 2}));
}

/// After 5 steps set 2 begins anew; what it has after each step since.
TEST_P(PopulationTest, WhatBeginsAnewIsAsANewOptimizer) {
  for (const OptimizerCase& rule : optimizer_cases())
    for (const bool captured : {false, true}) {
      SCOPED_TRACE(rule.name);
      Training training(rule, device()), other(rule, device());
      std::vector<std::vector<Tensor>> fresh{other.all()};
      for (int i = 0; i < 10; ++i) other.step(), fresh.push_back(other.all());
      population::restart(*training.optimizer, mask({0, 0, 0, 0}));  // so that steps may be captured
      const auto body = [&] { training.step(); };
      Step step = capture(body);
      for (int i = 0; i < 5; ++i) captured ? step() : body();
      population::restart(*training.optimizer, mask({0, 0, 1, 0}), 5);
      for (int i = 0; i <= 5; ++i) {
        if (i > 0) captured ? step() : body();
        const std::vector<Tensor> now = training.all();
        for (std::size_t k = 0; k < now.size(); ++k)
          for (std::int64_t set = 0; set < kMembers; ++set) {
            const auto at = static_cast<std::size_t>(set == 2 ? i : 5 + i);
            EXPECT_TRUE(same(now[k][set], fresh[at][k][set])) << "step " << i << ", tensor " << k << ", set " << set;
          }
      }
    }
}

TEST_P(PopulationTest, ASetAloneBeginsAnewAsInABatch) {
  const OptimizerCase adam = optimizer_cases()[4];
  Training all(adam, device()), alone(adam, device(), 1, 2);
  for (Training* training : {&all, &alone}) {
    for (int i = 0; i < 3; ++i) training->step();
    manual_seed(7);
    population::restart(*training->optimizer, ones({}, on(DType::Bool)));
    for (int i = 0; i < 3; ++i) training->step();
  }
  EXPECT_TRUE(same(alone.a[0], all.a[2]));
  EXPECT_TRUE(same(alone.b[0], all.b[2]));
}

TEST_P(PopulationTest, ACapturedStepBeginsSetsAnew) {
  // A set whose first parameter has become small begins anew, with other values each time.
  std::vector<std::vector<double>> results;
  for (const bool captured : {false, true}) {
    manual_seed(3);
    Parameters params({.sets = 3, .device = device()});
    const Tensor x = params.add("x", {2}, init::uniform(1, 2));
    Adam optimizer(params, {.lr = 0.4});
    population::restart(optimizer, zeros({3}, on(DType::Bool)));
    std::vector<double> history;
    const auto body = [&] {
      optimizer.zero_grad();
      square(x).sum().backward();
      optimizer.step();
      population::restart(optimizer, no_grad([&] { return x.detach().slice(1, 0, 1).reshape({3}).lt(0.5); }));
      return x.detach().clone();
    };
    append(history, params);
    const auto trained = train(captured, 12, body);
    history.insert(history.end(), trained.begin(), trained.end());
    results.push_back(history);
    EXPECT_EQ(std::set<double>(trained.begin(), trained.end()).size(), trained.size());
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(PopulationTest, ClonesOfWhatBeganAnewCountAsIt) {
  const OptimizerCase adam = optimizer_cases()[4];
  Training training(adam, device()), other(adam, device());
  for (int i = 0; i < 5; ++i) training.step();
  population::restart(*training.optimizer, mask({0, 0, 1, 0}), 5);
  training.step();
  population::clone(*training.optimizer, indices({2, 1, 2, 3}));
  training.step();
  for (int i = 0; i < 2; ++i) other.step();
  EXPECT_TRUE(same(training.b[0], other.b[2]));
  EXPECT_TRUE(same(training.b[2], other.b[2]));
}

TEST_P(PopulationTest, CheckpointsSayWhenSetsBeganAnew) {
  const Folder folder;
  const std::string path = folder.path() + "/run.safetensors", before = folder.path() + "/before.safetensors";
  const OptimizerCase adam = optimizer_cases()[4];
  Training training(adam, device()), again(adam, device());
  const auto parts = [](Training& of) {
    return checkpoint::Parts{.params = of.params, .optimizer = of.optimizer.get()};
  };
  for (int i = 0; i < 3; ++i) training.step();
  checkpoint::save(before, parts(training));
  const std::vector<Tensor> unchanged = training.all();
  population::restart(*training.optimizer, mask({0, 1, 0, 0}), 9);
  for (int i = 0; i < 2; ++i) training.step();
  checkpoint::save(path, parts(training));
  checkpoint::load(path, parts(again));
  training.step(), again.step();
  for (std::size_t i = 0; i < training.all().size(); ++i) EXPECT_TRUE(same(again.all()[i], training.all()[i])) << i;
  // A file from before any set began anew.
  Training third(adam, device());
  for (Training* one : {&training, &third}) {
    checkpoint::load(before, parts(*one));
    EXPECT_TRUE(same(one->b, unchanged[1]));
    one->step();
  }
  EXPECT_TRUE(same(training.b, third.b));
  // By sets: set 3 here becomes set 1 of the file, which began anew after three steps.
  Training fourth(adam, device());
  checkpoint::load(path, parts(fourth), {.sets = {1}, .into_sets = {3}});
  checkpoint::load(path, parts(again));
  fourth.optimizer->set_lr(0.05), again.optimizer->set_lr(0.05);
  fourth.step(), again.step();
  EXPECT_TRUE(same(fourth.b[3], again.b[1]));
}

TEST_P(PopulationTest, StepsCapturedBeforeTheFirstRestart) {
  for (const OptimizerCase& rule : optimizer_cases()) {
    SCOPED_TRACE(rule.name);
    Training training(rule, device());
    Step step = capture([&] { training.step(); });
    step();
    population::restart(*training.optimizer, mask({0, 0, 1, 0}), 1);
    const std::string name = rule.name;
    if (name == "Sgd" || name == "WeightDecay" || name == "RmsProp" || name == "CenteredRmsProp") {
      step();  // these do not count steps
    } else {
      const Tensor before = training.b.detach().clone();
      expect_errors({LUGE_ERROR(CaptureError, "restart was first called after this step was captured", step())});
      EXPECT_TRUE(same(training.b, before));
    }
  }
}

}  // namespace
}  // namespace luge::test
