#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
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
  bool amsgrad = false;
  bool decoupled_weight_decay = false;
};

struct AdamWOptions {
  PerSet lr = 1e-3;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.999;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 1e-2;
  bool maximize = false;
  bool amsgrad = false;
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

struct AdadeltaOptions {
  PerSet lr = 1.0;
  PerSet rho = 0.9;
  PerSet epsilon = 1e-6;
  PerSet weight_decay = 0.0;
  bool maximize = false;
};

struct AdamaxOptions {
  PerSet lr = 2e-3;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.999;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 0.0;
  bool maximize = false;
};

struct NAdamOptions {
  PerSet lr = 2e-3;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.999;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 0.0;
  PerSet momentum_decay = 4e-3;
  bool decoupled_weight_decay = false;
  bool maximize = false;
};

struct RAdamOptions {
  PerSet lr = 1e-3;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.999;
  PerSet epsilon = 1e-8;
  PerSet weight_decay = 0.0;
  bool decoupled_weight_decay = false;
  bool maximize = false;
};

struct AsgdOptions {
  PerSet lr = 1e-2;
  PerSet lambd = 1e-4;
  PerSet alpha = 0.75;
  PerSet t0 = 1e6;
  PerSet weight_decay = 0.0;
  bool maximize = false;
};

struct RpropOptions {
  PerSet lr = 1e-2;
  PerSet eta_minus = 0.5;
  PerSet eta_plus = 1.2;
  PerSet step_min = 1e-6;
  PerSet step_max = 50.0;
  bool maximize = false;
};

struct LionOptions {
  PerSet lr = 1e-4;
  PerSet beta1 = 0.9;
  PerSet beta2 = 0.99;
  PerSet weight_decay = 0.0;
  bool maximize = false;
};

/// Some of the parameters, with options of their own: `Sgd optimizer({{.params = body.parameters()},
/// {.params = head.parameters(), .options = {.lr = 0.1}}});`
template <class Options>
struct ParameterGroup {
  std::vector<Tensor> params;
  Options options = {};
};

/// Options by their names in the options structs; what is absent is as it is there.
struct OptimizerSettings {
  std::vector<std::pair<std::string, PerSet>> values;
  std::vector<std::pair<std::string, bool>> flags;
};

/// A parameter group whose options are given by name.
struct SettingsGroup {
  std::vector<Tensor> leaves;
  OptimizerSettings settings;
};

struct LearningRate;  // internal: what an optimizer shares with its schedules

/// What all optimizers share. A step is one kernel call over the whole arena; hyperparameters and the
/// step count live in device memory, so they can change between steps without anything going stale.
///
/// An optimizer works on a Parameters, or, as in PyTorch, on loose leaf tensors that require a gradient:
/// those move into an arena of the optimizer's own, and every handle on them stays valid. A tensor that is given
/// twice counts once. All must share one dtype and one device, be contiguous and own their memory. Leaves that already
/// live in an arena stay there, and the optimizer works on that arena: on all of it or on these alone. Leaves of one
/// group must live in one arena, or all be loose.
///
/// Parameter groups have hyperparameters, flags and a count of steps of their own, by PyTorch's meaning of param_groups;
/// a step is then one kernel call for each group. What is given without groups is group 0.
///
/// A step leaves alone, value and state, what does not require a gradient when step() is called (a frozen parameter)
/// and what has no gradient since zero_grad. Steps are counted once for all parameters of a group: Adam's corrections of
/// its first steps, and SGD's first step without dampening, do not begin anew for a parameter that joins later; for a set
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

  /// Forgets the gradients of all its parameters; O(1) where it works on all of an arena.
  void zero_grad();
  /// Updates every parameter that requires a gradient and has one. Queued on the device. A graph recorded before cannot
  /// run backward again.
  virtual void step();

