// Fits: traps in which other libraries answer wrongly without a word, and what must not depend on neighbours.

#include <random>

#include <luge/luge.h>

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

/// 2 exp(-x / 1.5) + 0.5 and noise of deviation 0.02, as NumPy's default_rng(0).standard_normal(40) gives it.
const std::vector<double>& noise() {
  static const std::vector<double> values = {
      0.1257302210933933,   -0.1321048632913019,  0.6404226504432821,   0.10490011715303971,  -0.535669373161111,
      0.36159505490948474,  1.3040000451301372,   0.9470809631292422,   -0.7037352358069926,  -1.2654214710460525,
      -0.6232744625373522,  0.0413259793472436,   -2.3250307746388343,  -0.21879166393254573, -1.2459109472530652,
      -0.7322673547034516,  -0.5442589828573099,  -0.31630015636915454, 0.4116305363741328,   1.0425133694426776,
      -0.12853466294403426, 1.3664634705496859,   -0.6651946734866135,  0.3515100700930197,   0.9034701816518086,
      0.09401229776087457,  -0.7434992493538084,  -0.9217253762584194,  -0.45772582566733916, 0.2201951234700494,
      -1.009618183538736,   -0.20917557487171307, -0.15922500991447772, 0.5408455846858077,   0.2146591225063409,
      0.3553727090399214,   -0.6538286094183394,  -0.12961363369276946, 0.7839754700613295,   1.4934311452207607};
  return values;
}
std::vector<double> decay(const std::vector<double>& x) {
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); ++i) y.push_back(2 * std::exp(-x[i] / 1.5) + 0.5 + 0.02 * noise()[i]);
  return y;
}
std::vector<double> scaled(std::vector<double> values, double by) {
  for (double& value : values) value *= by;
  return values;
}

class CurveFitTest : public DeviceTest {
 protected:
  Tensor row(const std::vector<double>& values) const {
    return table(values, {static_cast<std::int64_t>(values.size())});
  }
  Tensor table(const std::vector<double>& values, const Shape& shape) const {
    return from_host(values, shape, device());
  }

  const Model decay_{"a * exp(-x / t) + c"};
  const std::vector<double> x40_ = steps_from(0, 5, 40);
};

double at(const Tensor& tensor, std::int64_t i) { return tensor[i].item<double>(); }

TEST_P(CurveFitTest, UnitsPlayNoPart) {
  std::int64_t steps = 0;
  for (const bool bounded : {false, true})
    for (const double k : {1.0, 1e-3, 1e-6, 1e-9, 1e-12}) {
      SCOPED_TRACE(testing::Message() << "k " << k << (bounded ? ", bounds" : ""));
      FitOptions options;
      if (bounded) {
        options.lower = row({0, 0, 0});
        options.upper = row({kInfinity, kInfinity, kInfinity});
      }
      const FitResult y_unit = curve_fit(decay_, row(x40_), row(scaled(decay(x40_), k)), row({k, 1, k}), options);
      EXPECT_NEAR(at(y_unit.parameters, 1), 1.465327, 1e-6);
      EXPECT_NEAR(at(y_unit.standard_errors, 1), 0.019237, 1e-6);
      const FitResult x_unit = curve_fit(decay_, row(scaled(x40_, k)), row(decay(x40_)), row({1, k, 1}), options);
      EXPECT_NEAR(at(x_unit.parameters, 1) / k, 1.465327, 1e-6);
      if (steps == 0) steps = y_unit.steps.item<std::int32_t>();
      EXPECT_EQ(y_unit.steps.item<std::int32_t>(), steps);
      EXPECT_EQ(x_unit.steps.item<std::int32_t>(), steps);
      EXPECT_TRUE(fit::is_converged(status_of(y_unit)) && fit::is_converged(status_of(x_unit)));
    }
}

