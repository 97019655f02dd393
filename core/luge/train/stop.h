#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <luge/train/optimizer.h>

/// Stop rules: each set of a training stops by itself, for a reason that is noted, and the others go on.
///
///   auto rule = stop::when(optimizer, {.loss_below = 1e-6, .max_steps = 1000});
///   auto step = capture([&] {
///     optimizer.zero_grad();
///     const Tensor loss = square(x - target);  // one for each set
///     loss.sum().backward();
///     rule.check(loss);
///     optimizer.step();
///   });
///   while (!rule.all_stopped()) step.run(50);
namespace luge::stop {

#define LUGE_STOP_REASONS(X)     \
  X(Running, "running")          \
  X(NanLoss, "nan_loss")         \
  X(NanGradient, "nan_gradient") \
  X(Loss, "loss")                \
  X(Gradient, "gradient")        \
  X(Step, "step")                \
  X(Plateau, "plateau")          \
  X(MaxSteps, "max_steps")

/// Why a set stopped. Of several criteria that hold at one check, the first in this order is noted.
enum class Reason : std::int32_t {
#define LUGE_ROW(Reason, name) Reason,
  LUGE_STOP_REASONS(LUGE_ROW)
#undef LUGE_ROW
};

/// How many reasons there are, Running too.
#define LUGE_ROW(Reason, name) +1
inline constexpr int kReasons = 0 LUGE_STOP_REASONS(LUGE_ROW);
#undef LUGE_ROW

/// "running", "nan_loss", ...
const char* name(Reason reason);

/// The loss has not fallen for a while.
struct Plateau {
  /// Checks in a row without an improvement; 1 or more.
  std::int64_t patience = 0;
  /// An improvement is a loss below the best one by more than this.
  PerSet min_delta = 0.0;
};

/// What stops a set. A threshold is a number, or a tensor of shape (sets) with one for each.
struct Options {
  /// The loss is this or less.
  std::optional<PerSet> loss_below = {};
  std::optional<Plateau> plateau = {};
  /// The largest magnitude among the components of the gradient is this or less.
  std::optional<PerSet> gradient_below = {};
  /// No parameter has changed by more than this since the check before.
  std::optional<PerSet> step_below = {};
  /// A set takes so many optimizer steps; 0 or more.
  std::optional<std::int64_t> max_steps = {};
  /// The loss or a gradient is not finite: a set is put in quarantine before the optimizer reads it. Gradients beyond
  /// 1e35 in float32, or 1e300 in float64, may count as not finite: a sum of them overflows.
  bool nan = true;
  /// Keep each set's parameters of its lowest loss.
  bool keep_best = false;
};

/// A set that is in quarantine.
struct Quarantined {
  std::int64_t set = 0;
  std::int64_t step = 0;            ///< optimizer steps that the set took before
  Reason reason = Reason::NanLoss;  ///< NanLoss: on the way forward. NanGradient: on the way back.
  /// After explain(): the operation that first gave a value that is not finite, by the name that plans and errors call
  /// it, "log"; empty where it did not happen again.
  std::string operation = {};
  bool backward = false;   ///< it did so on the way back
  bool from_data = false;  ///< it read a value from outside of the step that was not finite already
};

/// What a rule has decided so far.
struct Report {
  std::int64_t sets = 0, checks = 0;
  std::int64_t active = 0;  ///< sets that optimizers step
  std::int64_t held = 0;    ///< sets that this rule has not stopped and that stand still all the same
  std::array<std::int64_t, kReasons> counts{};  ///< sets by reason
  /// The least and the greatest number of steps after which sets stopped, by reason; -1 without any.
  std::array<std::int64_t, kReasons> first{}, last{};
  std::vector<Quarantined> quarantined;  ///< in the order of the sets

  std::int64_t count(Reason reason) const { return counts[static_cast<std::size_t>(reason)]; }
  /// A few lines for people, without a line break at the end.
  std::string text() const;
};

/// Stops sets. All that it notes is on the device of the parameters: a check waits for nothing and can be captured.
///
/// A rule may outlive its optimizer. Several rules of one optimizer go together: a set goes on while none has stopped
/// it. A rule does not judge a set that stands still already (Parameters::set_active, another rule). A set that is made
/// active again is judged on from where it stood.
class StopRule {
 public:
  ~StopRule();
  StopRule(StopRule&&) noexcept;
  StopRule& operator=(StopRule&&) noexcept;

