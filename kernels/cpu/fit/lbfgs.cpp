#include <luge/math/lbfgs.h>

#include "searches.h"

namespace luge::cpu {

void search_by_lbfgs(const LeastSquares& call, std::int64_t begin, std::int64_t end) {
  search_by<math::scalar::Lbfgs>(call, begin, end);
}

}  // namespace luge::cpu
