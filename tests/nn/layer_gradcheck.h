#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

namespace luge::test {

/// gradcheck for a layer: it takes the parameters to be inputs of a function, a layer keeps its own. So the
/// input is checked with gradcheck, and every element of every parameter here, by central differences.
inline void expect_gradients(Parameters params, const std::function<Tensor(const Tensor&)>& layer, const Tensor& x) {
  if (is_floating(x.dtype())) {
    const GradcheckResult result =
        gradcheck([&](const std::vector<Tensor>& in) { return layer(in[0]); }, {x.detach().clone().requires_grad_()});
    EXPECT_TRUE(result) << result.message;
  }
  const auto weighted = [&] {
    const Tensor y = layer(x);
    return (y * sin(arange(static_cast<double>(y.numel()), {.dtype = float64}).view(y.shape()) + 1)).sum();
  };
  params.zero_grad();
  weighted().backward();
  for (const Tensor& p : params.tensors()) {
    const std::vector<double> analytic = p.grad().to_vector<double>();
    const Tensor flat = p.detach().view({p.numel()});
    for (std::int64_t i = 0; i < p.numel(); ++i) {
      constexpr double kStep = 1e-6;
      Tensor element = flat[i];
      const double value = element.item();
      const auto at = [&](double moved) {
        element.fill_(moved);
        return no_grad(weighted).item();
      };
      const double numeric = (at(value + kStep) - at(value - kStep)) / (2 * kStep);
      element.fill_(value);
      EXPECT_NEAR(analytic[static_cast<std::size_t>(i)], numeric, 1e-8 + 1e-7 * std::abs(numeric)) << "element " << i;
    }
  }
}

}  // namespace luge::test
