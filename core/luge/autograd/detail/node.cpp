#include <luge/autograd/detail/node.h>

#include <algorithm>
#include <utility>

#include <luge/autograd/detail/hooks.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

thread_local bool recording = true;
thread_local std::uint64_t next_sequence = 1;

}  // namespace

bool grad_enabled() { return recording; }
bool set_grad_enabled(bool on) { return std::exchange(recording, on); }

// ---- slots --------------------------------------------------------------------------------------

GradSlot::Target GradSlot::open(const Shape& shape, DType dtype, Backend& backend) {
  if (!written_) {
    if (!value_.defined()) value_ = empty_tensor(shape, dtype, backend);
    owned_ = written_ = true;
    return {value_, Store::Overwrite};
  }
  if (!owned_) {
    Tensor own = empty_tensor(shape, dtype, backend);
    copy_values(value_, own, Store::Overwrite);
    value_ = std::move(own);
    owned_ = true;
  }
  return {value_, Store::Accumulate};
}

void GradSlot::add(const Tensor& gradient, bool fresh) {
  const bool keep = fresh ? gradient.is_contiguous() || may_alias_ : may_alias_;
  if (!written_ && !value_.defined() && keep) {
    value_ = gradient;
    owned_ = fresh && gradient.is_contiguous();
    written_ = true;
    return;
  }
  const Target target = open(gradient.shape(), gradient.dtype(), gradient.storage()->backend());
  copy_values(gradient, target.buffer, target.store);
}

void GradSlot::add_recorded(const Tensor& gradient) {
  value_ = written_ ? value_.add(gradient) : gradient;
  written_ = true;
  owned_ = false;
}

Tensor GradSlot::take() {
  Tensor gradient = std::move(value_);
  value_ = {};
  written_ = false;
  owned_ = true;
  return gradient;
}

GradSlot& LeafGradient::slot() {
  if (mark_ && seen_epoch_ != mark_->epoch) {
    slot_.forget();
    seen_epoch_ = mark_->epoch;
  }
  return slot_;
}

bool LeafGradient::Slot::has_history() const { return value_.defined() && value_.impl()->grad_fn; }

void LeafGradient::Slot::drop_history() {
  if (has_history()) value_ = value_.detach();
}

void LeafGradient::check_records() const {
  LUGE_CHECK(AutogradError, !arena(),
             "backward: with create_graph a gradient carries a history, and that of a parameter of an optimizer or of "
             "Parameters is memory that is written in place; use grad() of chosen inputs, which leaves it alone");
}

void LeafGradient::add_recorded(const Tensor& gradient) {
  check_records();
  const Tensor before = written() ? slot_.value() : Tensor();
  slot();  // of this epoch
  slot_.drop();
  if (before.defined()) slot_.add_recorded(before);
  slot_.add_recorded(gradient);
}

void LeafGradient::drop_history() { slot_.drop_history(); }

Tensor LeafGradient::read(TensorImpl& leaf) {
  if (mark_ && !written()) {
    const GradSlot::Target target = slot().open(leaf.shape, leaf.dtype, leaf.storage->backend());
    fill_values(target.buffer, 0);
  }
  // Not the slot's own tensor: one that got a history in place would keep the graph, and so this leaf, alive.
  if (!written()) return {};
  return slot_.has_history() ? with_history(slot_.value(), slot_.value().impl()->grad_fn) : slot_.value().detach();
}

void LeafGradient::restore(bool written, const Tensor& value) {
  slot();  // of this epoch
  slot_.restore(written, value);
}

void LeafGradient::zero() {
  if (mark_ && !slot_.has_history())
    slot().forget();
  else
    slot_.drop();
}

void LeafGradient::bind(const Tensor& window, std::shared_ptr<const ArenaMark> mark, std::weak_ptr<void> arena) {
  const Tensor collected = written() ? slot_.value() : Tensor();
  slot_.bind(window);
  mark_ = std::move(mark);
  arena_ = std::move(arena);
  seen_epoch_ = mark_->epoch;
  if (collected.defined()) slot_.add(collected, false);
}

