#include <luge/train/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/hyper.h>

namespace luge {

namespace {

void check_count(const char* schedule, const char* option, std::int64_t value) {
  LUGE_CHECK(ValueError, value >= 1, "{}: {} is {}; it must be 1 or more", schedule, option, value);
}

void check_gamma(const char* schedule, double gamma) {
  LUGE_CHECK(ValueError, gamma > 0 && std::isfinite(gamma), "{}: gamma is {}; it must be above 0 and finite", schedule,
             gamma);
}

void check_factor(const char* schedule, const char* option, double value) {
  LUGE_CHECK(ValueError, value >= 0 && value <= 1, "{}: {} is {}; it must be from 0 to 1", schedule, option, value);
}

}  // namespace

std::vector<std::shared_ptr<LearningRate>> LrScheduler::rates_of(const Optimizer& optimizer) {
  std::vector<std::shared_ptr<LearningRate>> rates;
  for (std::size_t group = 0; group < optimizer.groups(); ++group) rates.push_back(optimizer.rate(group));
  return rates;
}

LrScheduler::LrScheduler(const char* kind, Optimizer& optimizer, Formula formula)
    : LrScheduler(kind, optimizer, [&](std::size_t) { return formula; }, {}) {}

LrScheduler::LrScheduler(const char* kind, Optimizer& optimizer,
                         const std::function<Formula(std::size_t group)>& formula_of, ScheduleHooks hooks)
    : lrs_(rates_of(optimizer)) {
  const NoGrad guard;
  const Tensor count = zeros({}, {.dtype = DType::Int64, .device = lrs_[0]->values.device()});
  for (std::size_t g = 0; g < lrs_.size(); ++g) {
    lrs_[g]->renew_base();
    terms_.push_back(
        std::make_shared<ScheduleTerm>(ScheduleTerm{.formula = formula_of(g), .count = count, .kind = kind}));
    lrs_[g]->schedules.push_back(terms_[g]);
  }
  terms_[0]->hooks = std::move(hooks);
  if (this->hooks().on_host) this->hooks().on_host(0);
  set_rates();
}

namespace {

/// One of several schedules as the one that takes it over sees it.
struct Taken {
  ScheduleHooks hooks;
  std::size_t index;
};

}  // namespace

LrScheduler::LrScheduler(const char* kind, const Several& parts,
                         const std::function<Formula(std::vector<Part>)>& combine,
                         const std::function<TurnOf(const std::vector<Part>&)>& turns) {
  const NoGrad guard;
  LUGE_CHECK(ValueError, !parts.empty(), "{}: there are no schedulers; at least one is needed", kind);
  lrs_ = parts[0].get().lrs_;
  std::string kinds;
  std::vector<Tensor> begun;
  std::vector<std::vector<Part>> taken(lrs_.size());
  std::vector<Taken> hooked;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const LrScheduler& part = parts[i];
    LUGE_CHECK(ValueError, part.lrs_ == lrs_, "{}: scheduler {} is of another optimizer than scheduler 0", kind, i);
    LUGE_CHECK(ValueError, part.term().kind != "ReduceLrOnPlateau",
               "{}: scheduler {} is a ReduceLrOnPlateau, whose steps need a metric; step it by itself", kind, i);
    LUGE_CHECK(ValueError, !part.term().part_of, "{}: scheduler {} is part of a {} already", kind, i,
               part.term().part_of);
    for (std::size_t j = 0; j < i; ++j)
      LUGE_CHECK(ValueError, parts[j].get().terms_ != part.terms_, "{}: schedulers {} and {} are the same", kind, j, i);
    kinds += (i > 0 ? ", " : "") + part.term().kind;
    const Tensor count = part.term().count.to(DType::Float64);
    for (std::size_t g = 0; g < lrs_.size(); ++g)
      taken[g].push_back({part.terms_[g]->formula, count, part.term().hooks.host_count});
    begun.push_back(count);
    begun.insert(begun.end(), part.term().begun.begin(), part.term().begun.end());
    hooked.push_back({part.term().hooks, i});
  }
  const TurnOf turn = turns(taken[0]);
  ScheduleHooks hooks;
  std::erase_if(hooked, [&](const Taken& part) { return !part.hooks.on_host && !part.hooks.momentum; });
  if (std::any_of(hooked.begin(), hooked.end(), [](const Taken& part) { return bool(part.hooks.on_host); }))
    hooks.on_host = [hooked, turn](std::int64_t n) {
      for (const Taken& part : hooked)
        if (const Turn now = turn(part.index, {}, n); part.hooks.on_host && now.host_is_on)
          part.hooks.on_host(now.host_count);
    };
  for (const Taken& part : hooked)
    if (part.hooks.momentum) hooks.momentum_of = part.hooks.momentum_of;
  if (!hooks.momentum_of.empty())
    hooks.momentum = [hooked, turn, targets = hooks.momentum_of](const Tensor& n, std::size_t group) {
      Tensor momentum = targets[group][0].to(DType::Float64);
      for (const Taken& part : hooked) {
        if (!part.hooks.momentum) continue;
        const Turn now = turn(part.index, n, 0);
        const Tensor own = part.hooks.momentum(now.count, group);
        momentum = now.is_on.defined() ? where(now.is_on, own, momentum) : own;
      }
      return momentum;
    };
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (const auto& [name, tensor] : parts[i].get().term().hooks.state)
      hooks.state.emplace_back(fmt::format("{}.{}", i, name), tensor);
  const Tensor count = zeros({}, {.dtype = DType::Int64, .device = lrs_[0]->values.device()});
  for (std::size_t g = 0; g < lrs_.size(); ++g)
    terms_.push_back(std::make_shared<ScheduleTerm>(ScheduleTerm{.formula = combine(std::move(taken[g])),
                                                                 .count = count,
                                                                 .kind = fmt::format("{}({})", kind, kinds),
                                                                 .begun = begun}));
  terms_[0]->hooks = std::move(hooks);
  for (const LrScheduler& part : parts)
    for (std::size_t g = 0; g < lrs_.size(); ++g) {
      part.terms_[g]->part_of = kind;
      std::erase(lrs_[g]->schedules, part.terms_[g]);
    }
  for (std::size_t g = 0; g < lrs_.size(); ++g) {
    lrs_[g]->renew_base();
    lrs_[g]->schedules.push_back(terms_[g]);
  }
  if (terms_[0]->hooks.on_host) terms_[0]->hooks.on_host(0);
  set_rates();
}

