#include <luge/train/detail/line_search.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace luge {

namespace {

/// Of the strong Wolfe conditions: sufficient decrease, and curvature.
constexpr double kDecrease = 1e-4, kCurvature = 0.9;

/// The place where the cubic through two points with their slopes is least, within [low, high]; the middle if nowhere.
double least_of_cubic(const LinePoint& a, const LinePoint& b, double low, double high) {
  const double middle = (low + high) / 2;
  if (a.t == b.t) return middle;
  const double one = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t), square = one * one - a.slope * b.slope;
  if (!(square >= 0)) return middle;
  const double root = std::sqrt(square);
  const LinePoint &left = a.t <= b.t ? a : b, &right = a.t <= b.t ? b : a;
  const double divisor = right.slope - left.slope + 2 * root;
  if (divisor == 0) return middle;
  return std::min(std::max(right.t - (right.t - left.t) * ((right.slope + root - one) / divisor), low), high);
}

using Bracket = std::array<LinePoint, 2>;

}  // namespace

LineSearch strong_wolfe_search(const std::function<LinePoint(double t)>& at, const LinePoint& start, double t, double length,
                               double smallest, std::int64_t most) {
  const double limit = -kCurvature * start.slope;
  const auto is_high = [&](const LinePoint& point) { return point.loss > start.loss + kDecrease * point.t * start.slope; };

  LinePoint before = start, now = at(t);
  std::int64_t count = 1, looked = 0;
  Bracket bracket{start, now};
  for (; looked < most; ++looked) {
    if (is_high(now) || (looked > 1 && now.loss >= before.loss)) {
      bracket = {before, now};
      break;
    }
    if (std::abs(now.slope) <= limit) return {now, count};
    if (now.slope >= 0) {
      bracket = {before, now};
      break;
    }
    t = least_of_cubic(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
    before = std::exchange(now, at(t));
    ++count;
  }
  if (looked >= most) bracket = {start, now};

  std::size_t low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
  bool stalls = false;
  while (looked < most) {
    const double first = std::min(bracket[0].t, bracket[1].t), last = std::max(bracket[0].t, bracket[1].t);
    if ((last - first) * length < smallest) break;
    t = least_of_cubic(bracket[0], bracket[1], first, last);
    const double margin = 0.1 * (last - first);
    // A point too near to an end twice in a row, or at it, makes way for one a tenth inside.
    const bool is_near = std::min(last - t, t - first) < margin;
    const bool moves = is_near && (stalls || t >= last || t <= first);
    if (moves) t = std::abs(t - last) < std::abs(t - first) ? last - margin : first + margin;
    stalls = is_near && !moves;
    now = at(t);
    ++count;
    ++looked;
    if (is_high(now) || now.loss >= bracket[low].loss) {
      bracket[1 - low] = now;
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
      continue;
    }
    const bool is_found = std::abs(now.slope) <= limit;
    if (!is_found && now.slope * (bracket[1 - low].t - bracket[low].t) >= 0) bracket[1 - low] = bracket[low];
    bracket[low] = now;
    if (is_found) break;
  }
  return {bracket[low], count};
}

}  // namespace luge
