#include <luge/train/detail/optimizer_state.h>

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

// ---- making one ---------------------------------------------------------------------------------

Optimizer::State::State(std::shared_ptr<const OptimizerKind> kind, std::vector<Draft> drafts) : kind_(std::move(kind)) {
  LUGE_CHECK(ValueError, !drafts.empty(), "{}: no tensors given; at least one is needed", name());
  std::vector<Place> places = placed(drafts, homes_);
  for (std::size_t g = 0; g < drafts.size(); ++g) {
    Home& home = homes_[places[g].home];
    groups_.push_back(make_group(std::move(places[g]), home, drafts[g].settings));
  }
  for (const Home& home : homes_) arena(home).seal();
  note_whole_homes();
}

std::vector<Optimizer::State::Draft> Optimizer::State::drafts_of(const std::vector<SettingsGroup>& groups) {
  std::vector<Draft> drafts;
  for (const SettingsGroup& group : groups) drafts.push_back({std::nullopt, group.leaves, group.settings});
  return drafts;
}

const Optimizer::State::Group& Optimizer::State::at(std::size_t group) const {
  LUGE_CHECK(IndexError, group < groups_.size(), "{}: there is no parameter group {}; there are {}", name(), group,
             groups_.size());
  return groups_[group];
}

Optimizer::State::Group Optimizer::State::make_group(Place place, Home& home, const OptimizerSettings& given) const {
  for (const auto& [option, value] : given.values)
    if (std::ranges::none_of(kind_->values, [&option = option](const auto& known) { return known.name == option; }))
      kind_->value(option);
  Group group{.place = std::move(place)};
  for (const OptimizerKind::Flag& flag : kind_->flags) group.flags.push_back(flag.standard);
  for (const auto& [option, on] : given.flags) group.flags[kind_->flag(option)] = on;
  for (const OptimizerKind::Value& option : kind_->values) {
    PerSet value = option.standard;
    for (const auto& [name, own] : given.values)
      if (name == option.name) value = own;
    Setting setting{.values = values(option.name.c_str(), value, option.allowed, home, Waiting::Allowed, {}),
                    .given_as_tensor = value.is_tensor(),
                    .plays = value.is_tensor() || value.value() != 0};
    if (option.at_start_only) group.initial = setting.values;
    // One handle alone: a captured step sees that the memory is gone when learning rates of another shape replace it.
    if (option.name == "lr") group.rate->assign(std::exchange(setting.values, Tensor()));
    group.settings.push_back(std::move(setting));
  }
  LUGE_CHECK(ValueError, group.rate->values.defined(), "{}: there is no lr among the hyperparameters", name());
  Update& call = group.call;
  call.dtype = home.parameters.dtype();
  call.value = arena(home).values();
  call.grad = arena(home).gradients();
  group.steps = zeros({}, {.dtype = DType::Int64, .device = home.parameters.device()});
  call.steps = static_cast<std::int64_t*>(group.steps.data());
  if (kind_->name == "Sgd" && group.flags[kind_->flag("nesterov")]) {
    const Tensor &momentum = group.settings[kind_->value("momentum")].values,
                 &dampening = group.settings[kind_->value("dampening")].values;
    LUGE_CHECK(ValueError, momentum.gt(0).all().item<bool>({}) && dampening.eq(0).all().item<bool>({}),
               "{}: nesterov is set; it needs a momentum above 0 and a dampening of 0", name());
  }
  put_dampening_in_force(group);
  choose_rule(group, home);
  return group;
}

/// A set without momentum among sets that have one: as alone, where dampening plays no part.
void Optimizer::State::put_dampening_in_force(Group& group) const {
  if (kind_->name != "Sgd") return;
  const Setting& momentum = group.settings[kind_->value("momentum")];
  Setting& dampening = group.settings[kind_->value("dampening")];
  if (!momentum.given_as_tensor && !dampening.in_force.defined()) return;
  const NoGrad guard;
  assign_in_place(dampening.in_force, where(momentum.values.eq(0), 0, dampening.values));
}

