#include <luge/train/population.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/keyed_random.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/sort.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/hyper.h>
#include <luge/train/detail/one_arena.h>

namespace luge::population {

namespace {

/// One value per set, so that it broadcasts with a tensor of shape (sets, ...).
Tensor beside(const Tensor& x, const Tensor& per_set) {
  if (per_set.ndim() == 0) return per_set;
  Shape shape = Dims::filled(x.ndim(), 1);
  if (x.ndim() > 0) shape[0] = x.size(0);
  return per_set.reshape(shape);
}

/// A mask of `sets` flags, or of one for all.
void check_mask(const char* op, const Tensor& mask, std::int64_t sets, Device device, bool may_be_one) {
  const TensorImpl& impl = checked(mask, op, "mask");
  LUGE_CHECK(DTypeError, impl.dtype == DType::Bool, "{}: mask is {}; it must be bool", op, name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape == Shape{sets} || (may_be_one && impl.shape.empty()),
             "{}: mask has shape {}; it must be ({},), one flag per set", op, to_string(impl.shape), sets);
  LUGE_CHECK(DeviceError, mask.device() == device, "{}: mask is on {} and the sets are on {}", op,
             to_string(mask.device()), to_string(device));
}

/// Scores as values without a graph.
Tensor checked_scores(const char* op, const Tensor& scores) {
  const TensorImpl& impl = checked(scores, op, "scores");
  LUGE_CHECK(ShapeError, impl.shape.ndim() == 1, "{}: scores have shape {}; it must be (sets,), one score per set", op,
             to_string(impl.shape));
  return scores.detach();
}

Tensor checked_scores(const char* op, const Tensor& scores, const Parameters& parameters) {
  const TensorImpl& impl = checked(scores, op, "scores");
  LUGE_CHECK(ShapeError, impl.shape == Shape{parameters.sets()},
             "{}: scores have shape {}; it must be ({},), one score per set", op, to_string(impl.shape),
             parameters.sets());
  LUGE_CHECK(DeviceError, scores.device() == parameters.device(), "{}: scores are on {} and the sets are on {}", op,
             to_string(scores.device()), to_string(parameters.device()));
  return scores.detach();
}

/// The sources of all sets as int64.
Tensor checked_source(const char* op, const Tensor& source, std::int64_t sets, Device device) {
  const TensorImpl& impl = checked(source, op, "source");
  LUGE_CHECK(ShapeError, impl.shape == Shape{sets}, "{}: source has shape {}; it must be ({},), one set for each set",
             op, to_string(impl.shape), sets);
  LUGE_CHECK(DeviceError, source.device() == device, "{}: source is on {} and the sets are on {}", op,
             to_string(source.device()), to_string(device));
  return checked_labels(op, source, sets);
}

/// 0, 1, ... along the sets.
Tensor numbers(std::int64_t sets, Device device) { return arange(sets, {.dtype = DType::Int64, .device = device}); }

/// Where NaN is; nowhere among integers.
Tensor are_nan(const Tensor& scores) {
  return is_floating(scores.dtype()) ? isnan(scores)
                                     : zeros(scores.shape(), {.dtype = DType::Bool, .device = scores.device()});
}

/// The places of an order: the inverse of a permutation.
Tensor places(const Tensor& order) {
  const Tensor in_order = numbers(order.numel(), order.device());
  return index_copy(in_order, 0, order, in_order);
}

void check_factors(const char* op, const Factors& factors) {
  const auto fits = [](double factor) { return factor > 0 && std::isfinite(factor); };
  for (const double factor : factors.any_of)
    LUGE_CHECK(ValueError, fits(factor), "{}: a factor is {}; it must be above 0 and finite", op, factor);
  LUGE_CHECK(ValueError, fits(factors.low) && fits(factors.high) && factors.low <= factors.high,
             "{}: low is {} and high is {}; both must be above 0 and finite and low at most high", op, factors.low,
             factors.high);
}

/// In float32 or float64.
Tensor drawn_factors(const char* op, const Tensor& values, const Factors& factors, const Draw& draw,
                     std::uint32_t index = 0) {
  const TensorOptions options{.dtype = values.dtype() == DType::Float64 ? DType::Float64 : DType::Float32,
                              .device = values.device()};
  if (factors.any_of.empty())
    return exp(keyed_uniform(op, values.shape(), std::log(factors.low), std::log(factors.high), draw,
                             {Purpose::Perturb, index}, options));
  const auto count = static_cast<std::int64_t>(factors.any_of.size());
  const Tensor which = keyed_integers(op, values.shape(), count, draw, {Purpose::Perturb, index}, values.device());
  Tensor result = full({}, factors.any_of[0], options);
  for (std::int64_t i = 1; i < count; ++i)
    result = where(which.eq(i), full({}, factors.any_of[static_cast<std::size_t>(i)], options), result);
  return result;
}

void check_values(const char* op, const Tensor& values, const Tensor& mask) {
  const TensorImpl& impl = checked(values, op, "values");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "{}: values are {}; allowed are the floating dtypes", op,
             name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape.ndim() > 0,
             "{}: values are one number for all sets; they must have shape (sets, ...)", op);
  if (mask.defined()) check_mask(op, mask, impl.shape[0], values.device(), false);
}

Tensor chosen(const Tensor& mask, const Tensor& fresh, const Tensor& values) {
  const Tensor converted = fresh.to(values.dtype());
  return mask.defined() ? where(beside(values, mask), converted, values) : converted;
}

/// Of numbers that work by their distance from 1.
bool is_near_one(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames{"momentum", "dampening", "beta1", "beta2", "alpha", "rho"};
  return std::ranges::find(kNames, name) != kNames.end();
}

}  // namespace

