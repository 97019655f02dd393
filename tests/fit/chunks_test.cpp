// Fits some sets at a time: the same bits whatever the chunk, in memory that is limited, and with somebody watching.

#include <cmath>
#include <random>
#include <stdexcept>

#include <luge/capture/step.h>
#include <luge/luge.h>

#include "../devices.h"
#include "../expect.h"
#include "fits.h"

namespace luge::test {
namespace {

using fit::curve_fit;
using fit::FitOptions;
using fit::FitPlan;
using fit::FitReceipt;
using fit::FitResult;
using fit::FitStatus;
using fit::Model;

constexpr Tensor FitResult::*kAll[] = {&FitResult::parameters,   &FitResult::covariance,   &FitResult::standard_errors,
                                       &FitResult::status,       &FitResult::steps,        &FitResult::cost,
                                       &FitResult::optimality,   &FitResult::chi2,         &FitResult::r2,
                                       &FitResult::reduced_chi2, &FitResult::aic,          &FitResult::condition,
                                       &FitResult::active,       &FitResult::observations, &FitResult::start,
                                       &FitResult::agreement};

class ChunksTest : public DeviceTest {
 protected:
  /// Decays of `sets` sets at 40 points from 0 to 5.
  Tensor decays(std::int64_t sets) const {
    std::mt19937_64 random(11);
    std::normal_distribution<double> normal;
    std::vector<double> y;
    for (std::int64_t s = 0; s < sets; ++s)
      for (const double x : x_)
        y.push_back(2 * std::exp(-x / (0.5 + 0.01 * static_cast<double>(s % 150))) + 0.5 + 0.02 * normal(random));
    return from_host(y, {sets, 40}, device());
  }
  Tensor row(const std::vector<double>& values) const {
    return from_host(values, {static_cast<std::int64_t>(values.size())}, device());
  }