bool Optimizer::State::plays(const Group& group, std::string_view option) const {
  return group.settings[kind_->value(option)].plays;
}

void Optimizer::State::choose_rule(Group& group, Home& home) const {
  Update& call = group.call;
  call.rule = rule_of(*kind_, group.flags, [&](std::string_view option) { return plays(group, option); });
  for (std::size_t i = 0; i < kind_->flags.size(); ++i)
    if (kind_->flags[i].name == "maximize") call.maximize = group.flags[i];
  call.state = {};
  const std::vector<std::string> states = state_names(group);
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::string& state = states[i];
    auto block = std::ranges::find(home.blocks, state, &std::pair<std::string, Ref<Storage>>::first);
    if (block == home.blocks.end()) {
      home.blocks.emplace_back(state, arena(home).make_block());
      block = home.blocks.end() - 1;
    }
    call.state[i] = block->second->data();
  }
  call.layout = arena(home).layout();
  if (!group.initial.defined() || std::exchange(group.form->is_filled, true)) return;
  const NoGrad guard;
  for (const auto& [state, block] : home.blocks)
    for_each_member(group, home, [&, &block = block](const Arena::Member& member) {
      if (element_count(member.shape) > 0) window(block, call.dtype, member).copy_(group.initial);
    });
}

std::vector<std::string> Optimizer::State::state_names(const Group& group) const {
  if (!kind_->has_rule) return kind_->states;
  const RuleTraits& rule = traits(group.call.rule);
  return {rule.state_names.begin(), rule.state_names.begin() + rule.states};
}

Tensor Optimizer::State::window(const Ref<Storage>& block, DType dtype, const Arena::Member& member) {
  return Tensor(new TensorImpl(block, dtype, member.shape, contiguous_strides(member.shape), member.offset,
                               element_count(member.shape)));
}

template <class Visit>
void Optimizer::State::for_each_member(const Group& group, const Home& home, const Visit& visit) {
  const std::vector<Arena::Member> members = arena(home).members();
  for (std::size_t p = 0; p < members.size(); ++p)
    if (group.place.members.empty() || group.place.members[p]) visit(members[p]);
}

// ---- changing options ---------------------------------------------------------------------------

void Optimizer::State::set_lr(const PerSet& lr, std::size_t number, SourceLocation location) {
  Group& group = at(number);
  LUGE_CHECK(ValueError, !group.rate->follows,
             "set_lr: this {} stands for the sets of another one that still go on (stop.train) and has the learning "
             "rates of that; call set_lr of that one, or use a schedule",
             name());
  const NoGrad guard;
  group.rate->assign(
      values("lr", lr, kind_->values[kind_->value("lr")].allowed, homes_[group.place.home], Waiting::Never, location));
  group.rate->rebase();
}

void Optimizer::State::mark_change(Group& group, std::string_view option) const {
  ++group.form->version;
  group.form->changed = option;
}

void Optimizer::State::set_value(std::string_view option, const PerSet& value, std::size_t number,
                                 SourceLocation location) {
  if (option == "lr") return set_lr(value, number, location);
  Group& group = at(number);
  const std::size_t i = kind_->value(option);
  Home& home = homes_[group.place.home];
  const NoGrad guard;
  const Tensor fresh =
      values(kind_->values[i].name.c_str(), value, kind_->values[i].allowed, home, Waiting::Never, location);
  Setting& setting = group.settings[i];
  const bool plays = value.is_tensor() || value.value() != 0;
  const void* const before = setting.values.data();
  const bool chooses = kind_->name == "Sgd" || kind_->name == "RmsProp";  // whether there is a momentum
  const bool is_another_form =
      kind_->has_rule && plays != setting.plays && (option == "weight_decay" || (option == "momentum" && chooses));
  const bool gets_momentum = is_another_form && option == "momentum" && plays;
  assign_in_place(setting.values, fresh);
  setting.given_as_tensor = value.is_tensor();
  setting.plays = plays;
  const bool dampens =
      group.settings.size() > 1 && kind_->name == "Sgd" && (option == "momentum" || option == "dampening");
  if (dampens) put_dampening_in_force(group);
  if (is_another_form || setting.values.data() != before) mark_change(group, option);
  choose_rule(group, home);
  // The buffer takes the next gradient as it is, as at a first step.
  if (gets_momentum && kind_->name == "Sgd")
    if (Tensor steps = begun(number); steps.defined()) steps.copy_(group.steps);
}

