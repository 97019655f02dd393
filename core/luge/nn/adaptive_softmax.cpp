#include <luge/nn/adaptive_softmax.h>

#include <cmath>

#include <fmt/ranges.h>

#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/pointwise_loss.h>
#include <luge/ops/softmax.h>

namespace luge::nn {

AdaptiveLogSoftmax::AdaptiveLogSoftmax(Parameters& params, std::string_view name, std::int64_t in_features, std::int64_t classes,
                                       std::vector<std::int64_t> cutoffs, AdaptiveLogSoftmaxOptions options)
    : name_(name) {
  LUGE_CHECK(ValueError, in_features >= 1, "AdaptiveLogSoftmax {}: in_features is {}; it must be 1 or more", name, in_features);
  LUGE_CHECK(ValueError, !params.batched(), "AdaptiveLogSoftmax {}: the arena has sets; it has none", name);
  bool rises = !cutoffs.empty() && cutoffs.front() >= 1 && cutoffs.back() <= classes - 1;
  for (std::size_t i = 1; i < cutoffs.size(); ++i) rises = rises && cutoffs[i - 1] < cutoffs[i];
  LUGE_CHECK(ValueError, rises, "AdaptiveLogSoftmax {}: cutoffs are {}; they must rise from 1 or more to {} or less", name,
             fmt::join(cutoffs, ", "), classes - 1);
  std::vector<std::int64_t> hidden;
  for (std::size_t i = 0; i < cutoffs.size(); ++i)
    hidden.push_back(static_cast<std::int64_t>(
        std::floor(static_cast<double>(in_features) / std::pow(options.div_value, static_cast<double>(i + 1)))));
  LUGE_CHECK(ValueError, options.div_value > 0 && hidden.back() >= 1,
             "AdaptiveLogSoftmax {}: {} features divided by {} for each of {} clusters leave none", name, in_features, options.div_value,
             cutoffs.size());
  for (const std::string& used : params.names())
    LUGE_CHECK(ValueError, !used.starts_with(name_ + ".head.") && !used.starts_with(name_ + ".tail."),
               "AdaptiveLogSoftmax {}: the name '{}' is in use", name, used);
  first_ = cutoffs[0];
  const auto clusters = static_cast<std::int64_t>(cutoffs.size());
  head_.emplace(params, name_ + ".head", in_features, first_ + clusters, LinearOptions{.bias = options.head_bias});
  cutoffs.push_back(classes);
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    const std::string own = name_ + ".tail." + std::to_string(i);
    Linear down(params, own + ".0", in_features, hidden[i], {.bias = false});
    Linear up(params, own + ".1", hidden[i], cutoffs[i + 1] - cutoffs[i], {.bias = false});
    tail_.push_back({std::move(down), std::move(up)});
  }
}

Tensor AdaptiveLogSoftmax::log_prob(const Tensor& x) const {
  const Tensor head = log_softmax((*head_)(x), -1);
  std::vector<Tensor> parts{head.slice(-1, 0, first_)};
  for (std::size_t i = 0; i < tail_.size(); ++i) {
    const std::int64_t at = first_ + static_cast<std::int64_t>(i);
    parts.push_back(log_softmax(tail_[i].up(tail_[i].down(x)), -1) + head.slice(-1, at, at + 1));
  }
  return cat(parts, -1);
}

Tensor AdaptiveLogSoftmax::operator()(const Tensor& x, const Tensor& target) const {
  LUGE_CHECK(ValueError, x.defined() && target.defined(), "AdaptiveLogSoftmax {}: {} is an undefined tensor", name_,
             x.defined() ? "target" : "x");
  Shape labels = x.shape();
  if (x.ndim() > 0) labels.erase(x.ndim() - 1);
  LUGE_CHECK(ShapeError, (x.ndim() == 1 || x.ndim() == 2) && target.shape() == labels,
             "AdaptiveLogSoftmax {}: x has shape {} and target {}; they must be (batch, in) and (batch), or (in) and ()", name_,
             to_string(x.shape()), to_string(target.shape()));
  return -nll_loss(log_prob(x), target, {.reduction = Reduction::None});
}

}  // namespace luge::nn
