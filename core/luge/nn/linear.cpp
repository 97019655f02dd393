#include <luge/nn/linear.h>

#include <algorithm>
#include <cmath>

#include <luge/base/detail/check.h>
#include <luge/ops/matmul.h>

namespace luge::nn {

Linear::Linear(Parameters& params, std::string_view name, std::int64_t in_features, std::int64_t out_features,
               LinearOptions options)
    : name_(name) {
  LUGE_CHECK(ValueError, in_features >= 1 && out_features >= 1,
             "Linear {}: in_features is {} and out_features is {}; both must be 1 or more", name, in_features,
             out_features);
  const double bound = 1 / std::sqrt(static_cast<double>(in_features));
  std::vector<ParameterSpec> specs{{name_ + ".weight",
                                    {out_features, in_features},
                                    options.weight_init.value_or(init::kaiming_uniform(in_features, std::sqrt(5.0)))}};
  if (options.bias)
    specs.push_back({name_ + ".bias", {out_features}, options.bias_init.value_or(init::uniform(-bound, bound))});
  const std::vector<Tensor> added = params.add(specs);
  weight_ = added[0];
  if (options.bias) bias_ = added[1];
}

Linear Linear::on(const Parameters& params, std::string_view name) {
  Linear layer(name);
  layer.weight_ = params[layer.name_ + ".weight"];
  const std::vector<std::string> names = params.names();
  if (std::ranges::find(names, layer.name_ + ".bias") != names.end()) layer.bias_ = params[layer.name_ + ".bias"];
  const Shape& weight = layer.weight_.shape();
  const int sets = params.batched() ? 1 : 0;
  LUGE_CHECK(ShapeError, weight.ndim() == sets + 2, "Linear {}: the weight has shape {}; it must be {}", name,
             to_string(weight), params.batched() ? "(sets, out, in)" : "(out, in)");
  Shape bias = weight;
  bias.erase(sets + 1);
  LUGE_CHECK(ShapeError, !layer.bias_.defined() || layer.bias_.shape() == bias,
             "Linear {}: the bias has shape {}; it must be {}, as the weight has {}", name,
             to_string(layer.bias_.shape()), to_string(bias), to_string(weight));
  return layer;
}

Tensor Linear::operator()(const Tensor& x) const {
  LUGE_CHECK(ValueError, x.defined(), "Linear {}: x is an undefined tensor", name_);
  const std::int64_t in = weight_.shape().back();
  const bool fits = x.ndim() >= 1 && x.shape().back() == in;
  if (weight_.ndim() == 2) {
    LUGE_CHECK(ShapeError, fits, "Linear {}: x is {}; allowed is (..., {})", name_, to_string(x.shape()), in);
  } else {
    const std::int64_t sets = weight_.size(0);
    LUGE_CHECK(ShapeError, fits && (x.ndim() == 2 || (x.ndim() >= 3 && x.size(0) == sets)),
               "Linear {}: x is {}; allowed are (batch, {}) and ({}, ..., {})", name_, to_string(x.shape()), in, sets, in);
  }
  return linear(x, weight_, bias_);
}

}  // namespace luge::nn
