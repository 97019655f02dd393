#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <luge/train/optimizer.h>

namespace luge {

struct ScheduleTerm;   // internal: a schedule in the chain of a parameter group
struct ScheduleHooks;  // internal: what a schedule does beside that

/// What all learning-rate schedules share. Names, options and formulas are those of torch.optim.lr_scheduler:
/// `CosineAnnealingLr schedule(optimizer, {.t_max = 80});`, then `schedule.step();` after `optimizer.step();`.
///
/// The learning rate is a closed form of a base learning rate and of n, the steps of the schedule so far. The base is
/// the optimizer's learning rate when its first schedule is made, for each set where it has one for each. Several
/// schedules of one optimizer chain: each is given what the ones made before it yield, so factors multiply, as in
/// PyTorch. (A CosineAnnealingLr with an eta_min in a chain anneals from what it is given to eta_min at every n;
/// PyTorch's recursion depends there on the way it came.) A schedule that is destroyed stays where it is in the chain.
/// Base and n live in device memory and the formulas run there, in float64, rounded once to the arena's dtype: nothing
/// waits for the device, and a captured step that calls step() goes on with the schedule at every replay.
///
/// Making a schedule sets the learning rate of n = 0. A later set_lr of the optimizer scales what follows: the base
/// becomes the one that yields the new learning rate at the present n, or, while a schedule is at 0, the new learning
/// rate itself. A schedule may outlive its optimizer. A step that was recorded before another schedule of the optimizer
/// was made throws CaptureError at its next replay.
///
/// Each parameter group that the optimizer has when the schedule is made has a base of its own; n is one for all of them.
///
/// Making one throws ValueError, naming schedule, option and value, and then has changed nothing.
class LrScheduler {
 public:
  virtual ~LrScheduler();
  LrScheduler(const LrScheduler&) = delete;
  LrScheduler& operator=(const LrScheduler&) = delete;

  /// Counts a step and sets the optimizer's learning rate. Queued on the device.
  void step();
  /// The learning rate that this schedule set last in a parameter group: shape () or (sets), in the arena's dtype.
  Tensor last_lr(std::size_t group = 0) const;
  /// The parameter groups that it schedules.
  std::size_t groups() const { return terms_.size(); }
  /// What a step changes, the learning rates aside: "last_epoch", n, then "base_lrs.0" for each group, then what a
  /// schedule has of its own. These are the tensors that it works on.
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// Goes on as after `steps` steps that began with these learning rates, one for each group. The learning rates change
  /// with the next step; at once, if `now`.
  void resume(std::int64_t steps, const std::vector<Tensor>& base, bool now = false);
  /// Steps taken, n; waits for the device.
  std::int64_t steps_taken(SourceLocation location = SourceLocation::current()) const;

 protected:
  /// The learning rates, of the shape of `base`, after `n` steps; both are float64, n of shape (). Affine in base.
  using Formula = std::function<Tensor(const Tensor& base, const Tensor& n)>;
  /// `kind` names the schedule to a checkpoint, which is loaded into schedules of the same kinds alone.
  LrScheduler(const char* kind, Optimizer& optimizer, Formula formula);
  /// With a formula for each group.
  LrScheduler(const char* kind, Optimizer& optimizer, const std::function<Formula(std::size_t group)>& formula_of,
              ScheduleHooks hooks);

  using Several = std::vector<std::reference_wrapper<LrScheduler>>;
  /// Takes the place of these schedules, all of one optimizer, which from then on cannot be stepped one by one.
  /// `combine` makes its formula of theirs, given in their order with the n that they have now.
  struct Part {
    Formula formula;
    Tensor count;  ///< float64
    std::int64_t host_count = 0;
  };
  /// The n of part i after n steps of the schedule, and whether it is the part's turn.
  struct Turn {
    Tensor count, is_on;         ///< is_on is bool; undefined: always
    std::int64_t host_count = 0;  ///< the same on the host, for parts that call a function there
    bool host_is_on = true;
  };
  /// An undefined n: the host's numbers alone.
  using TurnOf = std::function<Turn(std::size_t part, const Tensor& n, std::int64_t host_n)>;
  LrScheduler(const char* kind, const Several& parts, const std::function<Formula(std::vector<Part>)>& combine,
              const std::function<TurnOf(const std::vector<Part>&)>& turns);
  /// Throws ValueError unless they are schedules of this optimizer.
  static void check_optimizer(const char* name, const Several& parts, const Optimizer& optimizer);
  /// What is shared with the optimizer, group by group.
  static std::vector<std::shared_ptr<LearningRate>> rates_of(const Optimizer& optimizer);
  const std::vector<std::shared_ptr<LearningRate>>& rates() const { return lrs_; }
  ScheduleHooks& hooks();
  /// Sets the learning rates of n as it is.
  void set_rates();

 private:
  friend class CheckpointParts;
  const ScheduleTerm& term() const { return *terms_[0]; }

  std::vector<std::shared_ptr<LearningRate>> lrs_;  ///< one for each group
  std::vector<std::shared_ptr<ScheduleTerm>> terms_;
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
  std::vector<std::int64_t> milestones =
      {};              ///< to be given; each 1 or more, in any order; one that is given twice counts twice
  double gamma = 0.1;  ///< above 0 and finite
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

struct SequentialLrOptions {
  std::vector<std::reference_wrapper<LrScheduler>> schedulers = {};  ///< to be given; {warmup, decay}
  std::vector<std::int64_t> milestones = {};  ///< one fewer; each 1 or more and greater than the one before
};

/// One schedule after the other: number i of them from milestone i - 1 on, where it begins with n = 0 and the base
/// learning rate. It takes the schedules over: their own step() is then an error.
class SequentialLr : public LrScheduler {
 public:
  SequentialLr(Optimizer& optimizer, const SequentialLrOptions& options);
};

/// Steps several schedules of one optimizer at once. It takes them over: their own step() is then an error.
class ChainedScheduler : public LrScheduler {
 public:
  explicit ChainedScheduler(const std::vector<std::reference_wrapper<LrScheduler>>& schedulers);
};

}  // namespace luge
