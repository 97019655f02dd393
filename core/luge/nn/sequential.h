#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <luge/nn/activation.h>
#include <luge/tensor/tensor.h>

namespace luge::nn {

/// Layers one after the other: `Sequential model{Linear(params, "hidden", 784, 256), Relu{}, Linear(params,
/// "out", 256, 10)};`, in braces, because in parentheses a compiler may make the last layer first, and with it the first
/// parameters. A layer is anything that takes a tensor to a tensor. Copies of a Sequential share layers that train.
class Sequential {
 public:
  template <class... Layers>
  requires(std::is_invocable_r_v<Tensor, const Layers&, const Tensor&>&&...) explicit Sequential(Layers... layers) {
    (push_back(std::move(layers)), ...);
  }

  /// Adds a layer at the end.
  template <class Layer>
  requires std::is_invocable_r_v<Tensor, const Layer&, const Tensor&> Sequential& push_back(Layer layer) {
    if constexpr (requires { layer.train(true); }) {
      const auto kept = std::make_shared<Layer>(std::move(layer));
      modes_.emplace_back([kept](bool on) { kept->train(on); });
      layers_.emplace_back([kept](const Tensor& x) -> Tensor { return std::as_const(*kept)(x); });
    } else {
      layers_.emplace_back(std::move(layer));
    }
    return *this;
  }

  Tensor operator()(const Tensor& x) const {
    Tensor y = x;
    for (const auto& layer : layers_) y = layer(y);
    return y;
  }

  /// Calls train(on) of every layer that has it: of dropout, of normalization by batches, of another Sequential.
  void train(bool on = true) const {
    for (const auto& mode : modes_) mode(on);
  }
  void eval() const { train(false); }

  std::size_t size() const { return layers_.size(); }

 private:
  std::vector<std::function<Tensor(const Tensor&)>> layers_;
  std::vector<std::function<void(bool)>> modes_;
};

}  // namespace luge::nn
