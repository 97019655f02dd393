#pragma once
// Internal: how core's sources make and look into tensors.

#include <luge/autograd/detail/in_place.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// A fresh contiguous tensor with undefined contents. Throws ShapeError or OutOfMemoryError.
Tensor empty_tensor(const Shape& shape, DType dtype, Backend& backend);

/// Another window on the same storage.
Tensor window_tensor(const Tensor& base, const Shape& shape, const Strides& strides, std::int64_t offset);

/// Throws unless the tensor is defined; returns what it points to.
TensorImpl& checked(const Tensor& tensor, const char* op, const char* argument = "input");

/// True where an op on this tensor has to be recorded (if gradient mode is on).
inline bool needs_grad(const Tensor& tensor) {
  if (!tensor.defined()) return false;
  TensorImpl& impl = *tensor.impl();
  if (impl.base && impl.base->rebased != impl.rebased) [[unlikely]]
    refresh_history(impl);
  return impl.requires_grad || impl.grad_fn;
}

}  // namespace luge
