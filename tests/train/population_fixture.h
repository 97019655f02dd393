#pragma once

#include <string>
#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {

class PopulationTest : public DeviceTest {
 protected:
  Tensor values(const std::vector<double>& given, DType dtype = float32) const {
    return from_host(given, {static_cast<std::int64_t>(given.size())}, device()).to(dtype);
  }
  Tensor indices(const std::vector<std::int64_t>& given) const {
    return from_host(given, {static_cast<std::int64_t>(given.size())}, device());
  }
  Tensor mask(const std::vector<double>& given) const { return values(given).ne(0); }
};

/// By name.
inline Tensor hyperparameter(const Optimizer& optimizer, const std::string& wanted) {
  for (const auto& [name, tensor] : optimizer.hyperparameters())
    if (name == wanted) return tensor;
  return {};
}

}  // namespace luge::test
