#include <luge/math/lbfgs.h>

#include "single_searches.h"

namespace luge::cpu {

std::unique_ptr<SearchLanes> lbfgs_lanes(const LeastSquares& call) {
  return single_searches<math::scalar::Lbfgs>(call);
}

}  // namespace luge::cpu
