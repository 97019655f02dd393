// Copies: to, contiguous, clone, and the writes in place that take a value.

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// The way back of every copy: to the dtype and device the input had.
class CopyNode final : public Node {
 public:
  CopyNode(const char* name, const Tensor& input) : Node(name), dtype_(input.dtype()), device_(input.device()) {
    add_input(input);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const Tensor converted = gradient.to(dtype_).to(device_, {});
    slot->add(converted, converted.impl() != gradient.impl());
  }

  void differentiable_backward(const Tensor& gradient) override { give(0, gradient.to(dtype_).to(device_, {})); }

 private:
  DType dtype_;
  Device device_;
};

/// Values that were overwritten: none of their gradient is left, all of it is the source's.
class AssignNode final : public Node {
 public:
  /// `before`: what they replaced, or undefined where nobody wants its gradient.
  AssignNode(const char* name, const Tensor& self, const Tensor& before, const Tensor& source)
      : Node(name), shape_(self.shape()) {
    add_input(before);
    add_input(source);
    if (!source.defined()) return;
    source_shape_ = source.shape();
    dtype_ = source.dtype();
    device_ = source.device();
  }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) {
      const GradSlot::Target whole = slot->open(shape_, gradient.dtype(), gradient.storage()->backend());
      if (whole.store == Store::Overwrite) fill_values(whole.buffer, 0);
    }
    if (GradSlot* const slot = target(1)) {
      const Tensor converted = gradient.to(dtype_).to(device_, {});
      sum_to(converted, source_shape_, *slot, converted.impl() != gradient.impl());
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, zeros(shape_, {.dtype = gradient.dtype(), .device = gradient.device()}));
    if (wants(1)) give(1, sum_to(gradient.to(dtype_).to(device_, {}), source_shape_));
  }

 private:
  Shape shape_, source_shape_;
  DType dtype_ = DType::Float32;
  Device device_ = Device::cpu();
};

/// The history of `self` after values from `source` (undefined: from a number) have replaced its own.
void record_assignment(const char* op, Tensor& self, const Tensor& source) {
  const Tensor none, before = self.impl()->base ? none : before_change(self, false);
  rebase(self, Ref<Node>(new AssignNode(op, self, before, source)));
}

Tensor recorded_copy(const char* op, const Tensor& source, Tensor copy) {
  if (grad_enabled() && needs_grad(source) && is_floating(copy.dtype()))
    record(copy, Ref<Node>(new CopyNode(op, source)));
  return copy;
}

Tensor converted_copy(const Tensor& source, DType dtype) {
  Tensor copy = empty_tensor(source.shape(), dtype, source.storage()->backend());
  copy_values(source, copy, Store::Overwrite);
  return copy;
}

void refuse_move(const char* op, const Tensor& source, SourceLocation location) {
  refuse_capture(op, source.device().is_cpu() ? kHostWrite : kHostRead, location);
}

/// A contiguous tensor's values on another device; a copy between GPUs goes through the host.
Tensor moved_copy(const Tensor& source, Device device) {
  Tensor copy = empty_tensor(source.shape(), source.dtype(), backend(device));
  const std::size_t bytes = static_cast<std::size_t>(source.numel()) * size_of(source.dtype());
  if (bytes == 0) return copy;
  if (source.device().is_cpu()) {
    copy.storage()->backend().copy_from_host(copy.data(), source.data(), bytes);
  } else if (device.is_cpu()) {
    source.storage()->backend().copy_to_host(copy.data(), source.data(), bytes);
  } else {
    const Tensor host = moved_copy(source, Device::cpu());
    copy.storage()->backend().copy_from_host(copy.data(), host.data(), bytes);
  }
  return copy;
}

}  // namespace

Tensor Tensor::clone() const {
  const TensorImpl& impl = checked(*this, "clone");
  return recorded_copy("clone", *this, converted_copy(*this, impl.dtype));
}

Tensor Tensor::contiguous() const { return checked(*this, "contiguous").contiguous ? *this : clone(); }

Tensor Tensor::to(DType dtype) const {
  const Operation called("to");
  if (checked(*this, "to").dtype == dtype) return *this;
  return recorded_copy("to", *this, converted_copy(*this, dtype));
}

Tensor Tensor::to(Device device, SourceLocation location) const {
  const Operation called("to");
  checked(*this, "to");
  if (this->device() == device) return *this;
  refuse_move("to", *this, location);
  const Tensor packed = no_grad([&] { return contiguous(); });
  return recorded_copy("to", *this, moved_copy(packed, device));
}

Tensor& Tensor::copy_(const Tensor& source, SourceLocation location) {
  const TensorImpl& impl = checked(*this, "copy_", "self");
  checked(source, "copy_", "source");
  check_writable(*this, "copy_");
  LUGE_CHECK(ShapeError, broadcast_shapes("copy_", impl.shape, source.shape()) == impl.shape,
             "copy_: source of shape {} does not broadcast to {}", to_string(source.shape()), to_string(impl.shape));
  const bool from_graph = needs_grad(source) && is_floating(source.dtype());
  const bool recorded = records_change(*this, "copy_", from_graph);
  if (source.device() != device()) refuse_move("copy_", source, location);
  Tensor values = source.detach().to(device());
  if (values.storage() == impl.storage) values = values.clone();  // may overlap
  copy_values(values, *this, Store::Overwrite);
  impl.storage->bump_version();
  if (recorded) record_assignment("copy_", *this, from_graph ? source : Tensor());
  return *this;
}

Tensor& Tensor::zero_() {
  const Operation called("zero_");
  return fill_(0);
}

Tensor& Tensor::fill_(Scalar value) {
  const TensorImpl& impl = checked(*this, "fill_", "self");
  check_writable(*this, "fill_");
  const bool recorded = records_change(*this, "fill_");
  fill_values(*this, value);
  impl.storage->bump_version();
  if (recorded) record_assignment("fill_", *this, {});
  return *this;
}

}  // namespace luge
