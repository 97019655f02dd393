// Sweeps over parabolas, whose every loss is known: scores, steps and reasons of each set; halving against its schedule
// written out; a set alone and among others, eager and captured, with halving and without, has the same bits.

#include <luge/sweep/run.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

using sweep::Result;
using sweep::RunOptions;
using sweep::Settings;

class SweepRunTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(SweepRunTest);

/// Minimises x^2 from 1 by x <- (1 - 2 lr) x, in float64.
struct Descent {
  Descent(Device device, const Settings& settings)
      : params({.sets = settings.sets(), .device = device, .dtype = float64}),
        x(params.add("x", {}, init::ones())),
        optimizer(params, {.lr = settings["lr"]}) {}

  Tensor step() {
    optimizer.zero_grad();
    const Tensor loss = square(x);
    loss.sum().backward();
    if (rule) rule->check(loss);
    optimizer.step();
    return loss;
  }
  sweep::Advance eager() {
    return [this](std::int64_t steps) {
      Tensor loss;
      for (std::int64_t i = 0; i < steps; ++i) loss = step();
      return loss;
    };
  }

  Parameters params;
  Tensor x;
  Sgd optimizer;
  std::optional<stop::StopRule> rule;
};

/// The loss that the k-th step starts from, as the optimizer rounds.
double loss_at(double lr, std::int64_t k) {
  double x = 1;
  for (std::int64_t i = 1; i < k; ++i) x = std::fma(-lr, 2 * x, x);
  return x * x;
}

Settings rates(std::int64_t sets) { return sweep::space({{"lr", sweep::uniform(0, 0.9)}}, {.sets = sets, .seed = 4}); }

TEST_P(SweepRunTest, ScoresAreTheLossesOfEverySet) {
  const Settings settings = sweep::grid({{"lr", {0.01, 0.45, 0.1, 0.49, 0.95}}});
  for (const bool captured : {false, true}) {
    Descent descent(device(), settings);
    Step<Tensor> step = capture([&] { return descent.step(); });
    const RunOptions options{.steps = 7, .every = 3};
    const Result result = captured ? sweep::run(step, descent.optimizer, settings, options)
                                   : sweep::run(descent.eager(), descent.optimizer, settings, options);
    EXPECT_EQ(result.looks, (std::vector<std::int64_t>{3, 6, 7}));
    for (std::size_t look = 0; look < 3; ++look)
      for (std::size_t set = 0; set < 5; ++set) {
        const double expected = loss_at(settings.columns()[0].values[set], result.looks[look]);
        EXPECT_NEAR(result.curves[look][set], expected, 1e-13 * expected);
      }
    EXPECT_EQ(result.scores, result.curves[2]);
    EXPECT_EQ(result.best_scores, result.scores);
    EXPECT_EQ(result.best_steps, std::vector<std::int64_t>(5, 7));
    EXPECT_EQ(result.steps, std::vector<std::int64_t>(5, 7));
    EXPECT_EQ(result.total_steps(), 35);
    EXPECT_EQ(result.stopped, std::vector<std::string>(5, "steps"));
    EXPECT_EQ(result.best(5), (std::vector<std::int64_t>{3, 1, 2, 4, 0}));  // the nearer to 1/2 the better
    EXPECT_EQ(result.best(), std::vector<std::int64_t>{3});
    EXPECT_EQ(result.score_name, "loss");
    EXPECT_FALSE(result.interrupted);
    EXPECT_TRUE(descent.params.active().to_vector<bool>() == std::vector<bool>(5, true));
  }
}

/// What is left of a sweep, bit for bit.
struct Left {
  std::vector<double> scores, x;
  std::vector<std::int64_t> steps;
  std::vector<std::string> stopped;
  friend bool operator==(const Left&, const Left&) = default;
};

