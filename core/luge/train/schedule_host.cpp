#include <luge/train/schedule_host.h>

#include <algorithm>
#include <cmath>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/hyper.h>

namespace luge {

// ---- functions ----------------------------------------------------------------------------------

namespace {

/// The factors of the groups in device memory, and the functions that the host fills them by.
struct Factors {
  std::vector<LrFunction> functions;
  std::vector<Tensor> values;
};

Factors factors_of(const char* op, const std::vector<LrFunction>& given, std::size_t groups, Device device) {
  LUGE_CHECK(ValueError, given.size() == groups || given.size() == 1,
             "{}: there are {} functions and {} parameter groups", op, given.size(), groups);
  Factors result;
  for (std::size_t g = 0; g < groups; ++g) {
    result.functions.push_back(given[given.size() == 1 ? 0 : g]);
    LUGE_CHECK(ValueError, bool(result.functions[g]), "{}: function {} is empty", op, g);
    result.values.push_back(ones({}, {.dtype = DType::Float64, .device = device}));
  }
  return result;
}

/// base times the factor of its group.
std::function<std::function<Tensor(const Tensor&, const Tensor&)>(std::size_t)> products(const Factors& factors) {
  return [values = factors.values](std::size_t g) {
    return [factor = values[g]](const Tensor& base, const Tensor&) { return base * factor; };
  };
}

}  // namespace

struct LambdaLr::Made {
  Factors factors;
};

LambdaLr::LambdaLr(Optimizer& optimizer, const std::vector<LrFunction>& lr_lambda)
    : LambdaLr(optimizer, Made{factors_of("LambdaLr", lr_lambda, rates_of(optimizer).size(),
                                          optimizer.parameters().device())}) {}

LambdaLr::LambdaLr(Optimizer& optimizer, const Made& made)
    : LrScheduler("LambdaLr", optimizer, products(made.factors), {.on_host = [factors = made.factors](std::int64_t n) {
                    for (std::size_t g = 0; g < factors.values.size(); ++g) {
                      Tensor value = factors.values[g];
                      value.fill_(factors.functions[g](n));
                    }
                  }}) {}

struct MultiplicativeLr::Made {
  Factors factors;
};

MultiplicativeLr::MultiplicativeLr(Optimizer& optimizer, const std::vector<LrFunction>& lr_lambda)
    : MultiplicativeLr(optimizer, Made{factors_of("MultiplicativeLr", lr_lambda, rates_of(optimizer).size(),
                                                  optimizer.parameters().device())}) {}

MultiplicativeLr::MultiplicativeLr(Optimizer& optimizer, const Made& made)
    : LrScheduler("MultiplicativeLr", optimizer, products(made.factors),
                  {.on_host = [factors = made.factors, latest = std::make_shared<std::int64_t>(0),
                               product = std::vector<double>(made.factors.values.size(), 1.0)](std::int64_t n) mutable {
                    for (std::size_t g = 0; g < factors.values.size(); ++g) {
                      if (n <= *latest) product[g] = 1;
                      for (std::int64_t i = n <= *latest ? 1 : *latest + 1; i <= n; ++i) product[g] *= factors.functions[g](i);
                      Tensor value = factors.values[g];
                      value.fill_(product[g]);
                    }
                    *latest = n;
                  }}) {}

// ---- a metric -----------------------------------------------------------------------------------

struct ReduceLrOnPlateau::Made {
  Tensor best, bad_epochs, cooldown;
};

ReduceLrOnPlateau::ReduceLrOnPlateau(Optimizer& optimizer, const ReduceLrOnPlateauOptions& options)
    : ReduceLrOnPlateau(optimizer, options, [&]() -> Made {
        constexpr const char* kOp = "ReduceLrOnPlateau";
        LUGE_CHECK(ValueError, options.factor < 1, "{}: factor is {}; it must be below 1", kOp, options.factor);
        const auto rates = rates_of(optimizer);
        LUGE_CHECK(ValueError, options.min_lr.size() == 1 || options.min_lr.size() == rates.size(),
                   "{}: min_lr has {} values; there are {} parameter groups", kOp, options.min_lr.size(), rates.size());
        const bool per_set = std::any_of(rates.begin(), rates.end(), [](const auto& rate) { return rate->values.ndim() > 0; });
        const Shape shape = per_set ? Shape{optimizer.parameters().sets()} : Shape{};
        const TensorOptions like{.dtype = DType::Float64, .device = optimizer.parameters().device()};
        const double worst = std::numeric_limits<double>::infinity();
        return {full(shape, options.mode == ReduceLrOnPlateauOptions::Mode::Min ? worst : -worst, like), zeros(shape, like),
                zeros(shape, like)};
      }()) {}

ReduceLrOnPlateau::ReduceLrOnPlateau(Optimizer& optimizer, const ReduceLrOnPlateauOptions& options, const Made& made)
    : LrScheduler("ReduceLrOnPlateau", optimizer,
                  [](std::size_t) -> Formula { return [](const Tensor& base, const Tensor&) { return base + 0; }; },
                  {.state = {{"best", made.best}, {"num_bad_epochs", made.bad_epochs}, {"cooldown_counter", made.cooldown}}}),
      options_(options),
      best_(made.best),
      bad_epochs_(made.bad_epochs),
      cooldown_(made.cooldown) {}

void ReduceLrOnPlateau::step(double metric, SourceLocation location) {
  refuse_capture("step", kHostWrite, location);
  step(full({}, metric, {.dtype = DType::Float64, .device = best_.device()}));
}

void ReduceLrOnPlateau::step(const Tensor& metric) {
  const NoGrad guard;
  const Shape& shape = checked(metric, "step", "metric").shape;
  LUGE_CHECK(ShapeError, shape.empty() || shape == Shape{1} || shape == best_.shape(),
             "step: metric has shape {}; allowed is {}{}", to_string(shape), best_.ndim() > 0 ? "() and " : "",
             to_string(best_.shape()));
  LUGE_CHECK(DeviceError, metric.device() == best_.device(), "step: metric is on {} and the optimizer on {}",
             to_string(metric.device()), to_string(best_.device()));
  Tensor now = metric.detach().to(DType::Float64);
  if (shape != best_.shape()) now = now.reshape({}).expand(best_.shape());
  const bool least = options_.mode == ReduceLrOnPlateauOptions::Mode::Min;
  const bool relative = options_.threshold_mode == ReduceLrOnPlateauOptions::ThresholdMode::Rel;
  const double sign = least ? -1 : 1;
  const Tensor bar = relative ? best_ * (1 + sign * options_.threshold) : best_ + sign * options_.threshold;
  const Tensor better = least ? now.lt(bar) : now.gt(bar);
  const Tensor best = where(better, now, best_), rests = cooldown_.gt(0);
  const Tensor bad = where(logical_or(better, rests), 0, bad_epochs_ + 1);
  const Tensor reduces = bad.gt(static_cast<double>(options_.patience));
  cooldown_.copy_(where(reduces, static_cast<double>(options_.cooldown), cooldown_ - rests.to(DType::Float64)));
  bad_epochs_.copy_(where(reduces, 0, bad));
  best_.copy_(best);
  for (std::size_t g = 0; g < rates().size(); ++g) {
    LearningRate& rate = *rates()[g];
    const Tensor old = rate.values.to(DType::Float64);
    const Tensor fresh = (old * options_.factor).maximum(options_.min_lr[options_.min_lr.size() == 1 ? 0 : g]);
    const Tensor flags = old.ndim() == 0 && reduces.ndim() > 0 ? reduces.any() : reduces;
    rate.assign(where(logical_and(flags, (old - fresh).gt(options_.eps)), fresh, old).to(rate.values.dtype()));
    rate.rebase();
  }
  Tensor count = state()[0].second;
  count.add_(1);
  set_rates();
}

}  // namespace luge