  /// Changes the learning rate of every group, or of one, from the next step on; schedules go on from it, as in PyTorch.
  /// Throws ValueError for negative or NaN values, ShapeError unless a tensor has shape (sets) or (). A tensor's
  /// values are checked on the CPU only: on a GPU that would wait.
  void set_lr(const PerSet& lr, SourceLocation location = SourceLocation::current());
  void set_lr(const PerSet& lr, std::size_t group, SourceLocation location = SourceLocation::current());
  /// The learning rate in force: shape () or (sets), a copy.
  Tensor lr(std::size_t group = 0) const;
  /// Steps taken, of the group that has taken most; waits for the device.
  std::int64_t steps_taken(SourceLocation location = SourceLocation::current()) const;
  /// The arena it works on; with several, that of the first group.
  Parameters& parameters();

  /// How many parameter groups there are.
  std::size_t groups() const;
  /// The parameters of a group, in the order given.
  std::vector<Tensor> params(std::size_t group) const;
  /// A hyperparameter by its name in the options, "lr" too: shape () or (sets), a copy. Throws ValueError naming what
  /// there is.
  Tensor value(std::string_view name, std::size_t group = 0) const;
  /// Changes it from the next step on, also of a captured step, whose replays read the same memory. A change that asks
  /// for another kernel makes the next replay throw CaptureError: a first weight decay or momentum, one for each set
  /// in place of one number. Throws as the constructor does.
  void set_value(std::string_view name, const PerSet& value, std::size_t group = 0,
                 SourceLocation location = SourceLocation::current());
  /// An option that is on or off, by its name in the options: "nesterov", "maximize".
  bool flag(std::string_view name, std::size_t group = 0) const;
  /// Turns it on or off from the next step on; a step that was captured before throws CaptureError.
  void set_flag(std::string_view name, bool on, std::size_t group = 0);
  /// Names of the hyperparameters, "lr" first, and of the flags.
  std::vector<std::string> value_names() const;
  std::vector<std::string> flag_names() const;
  /// The steps that a group has taken: int64, of shape (); the tensor that it works on.
  const Tensor& steps(std::size_t group = 0) const;
  /// Says how many steps a group has taken, for all of its sets alike: it goes on from there.
  void set_steps(std::int64_t steps, std::size_t group = 0);
  /// Whether parameter i of a group would be stepped now: it requires a gradient and has one.
  bool is_active(std::size_t group, std::size_t i) const;
  /// Which sets of a group's arena a step moves: (sets), 1 or 0 in the arena's dtype; undefined: all. An optimizer that is written
  /// in other operations leaves the others as they are. A step that is captured without such sets throws CaptureError once
  /// there are some.
  Tensor stepped_sets(std::size_t group) const;
  /// What is kept with parameter i of a group, by PyTorch's names; the tensors that it works on.
  std::vector<std::pair<std::string, Tensor>> state_of(std::size_t group, std::size_t i) const;
  /// Adds a group of further parameters. Throws as the constructor does, and then has changed nothing.
  void add_group(const SettingsGroup& group);

  /// What group 0 was made with, to make another like it: the hyperparameters by their names in the options, as they are
  /// in memory. One that plays no part (no weight decay) is absent.
  std::vector<std::pair<std::string, Tensor>> hyperparameters() const;
  bool maximize() const;
  /// The rule that group 0 steps by, which options like nesterov and centered choose.
  UpdateRule rule() const;
  /// What its steps change, parameters aside: the number of steps, the learning rate, and the moments of all parameters
  /// in blocks of the arena's layout; from the first population::restart on also how many steps were taken before each
  /// set began anew; with groups, the steps and rates of all of them first. These are the tensors that it works on:
  /// copied into those of another optimizer that was made alike, they make that go on as this one would.
  std::vector<Tensor> state() const;
  /// The same by name, each parameter's moments by themselves, as PyTorch names them: "step", "lr", the other
  /// hyperparameters, "begun" as in state(), then "exp_avg.hidden.weight"; those of group 1 are "1/step" and so on.
  /// These are the tensors that it works on.
  std::vector<std::pair<std::string, Tensor>> named_state() const;
  /// The same of one group, without the prefix.
  std::vector<std::pair<std::string, Tensor>> named_state(std::size_t group) const;

