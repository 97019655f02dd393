#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/train/parameters.h>

namespace luge {

/// A hyperparameter: one number for all sets, or a tensor of shape (sets) with one for each. A tensor of
/// shape () is one number. The optimizer keeps a copy in the arena's dtype and on its device.
class PerSet {
 public:
  PerSet(double value) : value_(value) {}  // NOLINT(google-explicit-constructor): {.lr = 0.01}
  PerSet(Tensor values) : is_tensor_(true), values_(std::move(values)) {}  // NOLINT(google-explicit-constructor)
  bool is_tensor() const { return is_tensor_; }
  double value() const { return value_; }
  const Tensor& values() const { return values_; }

 private:
  double value_ = 0;
  bool is_tensor_ = false;
  Tensor values_;
};

struct SgdOptions {
  PerSet lr = 1e-3;
  PerSet momentum = 0.0;
  PerSet dampening = 0.0;
  PerSet weight_decay = 0.0;
  bool nesterov = false;
  bool maximize = false;
};

struct AdamOptions {
  PerSet lr = 1e-3;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.999;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 0.0;
  bool maximize = false;
};

struct AdamWOptions {
  PerSet lr = 1e-3;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.999;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 1e-2;
  bool maximize = false;
};

struct RmsPropOptions {
  PerSet lr = 1e-2;
  PerSet alpha = 0.99;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 0.0;
  PerSet momentum = 0.0;
  bool centered = false;
  bool maximize = false;
};

struct AdagradOptions {
  PerSet lr = 1e-2;
  PerSet lr_decay = 0.0;
  PerSet weight_decay = 0.0;
  double initial_accumulator_value = 0.0;
  PerSet epsilon = 1e-10;
  bool maximize = false;
};

struct LearningRate;  // internal: what an optimizer shares with its schedules

/// What all optimizers share. A step is one kernel call over the whole arena; hyperparameters and the
/// step count live in device memory, so they can change between steps without anything going stale.
///
/// An optimizer works on a Parameters, or, as in PyTorch, on loose leaf tensors that require a gradient:
/// those move into an arena of the optimizer's own, and every handle on them stays valid. A tensor that is given
/// twice counts once. All must share one dtype and one device, be contiguous and own their memory. Leaves that already
/// live in an arena must be all of its parameters; the optimizer then works on that arena.
///
/// A step leaves alone, value and state, what does not require a gradient when step() is called (a frozen parameter)
/// and what has no gradient since zero_grad. Steps are counted once for all parameters: Adam's corrections of its
/// first steps, and SGD's first step without dampening, do not begin anew for a parameter that joins later; for a set
/// they do by population::restart. A step without any gradient does not count. Reading grad() of an arena's parameter
/// that has none gives it one of zeros.
///
/// Making one throws ValueError, DTypeError, DeviceError or ShapeError, naming optimizer, option and value,
/// and then has changed nothing. Values of a tensor are checked too, which waits for its device.
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Forgets all gradients; O(1).
  void zero_grad();
  /// Updates every parameter that requires a gradient and has one. Queued on the device. A graph recorded before cannot
  /// run backward again.
  void step();

  /// Changes the learning rate from the next step on; schedules go on from it, as in PyTorch. Throws
  /// ValueError for negative or NaN values, ShapeError unless a tensor has shape (sets) or (). A tensor's
  /// values are checked on the CPU only: on a GPU that would wait.
  void set_lr(const PerSet& lr, SourceLocation location = SourceLocation::current());
  /// The learning rate in force: shape () or (sets), a copy.
  Tensor lr() const;
  /// Steps taken; waits for the device.
  std::int64_t steps_taken(SourceLocation location = SourceLocation::current()) const;
  /// The arena it works on.
  Parameters& parameters();

  /// What it was made with, to make another like it: the hyperparameters by their names in the options, as they are in
  /// memory. One that plays no part (no weight decay) is absent.
  std::vector<std::pair<std::string, Tensor>> hyperparameters() const;
  bool maximize() const;
  /// The rule that it steps by, which options like nesterov and centered choose.
  UpdateRule rule() const;
  /// What its steps change, parameters aside: the number of steps, the learning rate, and the moments of all parameters
  /// in blocks of the arena's layout; from the first population::restart on also how many steps were taken before each
  /// set began anew. These are the tensors that it works on: copied into those of another optimizer that was made
  /// alike, they make that go on as this one would.
  std::vector<Tensor> state() const;
  /// The same by name, each parameter's moments by themselves, as PyTorch names them: "step", "lr", the other
  /// hyperparameters, "begun" as in state(), then "exp_avg.hidden.weight". These are the tensors that it works on.
  std::vector<std::pair<std::string, Tensor>> named_state() const;

 protected:
  class State;
  explicit Optimizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;

 private:
  friend class LrScheduler;
  friend class stop::Live;
  friend class CheckpointParts;
  friend class population::Members;
  /// Int64 of shape (sets): how many steps were taken before each set began anew. Steps look at it from the first call
  /// of this on; one that was captured before throws CaptureError. Undefined for a rule that does not count steps.
  Tensor begun();
  /// The same, undefined as long as no set has begun anew.
  const Tensor& begun_so_far() const;
  /// What the moments begin with: a number of shape (); undefined: 0.
  const Tensor& initial_moments() const;
  std::shared_ptr<LearningRate> lr_;
};

/// Stochastic gradient descent with momentum, dampening, Nesterov and weight decay, as torch.optim.SGD.
class Sgd : public Optimizer {
 public:
  explicit Sgd(Parameters parameters, SgdOptions options = {});
  explicit Sgd(const std::vector<Tensor>& leaves, SgdOptions options = {});
};

/// Adam as torch.optim.Adam: weight decay is added to the gradient.
class Adam : public Optimizer {
 public:
  explicit Adam(Parameters parameters, AdamOptions options = {});
  explicit Adam(const std::vector<Tensor>& leaves, AdamOptions options = {});
};

/// AdamW as torch.optim.AdamW: weight decay is decoupled from the gradient.
class AdamW : public Optimizer {
 public:
  explicit AdamW(Parameters parameters, AdamWOptions options = {});
  explicit AdamW(const std::vector<Tensor>& leaves, AdamWOptions options = {});
};

/// RMSprop as torch.optim.RMSprop: alpha smooths the mean square, `centered` divides by the deviation.
class RmsProp : public Optimizer {
 public:
  explicit RmsProp(Parameters parameters, RmsPropOptions options = {});
  explicit RmsProp(const std::vector<Tensor>& leaves, RmsPropOptions options = {});
};

/// Adagrad as torch.optim.Adagrad.
class Adagrad : public Optimizer {
 public:
  explicit Adagrad(Parameters parameters, AdagradOptions options = {});
  explicit Adagrad(const std::vector<Tensor>& leaves, AdagradOptions options = {});
};

}  // namespace luge