Left swept(Device device, const Settings& settings, RunOptions options, bool captured) {
  Descent descent(device, settings);
  Step<Tensor> step = capture([&] { return descent.step(); });
  const Result result = captured ? sweep::run(step, descent.optimizer, settings, options)
                                 : sweep::run(descent.eager(), descent.optimizer, settings, options);
  return {result.scores, descent.x.to_vector<double>(), result.steps, result.stopped};
}

TEST_P(SweepRunTest, HalvingStopsTheWorstAtEveryRung) {
  const std::int64_t sets = 20;
  const Settings settings = rates(sets);
  const std::vector<double>& lr = settings.columns()[0].values;
  for (const std::int64_t min_steps : {2, 0}) {
    // Of 20 settings 6 go on after 2 steps, 2 after 6 and 1 after 18; without min_steps the first rung is 60 / 27 = 2,
    // too.
    const RunOptions options{.steps = 60, .every = 60, .halving = sweep::Halving{3, min_steps}};
    std::vector<std::size_t> order(lr.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::map<std::size_t, std::int64_t> expected;
    for (const auto& [at, keep] : {std::pair<std::int64_t, std::size_t>{2, 6}, {6, 2}, {18, 1}}) {
      std::stable_sort(order.begin(), order.end(), [&, rung = at](std::size_t a, std::size_t b) {
        return loss_at(lr[a], rung) < loss_at(lr[b], rung);
      });
      for (std::size_t i = keep; i < order.size(); ++i) expected[order[i]] = at;
      order.resize(keep);
    }
    expected[order[0]] = 60;
    const Left left = swept(device(), settings, options, true);
    for (std::size_t set = 0; set < lr.size(); ++set) {
      EXPECT_EQ(left.steps[set], expected[set]) << set;
      EXPECT_EQ(left.stopped[set], expected[set] == 60 ? "steps" : "halving");
      // What stands still keeps the parameters that it had.
      const RunOptions alone{.steps = expected[set], .every = 60};
      const Left whole = swept(device(), settings, alone, true);
      EXPECT_EQ(left.x[set], whole.x[set]);
      EXPECT_EQ(left.scores[set], whole.scores[set]);
    }
    EXPECT_EQ(left, swept(device(), settings, options, false));
  }
}

TEST_P(SweepRunTest, ASetAloneIsTheSetAmongOthers) {
  const auto at = [&](std::int64_t first, std::int64_t sets, DType dtype) {
    const Settings settings = sweep::space({{"lr", sweep::log_uniform(1e-3, 1e-1)}, {"decay", sweep::uniform(0, 0.5)}},
                                           {.sets = sets, .seed = 2, .first_set = first});
    Parameters params({.sets = sets, .device = device(), .dtype = dtype, .seed = 7, .first_set = first});
    const Tensor w = params.add("w", {5}, init::normal(0, 1));
    AdamW optimizer(params, {.lr = settings["lr"], .weight_decay = settings["decay"]});
    const Tensor decay = settings["decay"].to(dtype).to(device());  // in the loss, too
    auto step = capture([&] {
      optimizer.zero_grad();
      const Tensor loss = (square(w - 1.0).sum(1) + decay * abs(w).sum(1));
      loss.sum().backward();
      optimizer.step();
      return loss;
    });
    return sweep::run(step, optimizer, settings, {.steps = 30, .every = 7}).scores;
  };
  for (const DType dtype : {float32, float64}) {
    const std::vector<double> all = at(0, 40, dtype);
    for (const std::int64_t set : {0, 13, 39}) EXPECT_EQ(at(set, 1, dtype)[0], all[static_cast<std::size_t>(set)]);
  }
}

TEST_P(SweepRunTest, ASeedIsASetWithItsOwnStart) {
  const Settings settings = sweep::grid({{"lr", {0.1, 0.2}}}, {.seeds = 3});
  Parameters params({.sets = settings.sets(), .device = device(), .dtype = float64, .seed = 1});
  const Tensor x = params.add("x", {}, init::normal(0, 1));
  Sgd optimizer(params, {.lr = settings["lr"]});
  const std::vector<double> start = x.to_vector<double>();
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = square(x);
    loss.sum().backward();
    optimizer.step();
    return loss;
  });
  const Result result = sweep::run(step, optimizer, settings, {.steps = 2});
  const std::vector<sweep::SettingScores> by_setting = result.by_setting();
  ASSERT_EQ(by_setting.size(), 2U);
  for (std::size_t place = 0; place < 2; ++place) {
    const std::int64_t setting = by_setting[place].setting;
    EXPECT_EQ(setting, 1 - static_cast<std::int64_t>(place));
    const double factor = setting == 0 ? 0.8 : 0.6;
    double mean = 0, squares = 0;
    std::vector<double> losses;
    for (std::size_t i = 0; i < 3; ++i)
      losses.push_back(std::pow(factor * start[static_cast<std::size_t>(3 * setting) + i], 2));
    for (const double loss : losses) mean += loss / 3;
    for (const double loss : losses) squares += (loss - mean) * (loss - mean);
    EXPECT_NEAR(by_setting[place].mean, mean, 1e-13 * mean);
    EXPECT_NEAR(by_setting[place].deviation, std::sqrt(squares / 2), 1e-12 * mean);
    EXPECT_NEAR(by_setting[place].best, *std::min_element(losses.begin(), losses.end()), 1e-13 * mean);
    EXPECT_EQ(by_setting[place].finite, 3);
  }
}

