// Copies: to, contiguous, clone, and the writes in place that take a value.

#include <luge/autograd/grad_mode.h>
#include <luge/check.h>
#include <luge/ops/sum_to.h>
#include <luge/tensor/tensor_impl.h>
#include <luge/tensor/values.h>

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

 private:
  DType dtype_;
  Device device_;
};

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
  if (checked(*this, "to").dtype == dtype) return *this;
  return recorded_copy("to", *this, converted_copy(*this, dtype));
}

Tensor Tensor::to(Device device, SourceLocation location) const {
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
  LUGE_CHECK(AutogradError, !grad_enabled() || !needs_grad(source),
             "copy_: in-place changes are not recorded, and the source requires a gradient; use no_grad or detach()");
  LUGE_CHECK(ShapeError, broadcast_shapes("copy_", impl.shape, source.shape()) == impl.shape,
             "copy_: source of shape {} does not broadcast to {}", to_string(source.shape()), to_string(impl.shape));
  if (source.device() != device()) refuse_move("copy_", source, location);
  Tensor values = source.detach().to(device());
  if (values.storage() == impl.storage) values = values.clone();  // may overlap
  copy_values(values, *this, Store::Overwrite);
  impl.storage->bump_version();
  return *this;
}

Tensor& Tensor::fill_(Scalar value) {
  const TensorImpl& impl = checked(*this, "fill_", "self");
  check_writable(*this, "fill_");
  fill_values(*this, value);
  impl.storage->bump_version();
  return *this;
}

}  // namespace luge
