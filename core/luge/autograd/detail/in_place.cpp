#include <luge/autograd/detail/in_place.h>

#include <array>
#include <vector>

#include <luge/autograd/detail/hooks.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// A dimension along which elements share memory with others: one that was expanded, or one of windows that overlap. -1:
/// none. Sorted by their strides, each dimension must step over all that the smaller ones reach; the views of this library
/// that do not are those of unfold().
int shared_dim(const Shape& shape, const Strides& strides) {
  std::array<int, kMaxDims> order{};
  int dims = 0;
  for (int d = 0; d < shape.ndim(); ++d) {
    if (shape[d] == 0) return -1;
    if (shape[d] <= 1) continue;
    int at = dims++;
    for (; at > 0 && strides[order[static_cast<std::size_t>(at - 1)]] > strides[d]; --at)
      order[static_cast<std::size_t>(at)] = order[static_cast<std::size_t>(at - 1)];
    order[static_cast<std::size_t>(at)] = d;
  }
  std::int64_t reached = 0;
  for (int i = 0; i < dims; ++i) {
    const int d = order[static_cast<std::size_t>(i)];
    if (strides[d] <= reached) return i > 0 && strides[d] > 0 ? order[static_cast<std::size_t>(i - 1)] : d;
    reached += (shape[d] - 1) * strides[d];
  }
  return -1;
}
bool repeats(const Shape& shape, const Strides& strides) { return shared_dim(shape, strides) >= 0; }

/// Where a view lies in the memory of its base. Gradients of the base are laid out as the base is.
class Window {
 public:
  Window(const TensorImpl& view, const TensorImpl& base)
      : base_shape_(base.shape),
        base_strides_(base.strides),
        shape_(view.shape),
        strides_(view.strides),
        offset_(view.offset - base.offset),
        contiguous_(base.contiguous) {}

  /// A gradient of the base in memory of its own; `gradient` is undefined for zeros, else of the base.
  Tensor whole(const Tensor& gradient, const Tensor& like) const {
    std::int64_t span = 1;
    for (int d = 0; d < base_shape_.ndim(); ++d) span += (base_shape_[d] - 1) * base_strides_[d];
    if (element_count(base_shape_) == 0) span = 0;
    Backend& backend = like.storage()->backend();
    const Tensor memory =
        contiguous_ ? empty_tensor(base_shape_, like.dtype(), backend) : empty_tensor({span}, like.dtype(), backend);
    const Tensor result = contiguous_ ? memory : window_tensor(memory, base_shape_, base_strides_, 0);
    if (gradient.defined())
      copy_values(gradient, result, Store::Overwrite);
    else
      fill_values(memory, 0);
    return result;
  }
  /// The view's part of a tensor that whole() made.
  Tensor of(const Tensor& whole) const {
    return window_tensor(whole, shape_, strides_, whole.storage_offset() + offset_);
  }
  /// Adds up what `gradient` has for elements of the view that are one element of the base. `whole` is zero there.
  void write(const Tensor& gradient, const Tensor& whole) const {
    std::vector<int> repeated;
    Shape once = shape_;
    for (int d = 0; d < shape_.ndim(); ++d) {
      if (strides_[d] != 0 || shape_[d] <= 1) continue;
      repeated.push_back(d);
      once[d] = 1;
    }
    if (gradient.numel() == 0) return;
    add(repeated.empty() ? gradient : gradient.sum(DimList(repeated), true),
        window_tensor(whole, once, strides_, whole.storage_offset() + offset_));
  }

 private:
  /// Of windows that overlap, the i-th elements do not.
  static void add(const Tensor& gradient, const Tensor& part) {
    const int shared = shared_dim(part.shape(), part.strides());
    if (shared < 0) return copy_values(gradient, part, Store::Accumulate);
    for (std::int64_t i = 0; i < part.shape()[shared]; ++i) add(gradient.select(shared, i), part.select(shared, i));
  }

  Shape base_shape_;
  Strides base_strides_;
  Shape shape_;
  Strides strides_;
  std::int64_t offset_;
  bool contiguous_;
};

Tensor seen(const Window& window, const Tensor& base);
Tensor placed(const Window& window, const Tensor& part);
Tensor without(const Window& window, const Tensor& base);

/// A part of a tensor seen through any strides.
class WindowNode final : public Node {
 public:
  WindowNode(const Tensor& base, const TensorImpl& view) : Node("view"), window_(view, *base.impl()) {
    add_input(base);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const Tensor whole = window_.whole({}, gradient);
    window_.write(gradient, whole);
    slot->add(whole, true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, placed(window_, gradient));
  }

 private:
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
    const Tensor whole = window_.whole(gradient, gradient);
    if (GradSlot* const slot = target(1)) slot->add(window_.of(whole).clone(), true);
    if (GradSlot* const slot = target(0)) {
      fill_values(window_.of(whole), 0);
      slot->add(whole, true);
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(1)) give(1, seen(window_, gradient));
    if (wants(0)) give(0, without(window_, gradient));
  }

 private:
  Window window_;
};

