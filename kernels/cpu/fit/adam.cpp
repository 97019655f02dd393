#include <luge/math/adam_search.h>

#include "single_searches.h"

namespace luge::cpu {

std::unique_ptr<SearchLanes> adam_lanes(const LeastSquares& call) {
  return single_searches<math::scalar::AdamSearch>(call);
}

}  // namespace luge::cpu