/// The sets of an optimizer, with what only the engine sees of them.
class Members {
 public:
  Members(const char* op, Optimizer& optimizer) : op_(op), optimizer_(optimizer), parameters_(optimizer.parameters()) {
    expect_one_arena(op, optimizer);
    const bool follows = std::ranges::any_of(groups(), [&](std::size_t group) { return optimizer.rate(group)->follows; });
    LUGE_CHECK(ValueError, !follows,
               "{}: this optimizer stands for the sets of another one that still go on (stop.train); change those between "
               "trainings",
               op);
    parameters_.arena_->expect_at_home();
  }

  std::int64_t sets() const { return parameters_.sets(); }
  Device device() const { return parameters_.device(); }
  Parameters& parameters() { return parameters_; }
  void expect_sets() const { LUGE_CHECK(ValueError, parameters_.batched(), "{}: the parameters have no sets", op_); }

  void clone(const Tensor& source, bool hyperparameters);
  void restart(const Tensor& mask, std::optional<std::uint64_t> seed);
  void explore(const Tensor& replaced, const ExploreOptions& options);
  /// These sets are active, whatever they were. Steps that were captured while all were active go on.
  void activate(const Tensor& mask) {
    if (parameters_.arena_->active().defined()) parameters_.set_active(logical_or(parameters_.active(), mask));
  }

 private:
  /// What the optimizer keeps for each set, by name; the learning rate, the other hyperparameters, and what schedules
  /// keep.
  struct State {
    std::vector<Tensor> moments, hyperparameters;
  };
  /// The numbers of the parameter groups.
  std::vector<std::size_t> groups() const {
    std::vector<std::size_t> numbers(optimizer_.groups());
    std::iota(numbers.begin(), numbers.end(), std::size_t{0});
    return numbers;
  }
  State state(std::size_t group) const;
  /// Of every parameter group.
  std::vector<Tensor> hyperparameter(const std::string& name) const;

  const char* op_;
  Optimizer& optimizer_;
  Parameters& parameters_;
};

