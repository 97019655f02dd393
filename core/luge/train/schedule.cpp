#include <luge/train/schedule.h>

#include <cmath>
#include <numbers>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/seam/observer.h>
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

LrScheduler::LrScheduler(const char* kind, Optimizer& optimizer, Formula formula) : lr_(optimizer.lr_) {
  const NoGrad guard;
  const Tensor& lr = lr_->values;
  lr_->renew_base();
  const Tensor count = zeros({}, {.dtype = DType::Int64, .device = lr.device()});
  term_ = std::make_shared<ScheduleTerm>(ScheduleTerm{.formula = std::move(formula), .count = count, .kind = kind});
  lr_->schedules.push_back(term_);
  set_rates();
}

LrScheduler::LrScheduler(const char* kind, const Several& parts,
                         const std::function<Formula(std::vector<Part>)>& combine) {
  const NoGrad guard;
  LUGE_CHECK(ValueError, !parts.empty(), "{}: there are no schedulers; at least one is needed", kind);
  lr_ = parts[0].get().lr_;
  std::vector<Part> taken;
  std::string kinds;
  std::vector<Tensor> begun;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const LrScheduler& part = parts[i];
    LUGE_CHECK(ValueError, part.lr_ == lr_, "{}: scheduler {} is of another optimizer than scheduler 0", kind, i);
    LUGE_CHECK(ValueError, !part.term_->part_of, "{}: scheduler {} is part of a {} already", kind, i,
               part.term_->part_of);
    for (std::size_t j = 0; j < i; ++j)
      LUGE_CHECK(ValueError, parts[j].get().term_ != part.term_, "{}: schedulers {} and {} are the same", kind, j, i);
    kinds += (i > 0 ? ", " : "") + part.term_->kind;
    taken.push_back({part.term_->formula, part.term_->count.to(DType::Float64)});
    begun.push_back(taken.back().count);
    begun.insert(begun.end(), part.term_->begun.begin(), part.term_->begun.end());
  }
  const Tensor count = zeros({}, {.dtype = DType::Int64, .device = lr_->values.device()});
  term_ = std::make_shared<ScheduleTerm>(ScheduleTerm{.formula = combine(std::move(taken)),
                                                      .count = count,
                                                      .kind = fmt::format("{}({})", kind, kinds),
                                                      .begun = std::move(begun)});
  for (const LrScheduler& part : parts) {
    part.term_->part_of = kind;
    std::erase(lr_->schedules, part.term_);
  }
  lr_->renew_base();
  lr_->schedules.push_back(term_);
  set_rates();
}

/// The chain and its checkpoints go on with the value; a recorded step that counts this schedule finds its memory gone.
LrScheduler::~LrScheduler() {
  const NoGrad guard;
  const Unobserved unobserved;
  try {
    term_->last = term_->last.clone();
  } catch (const Error&) {  // no memory, or a device that has failed
    term_->last = Tensor();
  }
}

void LrScheduler::check_optimizer(const char* name, const Several& parts, const Optimizer& optimizer) {
  for (std::size_t i = 0; i < parts.size(); ++i)
    LUGE_CHECK(ValueError, parts[i].get().lr_ == optimizer.lr_, "{}: scheduler {} is not of the optimizer given", name,
               i);
}

void LrScheduler::set_rates() {
  const Tensor rates = lr_->scheduled();
  lr_->assign(rates);
  Tensor& last = term_->last;
  if (last.defined() && last.shape() == rates.shape())
    last.copy_(rates);  // a recorded step goes on at that address
  else
    last = rates.clone();
}

void LrScheduler::step() {
  LUGE_CHECK(ValueError, !term_->part_of, "step: this schedule is part of a {}; step that one", term_->part_of);
  const NoGrad guard;
  term_->count.add_(1);
  set_rates();
}

Tensor LrScheduler::last_lr() const { return term_->last.clone(); }

std::int64_t LrScheduler::steps_taken(SourceLocation location) const {
  return term_->count.item<std::int64_t>(location);
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
      }) {}

ChainedScheduler::ChainedScheduler(const std::vector<std::reference_wrapper<LrScheduler>>& schedulers)
    : LrScheduler("ChainedScheduler", schedulers, [](std::vector<Part> parts) -> Formula {
        return [parts = std::move(parts)](const Tensor& base, const Tensor& n) {
          Tensor rate = base;
          for (const Part& part : parts) rate = part.formula(rate, n + part.count);
          return rate;
        };
      }) {}

}  // namespace luge
