// Populations: selection with ties and NaN, random factors keyed by set, schedules, errors.

#include <luge/train/population.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "capture/trainings.h"
#include "population_fixture.h"

namespace luge::test {
namespace {

class SelectionTest : public PopulationTest {};
LUGE_ON_EVERY_DEVICE(SelectionTest);

// ---- random factors

TEST_P(SelectionTest, FactorsLieWhereTheyShould) {
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

TEST_P(SelectionTest, ASetAloneDrawsAsInABatch) {
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

TEST_P(SelectionTest, MasksAndConstants) {
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

TEST_P(SelectionTest, ReplaysDrawAnew) {
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

TEST_P(SelectionTest, Ranks) {
  const Tensor scores = values({3, kNaN, 1, 3, -kInfinity, kNaN, kInfinity, 1});
  EXPECT_TRUE(has_values(population::ranks(scores), {8}, DType::Int64, {3, 6, 1, 4, 0, 7, 5, 2}));
  EXPECT_TRUE(has_values(population::best(scores, 4), {4}, DType::Int64, {4, 2, 7, 0}));
  EXPECT_TRUE(has_values(population::best(scores, 0), {0}, DType::Int64, {}));
  EXPECT_TRUE(has_values(population::ranks(values({0.0, -0.0, 5}, float64)), {3}, DType::Int64, {0, 1, 2}));
  EXPECT_TRUE(has_values(population::ranks(indices({2, -5, 2})), {3}, DType::Int64, {1, 0, 2}));
  EXPECT_TRUE(has_values(population::ranks(zeros({0}, on())), {0}, DType::Int64, {}));
}

TEST_P(SelectionTest, BestOfSeveralStarts) {
  const Tensor scores = values({3, 2, 2, kNaN, kInfinity, 7, kNaN, kNaN, kNaN, kNaN, kInfinity, kInfinity});
  EXPECT_TRUE(has_values(population::best_of(scores, 3), {4}, DType::Int64, {1, 5, 6, 10}));
  EXPECT_TRUE(has_values(population::best_of(scores, 1), {12}, DType::Int64, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_TRUE(has_values(population::best_of(scores, 12), {1}, DType::Int64, {1}));
}

TEST_P(SelectionTest, HalvingKeepsTheBestOfWhatIsActive) {
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

TEST_P(SelectionTest, TheWorstTakeFromTheBest) {
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

TEST_P(SelectionTest, RandomPairsAreOfTheBest) {
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

TEST_P(SelectionTest, SetsWithoutAScoreAreReplaced) {
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

TEST_P(SelectionTest, WhatWasReplacedExplores) {
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

TEST_P(SelectionTest, BadArguments) {
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
