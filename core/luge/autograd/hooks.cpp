#include <luge/autograd/hooks.h>

#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include <luge/autograd/detail/hooks.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

/// What was registered for a node's result or for a tensor. The table's lock guards all members.
struct Hooks {
  std::map<std::uint64_t, GradientHook> before;  ///< by number, so in the order of registration
  std::map<std::uint64_t, LeafHook> after;
  std::vector<std::weak_ptr<Hooks>> retaining;  ///< of a node: its results that retain their gradient
  bool retains = false;                         ///< of an operation's result
  Tensor retained;
};

namespace {

struct Table {
  std::mutex lock;
  std::unordered_map<const void*, std::shared_ptr<Hooks>> entries;
  std::uint64_t next = 0;
};
/// It outlives every tensor, which may be freed while the program ends.
Table& table() {
  static Table& one = *new Table;
  return one;
}

/// With the lock held.
std::shared_ptr<Hooks>& entry(const void* place) {
  std::shared_ptr<Hooks>& found = table().entries[place];
  if (!found) {
    found = std::make_shared<Hooks>();
    ++hooked_places;
  }
  return found;
}

std::shared_ptr<Hooks> find(const void* place) {
  if (!hooks_exist()) return nullptr;
  const std::lock_guard guard(table().lock);
  const auto found = table().entries.find(place);
  return found == table().entries.end() ? nullptr : found->second;
}

void forget(const void* place) {
  std::shared_ptr<Hooks> freed;  // without the lock, because that can free tensors
  const std::lock_guard guard(table().lock);
  const auto found = table().entries.find(place);
  if (found == table().entries.end()) return;
  freed = std::move(found->second);
  table().entries.erase(found);
  --hooked_places;
}

/// Copies, which may be called while others are registered or removed.
template <class Function>
std::vector<Function> functions(const std::map<std::uint64_t, Function>& hooks) {
  const std::lock_guard guard(table().lock);
  std::vector<Function> found;
  for (const auto& [number, hook] : hooks) found.push_back(hook);
  return found;
}

void check_replaces(const Tensor& found, const Tensor& gradient) {
  LUGE_CHECK(ShapeError, found.shape() == gradient.shape(), "register_hook: the hook returned a gradient of shape {}; the tensor has {}",
             to_string(found.shape()), to_string(gradient.shape()));
  LUGE_CHECK(DTypeError, found.dtype() == gradient.dtype(), "register_hook: the hook returned a gradient of {}; the tensor is {}",
             name(found.dtype()), name(gradient.dtype()));
  LUGE_CHECK(DeviceError, found.device() == gradient.device(), "register_hook: the hook returned a gradient on {}; the tensor is on {}",
             to_string(found.device()), to_string(gradient.device()));
}

void accumulate(Hooks& result, const Tensor& gradient, bool recorded) {
  Tensor before;
  {
    const std::lock_guard guard(table().lock);
    before = result.retained;
  }
  Tensor sum = before.defined() ? before.add(gradient) : recorded ? gradient : gradient.clone();
  const std::lock_guard guard(table().lock);
  std::swap(result.retained, sum);
}

}  // namespace

std::shared_ptr<Hooks> hooks_of(const Node& node) { return find(&node); }
std::shared_ptr<Hooks> hooks_of(const TensorImpl& leaf) { return find(&leaf); }
void forget_hooks(const Node& node) { forget(&node); }
void forget_hooks(const TensorImpl& impl) { forget(&impl); }

Tensor through(const Hooks& hooks, const Tensor& gradient, bool recorded) {
  // The gradient may be memory that others hold: of a hook that changes it, nobody else hears.
  Tensor passed = recorded ? gradient : gradient.clone();
  for (const GradientHook& hook : functions(hooks.before)) {
    const Tensor found = hook(passed);
    if (!found.defined()) continue;
    check_replaces(found, gradient);
    passed = recorded ? found : found.detach();
  }
  std::vector<std::weak_ptr<Hooks>> retaining;
  {
    const std::lock_guard guard(table().lock);
    retaining = hooks.retaining;
  }
  for (const std::weak_ptr<Hooks>& result : retaining)
    if (const std::shared_ptr<Hooks> alive = result.lock()) accumulate(*alive, passed, recorded);
  return passed;
}