 protected:
  class State;
  explicit Optimizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;

 private:
  friend class LrScheduler;
  friend class stop::Live;
  friend class CheckpointParts;
  friend class GradScaler;
  friend class population::Members;
  /// Int64 of shape (sets): how many steps a group had taken before each set began anew. Steps look at it from the first
  /// call of this on; one that was captured before throws CaptureError. Undefined for a rule that does not count steps.
  Tensor begun(std::size_t group = 0);
  /// The same, undefined as long as no set has begun anew.
  const Tensor& begun_so_far(std::size_t group = 0) const;
  /// What a group's moments begin with: a number of shape (); undefined: 0.
  const Tensor& initial_moments(std::size_t group = 0) const;
  /// What is shared with schedules, group by group.
  const std::shared_ptr<LearningRate>& rate(std::size_t group) const;
  std::shared_ptr<LearningRate> lr_;  ///< of group 0
};

/// An optimizer of one kind, over a Parameters, loose leaves, or groups of either.
template <class Options>
class OptimizerOf : public Optimizer {
 public:
  using Group = ParameterGroup<Options>;
  explicit OptimizerOf(Parameters parameters, const Options& options = {});
  explicit OptimizerOf(const std::vector<Tensor>& leaves, const Options& options = {});
  explicit OptimizerOf(const std::vector<Group>& groups);
  explicit OptimizerOf(const std::vector<SettingsGroup>& groups);
  OptimizerOf(Parameters parameters, OptimizerSettings settings, std::true_type by_name);
  using Optimizer::add_group;
  void add_group(const Group& group);
};

/// Groups of parameters with hyperparameters in device memory and no rule: what an optimizer is made of that is written in
/// other operations, such as luge.optim.Muon. Its values may be any finite number; "lr" must be among them. step() throws
/// ValueError.
class CompositeOptimizer : public Optimizer {
 public:
  CompositeOptimizer(const std::string& name, const std::vector<SettingsGroup>& groups);
};

/// Stochastic gradient descent with momentum, dampening, Nesterov and weight decay, as torch.optim.SGD.
class Sgd : public OptimizerOf<SgdOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Adam as torch.optim.Adam: weight decay is added to the gradient, unless decoupled.
class Adam : public OptimizerOf<AdamOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// AdamW as torch.optim.AdamW: weight decay is decoupled from the gradient.
class AdamW : public OptimizerOf<AdamWOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// RMSprop as torch.optim.RMSprop: alpha smooths the mean square, `centered` divides by the deviation.
class RmsProp : public OptimizerOf<RmsPropOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Adagrad as torch.optim.Adagrad.
class Adagrad : public OptimizerOf<AdagradOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Adadelta as torch.optim.Adadelta.
class Adadelta : public OptimizerOf<AdadeltaOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Adamax as torch.optim.Adamax.
class Adamax : public OptimizerOf<AdamaxOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// NAdam as torch.optim.NAdam.
class NAdam : public OptimizerOf<NAdamOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// RAdam as torch.optim.RAdam.
class RAdam : public OptimizerOf<RAdamOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Averaged SGD as torch.optim.ASGD; the averages are the state "ax".
class Asgd : public OptimizerOf<AsgdOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Rprop as torch.optim.Rprop, with eta_minus and eta_plus for etas, step_min and step_max for step_sizes.
class Rprop : public OptimizerOf<RpropOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

/// Lion (Chen et al., arXiv:2302.06675): p -= lr (sign(beta1 m + (1 - beta1) g) + weight_decay p), then
/// m = beta2 m + (1 - beta2) g.
class Lion : public OptimizerOf<LionOptions> {
 public:
  using OptimizerOf::OptimizerOf;
};

}  // namespace luge
