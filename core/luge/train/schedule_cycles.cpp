#include <luge/train/schedule_cycles.h>

#include <algorithm>
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

using GroupFormula = std::function<Tensor(const Tensor& base, const Tensor& n)>;
using FormulaOf = std::function<GroupFormula(std::size_t group)>;

void check(const char* op, const char* option, double value, bool fits, const char* words) {
  LUGE_CHECK(ValueError, fits && std::isfinite(value), "{}: {} is {}; it must be {}", op, option, value, words);
}

/// One value for each of the groups.
PerGroup for_groups(const char* op, const char* option, const PerGroup& given, std::size_t groups,
                    double least = -std::numeric_limits<double>::infinity()) {
  LUGE_CHECK(ValueError, given.size() == groups || given.size() == 1,
             "{}: {} has {} values; there are {} parameter groups", op, option, given.size(), groups);
  for (const double value : given)
    LUGE_CHECK(ValueError, value >= least && std::isfinite(value), "{}: {} is {}; it must be {}finite", op, option, value,
               std::isfinite(least) ? "0 or more and " : "");
  return given.size() == groups ? given : PerGroup(groups, given[0]);
}

/// From `start` to `end` while `way` goes from 0 to 1.
Tensor annealed(Annealing strategy, double start, double end, const Tensor& way) {
  if (strategy == Annealing::Linear) return (end - start) * way + start;
  return end + (start - end) / 2.0 * (cos(way * std::numbers::pi) + 1);
}

/// The values from the first schedule of an optimizer on; a schedule that ignores the base says what it begins with.
void begin_with(const std::vector<std::shared_ptr<LearningRate>>& rates, const PerGroup& values) {
  const NoGrad guard;
  for (std::size_t g = 0; g < rates.size(); ++g)
    if (rates[g]->schedules.size() == 1)
      rates[g]->assign_base(full({}, values[g], {.dtype = DType::Float64, .device = rates[g]->values.device()}));
}

/// The momentum of every group, or beta1, as the optimizer works on it. One without momentum is given some.
std::vector<std::vector<Tensor>> momenta_of(const char* op, Optimizer& optimizer, const PerGroup& most) {
  const std::vector<std::string> names = optimizer.value_names();
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  LUGE_CHECK(ValueError, has("beta1") || has("momentum"),
             "{}: the optimizer has neither momentum nor beta1; set cycle_momentum to false", op);
  const std::string wanted = has("beta1") ? "beta1" : "momentum";
  std::vector<std::vector<Tensor>> result(optimizer.groups());
  for (std::size_t group = 0; group < result.size(); ++group) {
    const auto find = [&] {
      for (const auto& [name, tensor] : optimizer.named_state(group))
        if (name == wanted) result[group] = {tensor};
    };
    find();
    if (!result[group].empty()) continue;
    optimizer.set_value(wanted, most[group], group);
    find();
  }
  return result;
}

}  // namespace

// ---- a polynomial -------------------------------------------------------------------------------

PolynomialLr::PolynomialLr(Optimizer& optimizer, const PolynomialLrOptions& options)
    : LrScheduler("PolynomialLr", optimizer, [&]() -> Formula {
        LUGE_CHECK(ValueError, options.total_iters >= 1, "PolynomialLr: total_iters is {}; it must be 1 or more",
                   options.total_iters);
        check("PolynomialLr", "power", options.power, options.power >= 0, "0 or more and finite");
        return [options](const Tensor& base, const Tensor& n) {
          return base * pow(1 - n.minimum(options.total_iters) / options.total_iters, options.power);
        };
      }()) {}

// ---- restarts -----------------------------------------------------------------------------------