void call_after(const Hooks& hooks, const Tensor& leaf) {
  for (const LeafHook& hook : functions(hooks.after)) hook(leaf);
}

Tensor retained_gradient(const TensorImpl& impl) {
  const std::shared_ptr<Hooks> hooks = find(&impl);
  if (!hooks) return {};
  const std::lock_guard guard(table().lock);
  const Tensor& found = hooks->retained;
  return found.defined() && !found.impl()->grad_fn ? found.detach() : found;
}

void forget_retained(const TensorImpl& impl) {
  const std::shared_ptr<Hooks> hooks = find(&impl);
  if (!hooks) return;
  Tensor freed;
  const std::lock_guard guard(table().lock);
  std::swap(freed, hooks->retained);
}

void follow_history(const TensorImpl& impl) {
  const std::shared_ptr<Hooks> hooks = find(&impl);
  if (!hooks) return;
  const std::lock_guard guard(table().lock);
  if (!hooks->retains) return;
  const auto same = [&](const std::weak_ptr<Hooks>& result) { return !result.owner_before(hooks) && !hooks.owner_before(result); };
  for (auto& [place, other] : table().entries) std::erase_if(other->retaining, same);
  entry(impl.grad_fn.get())->retaining.emplace_back(hooks);
}

void HookHandle::remove() {
  GradientHook before;  // freed without the lock
  LeafHook after;
  const std::shared_ptr<Hooks> hooks = hooks_.lock();
  if (!hooks) return;
  const std::lock_guard guard(table().lock);
  if (const auto found = hooks->before.find(number_); found != hooks->before.end()) {
    before = std::move(found->second);
    hooks->before.erase(found);
  }
  if (const auto found = hooks->after.find(number_); found != hooks->after.end()) {
    after = std::move(found->second);
    hooks->after.erase(found);
  }
}

HookHandle register_hook(const Tensor& x, GradientHook hook) {
  const TensorImpl& impl = checked(x, "register_hook");
  LUGE_CHECK(AutogradError, needs_grad(x), "register_hook: the tensor of shape {} does not require a gradient", to_string(impl.shape));
  const void* const place = impl.grad_fn ? static_cast<const void*>(impl.grad_fn.get()) : &impl;
  const std::lock_guard guard(table().lock);
  const std::shared_ptr<Hooks> hooks = entry(place);
  const std::uint64_t number = table().next++;
  hooks->before.emplace(number, std::move(hook));
  return {hooks, number};
}

HookHandle register_post_accumulate_grad_hook(const Tensor& leaf, LeafHook hook) {
  const TensorImpl& impl = checked(leaf, "register_post_accumulate_grad_hook");
  LUGE_CHECK(AutogradError, needs_grad(leaf) && !impl.grad_fn,
             "register_post_accumulate_grad_hook: the tensor of shape {} is no leaf that requires a gradient", to_string(impl.shape));
  const std::lock_guard guard(table().lock);
  const std::shared_ptr<Hooks> hooks = entry(&impl);
  const std::uint64_t number = table().next++;
  hooks->after.emplace(number, std::move(hook));
  return {hooks, number};
}

void retain_grad(const Tensor& x) {
  const TensorImpl& impl = checked(x, "retain_grad");
  LUGE_CHECK(AutogradError, needs_grad(x), "retain_grad: the tensor of shape {} does not require a gradient", to_string(impl.shape));
  if (!impl.grad_fn) return;
  const std::lock_guard guard(table().lock);
  const std::shared_ptr<Hooks> hooks = entry(&impl);
  if (std::exchange(hooks->retains, true)) return;
  entry(impl.grad_fn.get())->retaining.emplace_back(hooks);
}

bool retains_grad(const Tensor& x) {
  const std::shared_ptr<Hooks> hooks = find(&checked(x, "retains_grad"));
  const std::lock_guard guard(table().lock);
  return hooks && hooks->retains;
}

void forget_all_hooks() {
  std::unordered_map<const void*, std::shared_ptr<Hooks>> freed;  // without the lock
  const std::lock_guard guard(table().lock);
  freed.swap(table().entries);
  hooked_places = 0;
}

}  // namespace luge