/// Scores that do not come from a training: by set, at every look.
struct Given {
  Given(Device device, const Settings& settings) : descent(device, settings) {}
  Result run(const Settings& settings, const std::vector<double>& scores, RunOptions options) {
    const Shape shape{settings.sets()};
    options.validate = [&scores, shape] { return from_host(scores, shape); };
    return sweep::run(descent.eager(), descent.optimizer, settings, options);
  }
  Descent descent;
};

TEST_P(SweepRunTest, HalvingJudgesASettingByAllItsSeedsAndNaNIsTheWorst) {
  const Settings settings = sweep::grid({{"lr", {0.1, 0.2, 0.3, 0.4}}}, {.seeds = 2});
  const double infinity = std::numeric_limits<double>::infinity();
  // Means 5, NaN, 4.5, infinity: the best single score belongs to the worst one.
  Given given(device(), settings);
  const Result result = given.run(settings, {5, 5, std::nan(""), -9, 1, 8, infinity, 2},
                                  {.steps = 8, .every = 8, .halving = sweep::Halving{2, 2}});
  EXPECT_EQ(result.steps, (std::vector<std::int64_t>{4, 4, 2, 2, 8, 8, 2, 2}));
  EXPECT_EQ(result.stopped[4], "steps");
  EXPECT_EQ(result.stopped[0], "halving");
  EXPECT_EQ(result.looks, (std::vector<std::int64_t>{2, 4, 8}));
  EXPECT_TRUE(std::isnan(result.curves[1][2]));  // it took no step since the look before
  EXPECT_EQ(result.curves[1][0], 5);
  EXPECT_EQ(result.score_name, "validation");
  EXPECT_EQ(result.best(8), (std::vector<std::int64_t>{3, 4, 7, 0, 1, 5, 2, 6}));
  EXPECT_EQ(given.descent.params.active().to_vector<bool>(),
            (std::vector<bool>{false, false, false, false, true, true, false, false}));
  const std::vector<sweep::SettingScores> by_setting = result.by_setting();
  EXPECT_EQ(by_setting[0].setting, 2);
  EXPECT_EQ(by_setting[2].setting, 1);
  EXPECT_TRUE(std::isnan(by_setting[2].mean));
  EXPECT_EQ(by_setting[2].finite, 1);
  EXPECT_EQ(by_setting[2].best, -9);
}