  const Model decay_{"a * exp(-x / t) + c"};
  const std::vector<double> x_ = steps_from(0, 5, 40);
};

TEST_P(ChunksTest, BitsAreTheSameWhateverTheChunk) {
  constexpr std::int64_t kSets = 23;
  const Tensor y = decays(kSets), x = row(x_), p0 = row({1, 1, 1});
  const Tensor own_x = x.unsqueeze(0) * (1 + 0.01 * arange(kSets, on(float64)).unsqueeze(1));
  const Tensor sets = arange(kSets, on(float64)).unsqueeze(1);
  const Tensor sigma = 0.02 + 0.001 * sets + 0.0 * x, mask = (own_x < 4.9 - 0.1 * sets);
  const Tensor low = where(sets > 4.0, row({0, 0, 0}), row({0, 0, 0.52})), high = row({9, 9, 9});
  const auto options_of = [](const FitOptions& options) { return options; };
  struct Case {
    const char* name;
    Tensor x, y;
    FitOptions options;
  };
  std::vector<double> broken = y.to_vector<double>();
  broken[5 * 40 + 3] = kNaN;
  const Case cases[] = {
      {"plain", x, y, {}},
      {"float32 and x of their own", own_x.to(float32), y.to(float32), {}},
      {"sigma, mask, bounds, robust",
       own_x,
       y,
       {.sigma = sigma, .mask = mask, .lower = low, .upper = high, .loss = "cauchy"}},
      {"one sigma and integers", x, (100 * y).to(int32), {.sigma = row({2}), .absolute_sigma = true}},
      {"counts", x, (100 * y).floor(), {.loss = "poisson"}},
      {"NaN", x, from_host(broken, {kSets, 40}, device()), options_of({.max_steps = 8})},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    const FitResult all = curve_fit(decay_, each.x, each.y, p0, each.options);
    EXPECT_EQ(all.receipt().chunks, 1);
    for (const std::int64_t chunk : {1, 7, 22, 23, 1000}) {
      SCOPED_TRACE(chunk);
      FitOptions options = each.options;
      options.chunk = chunk;
      const FitResult parts = curve_fit(decay_, each.x, each.y, p0, options);
      for (Tensor FitResult::*const field : kAll) EXPECT_TRUE(same(parts.*field, all.*field));
      const FitReceipt receipt = parts.receipt();
      EXPECT_EQ(receipt.chunks, (kSets + std::min(chunk, kSets) - 1) / std::min(chunk, kSets));
      EXPECT_EQ(receipt.chunk, std::min(chunk, kSets));
      EXPECT_EQ(receipt.evaluations, all.steps.sum().item<std::int64_t>());
    }
  }
}

TEST_P(ChunksTest, CapturedIsTheSame) {
  const Tensor y = decays(23), x = row(x_), p0 = row({1, 1, 1});
  const FitResult eager = curve_fit(decay_, x, y, p0);
  FitOptions options;
  options.chunk = 7;
  int told = 0;
  options.progress = [&](std::int64_t, std::int64_t) { ++told; };
  auto step = capture([&] { return curve_fit(decay_, x, y, p0, options).covariance; });
  step();
  EXPECT_TRUE(same(step(), eager.covariance));
  EXPECT_EQ(told, 0);
}

TEST_P(ChunksTest, OneFitIsOneChunk) {
  const FitResult result = curve_fit(decay_, row(x_), decays(1)[0], row({1, 1, 1}));
  const FitReceipt receipt = result.receipt();
  EXPECT_EQ(receipt.sets, 1);
  EXPECT_EQ(receipt.starts, 1);
  EXPECT_EQ(receipt.chunk, 1);
  EXPECT_EQ(receipt.chunks, 1);
  EXPECT_EQ(receipt.evaluations, result.steps.item<std::int32_t>());
  EXPECT_GT(receipt.seconds, 0);
  EXPECT_DOUBLE_EQ(receipt.fits_per_second() * receipt.seconds, 1);
}

TEST_P(ChunksTest, WhoWatchesHearsOfEveryChunk) {
  const Tensor y = decays(23), x = row(x_), p0 = row({1, 1, 1});
  std::vector<std::pair<std::int64_t, std::int64_t>> heard;
  FitOptions options;
  options.chunk = 10;
  options.progress = [&](std::int64_t done, std::int64_t sets) { heard.emplace_back(done, sets); };
  curve_fit(decay_, x, y, p0, options);
  EXPECT_EQ(heard, (std::vector<std::pair<std::int64_t, std::int64_t>>{{10, 23}, {20, 23}, {23, 23}}));
  // Chunks of its own choice: the same bits, and every set once.
  heard.clear();
  options.chunk = 0;
  const std::int64_t count = device().is_cpu() ? 6000 : 100;
  const Tensor many = decays(count);
  const FitResult watched = curve_fit(decay_, x, many, p0, options), alone = curve_fit(decay_, x, many, p0);
  EXPECT_TRUE(same(watched.parameters, alone.parameters));
  EXPECT_TRUE(same(watched.covariance, alone.covariance));
  EXPECT_EQ(heard.back(), (std::pair<std::int64_t, std::int64_t>{count, count}));
  for (std::size_t i = 1; i < heard.size(); ++i) EXPECT_GT(heard[i].first, heard[i - 1].first);
  EXPECT_EQ(watched.receipt().chunks, static_cast<std::int64_t>(heard.size()));
  // What it throws ends the fit, and nothing that was given is changed.
  struct Enough : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  int calls = 0;
  options.chunk = 10;
  options.progress = [&](std::int64_t, std::int64_t) {
    if (++calls == 2) throw Enough("enough");
  };
  const Tensor before = y.clone();
  EXPECT_THROW(curve_fit(decay_, x, y, p0, options), Enough);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(same(y, before));
  EXPECT_TRUE(same(p0, row({1, 1, 1})));
}

TEST_P(ChunksTest, PlansSayWhatAFitTakes) {
  // A GPU's blocks have memory of their own beside, which few sets do not outweigh.
  const std::int64_t sets = device().is_cpu() ? 1500 : 60;
  const Tensor x = row(x_), p0 = row({1, 1, 1}), y = decays(sets);
  const Tensor own_x = x.unsqueeze(0).expand({sets, 40}).clone();
  struct Case {
    const char* name;
    Tensor x, y;
    FitOptions options;
    std::int64_t starts = 1;
  };
  const FitOptions bounded{.lower = row({0, 0.01, -1}), .upper = row({9, 9, 9})};
  FitOptions weighted{.sigma = row({0.02}), .lower = row({0, 0.01, -1}), .upper = row({9, 9, 9})};
  const Case cases[] = {
      {"plain", x, y, {}},
      {"weighted", own_x, y, {.sigma = row({0.02})}},
      {"masked", own_x, y, {.mask = (x < 4.0)}},
      {"both", own_x, y, {.sigma = row({0.02}), .mask = (x < 4.0), .loss = "huber"}},
      {"float32", x.to(float32), y.to(float32), {}},
      {"integers", x, (100 * y).to(int32), {}},
      {"weighted float32", own_x.to(float32), y.to(float32), {.sigma = row({0.02})}},
      {"bounds", x, y, bounded},
      {"starts", x, y, bounded, 6},
      {"weighted starts", own_x, y, weighted, 3},
  };
  for (const Case& each : cases)
    for (const std::int64_t chunk : {sets, sets / 3}) {
      SCOPED_TRACE(testing::Message() << each.name << ", chunk " << chunk);
      FitOptions options = each.options;
      options.starts = each.starts;
      options.chunk = chunk;
      const FitPlan plan = fit::plan(decay_, each.x, each.y, p0, options);
      EXPECT_EQ(plan.sets, sets);
      EXPECT_EQ(plan.starts, each.starts);
      EXPECT_EQ(plan.chunk, chunk);
      EXPECT_EQ(plan.chunks, chunk == sets ? 1 : 3);
      EXPECT_EQ(plan.calls, 2 * plan.chunks);
      curve_fit(decay_, each.x, each.y, p0, options);  // memory that is kept from the first time on
      const std::size_t before = memory_stats(device()).allocated;
      reset_peak_memory(device());
      const FitResult result = curve_fit(decay_, each.x, each.y, p0, options);
      const std::size_t taken = memory_stats(device()).peak - before, kept = memory_stats(device()).allocated - before;
      // The allocator rounds up.
      EXPECT_LE(static_cast<double>(taken), 1.05 * static_cast<double>(plan.bytes) + (device().is_cpu() ? 1e5 : 4e6));
      EXPECT_GE(static_cast<double>(taken), 0.75 * static_cast<double>(plan.bytes));
      EXPECT_LE(static_cast<double>(kept), 1.05 * static_cast<double>(plan.result_bytes) + 1e5);
      EXPECT_GE(static_cast<double>(kept), 0.9 * static_cast<double>(plan.result_bytes));
      EXPECT_EQ(result.receipt().bytes, plan.bytes);
    }
}

TEST_P(ChunksTest, PlansChooseForTheMemory) {
  const Tensor x = row(x_), p0 = row({1, 1, 1}), y = decays(1500);
  const FitPlan all = fit::plan(decay_, x, y, p0);
  EXPECT_EQ(all.chunk, 1500);
  EXPECT_GT(all.free_bytes, 2 * all.bytes);
  for (const std::size_t memory : {all.bytes, all.bytes - 1, all.bytes / 2, all.result_bytes + 100000}) {
    const FitPlan plan = fit::plan(decay_, x, y, p0, {}, memory);
    SCOPED_TRACE(memory);
    EXPECT_LE(plan.bytes, memory);
    EXPECT_EQ(plan.chunk == 1500, memory == all.bytes);
    EXPECT_EQ(plan.result_bytes, all.result_bytes);
    // One set more would be too much.
    FitOptions more;
    more.chunk = plan.chunk + 1;
    EXPECT_TRUE(plan.chunk >= 1499 || fit::plan(decay_, x, y, p0, more).bytes > memory);
  }
  EXPECT_EQ(fit::plan(decay_, x, y, p0, {}, 1).chunk, 1);
  EXPECT_EQ(fit::plan(decay_, x, y.slice(0, 0, 0), p0).bytes, 0u);
  FitOptions negative;
  negative.chunk = -1;
  expect_errors({
      LUGE_ERROR(ValueError, "^curve_fit: chunk is -1; it must be at least 1, or 0",
                 curve_fit(decay_, x, y, p0, negative)),
      LUGE_ERROR(ValueError, "^plan: chunk is -1; it must be at least 1, or 0", fit::plan(decay_, x, y, p0, negative)),
      LUGE_ERROR(ShapeError, "^plan: x has 39 points, y has 40", fit::plan(decay_, x.slice(0, 1), y, p0)),
      LUGE_ERROR(ValueError, "^plan: method is 'newton'", fit::plan(decay_, x, y, p0, {.method = "newton"})),
      LUGE_ERROR(ShapeError, "^plan: sigma has shape \\(40, 40\\), a matrix of covariances",
                 fit::plan(decay_, x, y, p0, {.sigma = x.unsqueeze(0) * x.unsqueeze(1)})),
      LUGE_ERROR(ShapeError, "^curve_fit: sigma has shape \\(40, 40\\), a matrix of covariances",
                 curve_fit(decay_, x, y[0], p0, {.sigma = x.unsqueeze(0) * x.unsqueeze(1)})),
  });
}

/// The limit of the CPU's memory, while it lives.
struct Limit {
  explicit Limit(std::size_t bytes) { set_memory_limit(bytes); }
  ~Limit() { set_memory_limit(0); }
};

TEST(ChunksLimitTest, WhatDoesNotFitTheMemoryGoesInChunks) {
  const std::vector<double> at = steps_from(0, 5, 40);
  const Tensor x = from_host(at, {40}), p0 = from_host(std::vector<double>{1000, 1, 100}, {3});
  const Model model("a * exp(-x / t) + c");
  constexpr std::int64_t kSets = 20000;
  const Tensor times = (0.5 + 1e-4 * arange(kSets, {.dtype = float64})).unsqueeze(1);
  // Whole numbers, of which a fit makes float64.
  const Tensor y = (2000 * exp(-x / times) + 500 + 10 * sin(37 * x)).to(int64);
  const FitResult all = curve_fit(model, x, y, p0);
  EXPECT_EQ(all.receipt().chunks, 1);
  release_cache();
  const FitPlan whole = fit::plan(model, x, y, p0);
  const Limit limit(memory_stats().allocated + whole.result_bytes * 2 + (std::size_t{4} << 20));
  FitOptions at_once;
  at_once.chunk = kSets;
  EXPECT_THROW(curve_fit(model, x, y, p0, at_once), OutOfMemoryError);
  const FitPlan plan = fit::plan(model, x, y, p0);
  EXPECT_LT(plan.free_bytes, whole.free_bytes);
  EXPECT_GT(plan.chunks, 1);
  const FitResult parts = curve_fit(model, x, y, p0);
  EXPECT_EQ(parts.receipt().chunks, plan.chunks);
  EXPECT_TRUE(same(parts.parameters, all.parameters));
  EXPECT_TRUE(same(parts.covariance, all.covariance));
}

LUGE_ON_EVERY_DEVICE(ChunksTest);

}  // namespace
}  // namespace luge::test
