#include <luge/ops/detail/seen.h>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/ops/create.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// A gradient of the view, in a tensor of the base's shape that is zero otherwise.
class PlacedNode final : public Node {
 public:
  PlacedNode(const char* name, const Tensor& values, Seen seen) : Node(name), seen_(std::move(seen)) { add_input(values); }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(seen_.see(gradient), false);
  }
  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, seen_view(name(), gradient, seen_));
  }

 private:
  Seen seen_;
};

class SeenNode final : public Node {
 public:
  SeenNode(const char* name, const Tensor& base, Seen seen) : Node(name), shape_(base.shape()), seen_(std::move(seen)) {
    add_input(base);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const GradSlot::Target whole = slot->open(shape_, gradient.dtype(), gradient.storage()->backend());
    if (whole.store == Store::Overwrite) fill_values(whole.buffer, 0);
    if (gradient.numel() > 0) seen_.add(gradient, whole.buffer);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    Tensor whole = zeros(shape_, {.dtype = gradient.dtype(), .device = gradient.device()});
    if (gradient.numel() > 0) no_grad([&] { seen_.add(gradient, whole); });
    if (needs_grad(gradient)) record(whole, Ref<Node>(new PlacedNode(name(), gradient, seen_)));
    give(0, whole);
  }

 private:
  Shape shape_;
  Seen seen_;
};

}  // namespace

Tensor seen_view(const char* op, const Tensor& x, Seen seen) {
  Tensor view = seen.see(x);
  mark_view(view, x);
  if (grad_enabled() && needs_grad(x)) record(view, Ref<Node>(new SeenNode(op, x, std::move(seen))));
  return view;
}

}  // namespace luge
