#include <luge/train/lbfgs.h>

#include <algorithm>
#include <cmath>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/products.h>
#include <luge/train/detail/line_search.h>
#include <luge/train/detail/optimizer_state.h>

namespace luge {

namespace {

constexpr const char* kName = "Lbfgs";

/// Of an interval of the line search, in the parameters' units.
constexpr double kSmallestMove = 1e-9;
/// Of change . way: a pair with less tells nothing of the Hessian.
constexpr double kLeastCurvature = 1e-10;

double largest(const Tensor& x) { return x.numel() == 0 ? 0 : x.abs().max().item(); }

std::shared_ptr<const OptimizerKind> kind() {
  return std::make_shared<OptimizerKind>(OptimizerKind{.name = kName, .values = {{.name = "lr", .standard = 1.0}}, .flags = {}, .has_rule = false});
}

OptimizerSettings settings(const LbfgsOptions& options) {
  LUGE_CHECK(ValueError, options.max_iter >= 1 && options.max_eval.value_or(1) >= 1 && options.history_size >= 1,
             "{}: max_iter is {}, max_eval {} and history_size {}; all must be 1 or more", kName, options.max_iter,
             options.max_eval.value_or(options.max_iter * 5 / 4), options.history_size);
  LUGE_CHECK(ValueError, options.tolerance_grad >= 0 && options.tolerance_change >= 0,
             "{}: tolerance_grad is {} and tolerance_change {}; both must be 0 or more", kName, options.tolerance_grad,
             options.tolerance_change);
  return {.values = {{"lr", options.lr}}, .flags = {}};
}

void check_sets(std::int64_t sets) {
  LUGE_CHECK(ValueError, sets <= 1, "{}: the parameters have {} sets; curve_fit fits sets one by one", kName, sets);
}

}  // namespace

Lbfgs::Lbfgs(const Parameters& parameters, const LbfgsOptions& options)
    : Optimizer([&] {
        check_sets(parameters.sets());
        return std::make_unique<State>(kind(), std::vector<State::Draft>{{parameters, {}, settings(options)}});
      }()),
      options_(options) {}

Lbfgs::Lbfgs(const std::vector<Tensor>& leaves, const LbfgsOptions& options)
    : Optimizer([&] {
        for (const Tensor& leaf : leaves)
          if (leaf.defined())
            if (const std::optional<Parameters> home = Parameters::home_of(leaf)) check_sets(home->sets());
        return std::make_unique<State>(kind(), std::vector<State::Draft>{{std::nullopt, leaves, settings(options)}});
      }()),
      options_(options) {}

void Lbfgs::step() { LUGE_CHECK(ValueError, false, "step: {} needs a closure that computes the loss and its gradients again", kName); }

Tensor Lbfgs::flat_gradient() const {
  std::vector<Tensor> parts;
  const std::vector<Tensor> leaves = params(0);
  for (std::size_t i = 0; i < leaves.size(); ++i)
    parts.push_back((is_active(0, i) ? leaves[i].grad().clone() : zeros_like(leaves[i].detach())).reshape({-1}));
  const Tensor flat = cat(parts);
  return options_.maximize ? -flat : flat;
}

void Lbfgs::move(const Tensor& direction, double t) {
  std::int64_t begin = 0;
  for (Tensor leaf : params(0)) {
    leaf.add_(direction.slice(0, begin, begin + leaf.numel()).reshape(leaf.shape()) * t);
    begin += leaf.numel();
  }
}

Tensor Lbfgs::next_direction(const Tensor& gradient) {
  if (iterations_ == 1) {
    history_.clear();
    scale_ = 1;
    return -gradient;
  }
  const Tensor change = gradient - previous_gradient_, way = direction_ * t_;
  const double curvature = dot(change, way).item();
  if (curvature > kLeastCurvature) {
    if (history_.size() == static_cast<std::size_t>(options_.history_size)) history_.pop_front();
    history_.push_back({change, way, 1 / curvature});
    scale_ = curvature / dot(change, change).item();
  }
  Tensor q = -gradient;
  std::vector<double> weights(history_.size());
  for (std::size_t i = history_.size(); i-- > 0;) {
    weights[i] = dot(history_[i].way, q).item() * history_[i].inverse;
    q = q - history_[i].change * weights[i];
  }
  Tensor r = q * scale_;
  for (std::size_t i = 0; i < history_.size(); ++i)
    r = r + history_[i].way * (weights[i] - dot(history_[i].change, r).item() * history_[i].inverse);
  return r;
}

Tensor Lbfgs::step(const std::function<Tensor()>& closure, SourceLocation location) {
  LUGE_CHECK(ValueError, static_cast<bool>(closure), "step: {} needs a closure that computes the loss and its gradients again", kName);
  const NoGrad guard;
  struct Evaluated {
    Tensor given;
    double loss = 0;
    Tensor gradient;
  };
  const auto evaluated = [&]() -> Evaluated {
    Tensor given;
    {
      const GradMode again(true);
      given = closure();
    }
    ++evaluations_;
    const double loss = given.item(location);
    return {given, options_.maximize ? -loss : loss, flat_gradient()};
  };

  const double lr = value("lr").item(location), tolerance = options_.tolerance_change;
  const std::int64_t most = options_.max_eval.value_or(options_.max_iter * 5 / 4), begun = evaluations_;
  auto [first, loss, gradient] = evaluated();
  Tensor(steps()).add_(1);
  if (largest(gradient) <= options_.tolerance_grad) return first;

  for (std::int64_t iteration = 1; iteration <= options_.max_iter; ++iteration) {
    ++iterations_;
    direction_ = next_direction(gradient);
    previous_gradient_ = gradient;
    t_ = iterations_ == 1 ? lr * std::min(1.0, 1 / gradient.abs().sum().item()) : lr;
    const double slope = dot(gradient, direction_).item(), before = loss;
    if (slope > -tolerance) break;
    bool is_optimal = false;
    if (options_.strong_wolfe) {
      std::vector<Tensor> leaves = params(0), places;
      for (const Tensor& leaf : leaves) places.push_back(leaf.detach().clone());
      const auto at = [&](double t) -> LinePoint {
        move(direction_, t);
        const Evaluated there = evaluated();
        for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i].copy_(places[i]);
        return {t, there.loss, there.gradient, dot(there.gradient, direction_).item()};
      };
      const LineSearch found = strong_wolfe_search(at, {0, loss, gradient, slope}, t_, largest(direction_), kSmallestMove,
                                                   most - (evaluations_ - begun));
      t_ = found.point.t;
      loss = found.point.loss;
      gradient = found.point.gradient;
      move(direction_, t_);
      is_optimal = largest(gradient) <= options_.tolerance_grad;
    } else {
      move(direction_, t_);
      if (iteration != options_.max_iter) {
        const Evaluated there = evaluated();
        loss = there.loss;
        gradient = there.gradient;
        is_optimal = largest(gradient) <= options_.tolerance_grad;
      }
    }
    if (evaluations_ - begun >= most || is_optimal) break;
    if (largest(direction_ * t_) <= tolerance || std::abs(loss - before) < tolerance) break;
  }
  return first;
}

}  // namespace luge