Members::State Members::state(std::size_t group) const {
  State result;
  for (const auto& [name, tensor] : optimizer_.named_state(group)) {
    if (name.find('.') != std::string::npos)
      result.moments.push_back(tensor);
    else if (name != "step" && name != "begun" && tensor.ndim() == 1)
      result.hyperparameters.push_back(tensor);
  }
  const LearningRate& rate = *optimizer_.rate(group);
  const auto add = [&](const Tensor& values) {
    if (values.defined() && values.ndim() == 1) result.hyperparameters.push_back(values);
  };
  add(rate.base);
  for (const auto& term : rate.schedules) add(term->last);
  return result;
}

void Members::clone(const Tensor& source, bool hyperparameters) {
  parameters_.arena_->observe();
  std::vector<Tensor> own;
  for (const std::size_t group : groups()) {
    const State kept = state(group);
    std::ranges::copy(kept.moments, std::back_inserter(own));
    if (hyperparameters) std::ranges::copy(kept.hyperparameters, std::back_inserter(own));
    if (optimizer_.begun_so_far(group).defined()) own.push_back(optimizer_.begun_so_far(group));
  }
  std::ranges::copy(parameters_.tensors(), std::back_inserter(own));
  for (Tensor& tensor : own)
    if (tensor.numel() > 0) tensor.copy_(index_select(tensor, 0, source));
}

void Members::restart(const Tensor& mask, std::optional<std::uint64_t> seed) {
  const Parameters::Arena& arena = *parameters_.arena_;
  std::vector<Tensor> parameters = parameters_.tensors();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    LUGE_CHECK(
        ValueError, arena.inits()[p].has_value(),
        "{}: what parameter '{}' starts as is not known: it was a loose tensor; make it by Parameters.add, or give the "
        "layer the Parameters",
        op_, arena.names()[p]);
  parameters_.arena_->observe();
  const auto flags = [&](const Tensor& tensor) {
    return parameters_.batched() ? beside(tensor, mask) : mask.reshape({});
  };
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    Tensor& parameter = parameters[p];
    if (parameter.numel() == 0) continue;
    const Tensor fresh = empty_tensor(parameter.shape(), parameter.dtype(), arena.backend());
    arena.initialize(fresh, *arena.inits()[p], p, seed);
    parameter.copy_(where(flags(parameter), fresh, parameter));
  }
  for (const std::size_t group : groups()) {
    const Tensor initial = optimizer_.initial_moments(group);
    for (Tensor& moment : state(group).moments) {
      if (moment.numel() == 0) continue;
      const Tensor holds = flags(moment);
      moment.copy_(initial.defined() ? where(holds, initial, moment) : where(holds, 0, moment));
    }
    if (Tensor begun = optimizer_.begun(group); begun.defined())
      begun.copy_(where(mask, optimizer_.steps(group), begun));
  }
}

std::vector<Tensor> Members::hyperparameter(const std::string& name) const {
  std::vector<Tensor> values;
  std::vector<std::string> names;
  for (const std::size_t group : groups())
    for (const auto& [own, tensor] : optimizer_.named_state(group)) {
      if (own == "step" || own == "begun" || own.find('.') != std::string::npos) continue;
      if (group == 0) names.push_back(own);
      if (own != name) continue;
      LUGE_CHECK(ValueError, tensor.ndim() == 1,
                 "{}: {} is one number for all sets; make the optimizer with one for each set", op_, name);
      values.push_back(tensor);
    }
  LUGE_CHECK(ValueError, values.size() == optimizer_.groups(), "{}: the optimizer has no hyperparameter '{}'; it has {}",
             op_, name, fmt::join(names, ", "));
  return values;
}

void Members::explore(const Tensor& replaced, const ExploreOptions& options) {
  std::vector<std::vector<Tensor>> values;
  for (const std::string& name : options.hyperparameters) values.push_back(hyperparameter(name));
  const double below_one = parameters_.dtype() == DType::Float32 ? 1 - 0x1p-24 : 1 - 0x1p-53;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string& name = options.hyperparameters[i];
    for (const std::size_t group : groups()) {
      Tensor& own = values[i][group];
      const Tensor factors = drawn_factors(op_, own, options.factors, options.draw, static_cast<std::uint32_t>(i));
      const Tensor varied = is_near_one(name) ? clamp(1 - (1 - own) * factors, 0.0, below_one) : own * factors;
      const Tensor result = where(replaced, varied, own);
      name == "lr" ? optimizer_.set_lr(result, group) : static_cast<void>(own.copy_(result));
    }
  }
}

