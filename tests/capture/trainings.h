#pragma once
// Trainings that run eagerly or captured, and what is left of them.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <luge/luge.h>

namespace luge::test {

struct OptimizerCase {
  const char* name;
  std::function<std::unique_ptr<Optimizer>(const Parameters&, const PerSet& lr)> make;
};

/// Every rule with every option that changes what it computes.
inline std::vector<OptimizerCase> optimizer_cases() {
  const auto sgd = [](SgdOptions options) {
    return [=](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
      SgdOptions own = options;
      own.lr = lr;
      return std::make_unique<Sgd>(p, own);
    };
  };
  const auto adam = []<class Rule, class Options>(Options options) {
    return [=](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
      Options own = options;
      own.lr = lr;
      return std::make_unique<Rule>(p, own);
    };
  };
  return {
      {"Sgd", sgd({})},
      {"WeightDecay", sgd({.weight_decay = 0.01})},
      {"Momentum", sgd({.momentum = 0.5, .dampening = 0.1, .maximize = true})},
      {"Nesterov", sgd({.momentum = 0.9, .nesterov = true})},
      {"Adam", adam.template operator()<Adam>(AdamOptions{.weight_decay = 0.01})},
      {"AdamW", adam.template operator()<AdamW>(AdamWOptions{})},
  };
}

/// Runs `body` `steps` times, eagerly or captured; before step i it calls `between(i)`.
template <class Body>
std::vector<double> train(bool captured, int steps, const Body& body, const std::function<void(int)>& between = {}) {
  auto step = capture(body);
  std::vector<double> results;
  for (int i = 0; i < steps; ++i) {
    if (between) between(i);
    const Tensor result = captured ? step() : body();
    const std::vector<double> values = result.to_vector<double>();
    results.insert(results.end(), values.begin(), values.end());
  }
  return results;
}

/// The values and gradients of an arena, one after the other.
inline void append(std::vector<double>& to, const Parameters& params) {
  for (const Tensor& tensor : params.tensors())
    for (const Tensor& part : {tensor, tensor.grad()}) {
      const std::vector<double> values = part.to_vector<double>();
      to.insert(to.end(), values.begin(), values.end());
    }
}

}  // namespace luge::test
