#include <luge/autograd/detail/collect.h>

#include <algorithm>

#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

thread_local Collector* collector = nullptr;
/// Of this thread's sweep into leaves.
thread_local HookedLeaves* hooked_leaves = nullptr;

}  // namespace

Collector* current_collector() { return collector; }

Collecting::Collecting(Collector* to) : before_(std::exchange(collector, to)) {}
Collecting::~Collecting() { collector = before_; }

GradSlot* Collected::slot(TensorImpl& leaf) {
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].impl() == &leaf) return &slots_[i];
  return nullptr;
}

void Collected::pass(const Node* node, const Tensor& gradient) {
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].impl()->grad_fn.get() == node) add(slots_[i], gradient);
}

void Collected::add(GradSlot& slot, const Tensor& gradient) const {
  if (recorded_)
    slot.add_recorded(gradient);
  else
    slot.add(gradient, false);
}

std::vector<Tensor> Collected::take() {
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const auto first =
        std::find_if(inputs_.begin(), inputs_.end(), [&](const Tensor& x) { return x.impl() == inputs_[i].impl(); });
    const auto at = static_cast<std::size_t>(first - inputs_.begin());
    gradients.push_back(at < i && !inputs_[i].impl()->grad_fn ? gradients[at]
                                                              : hooked(*inputs_[i].impl(), slots_[i].take()));
  }
  return gradients;
}

/// The hooks of a node's result have had their turn.
Tensor Collected::hooked(const TensorImpl& input, Tensor gradient) const {
  if (!gradient.defined() || input.grad_fn || !hooks_exist()) return gradient;
  const std::shared_ptr<Hooks> hooks = hooks_of(input);
  return hooks ? through(*hooks, gradient, recorded_) : gradient;
}

GradSlot* ForLeaves::slot(TensorImpl& leaf) {
  const auto [found, fresh] = places_.emplace(&leaf, slots_.size());
  if (fresh) {
    leaf.leaf->check_records();
    slots_.emplace_back(&leaf, GradSlot());
  }
  return &slots_[found->second].second;
}

HookedLeaves::HookedLeaves() : before_(std::exchange(hooked_leaves, this)) {}
HookedLeaves::~HookedLeaves() { hooked_leaves = before_; }

GradSlot* HookedLeaves::slot(TensorImpl& leaf) {
  const auto known = places_.find(&leaf);
  if (known != places_.end()) return &slots_[known->second].gradient;
  std::shared_ptr<Hooks> hooks = hooks_of(leaf);
  if (!hooks) return nullptr;
  places_.emplace(&leaf, slots_.size());
  slots_.push_back({Ref<TensorImpl>(&leaf), std::move(hooks), {}});
  return &slots_.back().gradient;
}

void HookedLeaves::hand_over() {
  for (Place& place : slots_) {
    const Tensor gradient = place.gradient.take();
    if (!gradient.defined()) continue;
    const Tensor found = through(*place.hooks, gradient, false);
    if (observer) [[unlikely]]
      observer->uses_gradient(*place.leaf);
    place.leaf->leaf->slot().add(found, false);
    call_after(*place.hooks, Tensor(place.leaf));
  }
}

void separate(std::vector<Tensor>& gradients, const std::vector<Tensor>& others) {
  std::vector<const Storage*> taken;
  for (const Tensor& other : others) taken.push_back(other.storage().get());
  for (Tensor& gradient : gradients) {
    if (!gradient.defined()) continue;
    const bool shares = std::find(taken.begin(), taken.end(), gradient.storage().get()) != taken.end();
    if (shares || gradient.storage_offset() != 0 || !gradient.is_contiguous()) gradient = gradient.clone();
    taken.push_back(gradient.storage().get());
  }
}

void ForLeaves::hand_over(const Tensor& seed) {
  std::vector<Tensor> gradients, others{seed};
  std::vector<std::shared_ptr<Hooks>> hooks;
  for (auto& [leaf, slot] : slots_) {
    gradients.push_back(slot.take());
    others.emplace_back(leaf);
    hooks.push_back(hooks_exist() && gradients.back().defined() ? hooks_of(*leaf) : nullptr);
    if (hooks.back()) gradients.back() = through(*hooks.back(), gradients.back(), true);
  }
  separate(gradients, others);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    TensorImpl& leaf = *slots_[i].first;
    if (!gradients[i].defined()) continue;
    if (observer) [[unlikely]]
      observer->uses_gradient(leaf);
    leaf.leaf->add_recorded(gradients[i]);
    if (hooks[i]) call_after(*hooks[i], Tensor(slots_[i].first));
  }
}

GradSlot* leaf_slot(TensorImpl& leaf) {
  if (collector) return collector->slot(leaf);
  if (hooked_leaves && hooks_exist()) [[unlikely]]
    if (GradSlot* const slot = hooked_leaves->slot(leaf)) return slot;
  if (observer) [[unlikely]]
    observer->uses_gradient(leaf);
  return &leaf.leaf->slot();
}

}  // namespace luge