// ---- what users see -----------------------------------------------------------------------------

void clone(Optimizer& optimizer, const Tensor& source, CloneOptions options) {
  const Operation called("population.clone");
  const NoGrad guard;
  Members members("population.clone", optimizer);
  members.expect_sets();
  members.clone(checked_source("population.clone", source, members.sets(), members.device()), options.hyperparameters);
}

void clone(const std::vector<Tensor>& tensors, const Tensor& source) {
  const Operation called("population.clone");
  const NoGrad guard;
  const TensorImpl& index = checked(source, "population.clone", "source");
  LUGE_CHECK(ShapeError, index.shape.ndim() == 1, "population.clone: source has shape {}; it must be (sets,)",
             to_string(index.shape));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorImpl& impl = checked(tensors[i], "population.clone", "a tensor");
    LUGE_CHECK(ShapeError, impl.shape.ndim() > 0 && impl.shape[0] == index.shape[0],
               "population.clone: tensor {} has shape {}; the first size must be {}, the number of sets", i,
               to_string(impl.shape), index.shape[0]);
    LUGE_CHECK(DeviceError, tensors[i].device() == source.device(),
               "population.clone: tensor {} is on {} and source on {}", i, to_string(tensors[i].device()),
               to_string(source.device()));
  }
  const Tensor labels = checked_labels("population.clone", source, index.shape[0]);
  for (Tensor tensor : tensors)
    if (tensor.numel() > 0) tensor.copy_(index_select(tensor, 0, labels));
}

void restart(Optimizer& optimizer, const Tensor& mask, std::optional<std::uint64_t> seed) {
  const Operation called("population.restart");
  const NoGrad guard;
  Members members("population.restart", optimizer);
  check_mask("population.restart", mask, members.sets(), members.device(), true);
  members.restart(mask, seed);
}

Tensor perturb(const Tensor& values, const Factors& factors, const Tensor& mask, const Draw& draw) {
  const char* const op = "population.perturb";
  const Operation called(op);
  const NoGrad guard;
  check_values(op, values, mask);
  check_factors(op, factors);
  return chosen(mask, values * drawn_factors(op, values, factors, draw), values);
}

Tensor resample(const Tensor& values, const Init& init, const Tensor& mask, const Draw& draw) {
  const char* const op = "population.resample";
  const Operation called(op);
  const NoGrad guard;
  check_values(op, values, mask);
  const TensorOptions options{.dtype = values.dtype() == DType::Float64 ? DType::Float64 : DType::Float32,
                              .device = values.device()};
  if (init.is_constant) return chosen(mask, full(values.shape(), init.a, options), values);
  const auto draw_values = init.kind == Random::Kind::Normal ? keyed_normal : keyed_uniform;
  return chosen(mask, draw_values(op, values.shape(), init.a, init.b, draw, Purpose::Resample, options), values);
}

// ---- selection ----------------------------------------------------------------------------------

Tensor ranks(const Tensor& scores) {
  const Operation called("population.ranks");
  const NoGrad guard;
  return places(argsort(checked_scores("population.ranks", scores), 0));
}

Tensor best(const Tensor& scores, std::int64_t count) {
  const Operation called("population.best");
  const NoGrad guard;
  const Tensor own = checked_scores("population.best", scores);
  LUGE_CHECK(ValueError, count >= 0 && count <= scores.numel(),
             "population.best: count is {}; allowed are 0 to {}, the sets", count, scores.numel());
  return topk(own, count, 0, false).indices;
}

