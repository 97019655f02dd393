#include <luge/train/optimizer.h>

#include <algorithm>
#include <unordered_map>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/math/updates.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/hyper.h>

namespace luge {

/// Everything of an optimizer: the arena, the hyperparameters and buffers in device memory, and the call
/// that uses them, filled once and run at every step.
class Optimizer::State {
 public:
  /// A hyperparameter besides lr and weight_decay. With `hyper` kUnused the rule does not read it.
  struct Setting {
    static constexpr int kUnused = -1;
    const char* name;
    int hyper;
    Tensor values;
  };

  /// Nothing of the arena has changed before seal(): a bad option leaves all as it was.
  static std::unique_ptr<State> make(Parameters parameters, const SgdOptions& options);
  static std::unique_ptr<State> make(Parameters parameters, const RmsPropOptions& options);
  static std::unique_ptr<State> make(Parameters parameters, const AdagradOptions& options);
  /// Adam and AdamW.
  template <class Options>
  static std::unique_ptr<State> make(UpdateRule rule, Parameters parameters, const Options& options);
  /// The arena of loose leaves: the one they all live in already, or a new one that they move into when it
  /// is sealed.
  static Parameters arena_of(UpdateRule rule, const std::vector<Tensor>& given);

  State(UpdateRule rule, Parameters parameters);

  void step();
  void set_lr(const PerSet& lr, SourceLocation location);
  const std::shared_ptr<LearningRate>& lr() const { return lr_; }
  const Tensor& steps() const { return steps_; }
  Parameters& parameters() { return parameters_; }
  Tensor begun();
  const Tensor& begun_so_far() const { return begun_; }
  const Tensor& initial_moments() const { return initial_moments_; }
  const Update& call() const { return call_; }
  std::vector<std::pair<std::string, Tensor>> hyperparameters() const;
  std::vector<Tensor> state() const;
  std::vector<std::pair<std::string, Tensor>> named_state() const;

 private:
  using Arena = Parameters::Arena;

  /// Each tensor once, however often it is given: weights may be tied.
  static std::vector<Tensor> checked_leaves(UpdateRule rule, const std::vector<Tensor>& given);

  Arena& arena() { return *parameters_.arena_; }
  const char* name() const { return luge::name(call_.rule); }
  Tensor values(const char* name, const PerSet& given, Allowed allowed, Waiting waiting = Waiting::Allowed,
                SourceLocation location = {}) const {
    return hyper_values(this->name(), name, given, allowed, parameters_, waiting, location);
  }
  /// The last steps of making one: settings and states in device memory. The rule may be another one of the same optimizer.
  void finish(UpdateRule rule, const PerSet& weight_decay, bool maximize, std::initializer_list<Setting> settings,
              const Tensor& initial_state = {});
  Hyper keep(const char* name, const Tensor& values);
  void expect_none_begun() const;
  Tensor block(const Ref<Storage>& buffer) const;