struct CosineAnnealingWarmRestarts::Made {
  Tensor fraction;
  Formula formula;
};

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(Optimizer& optimizer,
                                                         const CosineAnnealingWarmRestartsOptions& options)
    : CosineAnnealingWarmRestarts(optimizer, [&]() -> Made {
        constexpr const char* kOp = "CosineAnnealingWarmRestarts";
        LUGE_CHECK(ValueError, options.t_0 >= 1, "{}: t_0 is {}; it must be 1 or more", kOp, options.t_0);
        LUGE_CHECK(ValueError, options.t_mult >= 1, "{}: t_mult is {}; it must be 1 or more", kOp, options.t_mult);
        check(kOp, "eta_min", options.eta_min, true, "finite");
        const Device device = optimizer.parameters().device();
        const Tensor fraction = zeros({}, {.dtype = DType::Float64, .device = device});
        // Where cycles begin, as far as a float64 counts steps.
        std::vector<double> begins;
        const auto mult = static_cast<double>(options.t_mult);
        if (options.t_mult > 1)
          for (double length = static_cast<double>(options.t_0), begin = length; begin < 0x1p53; begin += length) {
            begins.push_back(begin);
            length *= mult;
          }
        const auto count = static_cast<std::int64_t>(begins.size());
        const Tensor at = count > 0 ? from_host(begins, {count}, device, {}) : Tensor();
        return {fraction, [options, mult, fraction, at](const Tensor& base, const Tensor& n) {
                  const Tensor t = n + fraction;
                  const auto first = static_cast<double>(options.t_0);
                  Tensor gone, length;
                  if (at.defined()) {
                    const Tensor begin = where(at.le(t), at, 0).max();
                    gone = t - begin;
                    length = first + begin * (mult - 1);  // first * mult^k, begin being first (mult^k - 1) / (mult - 1)
                  } else {
                    gone = remainder(t, first);
                    length = full({}, first, {.dtype = DType::Float64, .device = n.device()});
                  }
                  const Tensor angle = gone * std::numbers::pi / length;
                  return options.eta_min + (base - options.eta_min) * (1 + cos(angle)) / 2;
                }};
      }()) {}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(Optimizer& optimizer, const Made& made)
    : LrScheduler("CosineAnnealingWarmRestarts", optimizer, [&](std::size_t) { return made.formula; },
                  {.state = {{"fraction", made.fraction}}}),
      fraction_(made.fraction) {}

void CosineAnnealingWarmRestarts::step(double epoch, SourceLocation location) {
  LUGE_CHECK(ValueError, epoch >= 0 && epoch < 0x1p53, "step: epoch is {}; it must be 0 or more", epoch);
  refuse_capture("step", kHostWrite, location);
  const NoGrad guard;
  Tensor count = state()[0].second;
  count.fill_(static_cast<std::int64_t>(std::floor(epoch)));
  fraction_.fill_(epoch - std::floor(epoch));
  set_rates();
}

// ---- one cycle ----------------------------------------------------------------------------------

