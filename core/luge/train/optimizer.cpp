#include <luge/train/optimizer.h>

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/optimizer_state.h>

namespace luge {

// ---- what users see -----------------------------------------------------------------------------

Optimizer::Optimizer(std::unique_ptr<State> state) : state_(std::move(state)), lr_(state_->rate(0)) {}
Optimizer::~Optimizer() = default;

void Optimizer::zero_grad() { state_->zero_grad(); }
void Optimizer::step() { state_->step(); }
void Optimizer::set_lr(const PerSet& lr, SourceLocation location) {
  for (std::size_t group = 0; group < groups(); ++group) state_->set_lr(lr, group, location);
}
void Optimizer::set_lr(const PerSet& lr, std::size_t group, SourceLocation location) {
  state_->set_lr(lr, group, location);
}
Tensor Optimizer::lr(std::size_t group) const { return state_->rate(group)->values.clone(); }
std::int64_t Optimizer::steps_taken(SourceLocation location) const {
  std::int64_t most = 0;
  for (std::size_t group = 0; group < groups(); ++group)
    most = std::max(most, state_->steps(group).item<std::int64_t>(location));
  return most;
}
Parameters& Optimizer::parameters() { return state_->parameters(); }
std::size_t Optimizer::groups() const { return state_->groups(); }
std::vector<Tensor> Optimizer::params(std::size_t group) const { return state_->params(group); }
Tensor Optimizer::value(std::string_view name, std::size_t group) const { return state_->value(name, group); }
void Optimizer::set_value(std::string_view name, const PerSet& value, std::size_t group, SourceLocation location) {
  state_->set_value(name, value, group, location);
}
bool Optimizer::flag(std::string_view name, std::size_t group) const { return state_->flag(name, group); }
void Optimizer::set_flag(std::string_view name, bool on, std::size_t group) { state_->set_flag(name, on, group); }
std::vector<std::string> Optimizer::value_names() const {
  std::vector<std::string> names;
  for (const OptimizerKind::Value& value : state_->kind().values)
    if (!value.at_start_only) names.push_back(value.name);
  return names;
}
std::vector<std::string> Optimizer::flag_names() const {
  std::vector<std::string> names;
  for (const OptimizerKind::Flag& flag : state_->kind().flags) names.push_back(flag.name);
  return names;
}
const Tensor& Optimizer::steps(std::size_t group) const { return state_->steps(group); }
void Optimizer::set_steps(std::int64_t steps, std::size_t group) { state_->set_steps(steps, group); }
bool Optimizer::is_active(std::size_t group, std::size_t i) const {
  const std::vector<Tensor> given = state_->params(group);
  LUGE_CHECK(IndexError, i < given.size(), "is_active: parameter group {} has no parameter {}; it has {}", group, i,
             given.size());
  TensorImpl& impl = *given[i].impl();
  if (observer) [[unlikely]]
    observer->uses_gradient(impl);
  return impl.requires_grad && impl.leaf->written();
}
Tensor Optimizer::stepped_sets(std::size_t group) const { return state_->stepped_sets(group); }
std::vector<std::pair<std::string, Tensor>> Optimizer::state_of(std::size_t group, std::size_t i) const {
  return state_->state_of(group, i);
}
void Optimizer::add_group(const SettingsGroup& group) {
  state_->add_group({.whole = {}, .leaves = group.leaves, .settings = group.settings});
}
Tensor Optimizer::begun(std::size_t group) { return state_->begun(group); }
const Tensor& Optimizer::begun_so_far(std::size_t group) const { return state_->begun_so_far(group); }
const Tensor& Optimizer::initial_moments(std::size_t group) const { return state_->initial_moments(group); }
const std::shared_ptr<LearningRate>& Optimizer::rate(std::size_t group) const { return state_->rate(group); }
std::vector<std::pair<std::string, Tensor>> Optimizer::hyperparameters() const {
  std::vector<std::pair<std::string, Tensor>> result{{"lr", lr()}};
  for (const auto& [name, values] : state_->hyperparameters(0)) result.emplace_back(name, values.clone());
  return result;
}
bool Optimizer::maximize() const { return state_->call(0).maximize; }
UpdateRule Optimizer::rule() const { return state_->call(0).rule; }
std::vector<Tensor> Optimizer::state() const { return state_->state(); }
std::vector<std::pair<std::string, Tensor>> Optimizer::named_state(std::size_t group) const {
  return state_->named_state(group);
}
std::vector<std::pair<std::string, Tensor>> Optimizer::named_state() const {
  std::vector<std::pair<std::string, Tensor>> result = named_state(0);
  for (std::size_t group = 1; group < groups(); ++group)
    for (auto& [name, tensor] : named_state(group)) result.emplace_back(fmt::format("{}/{}", group, name), tensor);
  return result;
}

// ---- the kinds ----------------------------------------------------------------------------------

template <class Options>
OptimizerOf<Options>::OptimizerOf(Parameters parameters, const Options& options)
    : Optimizer(std::make_unique<State>(
          kind_of<Options>(), std::vector<State::Draft>{{std::move(parameters), {}, settings_of(options)}})) {}

template <class Options>
OptimizerOf<Options>::OptimizerOf(const std::vector<Tensor>& leaves, const Options& options)
    : Optimizer(std::make_unique<State>(kind_of<Options>(),
                                        std::vector<State::Draft>{{std::nullopt, leaves, settings_of(options)}})) {}

template <class Options>
OptimizerOf<Options>::OptimizerOf(const std::vector<Group>& groups)
    : Optimizer(std::make_unique<State>(kind_of<Options>(), [&] {
        std::vector<State::Draft> drafts;
        for (const Group& group : groups) drafts.push_back({std::nullopt, group.params, settings_of(group.options)});
        return drafts;
      }())) {}

template <class Options>
OptimizerOf<Options>::OptimizerOf(const std::vector<SettingsGroup>& groups)
    : Optimizer(std::make_unique<State>(kind_of<Options>(), State::drafts_of(groups))) {}

template <class Options>
OptimizerOf<Options>::OptimizerOf(Parameters parameters, OptimizerSettings settings, std::true_type)
    : Optimizer(std::make_unique<State>(kind_of<Options>(),
                                        std::vector<State::Draft>{{std::move(parameters), {}, std::move(settings)}})) {}

template <class Options>
void OptimizerOf<Options>::add_group(const Group& group) {
  Optimizer::add_group(SettingsGroup{group.params, settings_of(group.options)});
}

template class OptimizerOf<SgdOptions>;
template class OptimizerOf<AdamOptions>;
template class OptimizerOf<AdamWOptions>;
template class OptimizerOf<RmsPropOptions>;
template class OptimizerOf<AdagradOptions>;
template class OptimizerOf<AdadeltaOptions>;
template class OptimizerOf<AdamaxOptions>;
template class OptimizerOf<NAdamOptions>;
template class OptimizerOf<RAdamOptions>;
template class OptimizerOf<AsgdOptions>;
template class OptimizerOf<RpropOptions>;
template class OptimizerOf<LionOptions>;

CompositeOptimizer::CompositeOptimizer(const std::string& name, const std::vector<SettingsGroup>& groups)
    : Optimizer(std::make_unique<State>(
          [&] {
            auto kind = std::make_shared<OptimizerKind>();
            kind->name = name;
            kind->has_rule = false;
            if (!groups.empty())
              for (const auto& [option, value] : groups[0].settings.values)
                kind->values.push_back({.name = option, .standard = value, .allowed = Allowed::Number});
            return kind;
          }(),
          State::drafts_of(groups))) {}

}  // namespace luge
