#pragma once
// Trainings that run eagerly or captured, and what is left of them.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <luge/luge.h>

namespace luge::test {

struct OptimizerCase {
  const char* name;
  std::function<std::unique_ptr<Optimizer>(const Parameters&, const PerSet& lr)> make;
};

/// Every rule with every option that changes what it computes.
inline std::vector<OptimizerCase> optimizer_cases() {
  const auto sgd = [](SgdOptions options) {
    return [=](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
      SgdOptions own = options;
      own.lr = lr;
      return std::make_unique<Sgd>(p, own);
    };
  };
  const auto adam = []<class Rule, class Options>(Options options) {
    return [=](const Parameters& p, const PerSet& lr) -> std::unique_ptr<Optimizer> {
      Options own = options;
      own.lr = lr;
      return std::make_unique<Rule>(p, own);
    };
  };
  return {
      {"Sgd", sgd({})},
      {"WeightDecay", sgd({.weight_decay = 0.01})},
      {"Momentum", sgd({.momentum = 0.5, .dampening = 0.1, .maximize = true})},
      {"Nesterov", sgd({.momentum = 0.9, .nesterov = true})},
      {"Adam", adam.template operator()<Adam>(AdamOptions{.weight_decay = 0.01})},
      {"AdamW", adam.template operator()<AdamW>(AdamWOptions{})},
      {"RmsProp", adam.template operator()<RmsProp>(RmsPropOptions{.weight_decay = 0.01})},
      {"CenteredRmsProp", adam.template operator()<RmsProp>(RmsPropOptions{.momentum = 0.9, .centered = true})},
      {"Adagrad", adam.template operator()<Adagrad>(AdagradOptions{.lr_decay = 0.1, .maximize = true})},
  };
}

struct ScheduleCase {
  const char* name;
  std::function<std::unique_ptr<LrScheduler>(Optimizer&)> make;
};

/// Every schedule; within twenty steps all that it has happens.
inline std::vector<ScheduleCase> schedule_cases() {
  const auto schedule = []<class Schedule, class Options>(Options options) {
    return [=](Optimizer& o) -> std::unique_ptr<LrScheduler> { return std::make_unique<Schedule>(o, options); };
  };
  return {
      {"StepLr", schedule.template operator()<StepLr>(StepLrOptions{.step_size = 4, .gamma = 0.7})},
      {"MultiStepLr",
       schedule.template operator()<MultiStepLr>(MultiStepLrOptions{.milestones = {1, 5, 13}, .gamma = 0.6})},
      {"ConstantLr", schedule.template operator()<ConstantLr>(ConstantLrOptions{.total_iters = 9})},
      {"LinearLr", schedule.template operator()<LinearLr>(LinearLrOptions{.start_factor = 0.3, .total_iters = 11})},
      {"ExponentialLr", schedule.template operator()<ExponentialLr>(ExponentialLrOptions{.gamma = 0.9})},
      {"CosineAnnealingLr",
       schedule.template operator()<CosineAnnealingLr>(CosineAnnealingLrOptions{.t_max = 13, .eta_min = 1e-3})},
      {"SequentialLr",
       [](Optimizer& o) -> std::unique_ptr<LrScheduler> {
         ConstantLr warmup(o, {.factor = 0.1, .total_iters = 3});
         LinearLr up(o, {.start_factor = 0.2, .total_iters = 4});
         CosineAnnealingLr down(o, {.t_max = 7, .eta_min = 1e-3});
         return std::make_unique<SequentialLr>(o, SequentialLrOptions{{warmup, up, down}, {2, 9}});
       }},
      {"ChainedScheduler",
       [](Optimizer& o) -> std::unique_ptr<LrScheduler> {
         LinearLr up(o, {.start_factor = 0.2, .total_iters = 4});
         ExponentialLr down(o, {.gamma = 0.9});
         return std::make_unique<ChainedScheduler>(std::vector<std::reference_wrapper<LrScheduler>>{up, down});
       }},
  };
}

/// Whether a training of many sets is left out. The host executes the kernels of CUDA thread by thread, and there one
/// program of many sets is enough; a GPU runs all of them.
inline bool leaves_out(Device device, std::int64_t sets, DType dtype, const OptimizerCase& kind) {
#if defined(LUGE_HOST_RUNS_KERNELS)
  const bool is_slow = !device.is_cpu();
#else
  const bool is_slow = false;
  static_cast<void>(device);
#endif
  return is_slow && sets > 100 && (dtype != float32 || kind.name != std::string("Adam"));
}

/// Runs `body` `steps` times, eagerly or captured; before step i it calls `between(i)`.
template <class Body>
std::vector<double> train(bool captured, int steps, const Body& body, const std::function<void(int)>& between = {}) {
  auto step = capture(body);
  std::vector<double> results;
  for (int i = 0; i < steps; ++i) {
    if (between) between(i);
    const Tensor result = captured ? step() : body();
    const std::vector<double> values = result.to_vector<double>();
    results.insert(results.end(), values.begin(), values.end());
  }
  return results;
}

/// The values and gradients of an arena, one after the other.
inline void append(std::vector<double>& to, const Parameters& params) {
  for (const Tensor& tensor : params.tensors())
    for (const Tensor& part : {tensor, tensor.grad()}) {
      const std::vector<double> values = part.to_vector<double>();
      to.insert(to.end(), values.begin(), values.end());
    }
}

/// What a monitor has recorded.
inline void append(std::vector<double>& to, Monitor& monitor) {
  for (const HistoryRow& row : monitor.history()) {
    const auto step = static_cast<double>(row.step), lost = static_cast<double>(row.not_finite);
    for (const double value : {step, row.mean, row.min, row.max, lost}) to.push_back(value);
    to.insert(to.end(), row.sets.begin(), row.sets.end());
  }
}

}  // namespace luge::test
