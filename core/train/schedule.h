#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <luge/train/optimizer.h>

namespace luge {

/// What all learning-rate schedules share. Names, options and formulas are those of torch.optim.lr_scheduler:
/// `CosineAnnealingLr schedule(optimizer, {.t_max = 80});`, then `schedule.step();` after `optimizer.step();`.
///
/// The learning rate is a closed form of the base learning rate and of n, the steps of the schedule so far. The
/// base is the optimizer's learning rate when the schedule is made, for each set where it has one for each.
/// Base and n live in device memory and the formula runs there, in float64, rounded once to the arena's dtype:
/// nothing waits for the device, and a captured step that calls step() goes on with the schedule at every replay.
///
/// Making a schedule sets the learning rate of n = 0. A later set_lr of the optimizer holds until the next
/// step() of the schedule, which starts from the base again; so does the step of another schedule of the same
/// optimizer. (PyTorch's schedules multiply the learning rate that they find.) A schedule may outlive its optimizer.
///
/// Making one throws ValueError, naming schedule, option and value, and then has changed nothing.
class LrScheduler {
 public:
  virtual ~LrScheduler();
  LrScheduler(const LrScheduler&) = delete;
  LrScheduler& operator=(const LrScheduler&) = delete;

  /// Counts a step and sets the optimizer's learning rate. Queued on the device.
  void step();
  /// The learning rate that this schedule set last: shape () or (sets), in the arena's dtype.
  Tensor last_lr() const;
  /// Steps taken, n; waits for the device.
  std::int64_t steps_taken(SourceLocation location = SourceLocation::current()) const;

 protected:
  /// The learning rates, of the shape of `base`, after `n` steps; both are float64, n of shape ().
  using Formula = std::function<Tensor(const Tensor& base, const Tensor& n)>;
  LrScheduler(Optimizer& optimizer, Formula formula);

 private:
  Tensor rates() const;

  std::shared_ptr<LearningRate> lr_;
  Tensor base_, count_;
  Formula formula_;
};

struct StepLrOptions {
  std::int64_t step_size = 0;  ///< to be given; 1 or more
  double gamma = 0.1;          ///< above 0 and finite
};

/// base * gamma^floor(n / step_size)
class StepLr : public LrScheduler {
 public:
  StepLr(Optimizer& optimizer, const StepLrOptions& options);
};

struct MultiStepLrOptions {
  std::vector<std::int64_t> milestones = {};  ///< to be given; 1 or more, each greater than the one before
  double gamma = 0.1;                         ///< above 0 and finite
};

/// base * gamma^(the number of milestones that are n or less)
class MultiStepLr : public LrScheduler {
 public:
  MultiStepLr(Optimizer& optimizer, const MultiStepLrOptions& options);
};

struct ConstantLrOptions {
  double factor = 1.0 / 3;       ///< from 0 to 1
  std::int64_t total_iters = 5;  ///< 1 or more
};

/// base * factor while n < total_iters, base afterwards
class ConstantLr : public LrScheduler {
 public:
  explicit ConstantLr(Optimizer& optimizer, const ConstantLrOptions& options = {});
};

struct LinearLrOptions {
  double start_factor = 1.0 / 3;  ///< above 0 and at most 1
  double end_factor = 1.0;        ///< from 0 to 1
  std::int64_t total_iters = 5;   ///< 1 or more
};

/// base * (start_factor + (end_factor - start_factor) * min(n, total_iters) / total_iters)
class LinearLr : public LrScheduler {
 public:
  explicit LinearLr(Optimizer& optimizer, const LinearLrOptions& options = {});
};

struct ExponentialLrOptions {
  double gamma = 0;  ///< to be given; above 0 and finite
};

/// base * gamma^n
class ExponentialLr : public LrScheduler {
 public:
  ExponentialLr(Optimizer& optimizer, const ExponentialLrOptions& options);
};

struct CosineAnnealingLrOptions {
  std::int64_t t_max = 0;  ///< to be given; 1 or more
  double eta_min = 0;      ///< 0 or more and finite
};

/// eta_min + (base - eta_min) * (1 + cos(pi * n / t_max)) / 2: down to eta_min at n = t_max, up again to the base at
/// 2 t_max, and so on.
class CosineAnnealingLr : public LrScheduler {
 public:
  CosineAnnealingLr(Optimizer& optimizer, const CosineAnnealingLrOptions& options);
};

}  // namespace luge