TEST_P(SweepRunTest, KeepsTheStepOfTheBestScore) {
  const Settings settings = sweep::grid({{"lr", {0.1, 0.2}}});
  Descent descent(device(), settings);
  int look = 0;
  const double scores[3][2] = {{3, std::nan("")}, {1, 7}, {2, std::nan("")}};
  const Result result = sweep::run(descent.eager(), descent.optimizer, settings,
                                   {.steps = 6, .every = 2, .validate = [&] {
                                      const double* const now = scores[look++];
                                      return from_host(std::vector<double>{now[0], now[1]}, {2});
                                    }});
  EXPECT_EQ(result.best_scores, (std::vector<double>{1, 7}));
  EXPECT_EQ(result.best_steps, (std::vector<std::int64_t>{4, 4}));
  EXPECT_EQ(result.scores[0], 2);
  EXPECT_TRUE(std::isnan(result.scores[1]));
}

TEST_P(SweepRunTest, TellsWhatRulesHaveStopped) {
  // Losses 1, 4^-1, 4^-2, ...; 1, 1/25, ...; 1, 9, 81, ... until the largest float64.
  const Settings settings = sweep::grid({{"lr", {0.25, 0.4, 2, 0.001}}});
  for (const bool captured : {false, true}) {
    Descent descent(device(), settings);
    descent.rule.emplace(stop::when(descent.optimizer, {.loss_below = 1e-6}));
    descent.step();  // checks before the sweep do not count
    Step<Tensor> step = capture([&] { return descent.step(); });
    const RunOptions options{.steps = 500, .every = 100, .rule = &*descent.rule};
    const Result result = captured ? sweep::run(step, descent.optimizer, settings, options)
                                   : sweep::run(descent.eager(), descent.optimizer, settings, options);
    EXPECT_EQ(result.stopped, (std::vector<std::string>{"loss", "loss", "nan_loss", "steps"}));
    // 4^-10 and 25^-5 are the first below 1e-6. 9^324 is the first that overflows.
    EXPECT_EQ(result.steps, (std::vector<std::int64_t>{9, 4, 323, 500})) << captured;
    EXPECT_NEAR(result.scores[0], std::pow(4.0, -10), 1e-18);
    EXPECT_TRUE(!std::isfinite(result.scores[2]));
    EXPECT_LT(result.best_scores[2], std::pow(9.0, 300));
    EXPECT_EQ(result.best(4), (std::vector<std::int64_t>{1, 0, 3, 2}));
  }
  // It ends when none is left.
  Descent descent(device(), settings);
  descent.rule.emplace(stop::when(descent.optimizer, {.max_steps = 5}));
  const Result result =
      sweep::run(descent.eager(), descent.optimizer, settings, {.steps = 500, .every = 10, .rule = &*descent.rule});
  EXPECT_EQ(result.stopped, std::vector<std::string>(4, "max_steps"));
  EXPECT_EQ(result.steps, std::vector<std::int64_t>(4, 5));
  EXPECT_EQ(result.looks, std::vector<std::int64_t>{10});
  EXPECT_FALSE(result.interrupted);
}

TEST_P(SweepRunTest, HalvingLeavesReasonsOfRulesAndSetsThatStoodStill) {
  const Settings settings = sweep::grid({{"lr", {0.4, 0.3, 0.1, 0.01}}});
  Descent descent(device(), settings);
  descent.params.set_active(from_host(std::vector<std::uint8_t>{1, 1, 1, 0}, {4}, device()).to(boolean));
  descent.rule.emplace(stop::when(descent.optimizer, {.loss_below = 1e-3}));
  const Result result =
      sweep::run(descent.eager(), descent.optimizer, settings,
                 {.steps = 100, .every = 100, .halving = sweep::Halving{2, 10}, .rule = &*descent.rule});
  // Two go on after 10 steps, of which rules have stopped both.
  EXPECT_EQ(result.stopped, (std::vector<std::string>{"loss", "loss", "halving", "inactive"}));
  EXPECT_EQ(result.steps, (std::vector<std::int64_t>{3, 4, 10, 0}));
  EXPECT_TRUE(std::isnan(result.scores[3]));
  EXPECT_EQ(descent.x.to_vector<double>()[3], 1);
  EXPECT_EQ(result.looks, std::vector<std::int64_t>{10});
}

