#include "classifier.h"

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/nn/linear.h>
#include <luge/ops/create.h>

namespace luge::cli {

namespace {

constexpr const char *kHidden = "hidden", *kOutput = "output";

}  // namespace

nn::Sequential make_mlp(Parameters& params, std::int64_t inputs, std::int64_t hidden, std::int64_t classes) {
  return nn::Sequential{nn::Linear(params, kHidden, inputs, hidden), nn::Relu{},
                        nn::Linear(params, kOutput, hidden, classes)};
}

nn::Sequential mlp_on(const Parameters& params) {
  return nn::Sequential{nn::Linear::on(params, kHidden), nn::Relu{}, nn::Linear::on(params, kOutput)};
}

Batches measured_batches(const LabelledImages& samples, std::int64_t sets, std::int64_t hidden, Device device) {
  constexpr std::int64_t kHiddenNumbers = std::int64_t{1} << 24;
  const std::int64_t at_a_time = std::clamp<std::int64_t>(kHiddenNumbers / (sets * hidden), 1, samples.count());
  return Batches(samples, {.batch = at_a_time, .shuffle = false, .device = device});
}

std::vector<double> accuracies(const nn::Sequential& model, const Batches& samples, std::int64_t sets) {
  const NoGrad no_grad;
  Tensor right = zeros({sets}, {.dtype = int64});
  std::int64_t count = 0;
  for (const Batch& batch : samples.epoch(0)) {
    const Tensor correct = (model(batch.images).argmax(-1) == batch.labels).sum(-1);
    right = right.to(correct.device()) + correct;
    count += batch.labels.numel();
  }
  std::vector<double> result;
  for (const auto n : right.to_vector<std::int64_t>())
    result.push_back(static_cast<double>(n) / static_cast<double>(count));
  return result;
}

std::vector<double> accuracies(const Parameters& params, const Batches& samples, const Tensor& sets) {
  const NoGrad no_grad;
  Parameters some({.sets = sets.numel(), .device = params.device(), .dtype = params.dtype(), .seed = 0});
  for (const std::string& name : params.names()) {
    const Tensor values = params[name].index_select(0, sets);
    some.add(name, values[0].shape(), init::zeros()).copy_(values);
  }
  return accuracies(mlp_on(some), samples, sets.numel());
}

}  // namespace luge::cli