void Optimizer::State::set_flag(std::string_view option, bool on, std::size_t number) {
  Group& group = at(number);
  const std::size_t i = kind_->flag(option);
  if (group.flags[i] == on) return;
  group.flags[i] = on;
  mark_change(group, option);
  choose_rule(group, homes_[group.place.home]);
}

Tensor Optimizer::State::value(std::string_view option, std::size_t number) const {
  const Group& group = at(number);
  const std::size_t i = kind_->value(option);
  return (option == "lr" ? group.rate->values : group.settings[i].values).clone();
}

// ---- stepping -----------------------------------------------------------------------------------

void Optimizer::State::step() {
  LUGE_CHECK(ValueError, kind_->has_rule, "step: {} has no rule of its own", name());
  for (Group& group : groups_) step(group);
}

void Optimizer::State::step(Group& group) {
  const Home& home = homes_[group.place.home];
  Update& call = group.call;
  call.layout = arena(home).active_layout(group.place.members);
  if (call.layout.parameters == 0) return;
  const RuleTraits& rule = traits(call.rule);
  if (observer) [[unlikely]] {
    observer->uses(*group.steps.storage());
    for (const auto& [state, block] : home.blocks) observer->uses(*block);
  }
  call.hyper = {};
  for (int n = 0; n < rule.numbers; ++n) {
    const math::Number number = rule.number[static_cast<std::size_t>(n)];
    const auto read = [&](int h) {
      Hyper& to = call.hyper[static_cast<std::size_t>(h)];
      if (to.data) return;
      if (h == math::kLr) to = hyper(group.rate->values);
      for (std::size_t i = 0; i < kind_->values.size() && h != math::kLr; ++i)
        if (kind_->values[i].hyper == h && (h != math::kWeightDecay || group.settings[i].plays))
          to = hyper(group.settings[i].read());
    };
    if (number.reads_hyper()) read(number.hyper);
    if (number.reads_other()) read(number.other);
    if (number.reads_third()) read(number.third);
  }
  if (arena(home).active().defined())
    call.hyper[Update::kActive] = hyper(arena(home).active());
  else
    arena(home).expect_all_active();
  call.begun = nullptr;
  if (group.begun.defined()) {
    if (observer) [[unlikely]]
      observer->uses(*group.begun.storage());
    call.begun = static_cast<const std::int64_t*>(group.begun.data());
  }
  expect_form(group);
  arena(home).backend().run(call);
  arena(home).bump_values(call.layout);
}

Tensor Optimizer::State::stepped_sets(std::size_t number) const {
  const Group& group = at(number);
  Arena& home = arena(homes_[group.place.home]);
  expect_form(group);
  if (!home.active().defined()) home.expect_all_active();
  return home.active();
}

void Optimizer::State::set_steps(std::int64_t steps, std::size_t number) {
  Group& group = at(number);
  const NoGrad guard;
  group.steps.fill_(steps);
  if (group.begun.defined()) group.begun.zero_();
}

Tensor Optimizer::State::begun(std::size_t number) {
  Group& group = at(number);
  const RuleTraits& rule = traits(group.call.rule);
  const auto counts_steps = [](const math::Number& one) { return one.counts_steps(); };
  if (std::none_of(rule.number.begin(), rule.number.begin() + rule.numbers, counts_steps)) return {};
  if (!group.begun.defined()) {
    group.form->has_begun = true;
    const Unobserved once;  // it belongs to the optimizer, not to the step that is being recorded
    const Parameters& parameters = homes_[group.place.home].parameters;
    group.begun = zeros({parameters.sets()}, {.dtype = DType::Int64, .device = parameters.device()});
  }
  return group.begun;
}