  /// Judges every active set by its loss, of shape (sets), or () or (1) for an ordinary model, in the dtype of the
  /// parameters; lower is better. To be called between backward() and the optimizer's step(), before clipping: a set
  /// that stops keeps the parameters that the loss is of, and its optimizer state. The loss may be that of other data,
  /// for instance of a validation set, if it is of the present parameters. Throws ShapeError, DTypeError, DeviceError,
  /// ValueError where gradient_below is given and no parameter has a gradient.
  void check(const Tensor& loss);

  /// Why sets stopped: int32, a Reason, of shape (sets), or () for an ordinary model; a copy.
  Tensor reason() const;
  /// Optimizer steps that each set had taken when it stopped, by the number of checks; -1 while it runs. Int64,
  /// likewise.
  Tensor stopped_at() const;
  /// Which sets optimizers step, whoever stopped the others: bool, likewise.
  Tensor active() const;
  /// The lowest finite loss of each set, infinity before there was one. Throws ValueError without keep_best.
  Tensor best_loss() const;
  /// Whether no set is active any more; waits for the device.
  bool all_stopped(SourceLocation location = SourceLocation::current()) const;
  /// Waits for the device.
  Report report(SourceLocation location = SourceLocation::current()) const;

  /// Finds out which operation put sets in quarantine: runs `step`, the program's own step or what it has of forward
  /// and backward, once more, eagerly, and looks after every call which sets it leaves with values that are not finite.
  /// A set in quarantine stands where it stood, so it fails in the same way if it is given the same data and random
  /// numbers. What step() did is then taken back: parameters, gradients, optimizer and monitor, this rule and the
  /// global generator are as before, also if it throws; changes of the program's own variables are not. What operation
  /// first gave such a value is in the result, in the order of the sets, and in report() from then on. Values that are
  /// not finite in every other set either, such as those of a mask, are passed over. Waits for the device at every
  /// call. Throws ValueError without a step, CaptureError while a step is captured, for a captured step, and for one
  /// that could not be captured.
  std::vector<Quarantined> explain(const std::function<void()>& step,
                                   SourceLocation location = SourceLocation::current());

  /// Gives every set the parameters of its lowest loss; one without a finite loss keeps what it has. Optimizer state
  /// stays. Throws ValueError without keep_best.
  void restore_best();

  /// What checks have noted so far, by name, to be saved or given to restore() of a rule that was made alike. Later
  /// checks change these tensors, some of them late: ask again, or copy them.
  std::vector<std::pair<std::string, Tensor>> state() const;
  /// Takes the values of what state() of a rule that was made alike gave, and stops the sets that it had stopped.
  /// Throws ValueError for other names, ShapeError, DTypeError, CaptureError while a step is captured; nothing has
  /// changed then.
  void restore(const std::vector<std::pair<std::string, Tensor>>& state,
               SourceLocation location = SourceLocation::current());

 private:
  friend StopRule when(Optimizer&, const Options&, SourceLocation);
  friend class Live;
  /// A rule alike that goes on as this one would, of these sets, which are those of `parameters`.
  StopRule of_sets(const Parameters& parameters, const Tensor& sets) const;
  /// To be called when the state has been written: max_steps are counted from its checks.
  void settle();
  const Parameters& parameters() const;
  class Impl;
  explicit StopRule(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  ///< one owner; shared so that a recorded step sees when it is gone
};

/// A rule for the sets of the optimizer's parameters. From then on steps can leave sets alone: one that was captured
/// before throws CaptureError at its next replay. Throws ValueError for thresholds that are NaN or, but for loss_below,
/// negative, a patience below 1, negative max_steps, and where nothing is to be watched; ShapeError or DTypeError for
/// thresholds; CaptureError while a step is captured.
StopRule when(Optimizer& optimizer, const Options& options = {}, SourceLocation location = SourceLocation::current());

}  // namespace luge::stop
