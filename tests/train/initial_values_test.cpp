// How layers and models start: each differently, by one sequence that a seed repeats.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <luge/luge.h>

#include "devices.h"

namespace luge::test {
namespace {

class InitialValuesTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(InitialValuesTest);

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }

/// Of as many values as both have; uniform and normal starts have mean 0.
double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

/// Of n independent values it has the deviation 1 / sqrt(n), here 1/32 or less; five of those, for some hundred pairs.
constexpr double kBound = 5.0 / 32;

void expect_unrelated(const std::vector<std::vector<double>>& starts) {
  for (std::size_t i = 0; i < starts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_LT(std::abs(correlation(starts[i], starts[j])), kBound) << "parameters " << j << " and " << i;
}

TEST_P(InitialValuesTest, ModelsMadeInALoopAreUnrelated) {
  std::vector<std::vector<double>> starts;
  for (int model = 0; model < 5; ++model) {
    Parameters params({.device = device()});
    const nn::Linear hidden(params, "hidden", 64, 64), output(params, "output", 64, 32);
    for (const Tensor& weight : {hidden.weight(), output.weight()}) starts.push_back(values(weight));
  }
  expect_unrelated(starts);
}

TEST_P(InitialValuesTest, LayersOfOneModelAndOfOtherWidthsAreUnrelated) {
  std::vector<std::vector<double>> starts;
  Parameters params({.device = device()});
  for (const std::int64_t width : {32, 64, 65, 96}) {
    const nn::Linear own(params, "linear" + std::to_string(width), width, width);
    const nn::Embedding table(params, "embedding" + std::to_string(width), width, width);
    Parameters apart({.device = device(), .dtype = float64});
    const nn::Linear other(apart, "linear", width, width);
    for (const Tensor& weight : {own.weight(), table.weight(), other.weight()}) starts.push_back(values(weight));
  }
  expect_unrelated(starts);
}

TEST_P(InitialValuesTest, ASeedRepeatsThemOnEveryDevice) {
  const auto make = [](Device where) {
    manual_seed(11);
    std::vector<std::vector<double>> starts;
    for (const std::int64_t sets : {1, 3}) {
      Parameters params({.sets = sets, .device = where});
      const nn::Linear layer(params, "layer", 17, 5);
      for (const Tensor& start : params.tensors()) starts.push_back(values(start));
      starts.push_back(values(rand({7}, {.device = where})));
    }
    manual_seed(0);
    return starts;
  };
  EXPECT_EQ(make(device()), make(device()));
  EXPECT_EQ(make(device()), make(Device::cpu()));
}

}  // namespace
}  // namespace luge::test