TEST_P(SweepRunTest, EndsWhenItIsTold) {
  const Settings settings = sweep::grid({{"lr", {0.1, 0.3}}});
  Descent descent(device(), settings);
  std::vector<std::int64_t> seen;
  const Result result = sweep::run(descent.eager(), descent.optimizer, settings,
                                   {.steps = 100, .every = 5, .watch = [&](const sweep::Look& look) {
                                      seen.push_back(look.steps);
                                      EXPECT_EQ(look.of_steps, 100);
                                      EXPECT_EQ(look.active, 2);
                                      EXPECT_EQ(look.best_set, 1);
                                      EXPECT_NEAR(look.best, loss_at(0.3, look.steps), 1e-13);
                                      return look.steps < 15;
                                    }});
  EXPECT_EQ(seen, (std::vector<std::int64_t>{5, 10, 15}));
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.steps, std::vector<std::int64_t>(2, 15));
  EXPECT_EQ(result.stopped, std::vector<std::string>(2, "interrupted"));
}

TEST_P(SweepRunTest, AnInterruptionIsHeardBetweenSteps) {
  const Settings settings = sweep::grid({{"lr", {0.1, 0.3}}});
  for (const std::int64_t asked : {7, 5, 0}) {
    Descent descent(device(), settings);
    std::int64_t times = 0;
    const Result result = sweep::run(descent.eager(), descent.optimizer, settings,
                                     {.steps = 100, .every = 5, .interrupted = [&] { return times++ == asked; }});
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(descent.optimizer.steps_taken(), asked);
    EXPECT_EQ(result.steps, std::vector<std::int64_t>(2, asked));
    EXPECT_EQ(result.looks, asked == 7   ? (std::vector<std::int64_t>{5, 7})
                            : asked == 5 ? std::vector<std::int64_t>{5}
                                         : std::vector<std::int64_t>());
    EXPECT_EQ(result.stopped, std::vector<std::string>(2, "interrupted"));
    EXPECT_TRUE(close(result.scores[1], asked > 0 ? loss_at(0.3, asked) : kNaN, 1e-13));
  }
}

TEST_P(SweepRunTest, CompactionLeavesEveryBitAsItIs) {
  const auto left = [&](bool compact, bool asks) {
    const Settings settings = sweep::space({{"lr", sweep::log_uniform(1e-3, 1)}, {"penalty", sweep::uniform(0, 0.5)}},
                                           {.sets = 60, .seed = 6, .seeds = 2});
    Parameters params({.sets = 60, .device = device(), .seed = 7});
    params.add("w", {5}, init::normal(0, 1));
    AdamW optimizer(params, {.lr = settings["lr"]});
    stop::StopRule rule = stop::when(optimizer, {.loss_below = 0.3});
    const Tensor penalty = settings["penalty"].to(float32).to(device());
    std::int64_t most = 0;  // sets that a step computed
    const auto step = [&](const Parameters& of, Optimizer& stepped, stop::StopRule& judge, const Tensor& strength) {
      most = std::max(most, of.sets());
      const Tensor w = of["w"];
      stepped.zero_grad();
      const Tensor loss = square(w - 1.0).sum(1) + strength * abs(w).sum(1);
      loss.sum().backward();
      judge.check(loss);
      stepped.step();
      return loss;
    };
    RunOptions options{.steps = 90, .every = 25, .halving = sweep::Halving{3, 10}, .rule = &rule};
    if (asks) {
      options.interrupted = [] { return false; };
      options.asked_every = 4;
    }
    sweep::LiveSteps live(optimizer, rule, {{"penalty", penalty}}, [&](stop::Live& sets) {
      return step(sets.params, sets.optimizer, sets.rule, sets.data("penalty"));
    });
    Step<Tensor> whole = capture([&] { return step(params, optimizer, rule, penalty); });
    std::vector<std::int64_t> computed;
    options.watch = [&](const sweep::Look&) {
      computed.push_back(std::exchange(most, 0));
      return true;
    };
    const Result result =
        compact ? sweep::run(live, optimizer, settings, options) : sweep::run(whole, optimizer, settings, options);
    if (compact) {
      EXPECT_EQ(computed.front(), 60);
      EXPECT_LE(computed.back(), 8);
    }
    EXPECT_EQ(result.looks.front(), 10);
    return Left{result.scores, params["w"].to_vector<double>(), result.steps, result.stopped};
  };
  const Left expected = left(false, false);
  EXPECT_NE(std::find(expected.stopped.begin(), expected.stopped.end(), "halving"), expected.stopped.end());
  EXPECT_NE(std::find(expected.stopped.begin(), expected.stopped.end(), "loss"), expected.stopped.end());
  EXPECT_EQ(left(true, false), expected);
  EXPECT_EQ(left(true, true), expected);
}