TEST_P(CurveFitTest, OverflowInATrialIsAStepTooFar) {
  const FitResult box =
      curve_fit(Model("b1*(1-exp(-b2*x))"), row({1, 2, 3, 5, 7, 10}), row({109, 149, 149, 191, 213, 224}), row({1, 1}));
  EXPECT_TRUE(has_values(box.parameters, {2}, float64, {213.80940889, 0.54723748542}, 1e-8));
  // A thousand decays with noise: each ends where the search from the truth ends.
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::normal_distribution<double> normal;
  constexpr std::int64_t kSets = 1000;
  std::vector<double> y, truth;
  for (std::int64_t s = 0; s < kSets; ++s) {
    const double a = 1 + 2 * uniform(random), t = 0.3 + 1.7 * uniform(random), c = uniform(random);
    truth.insert(truth.end(), {a, t, c});
    for (const double x : x40_) y.push_back(a * std::exp(-x / t) + c + 0.02 * normal(random));
  }
  const FitResult far = curve_fit(decay_, row(x40_), table(y, {kSets, 40}), row({1, 1, 1}));
  const FitResult near = curve_fit(decay_, row(x40_), table(y, {kSets, 40}), table(truth, {kSets, 3}));
  EXPECT_TRUE(has_values(far.cost, {kSets}, float64, near.cost.to_vector<double>(), 1e-12));
  EXPECT_TRUE(has_values(far.parameters, {kSets, 3}, float64, near.parameters.to_vector<double>(), 1e-7));
  EXPECT_EQ(far.status.min().item<std::int32_t>(), static_cast<std::int32_t>(FitStatus::Cost));
}

TEST_P(CurveFitTest, ASetIsTheSameAloneAndAmongOthers) {
  constexpr std::int64_t kSets = 37;
  std::vector<double> y, starts;
  for (std::int64_t s = 0; s < kSets; ++s) {
    std::vector<double> own = decay(x40_);
    for (std::size_t i = 0; i < own.size(); ++i)
      own[i] += 0.1 * std::sin(static_cast<double>(s * 40) + static_cast<double>(i));
    if (s == 5) own[3] = kNaN;
    if (s == 6) own[7] = kInfinity;
    y.insert(y.end(), own.begin(), own.end());
    starts.insert(starts.end(), {1.0, 0.2 + 0.1 * static_cast<double>(s), 1.0});
  }
  // Most steps that some need and others do not.
  const FitOptions options{.max_steps = 9};
  const Tensor all_y = table(y, {kSets, 40}), all_starts = table(starts, {kSets, 3});
  const FitResult all = curve_fit(decay_, row(x40_), all_y, all_starts, options);
  std::int64_t unfinished = 0;
  for (std::int64_t s = 0; s < kSets; ++s) {
    SCOPED_TRACE(s);
    const FitResult alone = curve_fit(decay_, row(x40_), all_y[s], all_starts[s], options);
    EXPECT_TRUE(same(all.parameters[s], alone.parameters));
    EXPECT_TRUE(same(all.covariance[s], alone.covariance));
    EXPECT_TRUE(same(all.status[s], alone.status));
    EXPECT_TRUE(same(all.steps[s], alone.steps));
    unfinished += status_of(alone) == FitStatus::MaxSteps;
    EXPECT_EQ(status_of(alone) == FitStatus::BadData, s == 5 || s == 6);
  }
  EXPECT_GT(unfinished, 0);
  EXPECT_LT(unfinished, kSets - 2);
  EXPECT_TRUE(same(all.parameters[5], all_starts[5]));
  EXPECT_TRUE(std::isnan(at(all.standard_errors[5], 0)));
}

TEST_P(CurveFitTest, AParameterThatTheDataDoNotDetermineIsInfinite) {
  const Model model("a * exp(-(x - x0) / t)");
  std::vector<double> y;
  for (std::size_t i = 0; i < x40_.size(); ++i) y.push_back(2 * std::exp(-x40_[i] / 1.5) + 0.02 * noise()[i]);
  const FitResult two = curve_fit(Model("a * exp(-x / t)"), row(x40_), row(y), row({1, 1}));
  for (const bool bounded : {false, true}) {
    FitOptions options;
    if (bounded) {
      options.lower = row({0, -10, 0});
      options.upper = row({100, 10, 10});
    }
    const FitResult result = curve_fit(model, row(x40_), row(y), row({1, 0.1, 1}), options);
    EXPECT_EQ(status_of(result), FitStatus::Singular);
    EXPECT_EQ(at(result.standard_errors, 0), kInfinity);
    EXPECT_EQ(at(result.standard_errors, 1), kInfinity);
    EXPECT_NEAR(at(result.parameters, 2), at(two.parameters, 1), 1e-7);
    // One parameter less is free than the columns say.
    EXPECT_NEAR(at(result.standard_errors, 2) / at(two.standard_errors, 1), std::sqrt(38.0 / 37.0), 1e-5);
    EXPECT_EQ(result.condition.item<double>(), kInfinity);
  }
}

