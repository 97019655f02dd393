#include <luge/train/grad_scaler.h>

#include <algorithm>
#include <cmath>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/statistics.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

void check_options(const GradScalerOptions& options) {
  const auto check = [](const char* name, double value, bool fits, const char* words) {
    LUGE_CHECK(ValueError, fits && std::isfinite(value), "GradScaler: {} is {}; it must be {}", name, value, words);
  };
  check("init_scale", options.init_scale, options.init_scale > 0, "above 0 and finite");
  check("growth_factor", options.growth_factor, options.growth_factor > 1, "above 1 and finite");
  check("backoff_factor", options.backoff_factor, options.backoff_factor > 0 && options.backoff_factor < 1,
        "above 0 and below 1");
  LUGE_CHECK(ValueError, options.growth_interval >= 1, "GradScaler: growth_interval is {}; it must be 1 or more",
             options.growth_interval);
  LUGE_CHECK(ValueError, options.sets.value_or(1) >= 1, "GradScaler: sets is {}; it must be 1 or more",
             options.sets.value_or(1));
}

/// One value per set beside a tensor of shape (sets, ...).
Tensor beside(const Tensor& per_set, int ndim) {
  if (per_set.ndim() == 0) return per_set;
  Shape shape = Dims::filled(ndim, 1);
  shape[0] = per_set.size(0);
  return per_set.reshape(shape);
}

}  // namespace

GradScaler::GradScaler(const GradScalerOptions& options) : options_(options) {
  check_options(options);
  const Unobserved once;
  const Shape shape = options.sets ? Shape{*options.sets} : Shape{};
  scale_ = full(shape, options.init_scale, {.dtype = DType::Float32, .device = options.device});
  tracker_ = zeros(shape, {.dtype = DType::Int64, .device = options.device});
}

void GradScaler::set_options(const GradScalerOptions& options) {
  check_options(options);
  LUGE_CHECK(ValueError, options.sets == options_.sets && options.device == options_.device,
             "GradScaler: sets and device stay as they were");
  options_ = options;
}

Tensor GradScaler::scale(const Tensor& loss) const {
  const TensorImpl& impl = checked(loss, "scale", "outputs");
  if (!options_.enabled) return loss;
  LUGE_CHECK(DeviceError, loss.device() == scale_.device(), "scale: the output is on {} and the scale on {}",
             to_string(loss.device()), to_string(scale_.device()));
  LUGE_CHECK(ShapeError, !options_.sets || impl.shape == scale_.shape(),
             "scale: the output has shape {}; with a scale for each set it must have shape {}, one loss per set",
             to_string(impl.shape), to_string(scale_.shape()));
  return loss * scale_;
}

GradScaler::Seen& GradScaler::seen(const char* op, Optimizer& optimizer) {
  LUGE_CHECK(DeviceError, optimizer.parameters().device() == scale_.device(), "{}: the optimizer is on {} and the scale on {}",
             op, to_string(optimizer.parameters().device()), to_string(scale_.device()));
  LUGE_CHECK(ValueError, !options_.sets || (optimizer.parameters().batched() && optimizer.parameters().sets() == *options_.sets),
             "{}: the scaler has a scale for each of {} sets, which the optimizer does not step", op, options_.sets.value_or(0));
  Seen& known = seen_[&optimizer];
  LUGE_CHECK(ValueError, !known.is_stepped, "{}: step() was called for this optimizer since the last update()", op);
  return known;
}

