// Spaces: grids against written-out products, draws against their distributions and one by one, Halton's sequence
// against its first terms, and what is refused.

#include <luge/sweep/space.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "expect.h"

namespace luge::test {
namespace {

using sweep::Column;
using sweep::Settings;

const std::vector<double>& values_of(const Settings& settings, const char* name) {
  return settings.column(name).values;
}

TEST(SweepGrid, IsTheProductWithTheLastFastest) {
  const Settings grid = sweep::grid({{"a", {1, 2}}, {"b", {10, 20, 30}}, {"c", {7}}});
  EXPECT_EQ(grid.sets(), 6);
  EXPECT_EQ(grid.settings(), 6);
  EXPECT_EQ(grid.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(values_of(grid, "a"), (std::vector<double>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(values_of(grid, "b"), (std::vector<double>{10, 20, 30, 10, 20, 30}));
  EXPECT_EQ(values_of(grid, "c"), std::vector<double>(6, 7.0));
  const Tensor b = grid["b"];
  EXPECT_EQ(b.dtype(), float64);
  EXPECT_EQ(b.shape(), Shape{6});
  EXPECT_EQ(b.to_vector<double>(), values_of(grid, "b"));
}

TEST(SweepGrid, RepeatsEverySettingForItsSeeds) {
  const Settings grid = sweep::grid({{"a", {1, 2}}, {"b", {3, 4}}}, {.seeds = 3});
  EXPECT_EQ(grid.sets(), 12);
  EXPECT_EQ(grid.settings(), 4);
  EXPECT_EQ(grid.seeds(), 3);
  EXPECT_EQ(values_of(grid, "a"), (std::vector<double>{1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2}));
  EXPECT_EQ(values_of(grid, "b"), (std::vector<double>{3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}));
}

TEST(SweepGrid, SpacesNumbersEvenlyAndGeometrically) {
  EXPECT_EQ(sweep::linspace(-1, 3, 5), (std::vector<double>{-1, 0, 1, 2, 3}));
  EXPECT_EQ(sweep::linspace(2, 3, 1), std::vector<double>{2});
  const std::vector<double> geometric = sweep::geomspace(1e-4, 1e-1, 4);
  const double expected[] = {1e-4, 1e-3, 1e-2, 1e-1};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(geometric[i] / expected[i], 1, 1e-14);
  EXPECT_EQ(geometric.front(), 1e-4);
  EXPECT_EQ(geometric.back(), 1e-1);
  EXPECT_TRUE(sweep::grid({{"a", geometric}}).column("a").logarithmic);
  EXPECT_FALSE(sweep::grid({{"a", {1, 2, 3}}}).column("a").logarithmic);
  EXPECT_FALSE(sweep::grid({{"a", {0, 1e-3, 1}}}).column("a").logarithmic);
}

TEST(SweepSpace, DrawsFromItsDistributions) {
  const std::int64_t sets = 20000;
  const Settings space = sweep::space({{"u", sweep::uniform(-1, 3)},
                                       {"l", sweep::log_uniform(1e-4, 1e-1)},
                                       {"c", sweep::choice({5, 1, 5, 9})},
                                       {"i", sweep::integers(-2, 3)}},
                                      {.sets = sets, .seed = 5});
  const auto share = [&](const char* name, auto holds) {
    const std::vector<double>& all = values_of(space, name);
    return static_cast<double>(std::count_if(all.begin(), all.end(), holds)) / static_cast<double>(sets);
  };
  const double bound = 5 * 0.5 / std::sqrt(static_cast<double>(sets));  // five deviations of a share, at most
  for (const double part : {0.1, 0.25, 0.5, 0.9}) {
    EXPECT_NEAR(share("u", [&](double v) { return v < -1 + 4 * part; }), part, bound);
    EXPECT_NEAR(share("l", [&](double v) { return v < std::pow(10, -4 + 3 * part); }), part, bound);
  }
  EXPECT_NEAR(share("c", [](double v) { return v == 5; }), 0.5, bound);
  EXPECT_NEAR(share("c", [](double v) { return v == 1; }), 0.25, bound);
  EXPECT_NEAR(share("c", [](double v) { return v == 9; }), 0.25, bound);
  for (const double whole : {-2, -1, 0, 1, 2})
    EXPECT_NEAR(share("i", [&](double v) { return v == whole; }), 0.2, bound);
  EXPECT_EQ(share("u", [](double v) { return v < -1 || v > 3; }), 0);
  EXPECT_EQ(share("l", [](double v) { return v < 1e-4 || v > 1e-1; }), 0);
  EXPECT_TRUE(space.column("l").logarithmic);
  EXPECT_EQ(space.column("l").space, "log_uniform(0.0001, 0.1)");
}

TEST(SweepSpace, HyperparametersAreIndependent) {
  const std::int64_t sets = 20000;
  const Settings space =
      sweep::space({{"a", sweep::uniform(-1, 1)}, {"b", sweep::uniform(-1, 1)}}, {.sets = sets, .seed = 0});
  double sum = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(sets); ++i)
    sum += values_of(space, "a")[i] * values_of(space, "b")[i];
  EXPECT_NEAR(sum / static_cast<double>(sets), 0, 5.0 / 3 / std::sqrt(static_cast<double>(sets)));
}

TEST(SweepSpace, ASetIsTheSameAloneAndWhateverElseIsDrawn) {
  for (const sweep::Draws draws : {sweep::Draws::Random, sweep::Draws::Halton}) {
    const std::vector<std::pair<std::string, sweep::Distribution>> both{{"lr", sweep::log_uniform(1e-5, 1)},
                                                                        {"decay", sweep::uniform(0, 1)}};
    const Settings all = sweep::space(both, {.sets = 60, .seed = 9, .draws = draws});
    for (const std::int64_t set : {0, 1, 17, 59}) {
      const Settings alone = sweep::space(both, {.sets = 1, .seed = 9, .first_set = set, .draws = draws});
      for (const char* name : {"lr", "decay"})
        EXPECT_EQ(values_of(alone, name)[0], values_of(all, name)[static_cast<std::size_t>(set)]);
    }
    const Settings repeated = sweep::space(both, {.sets = 20, .seed = 9, .seeds = 2, .first_set = 20, .draws = draws});
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(values_of(repeated, "lr")[i], values_of(all, "lr")[10 + i / 2]);
    EXPECT_NE(values_of(sweep::space(both, {.sets = 60, .seed = 10, .draws = draws}), "lr"), values_of(all, "lr"));
  }
  const Settings all =
      sweep::space({{"lr", sweep::uniform(0, 1)}, {"decay", sweep::uniform(0, 1)}}, {.sets = 9, .seed = 1});
  EXPECT_EQ(values_of(sweep::space({{"decay", sweep::uniform(0, 1)}}, {.sets = 9, .seed = 1}), "decay"),
            values_of(all, "decay"));
  EXPECT_NE(values_of(all, "lr"), values_of(all, "decay"));
}

TEST(SweepSpace, HaltonsSequenceIsThatOfItsBases) {
  const std::int64_t sets = 9;
  const Settings space = sweep::space({{"a", sweep::uniform(0, 1)}, {"b", sweep::uniform(0, 1)}},
                                      {.sets = sets, .seed = 3, .draws = sweep::Draws::Halton});
  // Differences to the first one, which is the shift, as written out by hand.
  const double base2[] = {0, 1. / 2, 1. / 4, 3. / 4, 1. / 8, 5. / 8, 3. / 8, 7. / 8, 1. / 16};
  const double base3[] = {0, 1. / 3, 2. / 3, 1. / 9, 4. / 9, 7. / 9, 2. / 9, 5. / 9, 8. / 9};
  for (std::size_t i = 0; i < static_cast<std::size_t>(sets); ++i) {
    const double a = values_of(space, "a")[i] - values_of(space, "a")[0],
                 b = values_of(space, "b")[i] - values_of(space, "b")[0];
    EXPECT_NEAR(a - std::floor(a + 1e-12), base2[i], 1e-12);
    EXPECT_NEAR(b - std::floor(b + 1e-12), base3[i], 1e-12);
  }
}

TEST(SweepSpace, HaltonFillsTheSquareMoreEvenly) {
  // Boxes of a 16 by 16 grid with none of 256 points: a share of 1/e at random.
  const auto empty_boxes = [](sweep::Draws draws) {
    const Settings space = sweep::space({{"a", sweep::uniform(0, 16)}, {"b", sweep::uniform(0, 16)}},
                                        {.sets = 256, .seed = 1, .draws = draws});
    std::set<int> seen;
    for (std::size_t i = 0; i < 256; ++i)
      seen.insert(16 * static_cast<int>(values_of(space, "a")[i]) + static_cast<int>(values_of(space, "b")[i]));
    return 256 - static_cast<int>(seen.size());
  };
  EXPECT_GT(empty_boxes(sweep::Draws::Random), 75);
  EXPECT_LT(empty_boxes(sweep::Draws::Halton), 75);
}

TEST(SweepSpace, RefusesWhatMakesNoSense) {
  const auto uniform = sweep::uniform(0, 1);
  const double nan = std::nan("");
  const std::vector<double> many(10000, 1.0);
  std::vector<std::pair<std::string, sweep::Distribution>> eleven;
  for (int i = 0; i < 11; ++i) eleven.emplace_back("x" + std::to_string(i), uniform);
  EXPECT_EQ(sweep::space(eleven, {.sets = 2}).columns().size(), 11U);
  const Settings settings = sweep::grid({{"lr", {1, 2}}, {"decay", {0}}});
  const auto column = [](const char* name, std::vector<double> values) {
    return Column{.name = name, .values = std::move(values), .space = {}};
  };
  expect_errors({
      LUGE_ERROR(ValueError, "sweep.grid.*no hyperparameter", sweep::grid({})),
      LUGE_ERROR(ValueError, "sweep.grid.*'lr' has no value", sweep::grid({{"lr", {}}})),
      LUGE_ERROR(ValueError, "sweep.grid.*value 1 of 'lr' is nan", sweep::grid({{"lr", {1, nan}}})),
      LUGE_ERROR(ValueError, "sweep.grid.*two hyperparameters 'lr'", sweep::grid({{"lr", {1}}, {"lr", {2}}})),
      LUGE_ERROR(ValueError, "sweep.grid.*'l r'.*letters", sweep::grid({{"l r", {1}}})),
      LUGE_ERROR(ValueError, "sweep.grid.*''", sweep::grid({{"", {1}}})),
      LUGE_ERROR(ValueError, "sweep.grid.*'score'.*another name", sweep::grid({{"score", {1}}})),
      LUGE_ERROR(ValueError, "sweep.grid.*seeds is 0", sweep::grid({{"lr", {1}}}, {.seeds = 0})),
      LUGE_ERROR(ValueError, "with 'c'.*100000000 sets", sweep::grid({{"a", many}, {"b", many}, {"c", many}})),
      LUGE_ERROR(ValueError, "sweep.space.*sets is 0", sweep::space({{"lr", uniform}}, {})),
      LUGE_ERROR(ValueError, "sweep.space.*no hyperparameter", sweep::space({}, {.sets = 2})),
      LUGE_ERROR(ValueError, "sweep.space.*sets is 5 and seeds is 2.*multiple",
                 sweep::space({{"lr", uniform}}, {.sets = 5, .seeds = 2})),
      LUGE_ERROR(ValueError, "first_set is 3.*multiple of seeds",
                 sweep::space({{"lr", uniform}}, {.sets = 4, .seeds = 2, .first_set = 3})),
      LUGE_ERROR(ValueError, "first_set is -4", sweep::space({{"lr", uniform}}, {.sets = 4, .first_set = -4})),
      LUGE_ERROR(ValueError, "11 hyperparameters.*up to 10",
                 sweep::space(eleven, {.sets = 2, .draws = sweep::Draws::Halton})),
      LUGE_ERROR(ValueError, "sweep.uniform.*low is 2 and high is 1", sweep::uniform(2, 1)),
      LUGE_ERROR(ValueError, "sweep.uniform.*nan", sweep::uniform(0, nan)),
      LUGE_ERROR(ValueError, "sweep.log_uniform.*low is -1.*positive", sweep::log_uniform(-1, 1)),
      LUGE_ERROR(ValueError, "sweep.log_uniform.*low is 0.*positive", sweep::log_uniform(0, 1)),
      LUGE_ERROR(ValueError, "sweep.log_uniform.*low is 1 and high is 0.1", sweep::log_uniform(1, 0.1)),
      LUGE_ERROR(ValueError, "sweep.choice.*no value", sweep::choice({})),
      LUGE_ERROR(ValueError, "sweep.choice.*nan", sweep::choice({1, nan})),
      LUGE_ERROR(ValueError, "sweep.integers.*low is 3 and high is 3", sweep::integers(3, 3)),
      LUGE_ERROR(ValueError, "sweep.integers.*2\\^53", sweep::integers(0, std::int64_t{1} << 60)),
      LUGE_ERROR(ValueError, "sweep.linspace.*count is 0", sweep::linspace(0, 1, 0)),
      LUGE_ERROR(ValueError, "sweep.geomspace.*positive", sweep::geomspace(0, 1, 3)),
      LUGE_ERROR(ValueError, "Distribution.quantile.*u is 1", uniform.quantile(1)),
      LUGE_ERROR(ValueError, "Settings.*no hyperparameter 'rate'.*lr, decay", settings["rate"]),
      LUGE_ERROR(ValueError, "sweep: 'b' has 1 values and 'a' has 2",
                 Settings({column("a", {1, 2}), column("b", {1})})),
      LUGE_ERROR(ValueError, "sweep: there are 3 sets and 2 seeds", Settings({column("a", {1, 2, 3})}, 2)),
  });
}

}  // namespace
}  // namespace luge::test