TEST_P(CurveFitTest, WhatRoundingHidesIsNotConverged) {
  const Model line("a + b * x");
  std::vector<double> far = x40_, near = x40_;
  for (double& x : far) x += 1.7e9;  // seconds since 1970
  for (double& x : near) x += 1e5;
  EXPECT_EQ(status_of(curve_fit(line, row(far), row(noise()), row({1, 1}))), fit::kIllConditioned);
  const FitResult centred = curve_fit(line, row(x40_), row(noise()), row({1, 1}));
  const FitResult result = curve_fit(line, row(near), row(noise()), row({1, 1}));
  EXPECT_TRUE(fit::is_converged(status_of(result))) << fit::text_of(status_of(result));
  EXPECT_NEAR(at(result.parameters, 1), at(centred.parameters, 1), 1e-7);
  EXPECT_NEAR(at(result.standard_errors, 1) / at(centred.standard_errors, 1), 1, 1e-6);
}

TEST_P(CurveFitTest, AsManyPointsAsParametersLeaveNoErrors) {
  const std::vector<double> x(x40_.begin(), x40_.begin() + 3), all = decay(x40_), y(all.begin(), all.begin() + 3);
  const FitResult result = curve_fit(decay_, row(x), row(y), row({1, 1, 1}));
  for (int p = 0; p < 3; ++p) EXPECT_EQ(at(result.standard_errors, p), kInfinity);
  EXPECT_EQ(result.reduced_chi2.item<double>(), kInfinity);
  const FitResult absolute = curve_fit(decay_, row(x), row(y), row({1, 1, 1}), {.absolute_sigma = true});
  const double expected[] = {2377.24, 1720.37, 2407.70};
  for (int p = 0; p < 3; ++p) EXPECT_NEAR(at(absolute.covariance[p], p) / expected[p], 1, 1e-3);
  expect_errors({LUGE_ERROR(ValueError, "^curve_fit: y has 2 points, fewer than the 3 parameters \\(a, t, c\\)",
                            curve_fit(decay_, row({0, 1}), row({1, 2}), row({1, 1, 1})))});
}

TEST_P(CurveFitTest, AnActiveBoundIsNoFreeParameter) {
  const FitOptions bounds{.lower = row({0, 0, 0}), .upper = row({10, 10, 0.45})};
  for (const double start : {0.45, 0.1}) {  // on the bound, and inside
    const FitResult result = curve_fit(decay_, row(x40_), row(decay(x40_)), row({1, 1, start}), bounds);
    EXPECT_EQ(at(result.parameters, 2), 0.45);
    EXPECT_TRUE(has_values(result.active, {3}, int32, {0, 0, 1}));
    EXPECT_NEAR(at(result.standard_errors, 0), 0.01316574, 2e-8);
    EXPECT_NEAR(at(result.standard_errors, 1), 0.01572404, 2e-8);
    EXPECT_TRUE(std::isnan(at(result.standard_errors, 2)));
    const FitResult fixed =
        curve_fit(decay_, row(x40_), row(decay(x40_)), row({1, 1, 0.45}), {.fixed = table({0, 0, 1}, {3}).to(boolean)});
    for (int p = 0; p < 2; ++p) {
      EXPECT_NEAR(at(result.parameters, p), at(fixed.parameters, p), 1e-9);
      EXPECT_NEAR(at(result.standard_errors, p), at(fixed.standard_errors, p), 1e-9);
    }
  }
  const FitResult absolute =
      curve_fit(decay_, row(x40_), row(decay(x40_)), row({1, 1, 0.45}),
                {.sigma = row({0.02}), .lower = row({0, 0, 0}), .upper = row({10, 10, 0.45}), .absolute_sigma = true});
  EXPECT_NEAR(at(absolute.standard_errors, 0), 0.01058297, 1e-8);
  EXPECT_NEAR(at(absolute.standard_errors, 1), 0.0126394, 1e-7);
}

