// The reverse sweep. Nodes run in descending order of their sequence numbers: every consumer of a
// node was recorded after it, so when a node's turn comes its gradient is complete. A heap of the
// nodes that have something to do replaces recursion and dependency counting.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include <luge/autograd/detail/at_work.h>
#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/detail/collect.h>
#include <luge/autograd/detail/hooks.h>
#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

struct AtWork {
  explicit AtWork(const Node* node) : before(std::exchange(node_at_work, node)) {}
  ~AtWork() { node_at_work = before; }
  const Node* before;
};

}  // namespace

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
    const Collector* const collector = current_collector();
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
    Collector* const collector = current_collector();
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
