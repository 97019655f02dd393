// Sets that move to parameters of their own, and back.

#include <string_view>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/overwrite.h>
#include <luge/ops/index.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/hyper.h>
#include <luge/train/detail/stop_moves.h>
#include <luge/train/stop_train.h>

namespace luge::stop {

namespace {

/// What is of these sets. A number for all stays one.
Tensor chosen(const Tensor& values, const Tensor& sets) {
  return values.ndim() == 0 ? values.clone() : index_select(values.detach(), 0, sets);
}

/// Overwrites the values of these sets.
void put(Tensor to, const Tensor& sets, const Tensor& values) {
  if (to.ndim() == 0)
    to.copy_(values);
  else if (to.numel() > 0)
    overwrite_slices(to, 0, sets, values);
}

bool has_gradient(const Tensor& leaf) { return leaf.requires_grad() && leaf.impl()->leaf->written(); }

Parameters parameters_of(const Parameters& whole, const Tensor& sets) {
  const NoGrad guard;
  Parameters params({.sets = sets.numel(), .device = whole.device(), .dtype = whole.dtype()});
  std::vector<ParameterSpec> specs;
  for (const std::string& name : whole.names()) {
    Shape shape = whole[name].shape();
    shape.erase(0);
    specs.push_back({name, shape, init::zeros()});
  }
  const std::vector<Tensor> leaves = params.add(specs), given = whole.tensors();
  for (std::size_t p = 0; p < leaves.size(); ++p) {
    Tensor leaf = leaves[p];
    if (leaf.numel() > 0) leaf.copy_(chosen(given[p], sets));
    leaf.requires_grad_(given[p].requires_grad());
    params.set_init(specs[p].name, std::nullopt);  // they do not begin anew here
  }
  return params;
}

/// The gradients that a step may go on from.
void move_gradients(const Parameters& whole, const Parameters& params, const Tensor& sets) {
  const std::vector<Tensor> leaves = params.tensors(), given = whole.tensors();
  for (std::size_t p = 0; p < leaves.size(); ++p)
    if (has_gradient(given[p]) && leaves[p].numel() > 0) leaves[p].grad().copy_(chosen(given[p].grad(), sets));
}

using Groups = std::vector<SettingsGroup>;

/// Makes an optimizer of that kind, if `whole` is one; without groups none.
template <class Kind>
bool made_alike(const Optimizer& whole, const Groups* groups, std::shared_ptr<Optimizer>& result) {
  if (!dynamic_cast<const Kind*>(&whole)) return false;
  if (groups) result = std::make_shared<Kind>(*groups);
  return true;
}

template <class... Kinds>
std::shared_ptr<Optimizer> made_alike_of(const Optimizer& whole, const Groups* groups) {
  std::shared_ptr<Optimizer> result;
  const bool is_known = (made_alike<Kinds>(whole, groups, result) || ...);
  LUGE_CHECK(ValueError, is_known,
             "stop.train: this kind of optimizer does not step by a rule of luge's, and its sets do not move; set compact to "
             "false");
  return result;
}

std::shared_ptr<Optimizer> made_alike(const Optimizer& whole, const Groups* groups) {
  return made_alike_of<Sgd, Adam, AdamW, RmsProp, Adagrad, Adadelta, Adamax, NAdam, RAdam, Asgd, Rprop, Lion>(whole, groups);
}

/// Whether it is a hyperparameter in the named state of a group.
bool is_hyper(std::string_view name) { return name != "step" && name != "begun" && name.find('.') == name.npos; }

SettingsGroup group_of(const Optimizer& whole, std::size_t number, const std::vector<Tensor>& given,
                       const std::vector<Tensor>& moved, const Tensor& sets) {
  SettingsGroup group;
  for (const Tensor& leaf : whole.params(number))
    for (std::size_t p = 0; p < given.size(); ++p)
      if (given[p].impl() == leaf.impl()) group.leaves.push_back(moved[p]);
  for (const std::string& name : whole.flag_names()) group.settings.flags.emplace_back(name, whole.flag(name, number));
  auto& values = group.settings.values;
  values.emplace_back("weight_decay", 0.0);
  if (dynamic_cast<const Rprop*>(&whole)) values.clear();
  for (const auto& [name, value] : whole.named_state(number)) {
    if (!is_hyper(name)) continue;
    std::erase_if(values, [&name = name](const auto& known) { return known.first == name; });
    values.emplace_back(name, PerSet(chosen(value, sets)));
  }
  return group;
}

std::shared_ptr<Optimizer> optimizer_of(Optimizer& whole, const Parameters& params, const Tensor& sets) {
  const std::vector<Tensor> given = whole.parameters().tensors(), moved = params.tensors();
  Groups groups;
  for (std::size_t g = 0; g < whole.groups(); ++g) groups.push_back(group_of(whole, g, given, moved, sets));
  return made_alike(whole, &groups);
}

/// What steps of an optimizer change, hyperparameters aside: the counts of steps and the moments.
PerSetData moments(const Optimizer& optimizer) {
  PerSetData result;
  for (std::size_t group = 0; group < optimizer.groups(); ++group)
    for (auto& one : optimizer.named_state(group))
      if (one.first != "begun" && !is_hyper(one.first)) result.push_back(std::move(one));
  return result;
}

std::shared_ptr<Optimizer> moved(Optimizer& whole, const Parameters& params, const Tensor& sets) {
  const NoGrad guard;
  std::shared_ptr<Optimizer> result = optimizer_of(whole, params, sets);
  const PerSetData own = moments(*result), given = moments(whole);
  for (std::size_t i = 0; i < own.size(); ++i)
    if (own[i].second.numel() > 0) Tensor(own[i].second).copy_(chosen(given[i].second, sets));
  return result;
}

}  // namespace

void expect_movable(const Optimizer& optimizer) { made_alike(optimizer, nullptr); }

Live::Live(Optimizer& given_optimizer, StopRule& given_rule, PerSetData data)
    : params(given_optimizer.parameters()), optimizer(given_optimizer), rule(given_rule), data_(std::move(data)) {
  constexpr const char* kOp = "stop.train";
  LUGE_CHECK(ValueError, rule.parameters() == params, "{}: the rule is of another optimizer's parameters", kOp);
  for (std::size_t i = 0; i < data_.size(); ++i) {
    const auto& [name, values] = data_[i];
    LUGE_CHECK(ValueError, values.defined(), "{}: data '{}' is an undefined tensor", kOp, name);
    for (std::size_t j = 0; j < i; ++j)
      LUGE_CHECK(ValueError, data_[j].first != name, "{}: the name '{}' is given twice in data", kOp, name);
    LUGE_CHECK(ShapeError, values.ndim() > 0 && values.size(0) == params.sets(),
               "{}: data '{}' has shape {}; its first axis must be the {} sets; what is the same for all sets the step "
               "uses as it is",
               kOp, name, to_string(values.shape()), params.sets());
    LUGE_CHECK(DeviceError, values.device() == params.device(), "{}: data '{}' is on {} and the parameters are on {}",
               kOp, name, to_string(values.device()), to_string(params.device()));
    LUGE_CHECK(AutogradError, !values.requires_grad(),
               "{}: data '{}' requires a gradient, which could not follow where sets move; make it a parameter, or "
               "detach() it",
               kOp, name);
  }
  sets = arange(params.sets(), {.dtype = DType::Int64, .device = params.device()});
}

Live::Live(Live& whole, const Tensor& numbers)
    : params(parameters_of(whole.params, numbers)),
      own_optimizer_(moved(whole.optimizer, params, numbers)),
      own_rule_(std::make_shared<StopRule>(whole.rule.of_sets(params, numbers))),
      optimizer(*own_optimizer_),
      rule(*own_rule_),
      sets(numbers) {
  const NoGrad guard;
  move_gradients(whole.params, params, numbers);
  for (std::size_t group = 0; group < optimizer.groups(); ++group) {
    if (const Tensor& begun = whole.optimizer.begun_so_far(group); begun.defined())
      own_optimizer_->begun(group).copy_(chosen(begun, numbers));
    whole.optimizer.rate(group)->lead(optimizer.rate(group), numbers);
  }
  for (const auto& [name, values] : whole.data_) data_.emplace_back(name, chosen(values, numbers));
}

Tensor Live::data(std::string_view name) const {
  std::string names;
  for (const auto& [own, values] : data_) {
    if (own == name) return values;
    names += (names.empty() ? "" : ", ") + own;
  }
  raise<ValueError>("Live: there is no data '{}'; {}", name,
                    names.empty() ? std::string("stop.train was given none") : "the names are: " + names);
}

void Live::write_back(Live& whole) const {
  const NoGrad guard;
  const std::vector<Tensor> leaves = params.tensors(), given = whole.params.tensors();
  for (std::size_t p = 0; p < leaves.size(); ++p) {
    put(given[p], sets, leaves[p]);
    if (has_gradient(leaves[p]))
      put(given[p].grad(), sets, leaves[p].grad());
    else if (has_gradient(given[p]))
      Tensor(given[p]).zero_grad();
  }
  const PerSetData own = moments(optimizer), theirs = moments(whole.optimizer);
  for (std::size_t i = 0; i < own.size(); ++i) put(theirs[i].second, sets, own[i].second);
  const PerSetData noted = rule.state(), places = whole.rule.state();
  for (std::size_t i = 0; i < noted.size(); ++i) put(places[i].second, sets, noted[i].second);
  whole.rule.settle();
  for (std::size_t group = 0; group < optimizer.groups(); ++group) whole.optimizer.rate(group)->lead(nullptr, {});
  whole.params.set_active(index_copy(whole.params.active(), 0, sets, params.active()));
}

void Live::lend(bool lent) { params.arena_->lend(lent); }

}  // namespace luge::stop