Tensor best_of(const Tensor& scores, std::int64_t starts) {
  const Operation called("population.best_of");
  const NoGrad guard;
  const Tensor own = checked_scores("population.best_of", scores);
  LUGE_CHECK(ValueError, starts >= 1 && scores.numel() % starts == 0,
             "population.best_of: starts is {}; it must divide {}, the number of sets", starts, scores.numel());
  const std::int64_t groups = scores.numel() / starts;
  const Tensor within = topk(own.reshape({groups, starts}), 1, 1, false).indices.reshape({groups});
  return within + numbers(groups, scores.device()) * starts;
}

Tensor halve(Parameters& parameters, const Tensor& scores, std::int64_t keep) {
  const char* const op = "population.halve";
  const Operation called(op);
  const NoGrad guard;
  LUGE_CHECK(ValueError, parameters.batched(), "{}: the parameters have no sets", op);
  const std::int64_t sets = parameters.sets();
  const Tensor own = checked_scores(op, scores, parameters);
  LUGE_CHECK(ValueError, keep >= 1 && keep <= sets, "{}: keep is {}; allowed are 1 to {}, the sets", op, keep, sets);
  const Tensor active = parameters.active();
  // By score, then, since sorting is stable, those that are active before the others.
  const Tensor by_score = argsort(own, 0);
  const Tensor resting = logical_not(active).to(DType::Int32);
  const Tensor order = index_select(by_score, 0, argsort(index_select(resting, 0, by_score), 0));
  const Tensor stays = logical_and(active, places(order).lt(keep));
  parameters.set_active(stays);
  return stays;
}

Tensor exploit(Optimizer& optimizer, const Tensor& scores, const ExploitOptions& options) {
  const char* const op = "population.exploit";
  const Operation called(op);
  const NoGrad guard;
  Members members(op, optimizer);
  members.expect_sets();
  const std::int64_t sets = members.sets();
  const Tensor own = checked_scores(op, scores, members.parameters());
  LUGE_CHECK(ValueError, options.fraction > 0 && options.fraction <= 0.5,
             "{}: fraction is {}; it must be above 0 and at most 0.5", op, options.fraction);
  LUGE_CHECK(ValueError, sets >= 2, "{}: there is one set; there must be two or more", op);
  const auto count = std::max<std::int64_t>(static_cast<std::int64_t>(options.fraction * static_cast<double>(sets)), 1);

  const Tensor lost = are_nan(own), order = argsort(own, 0), rank = places(order);
  const Tensor counted = logical_not(lost).to(DType::Int64).sum();  // sets that have a score
  const Tensor sources = counted.minimum(count);                    // the best of them
  const Tensor first_worst = counted.minimum(sets - count);
  const Tensor has_source = logical_and(rank.ge(first_worst), sources.gt(0));
  Tensor place;
  if (options.pairing == Pairing::Random) {
    const Tensor uniform = keyed_uniform(op, {sets}, 0, 1, options.draw, Purpose::Pairing,
                                         {.dtype = DType::Float64, .device = members.device()});
    place = floor(uniform * sources.to(DType::Float64));
  } else {
    const Tensor n = (rank - first_worst).to(DType::Float64), period = sources.maximum(1).to(DType::Float64);
    place = n - floor(n / period) * period;
  }
  // What is not replaced looks somewhere, too; rounding can reach the end.
  const Tensor within = place.to(DType::Int64).minimum(sources - 1).maximum(0);
  const Tensor source = where(has_source, index_select(order, 0, within), numbers(sets, members.device()));
  members.clone(source, options.hyperparameters);
  members.activate(has_source);
  return source;
}

void explore(Optimizer& optimizer, const Tensor& source, const ExploreOptions& options) {
  const char* const op = "population.explore";
  const Operation called(op);
  const NoGrad guard;
  Members members(op, optimizer);
  members.expect_sets();
  check_factors(op, options.factors);
  const Tensor own = checked_source(op, source, members.sets(), members.device());
  members.explore(own.ne(numbers(members.sets(), members.device())), options);
}

}  // namespace luge::population
