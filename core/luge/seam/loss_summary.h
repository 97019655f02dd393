#pragma once

#include <cstdint>

namespace luge {

/// What the monitor keeps of one step's losses. `sequence` is written last: a row is complete when it
/// equals the number of the step plus one.
struct LossSummary {
  double mean = 0, min = 0, max = 0;             ///< over the finite losses; NaN if there are none
  std::int64_t not_finite = 0;                   ///< how many were NaN or infinite
  std::int64_t sequence = 0;
};

}  // namespace luge