/// The chain and its checkpoints go on with the value; a recorded step that counts this schedule finds its memory gone.
LrScheduler::~LrScheduler() {
  const NoGrad guard;
  const Unobserved unobserved;
  for (const std::shared_ptr<ScheduleTerm>& term : terms_) try {
      term->last = term->last.clone();
    } catch (const Error&) {  // no memory, or a device that has failed
      term->last = Tensor();
    }
}

void LrScheduler::check_optimizer(const char* name, const Several& parts, const Optimizer& optimizer) {
  for (std::size_t i = 0; i < parts.size(); ++i)
    LUGE_CHECK(ValueError, parts[i].get().lrs_ == rates_of(optimizer), "{}: scheduler {} is not of the optimizer given",
               name, i);
}

ScheduleHooks& LrScheduler::hooks() { return terms_[0]->hooks; }

void LrScheduler::set_rates() {
  for (std::size_t g = 0; g < lrs_.size(); ++g) {
    const Tensor rates = lrs_[g]->scheduled();
    lrs_[g]->assign(rates);
    Tensor& last = terms_[g]->last;
    if (last.defined() && last.shape() == rates.shape())
      last.copy_(rates);  // a recorded step goes on at that address
    else
      last = rates.clone();
  }
  const ScheduleHooks& also = hooks();
  if (!also.momentum) return;
  const Tensor n = term().count.to(DType::Float64);
  for (std::size_t g = 0; g < also.momentum_of.size(); ++g)
    for (Tensor target : also.momentum_of[g]) target.copy_(also.momentum(n, g).to(target.dtype()));
}

void LrScheduler::step() {
  LUGE_CHECK(ValueError, !term().part_of, "step: this schedule is part of a {}; step that one", term().part_of);
  const NoGrad guard;
  ScheduleHooks& own = hooks();
  LUGE_CHECK(ValueError, !own.most_steps || own.calls < *own.most_steps, "step: the schedule has {} steps, and all are taken",
             own.most_steps.value_or(0));
  ++own.calls;
  if (own.on_host) {
    refuse_capture("step", "calls a function of the host, of which a replay knows one value", SourceLocation::current());
    own.on_host(own.host_count + 1);
    ++own.host_count;
  }
  Tensor count = term().count;
  count.add_(1);
  set_rates();
}

Tensor LrScheduler::last_lr(std::size_t group) const {
  LUGE_CHECK(IndexError, group < terms_.size(), "last_lr: group is {}; there are {} groups", group, terms_.size());
  return terms_[group]->last.clone();
}