/// A linear map of gradients, and how it is transposed: by a function of recorded ops.
class MappedNode final : public Node {
 public:
  using Map = Tensor (*)(const Window&, const Tensor&);
  MappedNode(const char* name, const Window& window, const Tensor& input, Map transposed)
      : Node(name), window_(window), transposed_(transposed) {
    add_input(input);
  }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(transposed_(window_, gradient), true);
  }
  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, transposed_(window_, gradient));
  }

 private:
  Window window_;
  Map transposed_;
};

Tensor mapped(const char* name, const Window& window, const Tensor& input, Tensor result, MappedNode::Map transposed) {
  if (grad_enabled() && needs_grad(input)) record(result, Ref<Node>(new MappedNode(name, window, input, transposed)));
  return result;
}

/// A copy of the view's part of a tensor of the base's shape.
Tensor seen(const Window& window, const Tensor& base) {
  return mapped("view", window, base, no_grad([&] { return window.of(window.whole(base, base)).clone(); }), placed);
}

/// The view's part in a tensor of the base's shape that is zero otherwise.
Tensor placed(const Window& window, const Tensor& part) {
  const Tensor whole = window.whole({}, part);
  no_grad([&] { window.write(part, whole); });
  return mapped("view", window, part, whole, seen);
}

/// A tensor of the base's shape with zeros in the view's part.
Tensor without(const Window& window, const Tensor& base) {
  const Tensor whole = window.whole(base, base);
  fill_values(window.of(whole), 0);
  return mapped("assignment", window, base, whole, without);
}

/// The same memory and history as another handle.
Tensor alias(const TensorImpl& impl) {
  Tensor result(new TensorImpl(impl.storage, impl.dtype, impl.shape, impl.strides, impl.offset, impl.numel));
  result.impl()->grad_fn = impl.grad_fn;
  return result;
}

}  // namespace

bool records_change(const Tensor& self, const char* op, bool needs) {
  const TensorImpl& impl = *self.impl();
  if (!grad_enabled() || !is_floating(impl.dtype)) return false;
  if (!needs && !needs_grad(self) && !(impl.base && impl.base->grad_fn)) return false;
  // Nodes hold on to leaves: one that came to depend on such a node would keep itself alive.
  const TensorImpl& owner = impl.base ? *impl.base : impl;
  LUGE_CHECK(
      AutogradError, !owner.leaf,
      "{}: a tensor of shape {} that has been a leaf of a graph cannot become part of one; use detach() or no_grad", op,
      to_string(owner.shape));
  return true;
}

Tensor before_change(const Tensor& self, bool keeps) { return keeps ? self.clone() : alias(*self.impl()); }

void rebase(Tensor& self, Ref<Node> node) {
  TensorImpl& impl = *self.impl();
  if (!impl.base) {
    impl.grad_fn = std::move(node);
    ++impl.rebased;
    if (hooks_exist()) [[unlikely]]
      follow_history(impl);
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
  if (view.is_outside) return;
  view.grad_fn = Ref<Node>(new WindowNode(Tensor(view.base), view));
  if (hooks_exist()) [[unlikely]]
    follow_history(view);
}

void check_writable(const Tensor& self, const char* op) {
  const TensorImpl& impl = *self.impl();
  for (int d = 0; d < impl.shape.ndim(); ++d)
    LUGE_CHECK(
        ShapeError, impl.strides[d] != 0 || impl.shape[d] <= 1,
        "{}: the tensor of shape {} was expanded, so several elements share memory along dim {}; clone() it first", op,
        to_string(impl.shape), d);
  LUGE_CHECK(ShapeError, impl.contiguous || !repeats(impl.shape, impl.strides),
             "{}: windows in the tensor of shape {} overlap, so several elements share memory; clone() it first", op,
             to_string(impl.shape));
  if (!grad_enabled()) return;
  const TensorImpl& owner = impl.base ? *impl.base : impl;
  LUGE_CHECK(AutogradError, !impl.requires_grad && !owner.requires_grad,
             "{}: a leaf that requires a gradient, or a view of one, cannot be changed in place while gradients are "
             "recorded; use no_grad or detach()",
             op);
  if (!impl.base || !is_floating(impl.dtype)) return;
  LUGE_CHECK(
      AutogradError, !impl.is_outside || !owner.grad_fn,
      "{}: this view was made without recording gradients, and the tensor that it is a view of is part of a graph "
      "(made by {}); make the view anew, or use no_grad",
      op, owner.grad_fn->name());
  LUGE_CHECK(
      AutogradError, !repeats(owner.shape, owner.strides),
      "{}: the tensor of shape {} that this one is a view of was expanded, so several elements share memory, and a "
      "change cannot be recorded; clone() it first, or use no_grad",
      op, to_string(owner.shape));
}

}  // namespace luge
