// Several starts for each set: which are tried, which one counts, and that neighbours play no part in it.

#include <cmath>
#include <random>

#include <luge/capture/step.h>
#include <luge/luge.h>
#include <luge/math/random.h>

#include "../devices.h"
#include "../expect.h"
#include "fits.h"

namespace luge::test {
namespace {

using fit::curve_fit;
using fit::FitOptions;
using fit::FitResult;
using fit::FitStatus;
using fit::Model;

constexpr std::int64_t kSets = 12, kPoints = 60;

class StartsTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    // Waves whose frequency a search from 1 does not find.
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    std::vector<double> y;
    for (std::int64_t s = 0; s < kSets; ++s) {
      const double w = 2.5 + 0.55 * static_cast<double>(s);
      truth_.insert(truth_.end(), {1.5, w, 0.4});
      for (const double x : x_) y.push_back(1.5 * std::sin(w * x + 0.4) + 0.05 * normal(random));
    }
    y_ = from_host(y, {kSets, kPoints}, device());
  }
  Tensor row(const std::vector<double>& values) const {
    return from_host(values, {static_cast<std::int64_t>(values.size())}, device());
  }
  FitOptions options(std::int64_t starts) const {
    FitOptions result{.lower = row({0.1, 0.5, -3.2}), .upper = row({5, 12, 3.2})};
    result.starts = starts;
    return result;
  }

  const Model wave_{"a * sin(w * x + p)"};
  const std::vector<double> x_ = steps_from(0, 4, kPoints);
  std::vector<double> truth_;
  Tensor y_;
};

void expect_same(const FitResult& a, const FitResult& b) {
  EXPECT_TRUE(same(a.parameters, b.parameters));
  EXPECT_TRUE(same(a.covariance, b.covariance));
  EXPECT_TRUE(same(a.status, b.status));
  EXPECT_TRUE(same(a.steps, b.steps));
  EXPECT_TRUE(same(a.cost, b.cost));
  EXPECT_TRUE(same(a.chi2, b.chi2));
  EXPECT_TRUE(same(a.start, b.start));
  EXPECT_TRUE(same(a.agreement, b.agreement));
}

FitResult of_set(const FitResult& all, std::int64_t set) {
  FitResult one;
  for (Tensor FitResult::*const each :
       {&FitResult::parameters, &FitResult::covariance, &FitResult::status, &FitResult::steps, &FitResult::cost,
        &FitResult::chi2, &FitResult::start, &FitResult::agreement})
    one.*each = (all.*each)[set];
  return one;
}

/// The numbers of a start as the declaration says them.
std::vector<double> drawn(std::uint64_t seed, std::int64_t start, const std::vector<double>& low,
                          const std::vector<double>& high) {
  std::vector<double> result;
  for (std::size_t p = 0; p < low.size(); ++p) {
    const auto words = math::scalar::random_words(seed, 0x57A275, static_cast<std::uint64_t>(start), p / 2);
    const double u = math::scalar::uniform_double(math::scalar::joined(words.x[p % 2 * 2], words.x[p % 2 * 2 + 1]));
    const double near = std::min(std::abs(low[p]), std::abs(high[p])),
                 far = std::max(std::abs(low[p]), std::abs(high[p]));
    if (low[p] * high[p] > 0 && far >= 100 * near)
      result.push_back(
          std::copysign(std::exp(std::log(std::abs(low[p])) * (1 - u) + std::log(std::abs(high[p])) * u), low[p]));
    else
      result.push_back(low[p] * (1 - u) + high[p] * u);
  }
  return result;
}

