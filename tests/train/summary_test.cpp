// Quantiles and histograms.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <luge/luge.h>

#include "devices.h"
#include "train/messages.h"

namespace luge::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMost = std::numeric_limits<double>::max();

class SummaryTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(SummaryTest);

std::int64_t total(const Summary& summary) {
  return std::accumulate(summary.counts.begin(), summary.counts.end(), std::int64_t{0});
}

TEST_P(SummaryTest, OfFewValues) {
  for (const DType dtype : {float64, float32, float16, bfloat16}) {
    const Tensor x = tensor({{3, kNaN, 1}, {10, 2, -kInfinity}}).to(dtype).to(device());
    const Summary s = summarize(x.t(), {.quantiles = {0.5, 0, 1, 0.25}, .bins = 3});
    EXPECT_EQ(s.count, 4);
    EXPECT_EQ(s.not_finite, 2);
    EXPECT_EQ(s.mean, 4);
    EXPECT_EQ(s.min, 1);
    EXPECT_EQ(s.max, 10);
    EXPECT_EQ(s.sum, 16);
    EXPECT_EQ(s.sum_squares, 114);
    EXPECT_EQ(s.probabilities, (std::vector<double>{0.5, 0, 1, 0.25}));
    EXPECT_EQ(s.quantiles, (std::vector<double>{2.5, 1, 10, 1.75}));
    EXPECT_EQ(s.edges, (std::vector<double>{1, 4, 7, 10}));
    EXPECT_EQ(s.counts, (std::vector<std::int64_t>{3, 0, 1}));
  }
}

TEST(Summary, AgreesWithSortingAndCountingOneByOne) {
  manual_seed(5);
  const std::vector<double> probabilities = {0.999, 0.5, 0.25, 0.5, 0.001, 1, 0};
  for (const std::int64_t n : {1, 2, 3, 100, 4097}) {
    for (const bool ties : {false, true}) {
      const Tensor x = ties ? randint(-3, 4, {n}).to(float64) : randn({n}, {.dtype = float64});
      const Summary s = summarize(x, {.quantiles = probabilities, .bins = 7});
      std::vector<double> sorted = x.to_vector<double>();
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t i = 0; i < probabilities.size(); ++i) {
        const double place = probabilities[i] * static_cast<double>(n - 1), beyond = place - std::floor(place);
        const double below = sorted[static_cast<std::size_t>(place)],
                     above = sorted[static_cast<std::size_t>(std::ceil(place))];
        EXPECT_EQ(s.quantiles[i], beyond > 0 ? below * (1 - beyond) + above * beyond : below)
            << n << " " << probabilities[i];
      }
      EXPECT_EQ(quantiles_of(x.to_vector<double>(), probabilities), s.quantiles);
      ASSERT_EQ(s.edges.size(), 8U);
      for (std::size_t bin = 0; bin < 7; ++bin) {
        const auto inside = std::count_if(sorted.begin(), sorted.end(), [&](double value) {
          return value >= s.edges[bin] && (value < s.edges[bin + 1] || (bin == 6 && value == s.edges[7]));
        });
        EXPECT_EQ(s.counts[bin], inside) << n << " " << bin;
      }
      EXPECT_EQ(total(s), n);
    }
  }
}

TEST(Summary, OfNothingButNaN) {
  const Summary s = summarize(tensor({kNaN, kInfinity}));
  EXPECT_EQ(s.count, 0);
  EXPECT_EQ(s.not_finite, 2);
  for (const double nothing : {s.mean, s.min, s.max, s.quantiles[2]}) EXPECT_TRUE(std::isnan(nothing));
  EXPECT_TRUE(s.edges.empty());
  EXPECT_TRUE(s.counts.empty());
}

TEST(Summary, HasBinsForValuesThatHardlyDifferAndForTheLargest) {
  const std::vector<std::vector<double>> cases = {{0, 0, 0},
                                                  {5, 5},
                                                  {1, 1 + 0x1p-52},
                                                  {-1e300, -1e300},
                                                  {0, std::numeric_limits<double>::denorm_min()},
                                                  {-kMost, 0, kMost},
                                                  {kMost},
                                                  {-kMost, -kMost / 2}};
  for (const std::vector<double>& values : cases) {
    for (const std::int64_t bins : {1, 64, 4096}) {
      const Summary s = summarize(from_host(values, {static_cast<std::int64_t>(values.size())}), {.bins = bins});
      EXPECT_EQ(total(s), static_cast<std::int64_t>(values.size())) << values[0];
      EXPECT_TRUE(std::is_sorted(s.edges.begin(), s.edges.end(), std::less_equal<>())) << values[0];  // strictly
      EXPECT_LE(s.edges.front(), s.min);
      EXPECT_GE(s.edges.back(), s.max);
      EXPECT_TRUE(std::isfinite(s.edges.front()) && std::isfinite(s.edges.back())) << values[0];
      for (const double quantile : s.quantiles) EXPECT_TRUE(quantile >= s.min && quantile <= s.max) << quantile;
    }
  }
}

TEST(Summary, RefusesWhatItCannotSummarise) {
  EXPECT_MESSAGE(DTypeError, "summarize: x is int64; allowed are the floating dtypes", summarize(arange(3)));
  EXPECT_MESSAGE(ShapeError, "summarize: x of shape (0,) has no elements", summarize(zeros({0})));
  EXPECT_MESSAGE(ValueError, "summarize: x is an undefined tensor", summarize(Tensor()));
  EXPECT_MESSAGE(ValueError, "summarize: bins is 0; allowed is 1 to 4096", summarize(ones({1}), {.bins = 0}));
  EXPECT_MESSAGE(ValueError, "summarize: quantiles has 1.5; allowed is 0 to 1",
                 summarize(ones({1}), {.quantiles = {1.5}}));
  EXPECT_MESSAGE(ValueError, "summarize: quantiles has nan; allowed is 0 to 1",
                 summarize(ones({1}), {.quantiles = {kNaN}}));
  const Tensor x = ones({2});
  auto step = capture([&] {
    summarize(x);
    return x * 2;
  });
  EXPECT_THROW(step(), CaptureError);
}

TEST(Summary, QuantilesOfTheKeptSets) {
  Monitor monitor({.keep_sets = 3});
  monitor.record(tensor({1, 2, 6, 100}));
  monitor.record(tensor({kNaN, 4, 8, 100}));
  EXPECT_EQ(monitor.kept_quantiles({0.5, 1, 0.25}), (std::vector<std::vector<double>>{{2, 6, 1.5}, {6, 8, 5}}));
  EXPECT_MESSAGE(ValueError, "quantiles_of: quantiles has -1; allowed is 0 to 1", monitor.kept_quantiles({-1}));
  Monitor without;
  without.record(tensor({1}));
  EXPECT_TRUE(std::isnan(without.kept_quantiles({0.5})[0][0]));
}

}  // namespace
}  // namespace luge::test
