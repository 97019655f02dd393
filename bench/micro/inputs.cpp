#include "inputs.h"

#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>

namespace luge::bench {

Tensor uniform(const Shape& shape, double low, double high, Device device) {
  return (rand(shape, {.device = device}) * (high - low) + low).detach();
}

}  // namespace luge::bench