TEST_P(StartsTest, TheLeastMinimumIsFound) {
  const Tensor x = row(x_), p0 = row({1, 1, 0});
  const FitResult one = curve_fit(wave_, x, y_, p0, options(1)), many = curve_fit(wave_, x, y_, p0, options(40));
  const FitResult near = curve_fit(wave_, x, y_, from_host(truth_, {kSets, 3}, device()), options(1));
  const std::vector<double> least = near.cost.to_vector<double>(), from_one = one.cost.to_vector<double>();
  int missed = 0;
  for (std::size_t s = 0; s < least.size(); ++s) missed += from_one[s] > 2 * least[s];
  EXPECT_GT(missed, kSets / 2);  // else there was nothing to find
  EXPECT_TRUE(has_values(many.cost, {kSets}, float64, least, 1e-12));
  EXPECT_TRUE(has_values(many.parameters, {kSets, 3}, float64, near.parameters.to_vector<double>(), 1e-6));
  EXPECT_TRUE(has_values(many.covariance, {kSets, 3, 3}, float64, near.covariance.to_vector<double>(), 1e-8));
  EXPECT_GT(many.agreement.min().item<std::int32_t>(), 0);
  EXPECT_LT(many.agreement.max().item<std::int32_t>(), 40);
  EXPECT_EQ(many.receipt().starts, 40);
  EXPECT_GT(many.receipt().evaluations, 40 * kSets);
  // What fewer starts find, more find, too.
  const std::vector<double> some = curve_fit(wave_, x, y_, p0, options(8)).cost.to_vector<double>(),
                            all = many.cost.to_vector<double>();
  for (std::size_t s = 0; s < all.size(); ++s) EXPECT_LE(all[s], some[s]);
}

TEST_P(StartsTest, AreThoseOfTheDeclarationAndTheBestCounts) {
  const std::vector<double> low{0.1, 0.5, -3.2}, high{5, 12, 3.2};
  constexpr std::int64_t kStarts = 9;
  FitOptions several = options(kStarts);
  several.seed = 42;
  const Tensor x = row(x_), p0 = row({1, 1, 0});
  const FitResult result = curve_fit(wave_, x, y_, p0, several);
  std::vector<FitResult> each;
  for (std::int64_t start = 0; start < kStarts; ++start)
    each.push_back(curve_fit(wave_, x, y_, start == 0 ? p0 : row(drawn(42, start, low, high)), options(1)));
  std::int64_t won = 0;
  for (std::int64_t s = 0; s < kSets; ++s) {
    SCOPED_TRACE(s);
    std::int64_t best = -1;
    int agree = 0;
    const auto cost = [&](std::int64_t start) { return each[static_cast<std::size_t>(start)].cost[s].item<double>(); };
    const auto is_there = [&](std::int64_t start) {
      return static_cast<int>(status_of(each[static_cast<std::size_t>(start)], s)) > 0;
    };
    for (std::int64_t start = 0; start < kStarts; ++start)
      if (is_there(start) && (best < 0 || cost(start) < cost(best))) best = start;
    ASSERT_GE(best, 0);
    for (std::int64_t start = 0; start < kStarts; ++start)
      agree += is_there(start) && cost(start) <= cost(best) * (1 + 3e-8);
    EXPECT_EQ(result.start[s].item<std::int32_t>(), best);
    EXPECT_EQ(result.agreement[s].item<std::int32_t>(), agree);
    const FitResult& expected = each[static_cast<std::size_t>(best)];
    EXPECT_TRUE(same(result.parameters[s], expected.parameters[s]));
    EXPECT_TRUE(same(result.covariance[s], expected.covariance[s]));
    EXPECT_TRUE(same(result.steps[s], expected.steps[s]));
    won += best != 0;
  }
  EXPECT_GT(won, 0);
  several.seed = 43;
  EXPECT_FALSE(same(curve_fit(wave_, x, y_, p0, several).start, result.start));
}

TEST_P(StartsTest, BoundsOfOneSignFarApartAreTriedByMagnitude) {
  // From 1 the decay is invisible: its derivatives are nothing but rounding.
  const Model model("a * exp(k * x)");
  const std::vector<double> low{1e-9, -1e6}, high{1e3, -1e-3};
  std::vector<double> y;
  for (const double x : x_) y.push_back(1e-6 * std::exp(-0.3 * x));
  FitOptions several{.lower = row(low), .upper = row(high)};
  several.starts = 30;
  const FitResult result = curve_fit(model, row(x_), row(y), row({1e3, -1e6}), several);
  EXPECT_NEAR(result.parameters[0].item<double>() / 1e-6, 1, 1e-6);
  EXPECT_NEAR(result.parameters[1].item<double>(), -0.3, 1e-6);
  const auto start = result.start.item<std::int32_t>();
  EXPECT_GT(start, 0);
  several.starts = 1;
  const FitResult again = curve_fit(model, row(x_), row(y), row(drawn(0, start, low, high)), several);
  EXPECT_TRUE(has_values(again.parameters, {2}, float64, result.parameters.to_vector<double>(), 1e-9));
}

