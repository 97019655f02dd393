// Populations: clones and sets that begin anew go on with the bits that they should have, eager and captured; selection
// with ties and NaN; random factors keyed by set.

#include <luge/train/population.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "capture/trainings.h"
#include "devices.h"
#include "expect.h"
#include "folder.h"

namespace luge::test {
namespace {

class PopulationTest : public DeviceTest {
 protected:
  Tensor values(const std::vector<double>& given, DType dtype = float32) const {
    return from_host(given, {static_cast<std::int64_t>(given.size())}, device()).to(dtype);
  }
  Tensor indices(const std::vector<std::int64_t>& given) const {
    return from_host(given, {static_cast<std::int64_t>(given.size())}, device());
  }
  Tensor mask(const std::vector<double>& given) const { return values(given).ne(0); }
};
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

/// By name.
Tensor hyperparameter(const Optimizer& optimizer, const std::string& wanted) {
  for (const auto& [name, tensor] : optimizer.hyperparameters())
    if (name == wanted) return tensor;
  return {};
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

// ---- random factors

TEST_P(PopulationTest, FactorsLieWhereTheyShould) {
  constexpr std::int64_t kSets = 20000;
  const Draw draw{.seed = 3};
  for (const DType dtype : {float32, float64}) {
    const Tensor rate = full({kSets}, 2, on(dtype));
    const Tensor varied = population::perturb(rate, {.low = 0.5, .high = 4}, {}, draw);
    EXPECT_EQ(varied.dtype(), dtype);
    // The logarithm to base 2 is uniform in [0, 3).
    const Tensor octaves = log(varied) / std::log(2.0);
    EXPECT_GE(octaves.min().item(), -1e-6);
    EXPECT_LE(octaves.max().item(), 3 + 1e-6);
    EXPECT_NEAR(octaves.mean().item(), 1.5, 5 * 3 / std::sqrt(12.0 * kSets));
    EXPECT_NEAR(octaves.var().item(), 0.75, 5 * 0.75 * std::sqrt(0.8 / kSets));
    const std::vector<double> picked =
        population::perturb(rate, {.any_of = {0.5, 1.5, 3}}, {}, draw).to_vector<double>();
    for (const double value : {1.0, 3.0, 6.0}) {
      const auto count = static_cast<double>(std::count(picked.begin(), picked.end(), value));
      EXPECT_NEAR(count, kSets / 3.0, 5 * std::sqrt(kSets * 2 / 9.0));
    }
    EXPECT_EQ(std::set<double>(picked.begin(), picked.end()).size(), 3U);
  }
}

TEST_P(PopulationTest, ASetAloneDrawsAsInABatch) {
  const Tensor whole = full({6, 3}, 1, on());
  const auto alone = [&](std::int64_t set) { return whole.slice(0, set, set + 1); };
  for (const bool seeded : {true, false})
    for (const std::int64_t set : {0, 2, 5}) {
      const auto draw = [&](std::int64_t first) {
        manual_seed(4);
        return seeded ? Draw{.seed = 8, .step = 6, .first_set = first} : Draw{.first_set = first};
      };
      const auto each = [&](const auto& drawn) {
        const Tensor all = drawn(whole, draw(0)), one = drawn(alone(set), draw(set));
        EXPECT_TRUE(same(one[0], all[set]));
      };
      each([](const Tensor& x, const Draw& of) { return population::perturb(x, {}, {}, of); });
      each([](const Tensor& x, const Draw& of) { return population::perturb(x, {.any_of = {1, 2, 3}}, {}, of); });
      each([](const Tensor& x, const Draw& of) { return population::resample(x, init::normal(1, 2), {}, of); });
      each([](const Tensor& x, const Draw& of) { return population::resample(x, init::uniform(1, 2), {}, of); });
    }
}

TEST_P(PopulationTest, MasksAndConstants) {
  const Tensor x = values({1, kNaN, 3});
  const Tensor varied = population::perturb(x, {.any_of = {2}}, mask({1, 0, 1}));
  EXPECT_TRUE(has_values(varied, {3}, float32, {2, kNaN, 6}));
  EXPECT_TRUE(has_values(population::resample(x, init::constant(7), mask({0, 1, 0})), {3}, float32, {1, 7, 3}));
  const Tensor rows = population::resample(zeros({3, 2}, on()), init::uniform(1, 2), mask({0, 1, 0}));
  EXPECT_EQ(rows[0].to_vector<double>(), (std::vector<double>{0, 0}));
  EXPECT_GE(rows[1].min().item(), 1);
  EXPECT_EQ(population::perturb(ones({4}, on(DType::Float16))).dtype(), DType::Float16);
  EXPECT_EQ(population::perturb(ones({0, 3}, on())).shape(), (Shape{0, 3}));
}

TEST_P(PopulationTest, ReplaysDrawAnew) {
  const Tensor x = ones({5}, on());
  Tensor count = zeros({}, on(DType::Int64));
  for (const bool counted : {false, true}) {
    std::vector<std::vector<double>> results;
    for (const bool captured : {false, true}) {
      manual_seed(11);
      count.zero_();
      results.push_back(train(captured, 5, [&] {
        const Draw draw = counted ? Draw{.seed = 2, .step = count} : Draw{};
        const Tensor result = population::perturb(x, {}, {}, draw);
        count.add_(1);
        return result;
      }));
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(std::set<double>(results[0].begin(), results[0].end()).size(), 25U);
    if (!counted) continue;
    std::vector<double> numbered;
    for (std::int64_t i = 0; i < 5; ++i)
      for (const double value : population::perturb(x, {}, {}, {.seed = 2, .step = i}).to_vector<double>())
        numbered.push_back(value);
    EXPECT_EQ(results[0], numbered);
  }
  // Steps in a row without the host.
  count.zero_();
  Step step = capture([&] {
    const Tensor result = population::perturb(x, {}, {}, {.seed = 2, .step = count});
    count.add_(1);
    return result;
  });
  step();
  EXPECT_TRUE(same(step.run(4), population::perturb(x, {}, {}, {.seed = 2, .step = 4})));
}

// ---- selection

TEST_P(PopulationTest, Ranks) {
  const Tensor scores = values({3, kNaN, 1, 3, -kInfinity, kNaN, kInfinity, 1});
  EXPECT_TRUE(has_values(population::ranks(scores), {8}, DType::Int64, {3, 6, 1, 4, 0, 7, 5, 2}));
  EXPECT_TRUE(has_values(population::best(scores, 4), {4}, DType::Int64, {4, 2, 7, 0}));
  EXPECT_TRUE(has_values(population::best(scores, 0), {0}, DType::Int64, {}));
  EXPECT_TRUE(has_values(population::ranks(values({0.0, -0.0, 5}, float64)), {3}, DType::Int64, {0, 1, 2}));
  EXPECT_TRUE(has_values(population::ranks(indices({2, -5, 2})), {3}, DType::Int64, {1, 0, 2}));
  EXPECT_TRUE(has_values(population::ranks(zeros({0}, on())), {0}, DType::Int64, {}));
}

TEST_P(PopulationTest, BestOfSeveralStarts) {
  const Tensor scores = values({3, 2, 2, kNaN, kInfinity, 7, kNaN, kNaN, kNaN, kNaN, kInfinity, kInfinity});
  EXPECT_TRUE(has_values(population::best_of(scores, 3), {4}, DType::Int64, {1, 5, 6, 10}));
  EXPECT_TRUE(has_values(population::best_of(scores, 1), {12}, DType::Int64, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(has_values(population::best_of(scores, 12), {1}, DType::Int64, {1}));
}

TEST_P(PopulationTest, HalvingKeepsTheBestOfWhatIsActive) {
  for (const bool captured : {false, true}) {
    Parameters params({.sets = 6, .device = device()});
    params.add("x", {}, init::constant(1));
    params.set_active(mask({1, 1, 0, 1, 1, 1}));
    const Tensor scores = values({4, kNaN, 0, 2, 2, kInfinity});
    Tensor stays;
    for (const auto& [keep, expected] :
         std::vector<std::pair<std::int64_t, std::vector<double>>>{{6, {1, 1, 0, 1, 1, 1}},
                                                                   {5, {1, 1, 0, 1, 1, 1}},
                                                                   {4, {1, 0, 0, 1, 1, 1}},
                                                                   {2, {0, 0, 0, 1, 1, 0}},
                                                                   {1, {0, 0, 0, 1, 0, 0}}}) {
      const auto body = [&, kept = keep] { return population::halve(params, scores, kept); };
      stays = captured ? capture(body)() : body();
      EXPECT_TRUE(has_values(stays, {6}, DType::Bool, expected)) << keep;
      EXPECT_TRUE(has_values(params.active(), {6}, DType::Bool, expected)) << keep;
    }
  }
}

/// Ten sets, each with its own number as parameter and as learning rate.
struct Numbered {
  explicit Numbered(Device device) : params({.sets = 10, .device = device}), x(params.add("x", {}, init::zeros())) {
    const NoGrad guard;
    const Tensor each = arange(10, {.dtype = float32, .device = device});
    x.copy_(each);
    optimizer = std::make_unique<Adam>(params, AdamOptions{.lr = each, .beta2 = each / 10, .weight_decay = each + 1});
  }
  Parameters params;
  Tensor x;
  std::unique_ptr<Adam> optimizer;
};

TEST_P(PopulationTest, TheWorstTakeFromTheBest) {
  for (const bool captured : {false, true}) {
    Numbered some(device());
    // From the best to the worst: 5 4 3 2 1 0 6 7 8 9.
    const Tensor scores = values({5, 4, 3, 2, 1, 0, 6, 7, 8, 9});
    const auto by_rank = [&] {
      return population::exploit(*some.optimizer, scores, {.fraction = 0.3, .pairing = population::Pairing::ByRank});
    };
    const std::vector<double> source = {0, 1, 2, 3, 4, 5, 6, 5, 4, 3};
    EXPECT_TRUE(has_values(captured ? capture(by_rank)() : by_rank(), {10}, DType::Int64, source));
    EXPECT_TRUE(has_values(some.x, {10}, float32, source));
    EXPECT_TRUE(has_values(some.optimizer->lr(), {10}, float32, source));
  }
}

TEST_P(PopulationTest, RandomPairsAreOfTheBest) {
  const Tensor scores = values({9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  std::vector<std::int64_t> drawn(3);
  for (std::int64_t step = 0; step < 300; ++step) {
    Numbered some(device());
    const Tensor source =
        population::exploit(*some.optimizer, scores, {.fraction = 0.35, .draw = {.seed = 1, .step = step}});
    const std::vector<std::int64_t> from = source.to_vector<std::int64_t>();
    for (std::int64_t set = 3; set < 10; ++set) EXPECT_EQ(from[static_cast<std::size_t>(set)], set);
    for (std::size_t set = 0; set < 3; ++set) {
      ASSERT_GE(from[set], 7);
      ++drawn[static_cast<std::size_t>(from[set] - 7)];
    }
    EXPECT_TRUE(same(some.x, source.to(float32)));
  }
  for (const std::int64_t count : drawn) EXPECT_NEAR(static_cast<double>(count), 300, 5 * std::sqrt(900 * 2 / 9.0));
}

TEST_P(PopulationTest, SetsWithoutAScoreAreReplaced) {
  struct Case {
    std::vector<double> scores, source;
  };
  for (const Case& one :
       std::vector<Case>{{{kNaN, 1, kNaN, 0, 2, kNaN, 3, kNaN, kNaN, kNaN}, {3, 1, 1, 3, 4, 3, 6, 1, 3, 1}},
                         {{kNaN, kNaN, kNaN, 0, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN}, {3, 3, 3, 3, 3, 3, 3, 3, 3, 3}},
                         {std::vector<double>(10, kNaN), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}}) {
    Numbered some(device());
    some.params.set_active(mask({0, 1, 0, 1, 1, 1, 1, 1, 1, 1}));
    const Tensor source = population::exploit(*some.optimizer, values(one.scores),
                                              {.fraction = 0.2, .pairing = population::Pairing::ByRank});
    EXPECT_TRUE(has_values(source, {10}, DType::Int64, one.source));
    const bool none = one.source[0] == 0;
    EXPECT_TRUE(
        has_values(some.params.active(), {10}, DType::Bool, {none ? 0. : 1., 1, none ? 0. : 1., 1, 1, 1, 1, 1, 1, 1}));
  }
}

TEST_P(PopulationTest, WhatWasReplacedExplores) {
  Numbered some(device());
  const Tensor source = indices({0, 1, 2, 3, 4, 5, 6, 7, 3, 9});
  population::explore(*some.optimizer, source,
                      {.hyperparameters = {"lr", "beta2", "weight_decay"}, .factors = {.any_of = {0.5}}});
  EXPECT_TRUE(has_values(some.optimizer->lr(), {10}, float32, {0, 1, 2, 3, 4, 5, 6, 7, 4, 9}));
  EXPECT_TRUE(has_values(hyperparameter(*some.optimizer, "beta2"), {10}, float32,
                         {0, .1, .2, .3, .4, .5, .6, .7, .9, .9}, 1e-6));
  EXPECT_TRUE(
      has_values(hyperparameter(*some.optimizer, "weight_decay"), {10}, float32, {1, 2, 3, 4, 5, 6, 7, 8, 4.5, 10}));
  // A beta stays in [0, 1), however often it moves.
  const Tensor all = indices({1, 0, 1, 1, 1, 1, 1, 1, 1, 1});
  for (const double factor : {0.01, 3.0}) {
    for (int i = 0; i < 12; ++i)
      population::explore(*some.optimizer, all, {.hyperparameters = {"beta2"}, .factors = {.any_of = {factor}}});
    EXPECT_GE(hyperparameter(*some.optimizer, "beta2").min().item(), 0);
    EXPECT_LT(hyperparameter(*some.optimizer, "beta2").max().item(), 1);
  }
  // Each hyperparameter has factors of its own.
  Numbered other(device());
  population::explore(*other.optimizer, all, {.hyperparameters = {"lr", "weight_decay"}, .draw = {.seed = 1}});
  const Tensor rate = other.optimizer->lr() / arange(10, {.dtype = float32, .device = device()});
  EXPECT_GT((hyperparameter(*other.optimizer, "weight_decay")[5] / 6 - rate[5]).abs().item(), 1e-4);
}

// ---- schedules

TEST(Schedules, Hyperband) {
  using Rungs = std::vector<population::Rung>;
  const auto brackets = population::hyperband(81, 3);
  ASSERT_EQ(brackets.size(), 5U);
  EXPECT_EQ(brackets[0], (Rungs{{81, 1, 27}, {27, 3, 9}, {9, 9, 3}, {3, 27, 1}, {1, 81, 1}}));
  EXPECT_EQ(brackets[1], (Rungs{{34, 3, 11}, {11, 9, 3}, {3, 27, 1}, {1, 81, 1}}));
  EXPECT_EQ(brackets[2], (Rungs{{15, 9, 5}, {5, 27, 1}, {1, 81, 1}}));
  EXPECT_EQ(brackets[3], (Rungs{{8, 27, 2}, {2, 81, 1}}));
  EXPECT_EQ(brackets[4], (Rungs{{5, 81, 1}}));
  EXPECT_EQ(population::hyperband(1, 2), (std::vector<Rungs>{{{1, 1, 1}}}));
  for (const std::int64_t most : {2, 7, 100, 1000})
    for (const std::int64_t eta : {2, 3, 4, 5})
      for (const Rungs& rungs : population::hyperband(most, eta)) {
        EXPECT_EQ(rungs.back().steps, most);
        for (std::size_t i = 0; i + 1 < rungs.size(); ++i) {
          EXPECT_EQ(rungs[i].keep, rungs[i + 1].sets);
          EXPECT_GE(rungs[i].steps, 1);
          EXPECT_LT(rungs[i].steps, rungs[i + 1].steps);
        }
      }
}

TEST(Schedules, SuccessiveHalving) {
  using Rungs = std::vector<population::Rung>;
  EXPECT_EQ(population::successive_halving(20, 10, 3), (Rungs{{20, 10, 6}, {6, 30, 2}, {2, 90, 1}, {1, 270, 1}}));
  EXPECT_EQ(population::successive_halving(1, 5, 2), (Rungs{{1, 5, 1}}));
  expect_errors({
      LUGE_ERROR(ValueError, "population.successive_halving: sets is 0; it must be 1 or more",
                 population::successive_halving(0, 1)),
      LUGE_ERROR(ValueError, "min_steps is 0", population::successive_halving(1, 0)),
      LUGE_ERROR(ValueError, "eta is 1; it must be 2 or more", population::successive_halving(1, 1, 1)),
      LUGE_ERROR(ValueError, "lead beyond", population::successive_halving(std::int64_t{1} << 62, 4, 2)),
      LUGE_ERROR(ValueError, "population.hyperband: max_steps is 0", population::hyperband(0)),
      LUGE_ERROR(ValueError, "eta is -1", population::hyperband(9, -1)),
  });
}

TEST_P(PopulationTest, BadArguments) {
  Numbered some(device());
  Adam& optimizer = *some.optimizer;
  const std::vector<double> before = some.x.to_vector<double>();
  const Tensor scores = values({9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  Parameters single({.device = device()});
  single.add("x", {}, init::zeros());
  Sgd ordinary(single);
  Tensor leaf = ones({2}, on()).requires_grad_();
  Sgd loose({leaf}, {});
  expect_errors({
      LUGE_ERROR(ShapeError, "population.clone: source has shape \\(2,\\); it must be \\(10,\\), one set for each set",
                 population::clone(optimizer, indices({0, 1}))),
      LUGE_ERROR(DTypeError, "population.clone: the index is float32; allowed are int32 and int64",
                 population::clone(optimizer, scores)),
      LUGE_ERROR(ValueError, "population.clone: source is an undefined tensor", population::clone(optimizer, Tensor())),
      LUGE_ERROR(ValueError, "population.clone: the parameters have no sets",
                 population::clone(ordinary, indices({0}))),
      LUGE_ERROR(ShapeError, "population.clone: tensor 1 has shape \\(\\); the first size must be 2",
                 population::clone({ones({2}, on()), ones({}, on())}, indices({0, 1}))),
      LUGE_ERROR(DTypeError, "population.restart: mask is float32; it must be bool",
                 population::restart(optimizer, scores)),
      LUGE_ERROR(ShapeError, "population.restart: mask has shape \\(2,\\); it must be \\(10,\\), one flag per set",
                 population::restart(optimizer, mask({1, 0}))),
      LUGE_ERROR(ValueError,
                 "population.restart: what parameter '0' starts as is not known: it was a loose tensor; make it by "
                 "Parameters.add",
                 population::restart(loose, ones({}, on(DType::Bool)))),
      LUGE_ERROR(DTypeError, "population.perturb: values are int64; allowed are the floating dtypes",
                 population::perturb(indices({1}))),
      LUGE_ERROR(ShapeError, "population.perturb: values are one number for all sets",
                 population::perturb(ones({}, on()))),
      LUGE_ERROR(ShapeError, "population.perturb: mask has shape \\(1,\\)", population::perturb(scores, {}, mask({1}))),
      LUGE_ERROR(ValueError, "population.perturb: low is 2 and high is 1; both must be above 0",
                 population::perturb(scores, {.low = 2, .high = 1})),
      LUGE_ERROR(ValueError, "population.perturb: a factor is -1; it must be above 0 and finite",
                 population::perturb(scores, {.any_of = {1, -1}})),
      LUGE_ERROR(ValueError, "population.perturb: step is -1; allowed are 0 to",
                 population::perturb(scores, {}, {}, {.seed = 1, .step = -1})),
      LUGE_ERROR(ValueError, "population.perturb: step is given without a seed",
                 population::perturb(scores, {}, {}, {.step = 1})),
      LUGE_ERROR(ValueError, "population.perturb: first_set is -1",
                 population::perturb(scores, {}, {}, {.first_set = -1})),
      LUGE_ERROR(DTypeError, "population.perturb: step is float32; it must be int64",
                 population::perturb(scores, {}, {}, {.seed = 1, .step = ones({}, on())})),
      LUGE_ERROR(ShapeError, "population.resample: step has shape \\(2,\\); it must be one number",
                 population::resample(scores, init::uniform(0, 1), {}, {.seed = 1, .step = indices({1, 2})})),
      LUGE_ERROR(ShapeError, "population.ranks: scores have shape \\(\\); it must be \\(sets,\\)",
                 population::ranks(ones({}, on()))),
      LUGE_ERROR(ValueError, "population.best: count is 11; allowed are 0 to 10, the sets",
                 population::best(scores, 11)),
      LUGE_ERROR(ValueError, "population.best_of: starts is 3; it must divide 10, the number of sets",
                 population::best_of(scores, 3)),
      LUGE_ERROR(ValueError, "population.halve: keep is 0; allowed are 1 to 10",
                 population::halve(some.params, scores, 0)),
      LUGE_ERROR(ShapeError, "population.halve: scores have shape \\(1,\\); it must be \\(10,\\)",
                 population::halve(some.params, ones({1}, on()), 1)),
      LUGE_ERROR(ValueError, "population.exploit: fraction is 0.6; it must be above 0 and at most 0.5",
                 population::exploit(optimizer, scores, {.fraction = 0.6})),
      LUGE_ERROR(ValueError, "population.exploit: fraction is nan",
                 population::exploit(optimizer, scores, {.fraction = kNaN})),
      LUGE_ERROR(ValueError,
                 "population.explore: the optimizer has no hyperparameter 'momentum'; it has lr, beta1, beta2, "
                 "epsilon, weight_decay",
                 population::explore(optimizer, indices({0, 1, 2, 3, 4, 5, 6, 7, 8, 8}),
                                     {.hyperparameters = {"lr", "momentum"}})),
      LUGE_ERROR(
          ValueError, "population.explore: beta1 is one number for all sets; make the optimizer with one for each set",
          population::explore(optimizer, indices({0, 1, 2, 3, 4, 5, 6, 7, 8, 8}), {.hyperparameters = {"beta1"}})),
  });
  if (device().is_cpu())
    expect_errors(
        {LUGE_ERROR(IndexError, "population.clone: index 10 at position 1 is out of range; allowed are 0 to 9",
                    population::clone(optimizer, indices({0, 10, 2, 3, 4, 5, 6, 7, 8, 8})))});
  EXPECT_EQ(some.x.to_vector<double>(), before);
  EXPECT_EQ(optimizer.lr().to_vector<double>(), before);
}

}  // namespace
}  // namespace luge::test
