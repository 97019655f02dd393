// The reverse sweep. Nodes run in descending order of their sequence numbers: every consumer of a
// node was recorded after it, so when a node's turn comes its gradient is complete. A heap of the
// nodes that have something to do replaces recursion and dependency counting.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <luge/autograd/detail/at_work.h>
#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/detail/hooks.h>
#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// Where gradients go instead of into leaves.
class Collector {
 public:
  virtual ~Collector() = default;
  /// The slot of a leaf; null: nobody asks for it.
  virtual GradSlot* slot(TensorImpl& leaf) = 0;
  /// The whole gradient of a node's result.
  virtual void pass(const Node* node, const Tensor& gradient) = 0;
  /// The tensors whose gradients are asked for; null: all leaves.
  virtual const std::vector<Tensor>* asked() const { return nullptr; }
};

/// The gradients that grad() is asked for.
class Collected final : public Collector {
 public:
  Collected(const std::vector<Tensor>& inputs, bool recorded)
      : inputs_(inputs), slots_(inputs.size()), recorded_(recorded) {}

  GradSlot* slot(TensorImpl& leaf) override {
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].impl() == &leaf) return &slots_[i];
    return nullptr;
  }
  void pass(const Node* node, const Tensor& gradient) override {
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].impl()->grad_fn.get() == node) add(slots_[i], gradient);
  }
  const std::vector<Tensor>* asked() const override { return &inputs_; }
  void add(GradSlot& slot, const Tensor& gradient) {
    if (recorded_)
      slot.add_recorded(gradient);
    else
      slot.add(gradient, false);
  }
  /// A tensor that is asked for twice is collected once.
  std::vector<Tensor> take() {
    std::vector<Tensor> gradients;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const auto first =
          std::find_if(inputs_.begin(), inputs_.end(), [&](const Tensor& x) { return x.impl() == inputs_[i].impl(); });
      const auto at = static_cast<std::size_t>(first - inputs_.begin());
      gradients.push_back(at < i && !inputs_[i].impl()->grad_fn ? gradients[at] : hooked(*inputs_[i].impl(), slots_[i].take()));
    }
    return gradients;
  }

 private:
  /// The hooks of a node's result have had their turn.
  Tensor hooked(const TensorImpl& input, Tensor gradient) const {
    if (!gradient.defined() || input.grad_fn || !hooks_exist()) return gradient;
    const std::shared_ptr<Hooks> hooks = hooks_of(input);
    return hooks ? through(*hooks, gradient, recorded_) : gradient;
  }

  const std::vector<Tensor>& inputs_;
  std::vector<GradSlot> slots_;
  bool recorded_;
};

/// Gradients with a history on their way to all leaves, which change when all are known.
class ForLeaves final : public Collector {
 public:
  GradSlot* slot(TensorImpl& leaf) override {
    const auto [found, fresh] = places_.emplace(&leaf, slots_.size());
    if (fresh) {
      leaf.leaf->check_records();
      slots_.emplace_back(&leaf, GradSlot());
    }
    return &slots_[found->second].second;
  }
  void pass(const Node*, const Tensor&) override {}
  /// In the order of the first contributions. `seed` is the gradient that the sweep began with.
  void hand_over(const Tensor& seed);

 private:
  std::unordered_map<const TensorImpl*, std::size_t> places_;
  std::vector<std::pair<Ref<TensorImpl>, GradSlot>> slots_;
};

/// The gradients of leaves with hooks, which get them when all are known.
class HookedLeaves {
 public:
  HookedLeaves();
  ~HookedLeaves();
  HookedLeaves(const HookedLeaves&) = delete;
  HookedLeaves& operator=(const HookedLeaves&) = delete;