TEST_P(StartsTest, ASetIsTheSameAloneAmongOthersAndInChunks) {
  // Everything that sets have of their own: x, weights, bounds, what is fixed, and data that cannot be fitted.
  std::vector<double> x, low, high, fixed, sigma, starts;
  for (std::int64_t s = 0; s < kSets; ++s) {
    for (std::size_t i = 0; i < x_.size(); ++i) {
      x.push_back(x_[i] * (1 + 0.01 * static_cast<double>(s)));
      sigma.push_back(i % 7 == static_cast<std::size_t>(s % 7) ? kInfinity : 0.05 + 0.01 * static_cast<double>(i % 3));
    }
    low.insert(low.end(), {s % 2 == 0 ? 0.01 : 0.1, 0.5, -3.2});
    high.insert(high.end(), {5, 12 + static_cast<double>(s), 3.2});
    fixed.insert(fixed.end(), {0.0, 0.0, s % 5 == 3 ? 1.0 : 0.0});
    starts.insert(starts.end(), {1.0, 1 + 0.1 * static_cast<double>(s), 0.0});
  }
  std::vector<double> values = y_.to_vector<double>();
  values[4 * kPoints + 9] = kNaN;
  for (const DType dtype : {float64, float32}) {
    const auto table = [&](const std::vector<double>& numbers, std::int64_t columns) {
      return from_host(numbers, {kSets, columns}, device());
    };
    const Tensor all_x = table(x, kPoints).to(dtype), all_y = table(values, kPoints).to(dtype),
                 all_p0 = table(starts, 3);
    FitOptions options{.sigma = table(sigma, kPoints),
                       .lower = table(low, 3),
                       .upper = table(high, 3),
                       .fixed = table(fixed, 3).to(boolean),
                       .loss = "soft_l1"};
    options.starts = 6;
    const FitResult all = curve_fit(wave_, all_x, all_y, all_p0, options);
    EXPECT_EQ(status_of(all, 4), FitStatus::BadData);
    EXPECT_EQ(all.start[4].item<std::int32_t>(), 0);
    EXPECT_EQ(all.agreement[4].item<std::int32_t>(), 0);
    for (const std::int64_t chunk : {1, 5}) {
      options.chunk = chunk;
      expect_same(curve_fit(wave_, all_x, all_y, all_p0, options), all);
    }
    for (std::int64_t s = 0; s < kSets; ++s) {
      SCOPED_TRACE(s);
      FitOptions own = options;
      own.chunk = 0;
      for (Tensor FitOptions::*const each :
           {&FitOptions::sigma, &FitOptions::lower, &FitOptions::upper, &FitOptions::fixed})
        own.*each = (own.*each)[s];
      expect_same(curve_fit(wave_, all_x[s], all_y[s], all_p0[s], own), of_set(all, s));
    }
  }
}

TEST_P(StartsTest, OutputsAndPredictorsStayTogether) {
  const Model model(std::vector<std::string>{"a * sin(w * x) + b * z", "a * cos(w * x) - b * z"},
                    {.predictors = {"x", "z"}});
  std::vector<double> xz = x_, y;
  for (const double x : x_) xz.push_back(x * x / 8);
  for (const double sign : {1.0, -1.0})
    for (const double x : x_)
      y.push_back(1.5 * (sign > 0 ? std::sin(5 * x) : std::cos(5 * x)) + sign * 0.7 * x * x / 8);
  FitOptions options{.lower = row({0, 0.5, -2}), .upper = row({5, 12, 2})};
  options.starts = 40;
  const FitResult result = curve_fit(model, from_host(xz, {2, kPoints}, device()), from_host(y, {2, kPoints}, device()),
                                     row({1, 1, 0}), options);
  EXPECT_TRUE(has_values(result.parameters, {3}, float64, {1.5, 5, 0.7}, 1e-8));
}