std::int64_t LrScheduler::steps_taken(SourceLocation location) const {
  return term().count.item<std::int64_t>(location);
}

std::vector<std::pair<std::string, Tensor>> LrScheduler::state() const {
  std::vector<std::pair<std::string, Tensor>> result{{"last_epoch", term().count}};
  for (std::size_t g = 0; g < lrs_.size(); ++g) result.emplace_back(fmt::format("base_lrs.{}", g), lrs_[g]->base);
  const auto& own = term().hooks.state;
  result.insert(result.end(), own.begin(), own.end());
  return result;
}

void ScheduleTerm::go_on(std::int64_t steps) {
  if (hooks.on_host) {
    try {
      for (std::int64_t n = hooks.host_count + 1; n <= steps; ++n) hooks.on_host(n);  // a product of all factors needs each
      if (steps < hooks.host_count) hooks.on_host(steps);
    } catch (...) {
      hooks.on_host(hooks.host_count);
      throw;
    }
    hooks.host_count = steps;
  }
  hooks.calls = steps;
  count.fill_(steps);
}

void LrScheduler::resume(std::int64_t steps, const std::vector<Tensor>& base, bool now) {
  LUGE_CHECK(ValueError, steps >= 0, "resume: steps is {}; it must be 0 or more", steps);
  LUGE_CHECK(ValueError, base.size() == lrs_.size(), "resume: {} base learning rates are given; there are {} parameter groups",
             base.size(), lrs_.size());
  LUGE_CHECK(ValueError, !term().part_of, "resume: this schedule is part of a {}", term().part_of);
  for (std::size_t g = 0; g < lrs_.size(); ++g) {
    const Shape& shape = checked(base[g], "resume", "base").shape;
    LUGE_CHECK(ShapeError, shape.empty() || shape == lrs_[g]->base.shape() || lrs_[g]->base.ndim() == 0,
               "resume: the base learning rate of group {} has shape {}; allowed are () and {}", g, to_string(shape),
               to_string(lrs_[g]->base.shape()));
  }
  const NoGrad guard;
  terms_[0]->go_on(steps);
  for (std::size_t g = 0; g < lrs_.size(); ++g)
    lrs_[g]->assign_base(base[g].detach().to(DType::Float64).to(lrs_[g]->values.device()));
  if (now) set_rates();
}

// ---- the schedules ------------------------------------------------------------------------------

StepLr::StepLr(Optimizer& optimizer, const StepLrOptions& options)
    : LrScheduler("StepLr", optimizer, [&]() -> Formula {
        check_count("StepLr", "step_size", options.step_size);
        check_gamma("StepLr", options.gamma);
        return [options](const Tensor& base, const Tensor& n) {
          const Tensor decays = (n / options.step_size).to(DType::Int64).to(DType::Float64);  // rounded down
          return base * pow(options.gamma, decays);
        };
      }()) {}

MultiStepLr::MultiStepLr(Optimizer& optimizer, const MultiStepLrOptions& options)
    : LrScheduler("MultiStepLr", optimizer, [&]() -> Formula {
        const std::vector<std::int64_t>& milestones = options.milestones;
        LUGE_CHECK(ValueError, !milestones.empty(), "MultiStepLr: milestones is empty; it must have 1 or more");
        for (std::size_t i = 0; i < milestones.size(); ++i)
          check_count("MultiStepLr", fmt::format("milestones[{}]", i).c_str(), milestones[i]);
        check_gamma("MultiStepLr", options.gamma);
        const std::vector<double> numbers(milestones.begin(), milestones.end());
        const auto count = static_cast<std::int64_t>(numbers.size());
        const Tensor at = from_host(numbers, {count}, optimizer.parameters().device(), {});
        return [at, gamma = options.gamma](const Tensor& base, const Tensor& n) {
          return base * pow(gamma, at.le(n).to(DType::Float64).sum());
        };
      }()) {}

ConstantLr::ConstantLr(Optimizer& optimizer, const ConstantLrOptions& options)
    : LrScheduler("ConstantLr", optimizer, [&]() -> Formula {
        check_factor("ConstantLr", "factor", options.factor);
        check_count("ConstantLr", "total_iters", options.total_iters);
        return [options](const Tensor& base, const Tensor& n) {
          return where(n.lt(options.total_iters), base * options.factor, base);
        };
      }()) {}