  /// The slot of a leaf; null: it has no hooks.
  GradSlot* slot(TensorImpl& leaf) {
    const auto known = places_.find(&leaf);
    if (known != places_.end()) return &slots_[known->second].gradient;
    std::shared_ptr<Hooks> hooks = hooks_of(leaf);
    if (!hooks) return nullptr;
    places_.emplace(&leaf, slots_.size());
    slots_.push_back({Ref<TensorImpl>(&leaf), std::move(hooks), {}});
    return &slots_.back().gradient;
  }
  /// In the order of the first contributions.
  void hand_over() {
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

 private:
  struct Place {
    Ref<TensorImpl> leaf;
    std::shared_ptr<Hooks> hooks;
    GradSlot gradient;
  };
  std::unordered_map<const TensorImpl*, std::size_t> places_;
  std::deque<Place> slots_;  ///< nodes keep pointers to slots while they run
  HookedLeaves* before_;
};

/// Of this thread's sweep; null where gradients go into leaves.
thread_local Collector* collector = nullptr;
/// Of this thread's sweep into leaves.
thread_local HookedLeaves* hooked_leaves = nullptr;

HookedLeaves::HookedLeaves() : before_(std::exchange(hooked_leaves, this)) {}
HookedLeaves::~HookedLeaves() { hooked_leaves = before_; }

struct Collecting {
  explicit Collecting(Collector* to) : before(std::exchange(collector, to)) {}
  ~Collecting() { collector = before; }
  Collector* before;
};

struct AtWork {
  explicit AtWork(const Node* node) : before(std::exchange(node_at_work, node)) {}
  ~AtWork() { node_at_work = before; }
  const Node* before;
};

/// Recorded gradients as their owner may have them: contiguous, and in memory that is neither another one's nor that
/// of `others`, however they came to share it.
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

}  // namespace

GradSlot* leaf_slot(TensorImpl& leaf) {
  if (collector) return collector->slot(leaf);
  if (hooked_leaves && hooks_exist()) [[unlikely]]
    if (GradSlot* const slot = hooked_leaves->slot(leaf)) return slot;
  if (observer) [[unlikely]]
    observer->uses_gradient(leaf);
  return &leaf.leaf->slot();
}

class Sweep {
 public:
  Sweep(bool retain_graph, bool recorded) : retain_graph_(retain_graph), recorded_(recorded) {}
  ~Sweep() {
    if (finished_) return;
    // After an exception: nothing half collected stays behind, neither on the way nor in a leaf that had no
    // gradient before. (One that had may have received a part of what this pass adds.)
    for (const Ref<Node>& node : heap_) {
      node->queued_ = false;
      node->slot().take();
    }
    for (int i = 0; running_ && i < running_->inputs(); ++i)
      if (const Ref<Node>& input = running_->edge(i).node) input->slot().take();
    for (const Ref<TensorImpl>& leaf : first_written_) leaf->leaf->zero();
  }

  static bool stands_alone(std::vector<Node*> open, const std::unordered_set<const Node*>& ends, std::uint64_t first) {
    std::unordered_set<const Node*> seen;
    while (!open.empty()) {
      Node* const node = open.back();
      open.pop_back();
      if (ends.contains(node) || !seen.insert(node).second) continue;
      if (node->sequence() < first) return false;
      for (int i = 0; i < node->inputs(); ++i) {
        if (node->edge(i).leaf) return false;
        if (Node* const input = node->edge(i).node.get()) open.push_back(input);
      }
    }
    return true;
  }

  /// Begins at the result of `root`, among others.
  void seed(const Ref<Node>& root, const Tensor& gradient, bool fresh) {
    if (recorded_)
      root->slot().add_recorded(gradient);
    else
      root->slot().add(gradient, fresh);
    push(root);
  }
  /// Runs the nodes that are younger than `first`, a sequence number. Nobody asks for what the others would find, or
  /// only for what comes to that one.
  void run(std::uint64_t first = 0) {
    while (!heap_.empty() && heap_.front()->sequence() >= first) step(first);
    for (const Ref<Node>& node : heap_) {
      node->queued_ = false;
      node->slot().take();
    }
    finished_ = true;
  }

 private:
  static bool later(const Ref<Node>& a, const Ref<Node>& b) { return a->sequence() < b->sequence(); }

