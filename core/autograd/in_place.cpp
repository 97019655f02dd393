#include <luge/autograd/in_place.h>

#include <luge/autograd/grad_mode.h>
#include <luge/check.h>
#include <luge/tensor/tensor_impl.h>
#include <luge/tensor/values.h>

namespace luge {

namespace {

/// Where a view lies in the contiguous memory of its base.
struct Window {
  Shape shape;
  Strides strides;
  std::int64_t offset;

  Window(const TensorImpl& view, const TensorImpl& base)
      : shape(view.shape), strides(view.strides), offset(view.offset - base.offset) {}
  /// The same part of `whole`, which has the base's shape and is contiguous.
  Tensor of(const Tensor& whole) const { return window_tensor(whole, shape, strides, whole.storage_offset() + offset); }
};

/// A part of a tensor seen through any strides.
class WindowNode final : public Node {
 public:
  WindowNode(const Tensor& base, const TensorImpl& view)
      : Node("view"), shape_(base.shape()), window_(view, *base.impl()) {
    add_input(base);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const GradSlot::Target whole = slot->open(shape_, gradient.dtype(), gradient.storage()->backend());
    if (whole.store == Store::Overwrite) fill_values(whole.buffer, 0);
    copy_values(gradient, window_.of(whole.buffer), whole.store);
  }

 private:
  Shape shape_;
  Window window_;
};

/// A tensor of which a part was replaced by `value`.
class ReplacedNode final : public Node {
 public:
  ReplacedNode(const Tensor& base, const Tensor& value, const TensorImpl& view)
      : Node("assignment"), window_(view, *base.impl()) {
    add_input(base);
    add_input(value);
  }

  void backward(const Tensor& gradient) override {
    const Tensor whole = gradient.contiguous();
    if (GradSlot* const slot = target(1)) slot->add(window_.of(whole).clone(), true);
    if (GradSlot* const slot = target(0)) {
      const Tensor rest = whole.clone();
      fill_values(window_.of(rest), 0);
      slot->add(rest, true);
    }
  }

 private:
  Window window_;
};

/// The same memory and history as another handle.
Tensor alias(const TensorImpl& impl) {
  Tensor result(new TensorImpl(impl.storage, impl.dtype, impl.shape, impl.strides, impl.offset, impl.numel));
  result.impl()->grad_fn = impl.grad_fn;
  return result;
}

}  // namespace

bool records_change(const Tensor& self, bool needs) {
  const TensorImpl& impl = *self.impl();
  if (!grad_enabled() || !is_floating(impl.dtype)) return false;
  return needs || needs_grad(self) || (impl.base && impl.base->grad_fn);
}

Tensor before_change(const Tensor& self, bool keeps) { return keeps ? self.clone() : alias(*self.impl()); }

void rebase(Tensor& self, Ref<Node> node) {
  TensorImpl& impl = *self.impl();
  if (!impl.base) {
    impl.grad_fn = std::move(node);
    ++impl.rebased;
    return;
  }
  Tensor base(impl.base), value = alias(impl);
  value.impl()->grad_fn = std::move(node);
  const Tensor before = alias(*base.impl());
  base.impl()->grad_fn = Ref<Node>(new ReplacedNode(before, value, impl));
  ++base.impl()->rebased;
  refresh_history(impl);
}

void mark_view(Tensor& view, const Tensor& base) {
  TensorImpl& impl = *view.impl();
  if (!is_floating(impl.dtype)) return;
  const TensorImpl& from = *base.impl();
  impl.base = from.base ? from.base : Ref<TensorImpl>(base.impl());
  impl.rebased = impl.base->rebased;
  impl.is_outside = from.is_outside || !grad_enabled();
}

void refresh_history(TensorImpl& view) {
  view.rebased = view.base->rebased;
  if (!view.is_outside) view.grad_fn = Ref<Node>(new WindowNode(Tensor(view.base), view));
}

void check_writable(const Tensor& self, const char* op) {
  const TensorImpl& impl = *self.impl();
  for (int d = 0; d < impl.shape.ndim(); ++d)
    LUGE_CHECK(ShapeError, impl.strides[d] != 0 || impl.shape[d] <= 1,
               "{}: the tensor of shape {} was expanded, so several elements share memory along dim {}; clone() it first",
               op, to_string(impl.shape), d);
  if (!grad_enabled()) return;
  const TensorImpl& owner = impl.base ? *impl.base : impl;
  LUGE_CHECK(AutogradError, !impl.requires_grad && !owner.requires_grad,
             "{}: a leaf that requires a gradient, or a view of one, cannot be changed in place while gradients are "
             "recorded; use no_grad or detach()",
             op);
  if (!impl.base || !is_floating(impl.dtype)) return;
  LUGE_CHECK(AutogradError, !impl.is_outside || !owner.grad_fn,
             "{}: this view was made without recording gradients, and the tensor that it is a view of is part of a graph "
             "(made by {}); make the view anew, or use no_grad",
             op, owner.grad_fn->name());
  LUGE_CHECK(AutogradError, owner.contiguous || !owner.grad_fn,
             "{}: a change of a view cannot be recorded where the tensor that it is a view of is not contiguous; clone() "
             "that first",
             op);
}

}  // namespace luge