/// Tells who records a step what it is made for: it fails once an option asks for another one, or, if it counts its
/// steps for all sets alike, once some set may have begun anew.
void Optimizer::State::expect_form(const Group& group) const {
  if (!observer) return;
  // The owner is seen to be alive before this is called.
  const auto check = [form = group.form.get(), version = group.form->version, counts_alike = !group.begun.defined()](
                         std::int64_t steps, std::int64_t) {
    LUGE_CHECK(CaptureError, form->version == version,
               "step: '{}' of the optimizer has changed since this step was captured, in a way that asks for another "
               "kernel; capture it again",
               form->changed);
    LUGE_CHECK(CaptureError, !counts_alike || !form->has_begun,
               "step: population.restart was first called after this step was captured, which counts steps for all "
               "sets alike; capture it again, or call restart with a mask of no set before capturing");
    return steps;
  };
  observer->has_effect({.owner = group.form, .owner_name = "optimizer", .before = check, .after = {}, .undo = {}});
}

// ---- what it keeps ------------------------------------------------------------------------------

std::vector<std::pair<std::string, Tensor>> Optimizer::State::hyperparameters(std::size_t number) const {
  const Group& group = at(number);
  std::vector<std::pair<std::string, Tensor>> result;
  const auto add = [&](bool is_decay) {
    for (std::size_t i = 0; i < kind_->values.size(); ++i) {
      const OptimizerKind::Value& option = kind_->values[i];
      const bool may_be_absent = option.name == "weight_decay" || option.name == "momentum";
      if (option.name == "lr" || option.at_start_only || is_decay != (option.name == "weight_decay")) continue;
      if (may_be_absent && kind_->has_rule && !group.settings[i].plays) continue;
      result.emplace_back(option.name, group.settings[i].read());
    }
  };
  add(false);
  add(true);
  return result;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::State::state_of(std::size_t number, std::size_t i) const {
  const Group& group = at(number);
  const Home& home = homes_[group.place.home];
  LUGE_CHECK(IndexError, i < group.place.places.size(), "{}: parameter group {} has no parameter {}; it has {}", name(),
             number, i, group.place.places.size());
  const Arena::Member member = arena(home).members()[group.place.places[i]];
  std::vector<std::pair<std::string, Tensor>> result;
  for (const std::string& state : state_names(group)) {
    const auto block = std::ranges::find(home.blocks, state, &std::pair<std::string, Ref<Storage>>::first);
    result.emplace_back(state, window(block->second, group.call.dtype, member));
  }
  return result;
}

std::vector<Tensor> Optimizer::State::state() const {
  std::vector<Tensor> result;
  for (const Group& group : groups_) {
    result.push_back(group.steps);
    result.push_back(group.rate->values);
  }
  for (const Home& home : homes_) {
    const std::int64_t size = arena(home).layout().size;
    for (const auto& [state, block] : home.blocks)
      result.push_back(Tensor(new TensorImpl(block, home.parameters.dtype(), {size}, {1}, 0, size)));
  }
  for (const Group& group : groups_)
    if (group.begun.defined()) result.push_back(group.begun);
  return result;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::State::named_state(std::size_t number) const {
  const Group& group = at(number);
  const Home& home = homes_[group.place.home];
  std::vector<std::pair<std::string, Tensor>> result{{"step", group.steps}, {"lr", group.rate->values}};
  for (auto& setting : hyperparameters(number)) result.push_back(std::move(setting));
  if (group.begun.defined()) result.emplace_back("begun", group.begun);
  for (const std::string& state : state_names(group)) {
    const auto block = std::ranges::find(home.blocks, state, &std::pair<std::string, Ref<Storage>>::first);
    for_each_member(group, home, [&](const Arena::Member& member) {
      result.emplace_back(fmt::format("{}.{}", state, member.name), window(block->second, group.call.dtype, member));
    });
  }
  return result;
}

}  // namespace luge
