#include <luge/nn/dropout.h>

#include <luge/base/detail/check.h>

namespace luge::nn {

Dropping::Dropping(double p) : p_(p) {
  LUGE_CHECK(ValueError, p >= 0 && p <= 1, "Dropout: p is {}; it must be from 0 to 1", p);
}

Dropping::Dropping(double p, const Parameters& params) : Dropping(p) {
  if (params.batched()) draw_ = Draw{.first_set = params.options().first_set};
}

}  // namespace luge::nn