  Parameters parameters_;
  Update call_;
  std::shared_ptr<LearningRate> lr_ = std::make_shared<LearningRate>();
  Tensor steps_;
  Tensor begun_, initial_moments_;
  /// Whether some set may have begun anew.
  std::shared_ptr<bool> has_begun_ = std::make_shared<bool>(false);
  std::vector<std::pair<std::string, Tensor>> kept_;  // what call_ points to, by name
  std::vector<Ref<Storage>> buffers_;                 // likewise
};

Optimizer::State::State(UpdateRule rule, Parameters parameters) : parameters_(std::move(parameters)) {
  call_.rule = rule;
  call_.dtype = parameters_.dtype();
  call_.layout = arena().layout();
  LUGE_CHECK(ValueError, call_.layout.parameters > 0,
             "{}: there are no parameters; add them before making the optimizer", name());
  call_.value = arena().values();
  call_.grad = arena().gradients();
  steps_ = zeros({}, {.dtype = DType::Int64, .device = parameters_.device()});
  call_.steps = static_cast<std::int64_t*>(steps_.data());
}

Hyper Optimizer::State::keep(const char* name, const Tensor& values) {
  kept_.emplace_back(name, values);
  return hyper(values);
}

Tensor Optimizer::State::block(const Ref<Storage>& buffer) const {
  const std::int64_t size = call_.layout.size;
  return Tensor(new TensorImpl(buffer, call_.dtype, {size}, {1}, 0, size));
}

void Optimizer::State::finish(UpdateRule rule, const PerSet& weight_decay, bool maximize,
                              std::initializer_list<Setting> settings, const Tensor& initial_state) {
  call_.rule = rule;
  call_.maximize = maximize;
  initial_moments_ = initial_state;
  const Tensor decay = values("weight_decay", weight_decay, Allowed::Finite);
  for (const Setting& setting : settings) {
    const Hyper hyper = keep(setting.name, setting.values);
    if (setting.hyper != Setting::kUnused) call_.hyper[static_cast<std::size_t>(setting.hyper)] = hyper;
  }
  // The usual 0 need not be multiplied with at every step.
  if (weight_decay.is_tensor() || weight_decay.value() != 0)
    call_.hyper[math::kWeightDecay] = keep("weight_decay", decay);
  for (int i = 0; i < traits(rule).states; ++i) {
    buffers_.push_back(arena().make_block());
    if (initial_state.defined()) block(buffers_.back()).copy_(initial_state);
    call_.state[static_cast<std::size_t>(i)] = buffers_.back()->data();
  }
  arena().seal();
}

/// Whether there is a buffer at all: some set may have a momentum.
bool has_momentum(const PerSet& momentum) { return momentum.is_tensor() || momentum.value() != 0; }

std::unique_ptr<Optimizer::State> Optimizer::State::make(Parameters parameters, const SgdOptions& options) {
  using Formula = math::scalar::MomentumSgd;
  auto state = std::make_unique<State>(UpdateRule::Sgd, std::move(parameters));
  state->set_lr(options.lr, {});
  const Tensor momentum = state->values("momentum", options.momentum, Allowed::Finite);
  Tensor dampening = state->values("dampening", options.dampening, Allowed::Finite);
  if (options.nesterov)
    LUGE_CHECK(ValueError, momentum.gt(0).all().item<bool>({}) && dampening.eq(0).all().item<bool>({}),
               "Sgd: nesterov is set; it needs a momentum above 0 and a dampening of 0");
  // A set without momentum among sets that have one: as alone, where dampening plays no part.
  if (options.momentum.is_tensor()) dampening = where(momentum.eq(0), 0, dampening);
  if (!has_momentum(options.momentum))
    state->finish(UpdateRule::Sgd, options.weight_decay, options.maximize,
                  {{"dampening", Setting::kUnused, dampening}});
  else
    state->finish(options.nesterov ? UpdateRule::NesterovSgd : UpdateRule::MomentumSgd, options.weight_decay,
                  options.maximize,
                  {{"momentum", Formula::kMomentum, momentum}, {"dampening", Formula::kDampening, dampening}});
  return state;
}

template <class Options>
std::unique_ptr<Optimizer::State> Optimizer::State::make(UpdateRule rule, Parameters parameters,
                                                         const Options& options) {
  using Formula = math::scalar::Adam;
  auto state = std::make_unique<State>(rule, std::move(parameters));
  state->set_lr(options.lr, {});
  const Tensor beta1 = state->values("beta1", options.beta1, Allowed::BelowOne);
  const Tensor beta2 = state->values("beta2", options.beta2, Allowed::BelowOne);
  const Tensor epsilon = state->values("epsilon", options.epsilon, Allowed::Finite);
  state->finish(
      rule, options.weight_decay, options.maximize,
      {{"beta1", Formula::kBeta1, beta1}, {"beta2", Formula::kBeta2, beta2}, {"epsilon", Formula::kEpsilon, epsilon}});
  return state;
}

std::unique_ptr<Optimizer::State> Optimizer::State::make(Parameters parameters, const RmsPropOptions& options) {
  using Formula = math::scalar::RmsProp;
  auto state = std::make_unique<State>(UpdateRule::RmsProp, std::move(parameters));
  state->set_lr(options.lr, {});
  const Setting alpha{"alpha", Formula::kAlpha, state->values("alpha", options.alpha, Allowed::BelowOne)};
  const Setting epsilon{"epsilon", Formula::kEpsilon, state->values("epsilon", options.epsilon, Allowed::Finite)};
  const Setting momentum{"momentum", Formula::kMomentum,
                         state->values("momentum", options.momentum, Allowed::Finite)};
  if (has_momentum(options.momentum))
    state->finish(options.centered ? UpdateRule::CenteredMomentumRmsProp : UpdateRule::MomentumRmsProp,
                  options.weight_decay, options.maximize, {alpha, epsilon, momentum});
  else
    state->finish(options.centered ? UpdateRule::CenteredRmsProp : UpdateRule::RmsProp, options.weight_decay,
                  options.maximize, {alpha, epsilon});
  return state;
}

std::unique_ptr<Optimizer::State> Optimizer::State::make(Parameters parameters, const AdagradOptions& options) {
  using Formula = math::scalar::Adagrad;
  auto state = std::make_unique<State>(UpdateRule::Adagrad, std::move(parameters));
  state->set_lr(options.lr, {});
  const Tensor lr_decay = state->values("lr_decay", options.lr_decay, Allowed::Finite);
  const Tensor sum = state->values("initial_accumulator_value", options.initial_accumulator_value, Allowed::Finite);
  const Tensor epsilon = state->values("epsilon", options.epsilon, Allowed::Finite);
  state->finish(UpdateRule::Adagrad, options.weight_decay, options.maximize,
                {{"lr_decay", Formula::kLrDecay, lr_decay}, {"epsilon", Formula::kEpsilon, epsilon}}, sum);
  return state;
}

void Optimizer::State::set_lr(const PerSet& lr, SourceLocation location) {
  LUGE_CHECK(ValueError, !lr_->follows,
             "set_lr: this {} stands for the sets of another one that still go on (stop.train) and has the learning "
             "rates of that; call set_lr of that one, or use a schedule",
             name());
  const Waiting waiting = lr_->values.defined() ? Waiting::Never : Waiting::Allowed;
  lr_->assign(values("lr", lr, Allowed::Finite, waiting, location));
  lr_->rebase();
}

void Optimizer::State::step() {
  call_.layout = arena().active_layout();
  if (call_.layout.parameters == 0) return;
  if (observer) [[unlikely]] {
    observer->uses(*steps_.storage());
    for (const auto& [name, tensor] : kept_) observer->uses(*tensor.storage());
    for (const Ref<Storage>& buffer : buffers_) observer->uses(*buffer);
  }
  call_.hyper[math::kLr] = hyper(lr_->values);
  if (arena().active().defined())
    call_.hyper[Update::kActive] = hyper(arena().active());
  else
    arena().expect_all_active();
  if (begun_.defined()) {
    if (observer) [[unlikely]]
      observer->uses(*begun_.storage());
    call_.begun = static_cast<const std::int64_t*>(begun_.data());
  } else {
    expect_none_begun();
  }
  arena().backend().run(call_);
  arena().bump_values(call_.layout);
}

Tensor Optimizer::State::begun() {
  const RuleTraits& rule = traits(call_.rule);
  const auto counts_steps = [](const math::Number& number) { return number.counts_steps(); };
  if (std::none_of(rule.number.begin(), rule.number.begin() + rule.numbers, counts_steps)) return {};
  if (!begun_.defined()) {
    *has_begun_ = true;
    const Unobserved once;  // it belongs to the optimizer, not to the step that is being recorded
    begun_ = zeros({parameters_.sets()}, {.dtype = DType::Int64, .device = parameters_.device()});
  }
  return begun_;
}

/// Tells who records a step that it counts its steps for all sets alike: it fails once some set may have begun anew.
void Optimizer::State::expect_none_begun() const {
  if (!observer) return;
  // The owner is seen to be alive before this is called.
  const auto check = [has_begun = has_begun_.get()](std::int64_t steps, std::int64_t) {
    LUGE_CHECK(CaptureError, !*has_begun,
               "step: population.restart was first called after this step was captured, which counts steps for all "
               "sets alike; capture it again, or call restart with a mask of no set before capturing");
    return steps;
  };
  observer->has_effect({.owner = has_begun_, .owner_name = "optimizer", .before = check, .after = {}, .undo = {}});
}

std::vector<std::pair<std::string, Tensor>> Optimizer::State::hyperparameters() const {
  std::vector<std::pair<std::string, Tensor>> result{{"lr", lr_->values.clone()}};
  for (const auto& [name, values] : kept_) result.emplace_back(name, values.clone());
  return result;
}

std::vector<Tensor> Optimizer::State::state() const {
  std::vector<Tensor> result{steps_, lr_->values};
  for (const Ref<Storage>& buffer : buffers_) result.push_back(block(buffer));
  if (begun_.defined()) result.push_back(begun_);
  return result;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::State::named_state() const {
  std::vector<std::pair<std::string, Tensor>> result{{"step", steps_}, {"lr", lr_->values}};
  result.insert(result.end(), kept_.begin(), kept_.end());
  if (begun_.defined()) result.emplace_back("begun", begun_);
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const char* const state = traits(call_.rule).state_names[i];
    for (const Parameters::Arena::Member& member : parameters_.arena_->members())
      result.emplace_back(fmt::format("{}.{}", state, member.name),
                          Tensor(new TensorImpl(buffers_[i], call_.dtype, member.shape, contiguous_strides(member.shape),
                                                member.offset, element_count(member.shape))));
  }
  return result;
}

std::vector<Tensor> Optimizer::State::checked_leaves(UpdateRule rule, const std::vector<Tensor>& given) {
  const char* const op = luge::name(rule);
  std::vector<Tensor> leaves;
  std::unordered_map<const Storage*, const TensorImpl*> seen;
  for (std::size_t i = 0; i < given.size(); ++i) {
    LUGE_CHECK(ValueError, given[i].defined(), "{}: tensor {} is undefined", op, i);
    const TensorImpl& impl = *given[i].impl();
    LUGE_CHECK(ValueError, !impl.grad_fn, "{}: tensor {} was made by {}; only leaves can be optimized", op, i,
               impl.grad_fn->name());
    // A frozen parameter comes along: it may be unfrozen later.
    LUGE_CHECK(ValueError, impl.leaf, "{}: tensor {} does not require a gradient; call requires_grad_() on it", op, i);
    if (!is_floating(impl.dtype)) continue;  // a parameter that can never have a gradient
    LUGE_CHECK(DTypeError, !is_storage_only(impl.dtype), "{}: tensor {} is {}; allowed are float32 and float64", op, i,
               luge::name(impl.dtype));
    const Tensor& first = leaves.empty() ? given[i] : leaves[0];
    LUGE_CHECK(DTypeError, impl.dtype == first.dtype(),
               "{}: tensor {} is {} and tensor 0 is {}; all must share one dtype", op, i, luge::name(impl.dtype),
               luge::name(first.dtype()));
    LUGE_CHECK(DeviceError, given[i].device() == first.device(),
               "{}: tensor {} is on {} and tensor 0 on {}; all must share one device", op, i,
               to_string(given[i].device()), to_string(first.device()));
    const bool owns_all = impl.contiguous && impl.offset == 0 &&
                          impl.storage->bytes() == static_cast<std::size_t>(impl.numel) * size_of(impl.dtype);
    LUGE_CHECK(ValueError, owns_all,
               "{}: tensor {} of shape {} shares its memory with others: it is a view; give a tensor of its own "
               "(detach().clone().requires_grad_())",
               op, i, to_string(impl.shape));
    const auto [place, is_new] = seen.emplace(impl.storage.get(), &impl);
    LUGE_CHECK(ValueError, is_new || place->second == &impl,
               "{}: tensor {} shares its memory with an earlier one and is not the same tensor", op, i);
    if (is_new) leaves.push_back(given[i]);
  }
  LUGE_CHECK(ValueError, !leaves.empty(), "{}: no tensors given; at least one is needed", op);
  return leaves;
}

Parameters Optimizer::State::arena_of(UpdateRule rule, const std::vector<Tensor>& given) {
  const char* const op = luge::name(rule);
  const std::vector<Tensor> leaves = checked_leaves(rule, given);
  std::optional<Parameters> home;
  std::size_t at_home = 0;
  for (const Tensor& leaf : leaves) {
    const std::optional<Parameters> own = Parameters::home_of(leaf);
    if (!own || (home && !(*home == *own))) continue;
    home = own;
    ++at_home;
  }
  if (!home) {
    // They may have lived in an arena with sets that is gone.
    const std::optional<std::int64_t> sets = leaves[0].impl()->leaf->sets();
    const auto words = [](std::optional<std::int64_t> n) { return n ? fmt::format("{} sets", *n) : "no sets"; };
    for (const Tensor& leaf : leaves)
      LUGE_CHECK(ValueError, leaf.impl()->leaf->sets() == sets,
                 "{}: a tensor of shape {} has {} and one of shape {} has {}; all must have the same", op,
                 to_string(leaves[0].shape()), words(sets), to_string(leaf.shape()), words(leaf.impl()->leaf->sets()));
    Parameters own({.sets = sets, .device = leaves[0].device(), .dtype = leaves[0].dtype()});
    own.arena_->prepare_adoption(leaves);
    return own;
  }
  const std::vector<Tensor>& members = home->arena_->tensors();
  LUGE_CHECK(
      ValueError, at_home == leaves.size() && at_home == members.size(),
      "{}: {} of the {} tensors given belong to an arena of {} (a Parameters, or another optimizer's tensors); pass "
      "that Parameters, or all of its tensors and no others",
      op, at_home, leaves.size(), members.size());
  return *home;
}

// ---- what users see -----------------------------------------------------------------------------

namespace {

UpdateRule rule_of(const AdamWOptions& options) {
  return options.amsgrad ? UpdateRule::AmsgradAdamW : UpdateRule::AdamW;
}
UpdateRule rule_of(const AdamOptions& options) {
  if (options.decoupled_weight_decay) return rule_of(AdamWOptions{.amsgrad = options.amsgrad});
  return options.amsgrad ? UpdateRule::AmsgradAdam : UpdateRule::Adam;
}

}  // namespace

Optimizer::Optimizer(std::unique_ptr<State> state) : state_(std::move(state)), lr_(state_->lr()) {}
Optimizer::~Optimizer() = default;

void Optimizer::zero_grad() { state_->parameters().zero_grad(); }
void Optimizer::step() { state_->step(); }
void Optimizer::set_lr(const PerSet& lr, SourceLocation location) { state_->set_lr(lr, location); }
Tensor Optimizer::lr(std::size_t) const { return lr_->values.clone(); }
std::int64_t Optimizer::steps_taken(SourceLocation location) const {
  return state_->steps().item<std::int64_t>(location);
}
Tensor Optimizer::begun(std::size_t) { return state_->begun(); }
const Tensor& Optimizer::begun_so_far(std::size_t) const { return state_->begun_so_far(); }
const Tensor& Optimizer::initial_moments(std::size_t) const { return state_->initial_moments(); }
Parameters& Optimizer::parameters() { return state_->parameters(); }
std::vector<std::pair<std::string, Tensor>> Optimizer::hyperparameters() const { return state_->hyperparameters(); }
bool Optimizer::maximize() const { return state_->call().maximize; }
UpdateRule Optimizer::rule() const { return state_->call().rule; }
std::vector<Tensor> Optimizer::state() const { return state_->state(); }
std::vector<std::pair<std::string, Tensor>> Optimizer::named_state() const { return state_->named_state(); }

template <>
OptimizerOf<SgdOptions>::OptimizerOf(Parameters parameters, const SgdOptions& options)
    : Optimizer(State::make(std::move(parameters), options)) {}
template <>
OptimizerOf<SgdOptions>::OptimizerOf(const std::vector<Tensor>& leaves, const SgdOptions& options)
    : Optimizer(State::make(State::arena_of(UpdateRule::Sgd, leaves), options)) {}

template <>
OptimizerOf<AdamOptions>::OptimizerOf(Parameters parameters, const AdamOptions& options)
    : Optimizer(State::make(rule_of(options), std::move(parameters), options)) {}
template <>
OptimizerOf<AdamOptions>::OptimizerOf(const std::vector<Tensor>& leaves, const AdamOptions& options)
    : Optimizer(State::make(rule_of(options), State::arena_of(UpdateRule::Adam, leaves), options)) {}

template <>
OptimizerOf<AdamWOptions>::OptimizerOf(Parameters parameters, const AdamWOptions& options)
    : Optimizer(State::make(rule_of(options), std::move(parameters), options)) {}
template <>
OptimizerOf<AdamWOptions>::OptimizerOf(const std::vector<Tensor>& leaves, const AdamWOptions& options)
    : Optimizer(State::make(rule_of(options), State::arena_of(UpdateRule::AdamW, leaves), options)) {}

template <>
OptimizerOf<RmsPropOptions>::OptimizerOf(Parameters parameters, const RmsPropOptions& options)
    : Optimizer(State::make(std::move(parameters), options)) {}
template <>
OptimizerOf<RmsPropOptions>::OptimizerOf(const std::vector<Tensor>& leaves, const RmsPropOptions& options)
    : Optimizer(State::make(State::arena_of(UpdateRule::RmsProp, leaves), options)) {}

template <>
OptimizerOf<AdagradOptions>::OptimizerOf(Parameters parameters, const AdagradOptions& options)
    : Optimizer(State::make(std::move(parameters), options)) {}
template <>
OptimizerOf<AdagradOptions>::OptimizerOf(const std::vector<Tensor>& leaves, const AdagradOptions& options)
    : Optimizer(State::make(State::arena_of(UpdateRule::Adagrad, leaves), options)) {}

}  // namespace luge
