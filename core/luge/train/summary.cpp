#include <luge/train/summary.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <luge/base/detail/check.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kMost = std::numeric_limits<double>::max();
constexpr std::int64_t kMostBins = 4096;

void check_probabilities(const char* op, const std::vector<double>& probabilities) {
  for (const double p : probabilities)
    LUGE_CHECK(ValueError, p >= 0 && p <= 1, "{}: quantiles has {}; allowed is 0 to 1", op, p);
}

/// Brings the finite values to the front and returns how many they are.
std::size_t gather_finite(std::vector<double>& values) {
  const auto end = std::partition(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
  return static_cast<std::size_t>(end - values.begin());
}

/// Quantiles of finite values, which it reorders: each selection works on what the one before left above it.
std::vector<double> select(std::vector<double>& values, const std::vector<double>& probabilities) {
  std::vector<double> result(probabilities.size(), kNothing);
  if (values.empty()) return result;
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return probabilities[a] < probabilities[b]; });
  auto done = values.begin();
  for (const std::size_t which : order) {
    const double place = probabilities[which] * static_cast<double>(values.size() - 1);
    const auto below = std::min(static_cast<std::size_t>(place), values.size() - 1);
    const double beyond = place - static_cast<double>(below);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
    std::nth_element(done, at, values.end());
    done = at;
    result[which] = *at;
    if (beyond > 0) {
      const double next = *std::min_element(at + 1, values.end());
      result[which] = *at * (1 - beyond) + next * beyond;  // next - *at may overflow
    }
  }
  return result;
}

void count_bins(const std::vector<double>& values, std::int64_t bins, Summary& summary) {
  double low = summary.min, high = summary.max;
  // A bin is much wider than the rounding of its edges.
  const double least = std::max(std::abs(low), std::abs(high)) * 0x1p-32, half = least > 1e-300 ? least : 0.5;
  if (high - low < half) {
    low = std::max(low - half, -kMost);
    high = std::min(high + half, kMost);
  }
  const auto count = static_cast<double>(bins);
  const double range = high - low;  // may overflow
  for (std::int64_t edge = 0; edge <= bins; ++edge) {
    const double part = static_cast<double>(edge) / count;
    const double at = std::isfinite(range) ? low + range * part : low * (1 - part) + high * part;
    summary.edges.push_back(edge == bins ? high : at);
  }
  summary.counts.assign(static_cast<std::size_t>(bins), 0);
  const double width = high / count - low / count;
  for (const double x : values) {
    auto bin = static_cast<std::int64_t>(std::clamp(x / width - low / width, 0.0, count - 1));
    // The division rounds; the edges decide.
    while (bin > 0 && x < summary.edges[static_cast<std::size_t>(bin)]) --bin;
    while (bin + 1 < bins && x >= summary.edges[static_cast<std::size_t>(bin) + 1]) ++bin;
    ++summary.counts[static_cast<std::size_t>(bin)];
  }
}

}  // namespace

Summary summarize(const Tensor& x, const SummaryOptions& options, SourceLocation location) {
  refuse_capture("summarize", kHostRead, location);
  const TensorImpl& impl = checked(x, "summarize", "x");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "summarize: x is {}; allowed are the floating dtypes",
             name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.numel > 0, "summarize: x of shape {} has no elements", to_string(impl.shape));
  LUGE_CHECK(ValueError, options.bins >= 1 && options.bins <= kMostBins, "summarize: bins is {}; allowed is 1 to {}",
             options.bins, kMostBins);
  check_probabilities("summarize", options.quantiles);
  std::vector<double> values = x.to_vector<double>(location);
  const std::size_t count = gather_finite(values);
  Summary summary{.count = static_cast<std::int64_t>(count),
                  .not_finite = static_cast<std::int64_t>(values.size() - count),
                  .mean = kNothing,
                  .min = kNothing,
                  .max = kNothing,
                  .probabilities = options.quantiles,
                  .quantiles = {},
                  .edges = {},
                  .counts = {}};
  values.resize(count);
  if (count > 0) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    summary.min = *low;
    summary.max = *high;
    for (const double value : values) {
      summary.sum += value;
      summary.sum_squares += value * value;
    }
    summary.mean = summary.sum / static_cast<double>(count);
    count_bins(values, options.bins, summary);
  }
  summary.quantiles = select(values, options.quantiles);
  return summary;
}

std::vector<double> quantiles_of(std::vector<double> values, const std::vector<double>& probabilities) {
  check_probabilities("quantiles_of", probabilities);
  values.resize(gather_finite(values));
  return select(values, probabilities);
}

}  // namespace luge
