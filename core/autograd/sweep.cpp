// The reverse sweep. Nodes run in descending order of their sequence numbers: every consumer of a
// node was recorded after it, so when a node's turn comes its gradient is complete. A heap of the
// nodes that have something to do replaces recursion and dependency counting.

#include <algorithm>
#include <utility>
#include <vector>

#include <luge/autograd/grad.h>
#include <luge/autograd/grad_mode.h>
#include <luge/autograd/node.h>
#include <luge/check.h>
#include <luge/tensor/tensor_impl.h>

namespace luge {

namespace {

/// Where the gradients that grad() is asked for go instead of into leaves.
class Collected {
 public:
  explicit Collected(const std::vector<Tensor>& inputs) : inputs_(inputs), slots_(inputs.size()) {}

  /// The slot of a leaf; null: nobody asks for it.
  GradSlot* slot(const TensorImpl* leaf) {
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].impl() == leaf) return &slots_[i];
    return nullptr;
  }
  /// The whole gradient of a node's result.
  void pass(const Node* node, const Tensor& gradient) {
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].impl()->grad_fn.get() == node) slots_[i].add(gradient, false);
  }
  /// A tensor that is asked for twice is collected once.
  std::vector<Tensor> take() {
    std::vector<Tensor> gradients;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const auto first =
          std::find_if(inputs_.begin(), inputs_.end(), [&](const Tensor& x) { return x.impl() == inputs_[i].impl(); });
      const auto at = static_cast<std::size_t>(first - inputs_.begin());
      gradients.push_back(at < i && !inputs_[i].impl()->grad_fn ? gradients[at] : slots_[i].take());
    }
    return gradients;
  }

 private:
  const std::vector<Tensor>& inputs_;
  std::vector<GradSlot> slots_;
};

/// Of this thread's sweep; null where gradients go into leaves.
thread_local Collected* collected = nullptr;

}  // namespace

GradSlot* leaf_slot(TensorImpl& leaf) {
  if (collected) return collected->slot(&leaf);
  if (observer) [[unlikely]]
    observer->uses_gradient(leaf);
  return &leaf.leaf->slot();
}

class Sweep {
 public:
  explicit Sweep(bool retain_graph) : retain_graph_(retain_graph) {}
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

  /// Begins at the result of `root`, among others.
  void seed(const Ref<Node>& root, const Tensor& gradient, bool fresh) {
    root->slot().add(gradient, fresh);
    push(root);
  }
  void run() {
    while (!heap_.empty()) step();
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

  void step() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Ref<Node> node = std::move(heap_.back());
    heap_.pop_back();
    node->queued_ = false;
    const Tensor gradient = node->slot().take();
    LUGE_CHECK(AutogradError, !node->used(),
               "backward: the graph of {} has been used and freed; pass retain_graph = true to the first backward() to "
               "run it again",
               node->name());
    running_ = node;
    if (collected) collected->pass(node.get(), gradient);
    for (int i = 0; !collected && i < node->inputs(); ++i)
      if (const Ref<TensorImpl>& leaf = node->edge(i).leaf; leaf && !leaf->leaf->written())
        first_written_.push_back(leaf);
    node->backward(gradient);
    for (int i = 0; i < node->inputs(); ++i)
      if (const Ref<Node>& input = node->edge(i).node; input && input->slot().written()) push(input);
    if (!retain_graph_) node->finish();
  }

  bool retain_graph_;
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

}  // namespace

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  const Tensor seed = seed_of("backward", *this, gradient);
  const NoGrad guard;
  if (!impl_->grad_fn) {
    leaf_slot(*impl_)->add(seed, false);
    return;
  }
  Sweep sweep(retain_graph);
  sweep.seed(impl_->grad_fn, seed, !gradient.defined());
  sweep.run();
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, bool retain_graph, bool allow_unused) {
  LUGE_CHECK(ValueError, grad_outputs.empty() || grad_outputs.size() == outputs.size(),
             "grad: there are {} outputs and {} gradients of them", outputs.size(), grad_outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    checked(inputs[i], "grad");
    LUGE_CHECK(AutogradError, needs_grad(inputs[i]), "grad: input {} does not require a gradient", i);
  }
  std::vector<Tensor> seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    seeds.push_back(seed_of("grad", outputs[i], grad_outputs.empty() ? Tensor() : grad_outputs[i]));

  const NoGrad guard;
  Collected own(inputs);
  struct Collecting {
    explicit Collecting(Collected& to) : before(std::exchange(collected, &to)) {}
    ~Collecting() { collected = before; }
    Collected* before;
  };
  {
    const Collecting collecting(own);
    Sweep sweep(retain_graph);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      TensorImpl& output = *outputs[i].impl();
      if (output.grad_fn)
        sweep.seed(output.grad_fn, seeds[i], false);
      else if (GradSlot* const slot = own.slot(&output))
        slot->add(seeds[i], false);
    }
    sweep.run();
  }
  std::vector<Tensor> gradients = own.take();
  for (std::size_t i = 0; i < gradients.size(); ++i)
    LUGE_CHECK(AutogradError, allow_unused || gradients[i].defined(),
               "grad: the outputs do not depend on input {}; with allow_unused its gradient is undefined", i);
  return gradients;
}

}  // namespace luge