TEST_P(StartsTest, WhatIsFixedAndEqualStartsTakeTheFirst) {
  FitOptions all_fixed = options(5);
  all_fixed.fixed = row({1, 1, 1}).to(boolean);
  const FitResult same_starts = curve_fit(wave_, row(x_), y_, row({1, 1, 0}), all_fixed);
  EXPECT_EQ(same_starts.start.max().item<std::int32_t>(), 0);
  EXPECT_TRUE(has_values(same_starts.agreement, {kSets}, int32, std::vector<double>(kSets, 5)));
  EXPECT_TRUE(has_values(same_starts.parameters[3], {3}, float64, {1, 1, 0}));
  // A line has one minimum, which every start reaches; a fixed parameter needs no finite bounds.
  FitOptions line{.lower = row({-50, -kInfinity}), .upper = row({50, kInfinity}), .fixed = row({0, 1}).to(boolean)};
  line.starts = 7;
  const FitResult result = curve_fit(Model("m * x + c"), row(x_), y_, row({1, 0.25}), line);
  EXPECT_TRUE(has_values(result.agreement, {kSets}, int32, std::vector<double>(kSets, 7)));
  EXPECT_TRUE(has_values(result.parameters.select(1, 1), {kSets}, float64, std::vector<double>(kSets, 0.25)));
  // Data without noise have a cost of rounding alone.
  FitOptions exact{.lower = row({-50, -50}), .upper = row({50, 50})};
  exact.starts = 7;
  std::vector<double> y;
  for (const double x : x_) y.push_back(0.1 + 3 * x);
  EXPECT_EQ(curve_fit(Model("m * x + c"), row(x_), row(y), row({1, 1}), exact).agreement.item<std::int32_t>(), 7);
}

TEST_P(StartsTest, WhereNoneConvergesTheLeastCostCounts) {
  FitOptions few = options(6);
  few.max_steps = 2;
  const FitResult result = curve_fit(wave_, row(x_), y_[7], row({1, 1, 0}), few);
  EXPECT_EQ(status_of(result), FitStatus::MaxSteps);
  EXPECT_EQ(result.agreement.item<std::int32_t>(), 0);
  double least = kInfinity;
  for (std::int64_t start = 0; start < 6; ++start) {
    few.starts = 1;
    const Tensor p0 = start == 0 ? row({1, 1, 0}) : row(drawn(0, start, {0.1, 0.5, -3.2}, {5, 12, 3.2}));
    least = std::min(least, curve_fit(wave_, row(x_), y_[7], p0, few).cost.item<double>());
  }
  EXPECT_EQ(result.cost.item<double>(), least);
}

TEST_P(StartsTest, OfNoSetsNothingIsFitted) {
  const FitResult result = curve_fit(wave_, row(x_), y_.slice(0, 0, 0), row({1, 1, 0}), options(4));
  EXPECT_EQ(result.parameters.shape(), (Shape{0, 3}));
  EXPECT_EQ(result.start.shape(), (Shape{0}));
  EXPECT_EQ(result.receipt().evaluations, 0);
}

TEST_P(StartsTest, CapturedIsTheSame) {
  const FitResult eager = curve_fit(wave_, row(x_), y_, row({1, 1, 0}), options(5));
  const Tensor x = row(x_), p0 = row({1, 1, 0});
  const FitOptions several = options(5);
  auto step = capture([&] { return curve_fit(wave_, x, y_, p0, several).covariance; });
  step();
  EXPECT_TRUE(same(step(), eager.covariance));
}

TEST_P(StartsTest, SaysWhatTheyNeed) {
  const auto fitted = [&](const FitOptions& options) { return curve_fit(wave_, row(x_), y_, row({1, 1, 0}), options); };
  const auto with = [&](std::int64_t starts, const Tensor& lower, const Tensor& upper) {
    FitOptions options{.lower = lower, .upper = upper};
    options.starts = starts;
    return options;
  };
  expect_errors({
      LUGE_ERROR(ValueError, "^curve_fit: starts is 0; it must be from 1", fitted(with(0, {}, {}))),
      LUGE_ERROR(ValueError, "^curve_fit: starts is 1073741824; it must be from 1", fitted(with(1 << 30, {}, {}))),
      LUGE_ERROR(ValueError, "^curve_fit: starts is 4; they are drawn between bounds", fitted(with(4, {}, {}))),
      LUGE_ERROR(ValueError, "^curve_fit: set 0: starts are drawn between finite bounds, and the upper one is inf of a",
                 fitted(with(4, row({0, 0, -1}), {}))),
      LUGE_ERROR(ValueError,
                 "^curve_fit: set 0: starts are drawn between finite bounds, and the lower one is -inf of p",
                 fitted(with(4, row({0, 0, -kInfinity}), row({9, 9, 9})))),
  });
}

LUGE_ON_EVERY_DEVICE(StartsTest);

}  // namespace
}  // namespace luge::test