TEST_P(CurveFitTest, SingleModelsHaveTheDerivativesOfFormulas) {
  const FitResult precise = curve_fit(decay_, row(x40_), row(decay(x40_)), row({1, 1, 1}));
  const FitResult single = curve_fit(decay_, row(x40_).to(float32), row(decay(x40_)).to(float32), row({1, 1, 1}));
  for (int p = 0; p < 3; ++p) {
    EXPECT_NEAR(at(single.parameters, p), at(precise.parameters, p), 1e-4);
    EXPECT_NEAR(at(single.standard_errors, p) / at(precise.standard_errors, p), 1, 1e-3);
  }
  EXPECT_GT(static_cast<int>(status_of(single)), 0);
}

TEST_P(CurveFitTest, WhatWasNotObservedIsNeverLookedAt) {
  std::vector<double> y = decay(x40_), x = x40_;
  y[3] = kNaN;
  x[20] = kInfinity;
  std::vector<double> mask(40, 1.0);
  mask[3] = mask[20] = 0;
  const FitResult result = curve_fit(decay_, row(x), row(y), row({1, 1, 1}), {.mask = row(mask).to(boolean)});
  std::vector<double> kept_x, kept_y;
  for (std::size_t i = 0; i < 40; ++i)
    if (mask[i] != 0) {
      kept_x.push_back(x[i]);
      kept_y.push_back(y[i]);
    }
  const FitResult kept = curve_fit(decay_, row(kept_x), row(kept_y), row({1, 1, 1}));
  EXPECT_TRUE(has_values(result.parameters, {3}, float64, kept.parameters.to_vector<double>(), 1e-9));
  EXPECT_TRUE(has_values(result.standard_errors, {3}, float64, kept.standard_errors.to_vector<double>(), 1e-9));
  EXPECT_EQ(result.observations.item<std::int64_t>(), 38);
  EXPECT_NEAR(result.r2.item<double>(), kept.r2.item<double>(), 1e-12);
  // SciPy's nan_policy="omit" with y[3] NaN.
  std::vector<double> one = decay(x40_), all(40, 1.0);
  one[3] = kNaN;
  all[3] = 0;
  const FitResult omitted = curve_fit(decay_, row(x40_), row(one), row({1, 1, 1}), {.mask = row(all).to(boolean)});
  EXPECT_TRUE(has_values(omitted.parameters, {3}, float64, {1.99929813, 1.46545268, 0.5104671}, 1e-6));
}

TEST_P(CurveFitTest, DeviationsWeighAndManyPointsAddUp) {
  // A repeated observation counts as one of half the variance; and 2000 points go another way than 40.
  std::vector<double> x, y, sigma;
  for (int repeat = 0; repeat < 50; ++repeat)
    for (std::size_t i = 0; i < 40; ++i) {
      x.push_back(x40_[i]);
      y.push_back(decay(x40_)[i]);
      sigma.push_back(0.02 * std::sqrt(50.0));
    }
  const FitResult wide =
      curve_fit(decay_, row(x), row(y), row({1, 1, 1}), {.sigma = row(sigma), .absolute_sigma = true});
  const FitResult narrow =
      curve_fit(decay_, row(x40_), row(decay(x40_)), row({1, 1, 1}), {.sigma = row({0.02}), .absolute_sigma = true});
  EXPECT_TRUE(has_values(wide.parameters, {3}, float64, narrow.parameters.to_vector<double>(), 1e-9));
  EXPECT_TRUE(has_values(wide.covariance, {3, 3}, float64, narrow.covariance.to_vector<double>(), 1e-9));
  EXPECT_NEAR(wide.chi2.item<double>(), narrow.chi2.item<double>(), 1e-9);
}