namespace {

constexpr const char* kOneCycle = "OneCycleLr";

/// The values between which the cycle goes: `from` until n is `end`, then the next one.
struct Phase {
  double end, from, to;
};

Tensor along(const std::vector<Phase>& phases, Annealing strategy, const Tensor& n) {
  std::vector<Tensor> values;
  double begin = 0;
  for (const Phase& phase : phases) {
    const double length = phase.end - begin;
    values.push_back(annealed(strategy, phase.from, phase.to, (n - begin) / (length == 0 ? 1.0 : length)));
    begin = phase.end;
  }
  Tensor result = values.back();
  for (std::size_t i = phases.size() - 1; i-- > 0;) result = where(n.le(phases[i].end), values[i], result);
  return result;
}

/// Up from `low` to `high`, and down to `last`, with what else the cycle says.
std::vector<Phase> phases(const OneCycleLrOptions& options, double low, double high, double last) {
  const auto total = static_cast<double>(options.total_steps);
  const double up = options.pct_start * total - 1;
  if (!options.three_phase) return {{up, low, high}, {total - 1, high, last}};
  return {{up, low, high}, {2 * options.pct_start * total - 2, high, low}, {total - 1, low, last}};
}

ScheduleHooks momentum_hooks(const char* op, Optimizer& optimizer, const PerGroup& base, const PerGroup& most,
                             const std::function<Tensor(double base, double most, const Tensor& n)>& formula) {
  ScheduleHooks hooks;
  const std::size_t groups = optimizer.groups();
  const PerGroup low = for_groups(op, "base_momentum", base, groups, 0), high = for_groups(op, "max_momentum", most, groups, 0);
  hooks.momentum_of = momenta_of(op, optimizer, high);
  hooks.momentum = [low, high, formula](const Tensor& n, std::size_t g) { return formula(low[g], high[g], n); };
  return hooks;
}

OneCycleLrOptions checked(OneCycleLrOptions options, std::size_t groups) {
  options.max_lr = for_groups(kOneCycle, "max_lr", options.max_lr, groups, 0);
  LUGE_CHECK(ValueError, options.total_steps >= 1, "{}: total_steps is {}; it must be 1 or more", kOneCycle,
             options.total_steps);
  check(kOneCycle, "pct_start", options.pct_start, options.pct_start >= 0 && options.pct_start <= 1, "from 0 to 1");
  check(kOneCycle, "div_factor", options.div_factor, options.div_factor > 0, "above 0 and finite");
  check(kOneCycle, "final_div_factor", options.final_div_factor, options.final_div_factor > 0, "above 0 and finite");
  return options;
}

}  // namespace

OneCycleLr::OneCycleLr(Optimizer& optimizer, const OneCycleLrOptions& given)
    : LrScheduler(
          kOneCycle, optimizer,
          [options = checked(given, rates_of(optimizer).size())](std::size_t g) -> Formula {
            const double low = options.max_lr[g] / options.div_factor;
            return [cycle = phases(options, low, options.max_lr[g], low / options.final_div_factor),
                    options](const Tensor&, const Tensor& n) {
              return along(cycle, options.anneal_strategy, n.minimum(options.total_steps));
            };
          },
          [&] {
            ScheduleHooks hooks;
            if (given.cycle_momentum)
              hooks = momentum_hooks(kOneCycle, optimizer, given.base_momentum, given.max_momentum,
                                     [given](double low, double high, const Tensor& n) {
                                       return along(phases(given, high, low, high), given.anneal_strategy,
                                                    n.minimum(given.total_steps));
                                     });
            hooks.most_steps = given.total_steps;
            return hooks;
          }()) {
  PerGroup low = checked(given, rates().size()).max_lr;
  for (double& value : low) value /= given.div_factor;
  begin_with(rates(), low);
}

// ---- cycles -------------------------------------------------------------------------------------

namespace {

constexpr const char* kCyclic = "CyclicLr";

/// How high the schedule stands after n steps, from 0 to 1 or as the mode says.
struct Height {
  CyclicLrOptions options;
  Tensor factor;  ///< what scale_fn said last; undefined without one

