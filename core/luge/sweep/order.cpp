#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <luge/sweep/detail/order.h>

namespace luge::sweep {

double comparable(double score) { return std::isfinite(score) ? score : std::numeric_limits<double>::infinity(); }

std::vector<std::int64_t> best_first(const std::vector<double>& scores) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return comparable(scores[static_cast<std::size_t>(a)]) < comparable(scores[static_cast<std::size_t>(b)]);
  });
  return order;
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    const double mean = static_cast<double>(first + 1 + end) / 2;
    for (std::size_t i = first; i < end; ++i) result[order[i]] = mean;
  }
  return result;
}

double quantile(const std::vector<double>& sorted, double part) {
  const double where = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(where), above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], where - static_cast<double>(below));
}

}  // namespace luge::sweep