LinearLr::LinearLr(Optimizer& optimizer, const LinearLrOptions& options)
    : LrScheduler("LinearLr", optimizer, [&]() -> Formula {
        LUGE_CHECK(ValueError, options.start_factor > 0 && options.start_factor <= 1,
                   "LinearLr: start_factor is {}; it must be above 0 and at most 1", options.start_factor);
        check_factor("LinearLr", "end_factor", options.end_factor);
        check_count("LinearLr", "total_iters", options.total_iters);
        return [options](const Tensor& base, const Tensor& n) {
          const Tensor way = n.minimum(options.total_iters) / options.total_iters;
          return base * (options.start_factor + (options.end_factor - options.start_factor) * way);
        };
      }()) {}

ExponentialLr::ExponentialLr(Optimizer& optimizer, const ExponentialLrOptions& options)
    : LrScheduler("ExponentialLr", optimizer, [&]() -> Formula {
        check_gamma("ExponentialLr", options.gamma);
        return [options](const Tensor& base, const Tensor& n) { return base * pow(options.gamma, n); };
      }()) {}

CosineAnnealingLr::CosineAnnealingLr(Optimizer& optimizer, const CosineAnnealingLrOptions& options)
    : LrScheduler("CosineAnnealingLr", optimizer, [&]() -> Formula {
        check_count("CosineAnnealingLr", "t_max", options.t_max);
        LUGE_CHECK(ValueError, options.eta_min >= 0 && std::isfinite(options.eta_min),
                   "CosineAnnealingLr: eta_min is {}; it must be 0 or more and finite", options.eta_min);
        return [options](const Tensor& base, const Tensor& n) {
          const Tensor angle = n * std::numbers::pi / options.t_max;
          return options.eta_min + (base - options.eta_min) * ((1 + cos(angle)) / 2);
        };
      }()) {}

SequentialLr::SequentialLr(Optimizer& optimizer, const SequentialLrOptions& options)
    : LrScheduler("SequentialLr", options.schedulers, [&](std::vector<Part> parts) -> Formula {
        const std::vector<std::int64_t> milestones = options.milestones;
        check_optimizer("SequentialLr", options.schedulers, optimizer);
        LUGE_CHECK(ValueError, milestones.size() + 1 == parts.size(),
                   "SequentialLr: there are {} milestones for {} schedulers; there must be one fewer",
                   milestones.size(), parts.size());
        for (std::size_t i = 0; i < milestones.size(); ++i) {
          check_count("SequentialLr", fmt::format("milestones[{}]", i).c_str(), milestones[i]);
          LUGE_CHECK(ValueError, i == 0 || milestones[i] > milestones[i - 1],
                     "SequentialLr: milestones[{}] is {}; it must be greater than milestones[{}], which is {}", i,
                     milestones[i], i - 1, milestones[i - 1]);
        }
        return [parts, milestones](const Tensor& base, const Tensor& n) {
          Tensor rate = parts[0].formula(base, n);
          for (std::size_t i = 0; i < milestones.size(); ++i)
            rate = where(n.lt(milestones[i]), rate, parts[i + 1].formula(base, n - milestones[i]));
          return rate;
        };
      }, [milestones = options.milestones](const std::vector<Part>&) -> TurnOf {
        return [milestones](std::size_t part, const Tensor& n, std::int64_t host_n) {
          const std::int64_t from = part == 0 ? 0 : milestones[part - 1];
          const bool is_last = part == milestones.size();
          Turn turn;
          turn.host_count = host_n - from;
          turn.host_is_on = host_n >= from && (is_last || host_n < milestones[part]);
          if (!n.defined()) return turn;
          turn.count = n - from;
          turn.is_on = is_last ? n.ge(from) : logical_and(n.ge(from), n.lt(milestones[part]));
          return turn;
        };
      }) {}

ChainedScheduler::ChainedScheduler(const std::vector<std::reference_wrapper<LrScheduler>>& schedulers)
    : LrScheduler("ChainedScheduler", schedulers, [](std::vector<Part> parts) -> Formula {
        return [parts = std::move(parts)](const Tensor& base, const Tensor& n) {
          Tensor rate = base;
          for (const Part& part : parts) rate = part.formula(rate, n + part.count);
          return rate;
        };
      }, [](const std::vector<Part>& parts) -> TurnOf {
        return [parts](std::size_t part, const Tensor& n, std::int64_t host_n) {
          Turn turn;
          turn.host_count = host_n + parts[part].host_count;
          if (n.defined()) turn.count = n + parts[part].count;
          return turn;
        };
      }) {}

}  // namespace luge
