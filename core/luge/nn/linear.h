#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <luge/train/parameters.h>

namespace luge::nn {

struct LinearOptions {
  bool bias = true;
  /// Absent: PyTorch's default, uniform within 1 / sqrt(in_features), for weight and bias.
  std::optional<Init> weight_init = {};
  std::optional<Init> bias_init = {};
};

/// y = x weight^T + bias. Its parameters live in the arena as "name.weight" and "name.bias".
///   ordinary Parameters   weight (out, in):        x (..., in) -> (..., out)
///   Parameters with sets  weight (sets, out, in):  x (batch, in), the same for all sets, -> (sets, batch, out), or
///                                                  (sets, ..., in) -> (sets, ..., out)
class Linear {
 public:
  /// Throws ValueError for sizes below 1 and for names in use; then nothing has been added.
  Linear(Parameters& params, std::string_view name, std::int64_t in_features, std::int64_t out_features,
         LinearOptions options = {});

  /// A layer on parameters that are there already, "name.weight" and, if there is one, "name.bias": on those of other
  /// sets, for instance (stop::Live). Throws ValueError where there is no such weight, ShapeError for shapes that no
  /// Linear has.
  static Linear on(const Parameters& params, std::string_view name);

  /// Throws ShapeError naming the layer.
  Tensor operator()(const Tensor& x) const;

  const Tensor& weight() const { return weight_; }
  /// Undefined without a bias.
  const Tensor& bias() const { return bias_; }

 private:
  explicit Linear(std::string_view name) : name_(name) {}

  std::string name_;
  Tensor weight_, bias_;
};

}  // namespace luge::nn
