#pragma once
// Internal: which score is better.

#include <cstdint>
#include <vector>

namespace luge::sweep {

/// A score as it is compared: infinity where it is not finite, which is the worst.
double comparable(double score);

/// Indices of scores, the best first, ties in their order.
std::vector<std::int64_t> best_first(const std::vector<double>& scores);

/// Ranks from 1, the mean one for those that are equal.
std::vector<double> ranks(const std::vector<double>& values);

/// Between neighbours in order, linearly; `sorted` is not empty, 0 <= part <= 1.
double quantile(const std::vector<double>& sorted, double part);

}  // namespace luge::sweep