void LeafGradient::release() {
  slot_.drop();
  arena_.reset();
  if (mark_) seen_epoch_ = mark_->epoch;
}

void LeafGradient::set_sets(std::int64_t sets) {
  mark_ = std::make_shared<ArenaMark>(ArenaMark{.sets = sets});
  seen_epoch_ = mark_->epoch;
}

// ---- saved tensors ------------------------------------------------------------------------------

void SavedTensor::save(const Tensor& tensor) {
  // A change in place gives a tensor, or the base that a view keeps alive, a new history, which may depend on whoever
  // saves it here: a cycle. A leaf that requires a gradient gets none.
  if (!tensor.impl()->requires_grad) return save_output(tensor);
  impl_ = Ref<TensorImpl>(tensor.impl());
  version_ = impl_->storage->version();
}

void SavedTensor::save_output(const Tensor& tensor) {
  const TensorImpl& impl = *tensor.impl();
  impl_ = new TensorImpl(impl.storage, impl.dtype, impl.shape, impl.strides, impl.offset, impl.numel);
  version_ = impl_->storage->version();
}

Tensor SavedTensor::get(const char* op) const {
  LUGE_CHECK(AutogradError, impl_->storage->version() == version_,
             "backward: {}: a tensor of shape {} that the derivative needs was changed in place after it was used "
             "(version {}, saved at version {}); change a clone() instead",
             op, to_string(impl_->shape), impl_->storage->version(), version_);
  return Tensor(impl_);
}

// ---- nodes --------------------------------------------------------------------------------------

Node::Node(const char* name) : name_(name), sequence_(next_sequence++) { slot_.allow_alias(); }

void Node::add_input(const Tensor& tensor) {
  if (inputs_ >= kInline) more_edges_.emplace_back();
  Edge& added = edge(inputs_++);
  if (!needs_grad(tensor)) return;
  if (!tensor.impl()->grad_fn) {
    added.leaf = Ref<TensorImpl>(tensor.impl());
    return;
  }
  added.node = tensor.impl()->grad_fn;
  if (added.node->sequence_ < sequence_) return;
  sequence_ = added.node->sequence_ + 1;  // made by a thread that is ahead of this one
  next_sequence = std::max(next_sequence, sequence_ + 1);
}

GradSlot* Node::target(int i) {
  Edge& from = edge(i);
  if (from.node) return &from.node->slot();
  return from.leaf ? leaf_slot(*from.leaf) : nullptr;
}

void Node::differentiable_backward(const Tensor&) {
  raise<AutogradError>("backward: {} has no gradient of its gradient, which create_graph asks for", name_);
}

void Node::give(int i, const Tensor& gradient) {
  if (GradSlot* const slot = target(i)) slot->add_recorded(gradient);
}

Tensor Node::saved_input(int i, const SavedTensor& saved) {
  const Tensor values = saved.get(name_);
  const Edge& from = edge(i);
  return from.leaf ? Tensor(from.leaf) : from.node ? with_history(values, from.node) : values;
}

Tensor Node::saved_output(const SavedTensor& saved) { return with_history(saved.get(name_), Ref<Node>(this)); }

void destroy(Node* node) {
  if (hooks_exist()) [[unlikely]]
    forget_hooks(*node);
  thread_local std::vector<Node*> pending;
  thread_local bool draining = false;
  pending.push_back(node);
  if (draining) return;
  draining = true;
  while (!pending.empty()) {
    Node* next = pending.back();
    pending.pop_back();
    delete next;
  }
  draining = false;
}

void record(Tensor& result, Ref<Node> node) { result.impl()->grad_fn = std::move(node); }

Tensor with_history(const Tensor& values, Ref<Node> node) {
  Tensor result = values.detach();
  record(result, std::move(node));
  return result;
}

}  // namespace luge
