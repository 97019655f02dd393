#include <luge/math/adam_search.h>

#include "searches.h"

namespace luge::cpu {

void search_by_adam(const LeastSquares& call, std::int64_t begin, std::int64_t end) {
  search_by<math::scalar::AdamSearch>(call, begin, end);
}

}  // namespace luge::cpu
