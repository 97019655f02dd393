// The reverse sweep. Nodes run in descending order of their sequence numbers: every consumer of a
// node was recorded after it, so when a node's turn comes its gradient is complete. A heap of the
// nodes that have something to do replaces recursion and dependency counting.

#include <algorithm>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/node.h>
#include <luge/check.h>
#include <luge/tensor/tensor_impl.h>

namespace luge {

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

  void run(const Ref<Node>& root, const Tensor& gradient, bool fresh) {
    root->slot().add(gradient, fresh);
    push(root);
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
    for (int i = 0; i < node->inputs(); ++i)
      if (const Ref<TensorImpl>& leaf = node->edge(i).leaf; leaf && !leaf->leaf->written()) first_written_.push_back(leaf);
    node->backward(gradient);
    for (int i = 0; i < node->inputs(); ++i)
      if (const Ref<Node>& input = node->edge(i).node; input && input->slot().written()) push(input);
    if (!retain_graph_) node->finish();
  }

  bool retain_graph_;
  bool finished_ = false;
  Ref<Node> running_;                           ///< the node whose step has begun
  std::vector<Ref<Node>> heap_;
  std::vector<Ref<TensorImpl>> first_written_;  ///< leaves that had no gradient before this pass
};

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  const TensorImpl& impl = checked(*this, "backward");
  LUGE_CHECK(AutogradError, impl.grad_fn || impl.requires_grad,
             "backward: this tensor of shape {} does not require a gradient and has no graph", to_string(impl.shape));
  Tensor seed = gradient;
  if (seed.defined()) {
    LUGE_CHECK(ShapeError, seed.shape() == impl.shape, "backward: gradient has shape {}; the tensor has {}",
               to_string(seed.shape()), to_string(impl.shape));
    LUGE_CHECK(DTypeError, seed.dtype() == impl.dtype, "backward: gradient is {}; the tensor is {}", name(seed.dtype()),
               name(impl.dtype));
    LUGE_CHECK(DeviceError, seed.device() == device(), "backward: gradient is on {}; the tensor is on {}",
               to_string(seed.device()), to_string(device()));
  } else {
    LUGE_CHECK(AutogradError, impl.numel == 1,
               "backward: a gradient must be given for a tensor of shape {}; only a tensor of one element has an "
               "implicit gradient of 1 (did you mean sum() or mean()?)",
               to_string(impl.shape));
    seed = empty_tensor(impl.shape, impl.dtype, impl.storage->backend());
    NoGrad guard;
    seed.fill_(1);
  }
  const NoGrad guard;
  if (!impl.grad_fn) {
    if (observer) [[unlikely]]
      observer->uses_gradient(*this->impl());
    impl.leaf->slot().add(seed, false);
    return;
  }
  Sweep(retain_graph).run(impl.grad_fn, seed, !gradient.defined());
}

}  // namespace luge