TEST_P(CurveFitTest, RobustLossesFindTheirOwnMinimum) {
  std::vector<double> y = decay(x40_);
  for (const std::size_t outlier : {4u, 13u, 29u}) y[outlier] += 1.5;
  for (const char* loss : {"soft_l1", "huber", "cauchy", "tukey"}) {
    SCOPED_TRACE(loss);
    const FitResult result =
        curve_fit(decay_, row(x40_), row(y), row({1.8, 1.3, 0.45}), {.loss = loss, .f_scale = 0.2});
    EXPECT_TRUE(fit::is_converged(status_of(result))) << fit::text_of(status_of(result));
    EXPECT_NEAR(at(result.parameters, 1), 1.5, 0.12);
    // The cost rises in every direction.
    const auto cost = [&](const std::vector<double>& p) {
      double sum = 0;
      for (std::size_t i = 0; i < 40; ++i) {
        const double r = p[0] * std::exp(-x40_[i] / p[1]) + p[2] - y[i], z = r * r / 0.04;
        const std::string name = loss;
        const double rho = name == "soft_l1"  ? 2 * (std::sqrt(1 + z) - 1)
                           : name == "huber"  ? (z <= 1 ? z : 2 * std::sqrt(z) - 1)
                           : name == "cauchy" ? std::log1p(z)
                                              : (z < 1 ? (1 - std::pow(1 - z, 3)) / 3 : 1.0 / 3);
        sum += 0.04 * rho / 2;
      }
      return sum;
    };
    const std::vector<double> found = result.parameters.to_vector<double>();
    EXPECT_NEAR(cost(found), result.cost.item<double>(), 1e-12);
    for (std::size_t p = 0; p < 3; ++p)
      for (const double step : {-1e-4, 1e-4}) {
        std::vector<double> aside = found;
        aside[p] += step;
        EXPECT_GT(cost(aside), cost(found));
      }
  }
}

TEST_P(CurveFitTest, CountsHavePoissonsLikelihood) {
  std::mt19937_64 random(3);
  std::vector<double> y;
  for (const double x : x40_)
    y.push_back(static_cast<double>(std::poisson_distribution<int>(8 * std::exp(-x / 1.5) + 2)(random)));
  const FitResult result = curve_fit(decay_, row(x40_), row(y), row({5, 1, 1}), {.loss = "poisson"});
  EXPECT_TRUE(fit::is_converged(status_of(result))) << fit::text_of(status_of(result));
  // The score of the likelihood is zero.
  const std::vector<double> p = result.parameters.to_vector<double>();
  double score[3] = {};
  for (std::size_t i = 0; i < 40; ++i) {
    const double e = std::exp(-x40_[i] / p[1]), f = p[0] * e + p[2], u = 1 - y[i] / f;
    score[0] += u * e;
    score[1] += u * p[0] * e * x40_[i] / (p[1] * p[1]);
    score[2] += u;
  }
  for (const double part : score) EXPECT_NEAR(part, 0, 1e-5);
}

TEST_P(CurveFitTest, SeveralPredictorsAndOutputs) {
  const Model plane("a * x + b * y * y + c", {.predictors = {"x", "y"}});
  std::vector<double> x, y, z;
  for (int i = 0; i < 30; ++i) {
    x.push_back(0.1 * i);
    y.push_back(std::sin(i));
    z.push_back(2 * x.back() - 3 * y.back() * y.back() + 0.5);
  }
  std::vector<double> both = x;
  both.insert(both.end(), y.begin(), y.end());
  EXPECT_TRUE(has_values(curve_fit(plane, table(both, {2, 30}), row(z), row({0, 0, 0})).parameters, {3}, float64,
                         {2, -3, 0.5}, 1e-12));
  const Model pair(std::vector<std::string>{"a * cos(w * x)", "a * sin(w * x) + c"});
  std::vector<double> outputs;
  for (const double at : x40_) outputs.push_back(2 * std::cos(1.3 * at));
  for (const double at : x40_) outputs.push_back(2 * std::sin(1.3 * at) + 0.7);
  EXPECT_TRUE(has_values(curve_fit(pair, row(x40_), table(outputs, {2, 40}), row({1, 1.2, 0})).parameters, {3}, float64,
                         {2, 1.3, 0.7}, 1e-9));
}

