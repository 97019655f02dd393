#include <luge/nn/normalization.h>

#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/normalization.h>

namespace luge::nn {

namespace {

/// "name.weight" of ones and "name.bias" of zeros, those that are wanted, in one addition.
void add_affine(Parameters& params, std::string_view name, const Shape& shape, Tensor* weight, Tensor* bias) {
  std::vector<ParameterSpec> specs;
  if (weight) specs.push_back({std::string(name) + ".weight", shape, init::ones()});
  if (bias) specs.push_back({std::string(name) + ".bias", shape, init::zeros()});
  if (specs.empty()) return;
  const std::vector<Tensor> added = params.add(specs);
  if (weight) *weight = added.front();
  if (bias) *bias = added.back();
}

void check_shape(const char* kind, std::string_view name, const Shape& shape) {
  bool positive = shape.ndim() > 0;
  for (const std::int64_t size : shape) positive &= size >= 1;
  LUGE_CHECK(ValueError, positive, "{} {}: the shape is {}; it must have one dimension or more, of sizes 1 or more", kind, name,
             to_string(shape));
}

}  // namespace

LayerNorm::LayerNorm(Parameters& params, std::string_view name, const Shape& shape, LayerNormOptions options)
    : shape_(shape), eps_(options.eps) {
  check_shape("LayerNorm", name, shape);
  add_affine(params, name, shape, options.weight ? &weight_ : nullptr, options.weight && options.bias ? &bias_ : nullptr);
}

Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, shape_, weight_, bias_, eps_); }

RmsNorm::RmsNorm(Parameters& params, std::string_view name, const Shape& shape, std::optional<double> eps) : shape_(shape), eps_(eps) {
  check_shape("RmsNorm", name, shape);
  add_affine(params, name, shape, &weight_, nullptr);
}

Tensor RmsNorm::operator()(const Tensor& x) const { return rms_norm(x, shape_, weight_, eps_); }

GroupNorm::GroupNorm(Parameters& params, std::string_view name, std::int64_t groups, std::int64_t channels, double eps)
    : groups_(groups), eps_(eps) {
  LUGE_CHECK(ValueError, groups >= 1 && channels >= 1 && channels % groups == 0,
             "GroupNorm {}: {} channels cannot be in {} groups of equal size", name, channels, groups);
  add_affine(params, name, {channels}, &weight_, &bias_);
}

Tensor GroupNorm::operator()(const Tensor& x) const { return group_norm(x, groups_, weight_, bias_, eps_); }

BatchNorm::BatchNorm(Parameters& params, std::string_view name, std::int64_t channels, BatchNormOptions options)
    : options_(options), state_(std::make_shared<State>()) {
  LUGE_CHECK(ValueError, channels >= 1, "BatchNorm {}: channels is {}; it must be 1 or more", name, channels);
  add_affine(params, name, {channels}, options.affine ? &weight_ : nullptr, options.affine ? &bias_ : nullptr);
  const TensorOptions on{.dtype = params.dtype(), .device = params.device()};
  Shape shape, counts;
  if (params.batched()) {
    shape.push_back(params.sets());
    counts.push_back(params.sets());
  }
  shape.push_back(channels);
  state_->mean = zeros(shape, on);
  state_->variance = ones(shape, on);
  state_->batches = zeros(counts, {.dtype = DType::Int64, .device = params.device()});
}

Tensor BatchNorm::operator()(const Tensor& x) const {
  State& state = *state_;
  if (!state.training) return batch_norm(x, state.mean, state.variance, weight_, bias_, false, 0.0, options_.eps);
  const Momentum momentum = options_.momentum ? Momentum(*options_.momentum) : Momentum(1 / (state.batches + 1).to(DType::Float64));
  const Tensor y = batch_norm(x, state.mean, state.variance, weight_, bias_, true, momentum, options_.eps);
  state.batches.add_(1);
  return y;
}

InstanceNorm::InstanceNorm(Parameters& params, std::string_view name, std::int64_t channels, InstanceNormOptions options)
    : name_(name), channels_(channels), options_(options), state_(std::make_shared<State>()) {
  LUGE_CHECK(ValueError, channels >= 1, "InstanceNorm {}: channels is {}; it must be 1 or more", name, channels);
  add_affine(params, name, {channels}, options.affine ? &weight_ : nullptr, options.affine ? &bias_ : nullptr);
  Shape shape{channels};
  if (params.batched()) shape.insert(0, *(sets_ = params.sets()));
  if (!options.track_running_stats) return;
  const TensorOptions on{.dtype = params.dtype(), .device = params.device()};
  state_->mean = zeros(shape, on);
  state_->variance = ones(shape, on);
}

Tensor InstanceNorm::operator()(const Tensor& x) const {
  LUGE_CHECK(ValueError, x.defined(), "InstanceNorm {}: x is an undefined tensor", name_);
  const int lead = sets_ ? 1 : 0;
  LUGE_CHECK(ShapeError, x.ndim() >= lead + 3 && x.size(lead + 1) == channels_ && (!sets_ || x.size(0) == *sets_),
             "InstanceNorm {}: x has shape {}; it must be ({}batch, {}, ...) with one dimension or more behind the channels", name_,
             to_string(x.shape()), sets_ ? std::to_string(*sets_) + ", " : "", channels_);
  const bool from_input = state_->training || !options_.track_running_stats;
  if (sets_ && !options_.affine && !options_.track_running_stats)  // nothing says how many sets there are; samples stand alone
    return instance_norm(x.flatten(0, 1), {}, {}, {}, {}, true, 0.0, options_.eps).reshape(x.shape());
  return instance_norm(x, state_->mean, state_->variance, weight_, bias_, from_input, options_.momentum, options_.eps);
}

}  // namespace luge::nn