  void push(const Ref<Node>& node) {
    if (node->queued_) return;
    node->queued_ = true;
    heap_.push_back(node);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  /// What the hooks of a node's result make of its gradient, if it is on the way to a tensor that is asked for.
  Tensor hooked(Node* node, Tensor gradient) const {
    const std::shared_ptr<Hooks> hooks = hooks_of(*node);
    const std::vector<Tensor>* const asked = collector ? collector->asked() : nullptr;
    if (!hooks || (asked && !leads_to(node, *asked))) return gradient;
    return through(*hooks, gradient, recorded_);
  }

  static bool leads_to(Node* root, const std::vector<Tensor>& inputs) {
    std::unordered_set<const void*> ends;
    for (const Tensor& input : inputs) {
      if (input.impl()->grad_fn)
        ends.insert(input.impl()->grad_fn.get());
      else
        ends.insert(input.impl());
    }
    std::unordered_set<const Node*> seen;
    std::vector<Node*> open{root};
    while (!open.empty()) {
      Node* const node = open.back();
      open.pop_back();
      if (ends.contains(node)) return true;
      if (!seen.insert(node).second) continue;
      for (int i = 0; i < node->inputs(); ++i) {
        if (ends.contains(node->edge(i).leaf.get())) return true;
        if (Node* const input = node->edge(i).node.get()) open.push_back(input);
      }
    }
    return false;
  }

  void step(std::uint64_t first) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Ref<Node> node = std::move(heap_.back());
    heap_.pop_back();
    node->queued_ = false;
    Tensor gradient = node->slot().take();
    if (hooks_exist()) [[unlikely]]
      gradient = hooked(node.get(), std::move(gradient));
    if (collector) collector->pass(node.get(), gradient);
    if (node->sequence() == first) return;
    LUGE_CHECK(AutogradError, !node->used(),
               "backward: the graph of {} has been used and freed; pass retain_graph = true to the first backward() to "
               "run it again",
               node->name());
    running_ = node;
    for (int i = 0; !collector && i < node->inputs(); ++i)
      if (const Ref<TensorImpl>& leaf = node->edge(i).leaf; leaf && !leaf->leaf->written())
        first_written_.push_back(leaf);
    {
      const AtWork at_work(node.get());
      if (recorded_) [[unlikely]]
        node->differentiable_backward(gradient);
      else
        node->backward(gradient);
    }
    for (int i = 0; i < node->inputs(); ++i)
      if (const Ref<Node>& input = node->edge(i).node; input && input->slot().written()) push(input);
    if (retain_graph_) return;
    node->finish();
    if (hooks_exist()) [[unlikely]]
      forget_hooks(*node);  // it cannot run again, and a hook may hold what holds the node
  }

  bool retain_graph_;
  bool recorded_;  ///< create_graph: gradients are recorded ops
  bool finished_ = false;
  Ref<Node> running_;  ///< the node whose step has begun
  std::vector<Ref<Node>> heap_;
  std::vector<Ref<TensorImpl>> first_written_;  ///< leaves that had no gradient before this pass
};

namespace {

/// What a sweep begins with at `output`: the gradient given for it, or 1.
Tensor seed_of(const char* op, const Tensor& output, const Tensor& gradient) {
  const TensorImpl& impl = checked(output, op);
  LUGE_CHECK(AutogradError, needs_grad(output),
             "{}: this tensor of shape {} does not require a gradient and has no graph", op, to_string(impl.shape));
  if (gradient.defined()) {
    LUGE_CHECK(ShapeError, gradient.shape() == impl.shape, "{}: gradient has shape {}; the tensor has {}", op,
               to_string(gradient.shape()), to_string(impl.shape));
    LUGE_CHECK(DTypeError, gradient.dtype() == impl.dtype, "{}: gradient is {}; the tensor is {}", op,
               name(gradient.dtype()), name(impl.dtype));
    LUGE_CHECK(DeviceError, gradient.device() == output.device(), "{}: gradient is on {}; the tensor is on {}", op,
               to_string(gradient.device()), to_string(output.device()));
    return gradient;
  }
  LUGE_CHECK(
      AutogradError, impl.numel == 1,
      "{}: a gradient must be given for a tensor of shape {}; only a tensor of one element has an implicit gradient "
      "of 1 (did you mean sum() or mean()?)",
      op, to_string(impl.shape));
  Tensor seed = empty_tensor(impl.shape, impl.dtype, impl.storage->backend());
  const NoGrad guard;
  seed.fill_(1);
  return seed;
}

/// The number of the oldest node that a path to one of the inputs goes through; 0 where that cannot be told.
std::uint64_t first_of(const std::vector<Tensor>& inputs) {
  std::uint64_t first = UINT64_MAX;
  for (const Tensor& input : inputs)
    first = std::min(first, input.impl()->grad_fn ? input.impl()->grad_fn->sequence() : 0);
  return first;
}

}  // namespace

