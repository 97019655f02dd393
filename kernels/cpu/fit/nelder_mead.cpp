#include <luge/math/nelder_mead.h>

#include "single_searches.h"

namespace luge::cpu {

std::unique_ptr<SearchLanes> nelder_mead_lanes(const LeastSquares& call) {
  return single_searches<math::scalar::NelderMead>(call);
}

}  // namespace luge::cpu