TEST_P(SweepRunTest, RefusesWhatMakesNoSense) {
  const Settings settings = rates(4), more = rates(8);
  Descent descent(device(), settings);
  const auto run = [&](RunOptions options, const Settings& given) {
    return sweep::run(descent.eager(), descent.optimizer, given, options);
  };
  expect_errors({
      LUGE_ERROR(ValueError, "sweep.run: steps is 0", run({}, settings)),
      LUGE_ERROR(ValueError, "sweep.run: every is -1", run({.steps = 5, .every = -1}, settings)),
      LUGE_ERROR(ShapeError, "sweep.run: there are settings for 8 sets.*parameters have 4", run({.steps = 5}, more)),
      LUGE_ERROR(ValueError, "sweep.run: there are no settings", run({.steps = 5}, Settings())),
      LUGE_ERROR(ValueError, "eta of halving is 1", run({.steps = 5, .halving = sweep::Halving{1, 2}}, settings)),
      LUGE_ERROR(ValueError, "min_steps of halving is 5.*less than steps, 5",
                 run({.steps = 5, .halving = sweep::Halving{2, 5}}, settings)),
      LUGE_ERROR(ValueError, "eta of halving is 5 and there are 4 settings",
                 run({.steps = 50, .halving = sweep::Halving{5, 2}}, settings)),
      LUGE_ERROR(ValueError, "3 steps are too few to bring 4 settings down",
                 run({.steps = 3, .halving = sweep::Halving{2, 0}}, settings)),
      LUGE_ERROR(ValueError, "sweep.run: there is nothing that takes steps",
                 sweep::run(sweep::Advance(), descent.optimizer, settings, {.steps = 5})),
  });
  EXPECT_EQ(descent.optimizer.steps_taken(), 0);
  expect_errors({
      LUGE_ERROR(ShapeError, "what validate returns has shape \\(3,\\); it must be \\(4,\\)",
                 run({.steps = 5, .validate = [] { return zeros({3}); }}, settings)),
      LUGE_ERROR(DTypeError, "what validate returns is int64",
                 run({.steps = 5, .validate = [] { return zeros({4}, {.dtype = int64}); }}, settings)),
      LUGE_ERROR(
          ShapeError, "the loss of a step has shape \\(\\)",
          sweep::run([&](std::int64_t) { return descent.step().sum(); }, descent.optimizer, settings, {.steps = 5})),
  });
  descent.params.set_active(zeros({4}, {.dtype = boolean, .device = device()}));
  expect_errors({LUGE_ERROR(ValueError, "sweep.run: no set is active", run({.steps = 5}, settings))});
}

TEST_P(SweepRunTest, HalvingNeedsAStepThatCanLeaveSetsAlone) {
  const Settings settings = rates(4);
  Descent descent(device(), settings);
  Step<Tensor> step = capture([&] { return descent.step(); });
  step();
  EXPECT_THROW(sweep::run(step, descent.optimizer, settings, {.steps = 9, .halving = sweep::Halving{2, 2}}),
               CaptureError);
}

}  // namespace
}  // namespace luge::test
