#include <luge/train/schedule.h>

#include <cmath>
#include <numbers>

#include <luge/autograd/grad_mode.h>
#include <luge/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/train/hyper.h>

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

LrScheduler::LrScheduler(Optimizer& optimizer, Formula formula) : lr_(optimizer.lr_), formula_(std::move(formula)) {
  const NoGrad guard;
  const Tensor& lr = lr_->values;
  base_ = lr.clone().to(DType::Float64);
  count_ = zeros({}, {.dtype = DType::Int64, .device = lr.device()});
  lr_->assign(rates());
}

LrScheduler::~LrScheduler() = default;

Tensor LrScheduler::rates() const { return formula_(base_, count_.to(DType::Float64)).to(lr_->values.dtype()); }

void LrScheduler::step() {
  const NoGrad guard;
  count_.add_(1);
  lr_->assign(rates());
}

Tensor LrScheduler::last_lr() const {
  return no_grad([&] { return rates(); });
}

std::int64_t LrScheduler::steps_taken(SourceLocation location) const {
  return count_.item<std::int64_t>(location);
}

// ---- the schedules ------------------------------------------------------------------------------

StepLr::StepLr(Optimizer& optimizer, const StepLrOptions& options)
    : LrScheduler(optimizer, [&]() -> Formula {
        check_count("StepLr", "step_size", options.step_size);
        check_gamma("StepLr", options.gamma);
        return [options](const Tensor& base, const Tensor& n) {
          const Tensor decays = (n / options.step_size).to(DType::Int64).to(DType::Float64);  // rounded down
          return base * pow(options.gamma, decays);
        };
      }()) {}

MultiStepLr::MultiStepLr(Optimizer& optimizer, const MultiStepLrOptions& options)
    : LrScheduler(optimizer, [&]() -> Formula {
        const std::vector<std::int64_t>& milestones = options.milestones;
        LUGE_CHECK(ValueError, !milestones.empty(), "MultiStepLr: milestones is empty; it must have 1 or more");
        check_count("MultiStepLr", "milestones[0]", milestones[0]);
        for (std::size_t i = 1; i < milestones.size(); ++i)
          LUGE_CHECK(ValueError, milestones[i] > milestones[i - 1],
                     "MultiStepLr: milestones[{}] is {}; it must be greater than milestones[{}], which is {}", i,
                     milestones[i], i - 1, milestones[i - 1]);
        check_gamma("MultiStepLr", options.gamma);
        const std::vector<double> numbers(milestones.begin(), milestones.end());
        const auto count = static_cast<std::int64_t>(numbers.size());
        const Tensor at = from_host(numbers, {count}, optimizer.parameters().device(), {});
        return [at, gamma = options.gamma](const Tensor& base, const Tensor& n) {
          return base * pow(gamma, at.le(n).to(DType::Float64).sum());
        };
      }()) {}

ConstantLr::ConstantLr(Optimizer& optimizer, const ConstantLrOptions& options)
    : LrScheduler(optimizer, [&]() -> Formula {
        check_factor("ConstantLr", "factor", options.factor);
        check_count("ConstantLr", "total_iters", options.total_iters);
        return [options](const Tensor& base, const Tensor& n) {
          return where(n.lt(options.total_iters), base * options.factor, base);
        };
      }()) {}

LinearLr::LinearLr(Optimizer& optimizer, const LinearLrOptions& options)
    : LrScheduler(optimizer, [&]() -> Formula {
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
    : LrScheduler(optimizer, [&]() -> Formula {
        check_gamma("ExponentialLr", options.gamma);
        return [options](const Tensor& base, const Tensor& n) { return base * pow(options.gamma, n); };
      }()) {}

CosineAnnealingLr::CosineAnnealingLr(Optimizer& optimizer, const CosineAnnealingLrOptions& options)
    : LrScheduler(optimizer, [&]() -> Formula {
        check_count("CosineAnnealingLr", "t_max", options.t_max);
        LUGE_CHECK(ValueError, options.eta_min >= 0 && std::isfinite(options.eta_min),
                   "CosineAnnealingLr: eta_min is {}; it must be 0 or more and finite", options.eta_min);
        return [options](const Tensor& base, const Tensor& n) {
          const Tensor angle = n * std::numbers::pi / options.t_max;
          return options.eta_min + (base - options.eta_min) * ((1 + cos(angle)) / 2);
        };
      }()) {}

}  // namespace luge
