#include <luge/nn/convert.h>

#include <utility>

#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::nn {

namespace {

struct Change {
  Tensor leaf, value, gradient;
};

void apply(const Change& change) {
  TensorImpl& impl = *change.leaf.impl();
  TensorImpl& fresh = *change.value.impl();
  const bool requires_grad = impl.requires_grad;
  impl.require_grad(false);  // of the memory that it had
  impl.storage = fresh.storage;
  impl.offset = fresh.offset;
  impl.strides = fresh.strides;
  impl.contiguous = fresh.contiguous;
  impl.dtype = fresh.dtype;
  impl.require_grad(requires_grad);
  if (!impl.leaf) return;
  impl.leaf->release();
  if (change.gradient.defined()) impl.leaf->restore(true, change.gradient);
}

}  // namespace

void convert(const std::vector<Tensor>& leaves, std::optional<DType> dtype, std::optional<Device> device,
             const char* op, SourceLocation location) {
  LUGE_CHECK(DTypeError, !dtype || is_floating(*dtype), "{}: dtype is {}; allowed are the floating dtypes", op,
             luge::name(*dtype));
  refuse_capture(op, "changes where a parameter is", location);
  std::vector<Change> changes;
  for (const Tensor& leaf : leaves) {
    const TensorImpl& impl = checked(leaf, op, "a parameter");
    LUGE_CHECK(ValueError, !impl.grad_fn, "{}: a parameter was made by {}; only leaves can be changed", op,
               impl.grad_fn->name());
    const DType to_dtype = dtype && is_floating(impl.dtype) ? *dtype : impl.dtype;
    const Device to_device = device.value_or(leaf.device());
    if (to_dtype == impl.dtype && to_device == leaf.device()) continue;
    LUGE_CHECK(ValueError, !impl.leaf || !impl.leaf->arena(),
               "{}: a parameter of shape {} belongs to an optimizer or to a Parameters, which keeps its dtype ({}) and "
               "device ({}); call to() before making the optimizer, or make the Parameters with the dtype and device",
               op, to_string(impl.shape), luge::name(impl.dtype), to_string(leaf.device()));
    const auto moved = [&](const Tensor& x) { return x.detach().to(to_dtype).to(to_device, location); };
    const bool has_gradient = impl.leaf && impl.leaf->written();
    changes.push_back({leaf, moved(leaf), has_gradient ? moved(leaf.grad()) : Tensor()});
  }
  for (const Change& change : changes) apply(change);
}

}  // namespace luge::nn