  double total() const { return options.step_size_up + options.step_size_down.value_or(options.step_size_up); }
  double scaled_by(std::int64_t n) const {
    const auto at = static_cast<double>(n);
    return options.scale_fn(options.scale_by_iterations ? at : std::floor(1 + at / total()));
  }
  /// The height within a cycle, and what it is multiplied by.
  std::pair<Tensor, Tensor> at(const Tensor& n) const {
    const double ratio = options.step_size_up / total();
    const Tensor cycle = floor(1 + n / total()), x = 1 + n / total() - cycle;
    const Tensor way = ratio == 1 ? x / ratio : where(x.le(ratio), x / ratio, (x - 1) / (ratio - 1));
    if (factor.defined()) return {way, factor};
    switch (options.mode) {
      case CyclicLrOptions::Mode::Triangular: break;
      case CyclicLrOptions::Mode::Triangular2: return {way, 1 / pow(2.0, cycle - 1)};
      case CyclicLrOptions::Mode::ExpRange: return {way, pow(options.gamma, n)};
    }
    return {way, full({}, 1, {.dtype = DType::Float64, .device = n.device()})};
  }
};

Height checked_height(const CyclicLrOptions& options, Device device) {
  check(kCyclic, "step_size_up", options.step_size_up, options.step_size_up > 0, "above 0");
  if (options.step_size_down) check(kCyclic, "step_size_down", *options.step_size_down, *options.step_size_down >= 0, "0 or more");
  check(kCyclic, "gamma", options.gamma, options.gamma > 0, "above 0 and finite");
  return {options, options.scale_fn ? ones({}, {.dtype = DType::Float64, .device = device}) : Tensor()};
}

ScheduleHooks hooks_of(const Height& height, Optimizer& optimizer) {
  ScheduleHooks hooks;
  if (height.options.cycle_momentum)
    hooks = momentum_hooks(kCyclic, optimizer, height.options.base_momentum, height.options.max_momentum,
                           [height](double low, double high, const Tensor& n) {
                             const auto [way, factor] = height.at(n);
                             return high - (high - low) * way * factor;
                           });
  if (height.options.scale_fn)
    hooks.on_host = [height](std::int64_t n) {
      Tensor factor = height.factor;
      factor.fill_(height.scaled_by(n));
    };
  return hooks;
}

FormulaOf formulas_of(const Height& height, std::size_t groups) {
  const PerGroup low = for_groups(kCyclic, "base_lr", height.options.base_lr, groups, 0);
  const PerGroup high = for_groups(kCyclic, "max_lr", height.options.max_lr, groups);
  return [height, low, high](std::size_t g) -> GroupFormula {
    return [height, from = low[g], to = high[g]](const Tensor&, const Tensor& n) {
      const auto [way, factor] = height.at(n);
      return from + (to - from) * way * factor;
    };
  };
}

}  // namespace

struct CyclicLr::Made {
  Height height;
  FormulaOf formula_of;
  ScheduleHooks hooks;
};

CyclicLr::CyclicLr(Optimizer& optimizer, const CyclicLrOptions& options)
    : CyclicLr(optimizer, [&]() -> Made {
        const Height height = checked_height(options, optimizer.parameters().device());
        FormulaOf formulas = formulas_of(height, rates_of(optimizer).size());
        return {height, std::move(formulas), hooks_of(height, optimizer)};
      }()) {}

CyclicLr::CyclicLr(Optimizer& optimizer, const Made& made)
    : LrScheduler(kCyclic, optimizer, made.formula_of, made.hooks) {
  begin_with(rates(), for_groups(kCyclic, "base_lr", made.height.options.base_lr, rates().size()));
}

// ---- for averaging ------------------------------------------------------------------------------

SwaLr::SwaLr(Optimizer& optimizer, const SwaLrOptions& options)
    : LrScheduler(
          "SwaLr", optimizer,
          [options, rates = for_groups("SwaLr", "swa_lr", options.swa_lr, rates_of(optimizer).size(), 0)](
              std::size_t g) -> Formula {
            LUGE_CHECK(ValueError, options.anneal_epochs >= 0, "SwaLr: anneal_epochs is {}; it must be 0 or more",
                       options.anneal_epochs);
            return [options, rate = rates[g]](const Tensor& base, const Tensor& n) {
              const Tensor steps = options.anneal_epochs == 0 ? n.maximum(1) : n;
              const auto epochs = static_cast<double>(std::max<std::int64_t>(1, options.anneal_epochs));
              const Tensor way = (steps / epochs).minimum(1);
              const Tensor part = options.anneal_strategy == Annealing::Linear ? way : (1 - cos(way * std::numbers::pi)) / 2;
              return rate * part + base * (1 - part);
            };
          },
          {}) {}

}  // namespace luge
