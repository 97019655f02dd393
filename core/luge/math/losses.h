#pragma once
// The monitor's summary of a step's losses: a reducer (see reducers.h) of those that are finite.

#include <cstdint>
#include <limits>

#include <luge/math/platform.h>

namespace luge::math {

struct Summary {
  double sum, min, max;
  std::int64_t finite;

  /// NaN if none is finite.
  LUGE_FN double mean() const { return or_nan(sum / static_cast<double>(finite)); }
  // Of 0 and -0 either may be the extreme; plus 0 both are 0.
  LUGE_FN double least() const { return or_nan(min + 0.0); }
  LUGE_FN double most() const { return or_nan(max + 0.0); }

 private:
  LUGE_FN double or_nan(double x) const { return finite > 0 ? x : std::numeric_limits<double>::quiet_NaN(); }
};

struct Summarize {
  using State = Summary;

  LUGE_FN static Summary identity() {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return {0, infinity, -infinity, 0};
  }
  LUGE_FN static Summary include(const Summary& s, double loss) {
    if (!(loss - loss == 0)) return s;
    return {s.sum + loss, loss < s.min ? loss : s.min, loss > s.max ? loss : s.max, s.finite + 1};
  }
  LUGE_FN static Summary merge(const Summary& a, const Summary& b) {
    return {a.sum + b.sum, a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max, a.finite + b.finite};
  }
};

}  // namespace luge::math
