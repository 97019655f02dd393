// Which parameters the groups of an optimizer have, and where those live.

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/one_arena.h>
#include <luge/train/detail/optimizer_state.h>

namespace luge {

std::vector<Tensor> Optimizer::State::checked_leaves(const std::vector<Tensor>& given, const Tensor& before) const {
  const char* const op = name();
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
    const Tensor& first = before.defined() ? before : leaves.empty() ? given[i] : leaves[0];
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

Optimizer::State::Place Optimizer::State::place_of(const Parameters& parameters, const std::vector<Tensor>& leaves,
                                                   std::vector<Home>& homes) const {
  Place place;
  while (place.home < homes.size() && !(homes[place.home].parameters == parameters)) ++place.home;
  if (place.home == homes.size()) homes.push_back({parameters});
  const std::vector<Tensor>& members = arena(homes[place.home]).tensors();
  std::unordered_map<const TensorImpl*, std::size_t> numbers;
  for (std::size_t p = 0; p < members.size(); ++p) numbers.emplace(members[p].impl(), p);
  for (const Tensor& leaf : leaves) {
    const auto found = numbers.find(leaf.impl());
    LUGE_CHECK(ValueError, found != numbers.end(),
               "{}: a tensor of shape {} shares its memory with a parameter of an arena and is not the same tensor",
               name(), to_string(leaf.shape()));
    place.places.push_back(found->second);
  }
  if (leaves.size() < members.size()) {
    place.members.resize(members.size());
    for (const std::size_t p : place.places) place.members[p] = true;
  }
  return place;
}

std::vector<Optimizer::State::Place> Optimizer::State::placed(const std::vector<Draft>& drafts,
                                                              std::vector<Home>& homes) const {
  const char* const op = name();
  Tensor first = groups_.empty() ? Tensor() : params(0)[0];
  std::unordered_set<const TensorImpl*> taken;
  for (std::size_t g = 0; g < groups_.size(); ++g)
    for (const Tensor& leaf : params(g)) taken.insert(leaf.impl());
  std::vector<std::vector<Tensor>> leaves;
  std::vector<std::optional<Parameters>> found;
  std::vector<Tensor> loose;
  for (const Draft& draft : drafts) {
    if (draft.whole) {
      LUGE_CHECK(ValueError, !draft.whole->tensors().empty(),
                 "{}: there are no parameters; add them before making the optimizer", op);
      leaves.push_back(draft.whole->tensors());
    } else {
      leaves.push_back(checked_leaves(draft.leaves, first));
    }
    if (!first.defined()) first = leaves.back()[0];
    const std::size_t group = groups_.size() + leaves.size() - 1;
    std::size_t at_home = 0;
    std::optional<Parameters> home;
    for (const Tensor& leaf : leaves.back()) {
      LUGE_CHECK(ValueError, taken.insert(leaf.impl()).second,
                 "{}: a tensor of shape {} of parameter group {} is in an earlier group, too", op,
                 to_string(leaf.shape()), group);
      const std::optional<Parameters> own = Parameters::home_of(leaf);
      if (!own || (home && !(*home == *own))) continue;
      home = own;
      ++at_home;
    }
    LUGE_CHECK(ValueError, !home || at_home == leaves.back().size(),
               "{}: {} of the {} tensors given belong to an arena of {} (a Parameters, or another optimizer's tensors) "
               "and the others do not; give those of each arena, and loose ones, as parameter groups of their own",
               op, at_home, leaves.back().size(), home ? home->tensors().size() : 0);
    if (!home) loose.insert(loose.end(), leaves.back().begin(), leaves.back().end());
    found.push_back(home);
  }
  // They may have lived in an arena with sets that is gone.
  const std::optional<std::int64_t> sets = first.impl()->leaf->sets();
  const auto words = [](std::optional<std::int64_t> n) { return n ? fmt::format("{} sets", *n) : "no sets"; };
  for (const std::vector<Tensor>& group : leaves)
    for (const Tensor& leaf : group)
      LUGE_CHECK(ValueError, leaf.impl()->leaf->sets() == sets,
                 "{}: a tensor of shape {} has {} and one of shape {} has {}; all must have the same", op,
                 to_string(first.shape()), words(sets), to_string(leaf.shape()), words(leaf.impl()->leaf->sets()));
  std::optional<Parameters> own;
  if (!loose.empty()) {
    own.emplace(ParametersOptions{.sets = sets, .device = first.device(), .dtype = first.dtype()});
    own->arena_->prepare_adoption(loose);
  }
  std::vector<Place> places;
  for (std::size_t g = 0; g < drafts.size(); ++g) places.push_back(place_of(found[g] ? *found[g] : *own, leaves[g], homes));
  return places;
}

void Optimizer::State::note_whole_homes() {
  for (std::size_t h = 0; h < homes_.size(); ++h) {
    std::size_t count = 0;
    for (const Group& group : groups_)
      if (group.place.home == h) count += group.place.places.size();
    homes_[h].whole = count == arena(homes_[h]).tensors().size();
  }
}

void Optimizer::State::add_group(Draft draft) {
  std::vector<Home> homes = homes_;
  const OptimizerSettings settings = draft.settings;
  Place place = placed({std::move(draft)}, homes)[0];
  Home& home = homes[place.home];
  Group group = make_group(std::move(place), home, settings);
  arena(home).seal();
  homes_ = std::move(homes);
  groups_.push_back(std::move(group));
  note_whole_homes();
}

void Optimizer::State::zero_grad() {
  for (std::size_t h = 0; h < homes_.size(); ++h) {
    if (homes_[h].whole) {
      homes_[h].parameters.zero_grad();
      continue;
    }
    arena(homes_[h]).expect_at_home();
    for (const Group& group : groups_)
      if (group.place.home == h)
        for (const std::size_t p : group.place.places) Tensor(arena(homes_[h]).tensors()[p]).zero_grad();
  }
}

std::vector<Tensor> Optimizer::State::params(std::size_t group) const {
  const Place& place = at(group).place;
  std::vector<Tensor> result;
  for (const std::size_t p : place.places) result.push_back(arena(homes_[place.home]).tensors()[p]);
  return result;
}

void expect_one_arena(const char* op, const Optimizer& optimizer) {
  const auto home_of = [&](std::size_t group) { return *Parameters::home_of(optimizer.params(group)[0]); };
  for (std::size_t group = 1; group < optimizer.groups(); ++group)
    LUGE_CHECK(ValueError, home_of(group) == home_of(0),
               "{}: parameter group {} has tensors of another Parameters than group 0; all groups must be of one", op,
               group);
}

}  // namespace luge
