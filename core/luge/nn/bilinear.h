#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <luge/train/parameters.h>

namespace luge::nn {

/// y = x1^T weight x2 + bias, for each output a matrix. Its parameters live in the arena as "name.weight" and "name.bias", uniform
/// within 1 / sqrt(in1).
///   ordinary Parameters   weight (out, in1, in2):        x1 (..., in1) and x2 (..., in2) -> (..., out)
///   Parameters with sets  weight (sets, out, in1, in2):  x1 (sets, ..., in1) and x2 (sets, ..., in2) -> (sets, ..., out)
class Bilinear {
 public:
  /// Throws ValueError for sizes below 1 and names in use; then nothing has been added.
  Bilinear(Parameters& params, std::string_view name, std::int64_t in1_features, std::int64_t in2_features, std::int64_t out_features,
           bool bias = true);
  /// Throws ShapeError, DTypeError.
  Tensor operator()(const Tensor& x1, const Tensor& x2) const;

  const Tensor& weight() const { return weight_; }
  /// Undefined without a bias.
  const Tensor& bias() const { return bias_; }

 private:
  std::string name_;
  Tensor weight_, bias_;
};

}  // namespace luge::nn
