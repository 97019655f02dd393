#include <luge/nn/bilinear.h>

#include <cmath>
#include <vector>

#include <luge/base/detail/check.h>
#include <luge/ops/einsum.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/products.h>

namespace luge::nn {

Bilinear::Bilinear(Parameters& params, std::string_view name, std::int64_t in1_features, std::int64_t in2_features,
                   std::int64_t out_features, bool bias)
    : name_(name) {
  LUGE_CHECK(ValueError, in1_features >= 1 && in2_features >= 1 && out_features >= 1,
             "Bilinear {}: the numbers of features are {}, {} and {}; they must be 1 or more", name, in1_features, in2_features,
             out_features);
  const double bound = 1 / std::sqrt(static_cast<double>(in1_features));
  std::vector<ParameterSpec> specs{{name_ + ".weight", {out_features, in1_features, in2_features}, init::uniform(-bound, bound)}};
  if (bias) specs.push_back({name_ + ".bias", {out_features}, init::uniform(-bound, bound)});
  const std::vector<Tensor> added = params.add(specs);
  weight_ = added[0];
  if (bias) bias_ = added[1];
}

Tensor Bilinear::operator()(const Tensor& x1, const Tensor& x2) const {
  LUGE_CHECK(ValueError, x1.defined() && x2.defined(), "Bilinear {}: {} is an undefined tensor", name_, x1.defined() ? "x2" : "x1");
  if (weight_.ndim() == 3) return bilinear(x1, x2, weight_, bias_);
  Shape rows = x1.shape(), others = x2.shape();
  const std::int64_t sets = weight_.size(0), in1 = weight_.size(2), in2 = weight_.size(3);
  bool fits = x1.ndim() >= 3 && x2.ndim() >= 3 && rows.back() == in1 && others.back() == in2 && rows[0] == sets;
  if (fits) {
    rows.erase(rows.ndim() - 1);
    others.erase(others.ndim() - 1);
    fits = rows == others;
  }
  LUGE_CHECK(ShapeError, fits, "Bilinear {}: x1 is {} and x2 is {}; allowed are ({}, ..., {}) and ({}, ..., {})", name_,
             to_string(x1.shape()), to_string(x2.shape()), sets, in1, sets, in2);
  Tensor y = einsum("sbi,soij,sbj->sbo", {x1.flatten(1, -2), weight_, x2.flatten(1, -2)});
  if (bias_.defined()) y = y + bias_.unsqueeze(1);
  rows.push_back(weight_.size(1));
  return y.reshape(rows);
}

}  // namespace luge::nn
