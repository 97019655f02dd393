#include <luge/math/nelder_mead.h>

#include "searches.h"

namespace luge::cpu {

void search_by_nelder_mead(const LeastSquares& call, std::int64_t begin, std::int64_t end) {
  search_by<math::scalar::NelderMead>(call, begin, end);
}

}  // namespace luge::cpu