TEST_P(CurveFitTest, EmptyBatchesAndManyParameters) {
  const FitResult none = curve_fit(decay_, row(x40_), zeros({0, 40}, on(float64)), row({1, 1, 1}));
  EXPECT_EQ(none.parameters.shape(), Shape({0, 3}));
  EXPECT_EQ(none.covariance.shape(), Shape({0, 3, 3}));
  // A polynomial of 12 coefficients on Chebyshev's points.
  std::string formula = "p0";
  for (int k = 1; k < 12; ++k) formula += " + p" + std::to_string(k) + " * x ** " + std::to_string(k);
  std::vector<double> x, y;
  for (int i = 0; i < 60; ++i) {
    x.push_back(std::cos(3.14159265358979 * (i + 0.5) / 60));
    double value = 0;
    for (int k = 11; k >= 0; --k) value = value * x.back() + (k + 1);
    y.push_back(value);
  }
  std::vector<double> expected;
  for (int k = 0; k < 12; ++k) expected.push_back(k + 1);
  EXPECT_TRUE(has_values(curve_fit(Model(formula), row(x), row(y), zeros({12}, on(float64))).parameters, {12}, float64,
                         expected, 1e-8));
}

TEST_P(CurveFitTest, SaysWhatIsWrong) {
  const Tensor x = row(x40_), y = row(decay(x40_)), p0 = row({1, 1, 1});
  expect_errors({
      LUGE_ERROR(ShapeError, "^curve_fit: x has 39 points, y has 40",
                 curve_fit(decay_, row(steps_from(0, 1, 39)), y, p0)),
      LUGE_ERROR(ShapeError, "^curve_fit: p0 has 2 numbers; the model has 3 parameters \\(a, t, c\\)",
                 curve_fit(decay_, x, y, row({1, 1}))),
      LUGE_ERROR(ShapeError, "^curve_fit: p0 has 2 sets, others have 3",
                 curve_fit(decay_, x, y.expand({3, 40}), p0.expand({2, 3}))),
      LUGE_ERROR(ShapeError, "^curve_fit: sigma has shape \\(39,\\)",
                 curve_fit(decay_, x, y, p0, {.sigma = row(steps_from(1, 2, 39))})),
      LUGE_ERROR(ValueError, "^curve_fit: sigma has a value that is not positive",
                 curve_fit(decay_, x, y, p0, {.sigma = row(steps_from(0, 2, 40))})),
      LUGE_ERROR(ValueError, "^curve_fit: p0 has 1 for t, below its lower bound 2",
                 curve_fit(decay_, x, y, p0, {.lower = row({0, 2, 0})})),
      LUGE_ERROR(ValueError, "^curve_fit: set 1: p0 has 5 for a, above its upper bound 3",
                 curve_fit(decay_, x, y, table({1, 1, 1, 5, 1, 1}, {2, 3}), {.upper = row({3, 3, 3})})),
      LUGE_ERROR(ValueError, "^curve_fit: the lower bound 2 of a is not below the upper 1",
                 curve_fit(decay_, x, y, p0, {.lower = row({2, 0, 0}), .upper = row({1, 5, 5})})),
      LUGE_ERROR(ValueError, "^curve_fit: p0 has nan for t; a start is finite",
                 curve_fit(decay_, x, y, row({1, kNaN, 1}))),
      LUGE_ERROR(ValueError, "^curve_fit: loss is 'l1'; allowed are linear",
                 curve_fit(decay_, x, y, p0, {.loss = "l1"})),
      LUGE_ERROR(ValueError, "^curve_fit: method is 'newton'", curve_fit(decay_, x, y, p0, {.method = "newton"})),
      LUGE_ERROR(ValueError, "^curve_fit: max_steps is 0", curve_fit(decay_, x, y, p0, {.max_steps = 0})),
      LUGE_ERROR(ValueError, "^curve_fit: ftol is -1", curve_fit(decay_, x, y, p0, {.ftol = -1})),
      LUGE_ERROR(ValueError, "^curve_fit: f_scale is 0", curve_fit(decay_, x, y, p0, {.f_scale = 0})),
      LUGE_ERROR(DTypeError, "^curve_fit: mask is float64; it must be bool", curve_fit(decay_, x, y, p0, {.mask = x})),
      LUGE_ERROR(ValueError, "^curve_fit: the model has 1 predictors, and x is missing",
                 curve_fit(decay_, Tensor(), y, p0)),
  });
}

LUGE_ON_EVERY_DEVICE(CurveFitTest);

}  // namespace
}  // namespace luge::test