void GradScaler::unscale_(Optimizer& optimizer) {
  if (!options_.enabled) return;
  Seen& known = seen("unscale_", optimizer);
  LUGE_CHECK(ValueError, !known.found.defined(), "unscale_: it was called for this optimizer since the last update()");
  const NoGrad guard;
  const Parameters& parameters = optimizer.parameters();
  const Shape shape = parameters.batched() ? Shape{parameters.sets()} : Shape{};
  const Tensor inverse = (1 / scale_.to(DType::Float64)).to(parameters.dtype());
  Tensor found = zeros(shape, {.dtype = DType::Bool, .device = parameters.device()});
  std::vector<Tensor> leaves;
  for (std::size_t group = 0; group < optimizer.groups(); ++group)
    for (const Tensor& leaf : optimizer.params(group)) leaves.push_back(leaf);
  for (const Tensor& leaf : leaves) {
    if (observer) [[unlikely]] {
      observer->uses(*leaf.storage());  // whether it is frozen
      observer->uses_gradient(*leaf.impl());
    }
    if (!leaf.requires_grad() || !leaf.impl()->leaf->written() || leaf.numel() == 0) continue;
    Tensor gradient = leaf.grad();
    const Tensor fails = logical_not(isfinite(gradient));
    const Tensor fails_in = !parameters.batched()    ? fails.any()
                       : gradient.ndim() == 1 ? fails
                                                : any(fails.flatten(1), DimList(1), false);
    found = logical_or(found, fails_in);
    gradient.mul_(beside(inverse, gradient.ndim()));
  }
  known.found = found;
}

Tensor GradScaler::found_inf(Optimizer& optimizer) const {
  const auto known = seen_.find(&optimizer);
  LUGE_CHECK(ValueError, known != seen_.end() && known->second.found.defined(),
             "found_inf: neither unscale_() nor step() was called for this optimizer since the last update()");
  return known->second.found;
}

void GradScaler::step(Optimizer& optimizer, const std::function<void()>& how) {
  if (!options_.enabled) return how ? how() : optimizer.step();
  if (!seen("step", optimizer).found.defined()) unscale_(optimizer);
  Seen& known = seen_[&optimizer];
  const NoGrad guard;
  struct Arena {
    Parameters parameters;
    Tensor active;
  };
  struct Counted {
    Tensor skips, begun, steps, before;
  };
  std::vector<Arena> arenas;
  std::vector<Counted> counted;
  for (std::size_t group = 0; group < optimizer.groups(); ++group) {
    const Parameters home = *Parameters::home_of(optimizer.params(group)[0]);
    auto arena = std::find_if(arenas.begin(), arenas.end(), [&](const Arena& one) { return one.parameters == home; });
    if (arena == arenas.end()) arena = arenas.insert(arena, {home, home.active()});
    const Tensor steps = optimizer.steps(group);
    counted.push_back({logical_and(arena->active, known.found).to(DType::Int64),
                       optimizer.begun(group),  // from now on steps look at it
                       steps, steps.clone()});
  }
  for (Arena& arena : arenas) arena.parameters.set_active(logical_and(arena.active, logical_not(known.found)));
  how ? how() : optimizer.step();
  for (Arena& arena : arenas) arena.parameters.set_active(arena.active);
  for (Counted& group : counted) {
    const Tensor uncounted = group.skips * (group.steps - group.before);  // without any gradient a step does not count
    if (!optimizer.parameters().batched())
      group.steps.sub_(uncounted);
    else if (group.begun.defined())
      group.begun.add_(uncounted);
  }
  known.is_stepped = true;
}

void GradScaler::update() {
  if (!options_.enabled) return;
  const NoGrad guard;
  Tensor found;
  for (const auto& [optimizer, known] : seen_) {
    if (!known.found.defined()) continue;
    const Tensor own = options_.sets ? known.found : known.found.any();
    found = found.defined() ? logical_or(found, own) : own;
  }
  LUGE_CHECK(ValueError, found.defined(), "update: neither unscale_() nor step() was called since the last update()");
  const Tensor successful = tracker_ + 1, grows = successful.eq(options_.growth_interval);
  const Tensor grown = scale_ * options_.growth_factor;
  const Tensor kept = where(logical_and(grows, isfinite(grown)), grown, scale_);
  tracker_.copy_(where(logical_or(found, grows), 0, successful));
  scale_.copy_(where(found, scale_ * options_.backoff_factor, kept));
  seen_.clear();
}

void GradScaler::update(double new_scale, SourceLocation location) {
  if (!options_.enabled) return;
  LUGE_CHECK(ValueError, new_scale > 0 && std::isfinite(new_scale), "update: new_scale is {}; it must be above 0 and finite",
             new_scale);
  refuse_capture("update", kHostWrite, location);
  scale_.fill_(new_scale);
  seen_.clear();
}

}  // namespace luge