void Tensor::backward(const Tensor& gradient, std::optional<bool> retain_graph, bool create_graph) const {
  const Tensor seed = seed_of("backward", *this, gradient);
  const GradMode mode(create_graph);
  const NoAutocast as_forward_did;
  if (create_graph) {
    ForLeaves leaves;
    const Collecting collecting(&leaves);
    if (impl_->grad_fn) {
      Sweep sweep(retain_graph.value_or(true), true);
      sweep.seed(impl_->grad_fn, seed, false);
      sweep.run();
    } else {
      leaves.slot(*impl_)->add_recorded(seed);
    }
    return leaves.hand_over(seed);
  }
  const Collecting into_leaves(nullptr);  // not into those of a pass that this one is within
  HookedLeaves hooked;
  if (!impl_->grad_fn) {
    leaf_slot(*impl_)->add(seed, false);
  } else {
    Sweep sweep(retain_graph.value_or(false), false);
    sweep.seed(impl_->grad_fn, seed, !gradient.defined());
    sweep.run();
  }
  hooked.hand_over();
}

namespace {

class ArgumentNode final : public Node {
 public:
  explicit ArgumentNode(const Tensor& x) : Node("argument") { add_input(x); }
  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(gradient, false);
  }
  void differentiable_backward(const Tensor& gradient) override { give(0, gradient); }
};

}  // namespace

FunctionArgument as_argument(const Tensor& x) {
  const TensorImpl& impl = checked(x, "as_argument");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "as_argument: the tensor is {}; it must be floating",
             name(impl.dtype));
  const Ref<Node> node(new ArgumentNode(x));
  FunctionArgument result{with_history(x, node), with_history(x, node)};
  if (needs_grad(x)) mark_view(result.inside, x);
  return result;
}

bool stands_alone(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs) {
  std::vector<Node*> roots;
  std::unordered_set<const Node*> ends;
  for (const Tensor& input : inputs) ends.insert(checked(input, "stands_alone").grad_fn.get());
  for (const Tensor& output : outputs) {
    if (!needs_grad(output)) continue;
    if (!output.impl()->grad_fn) return false;
    roots.push_back(output.impl()->grad_fn.get());
  }
  return Sweep::stands_alone(std::move(roots), ends, first_of(inputs));
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, std::optional<bool> retain_graph, bool create_graph,
                         bool allow_unused) {
  LUGE_CHECK(ValueError, grad_outputs.empty() || grad_outputs.size() == outputs.size(),
             "grad: there are {} outputs and {} gradients of them", outputs.size(), grad_outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    checked(inputs[i], "grad");
    LUGE_CHECK(AutogradError, needs_grad(inputs[i]), "grad: input {} does not require a gradient", i);
  }
  std::vector<Tensor> seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    seeds.push_back(seed_of("grad", outputs[i], grad_outputs.empty() ? Tensor() : grad_outputs[i]));

  const GradMode mode(create_graph);
  const NoAutocast as_forward_did;
  Collected own(inputs, create_graph);
  {
    const Collecting collecting(&own);
    Sweep sweep(retain_graph.value_or(create_graph), create_graph);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      TensorImpl& output = *outputs[i].impl();
      if (output.grad_fn)
        sweep.seed(output.grad_fn, seeds[i], false);
      else if (GradSlot* const slot = own.slot(output))
        own.add(*slot, seeds[i]);
    }
    sweep.run(first_of(inputs));
  }
  std::vector<Tensor> gradients = own.take();
  if (create_graph) {
    seeds.insert(seeds.end(), inputs.begin(), inputs.end());
    separate(gradients, seeds);
  }
  for (std::size_t i = 0; i < gradients.size(); ++i)
    LUGE_CHECK(AutogradError, allow_unused || gradients[i].defined(),
               "grad: the outputs do not depend on input {}; with allow_unused its gradient is undefined", i);
  return gradients;
}

}  // namespace luge
