#include <luge/tensor/detail/values.h>

#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

void copy_values(const Tensor& source, const Tensor& destination, Store store) {
  const TensorImpl& to = *destination.impl();
  if (to.numel == 0) return;
  Copy call;
  call.in = operand(source);
  call.out = operand(destination);
  call.store = store;
  const Binding bindings[] = {{&call.out, &destination}, {&call.in, &source}};
  set_extent(call.extent, to.shape, bindings);
  to.storage->backend().run(call);
}

void fill_values(const Tensor& destination, Scalar value, const char* op) {
  const TensorImpl& to = *destination.impl();
  value.check_stored(op, to.dtype);
  if (to.numel == 0) return;
  Copy call;
  call.in = immediate(value, to.dtype, op);
  call.out = operand(destination);
  const Binding bindings[] = {{&call.out, &destination}};
  set_extent(call.extent, to.shape, bindings);
  to.storage->backend().run(call);
}

void reduce_values(ReduceOp op, const Tensor& x, const Tensor& out, Store store) {
  const Shape& shape = x.impl()->shape;
  Reduce call;
  call.op = op;
  call.in = operand(x);
  call.out = operand(out);
  call.store = store;

  // Kept dimensions first, then reduced ones, each group in its own order, so that a position within
  // the reduced dimensions stays row-major.
  int n = 0;
  const auto append = [&](int d, bool kept) {
    const auto to = static_cast<std::size_t>(n++);
    call.extent.sizes[to] = shape[d];
    call.in.strides[to] = x.impl()->strides[d];
    call.out.strides[to] = kept ? out.impl()->strides[d] : 0;
  };
  const auto is_kept = [&](int d) { return out.impl()->shape[d] == shape[d]; };
  for (int d = 0; d < shape.ndim(); ++d)
    if (is_kept(d)) append(d, true);
  Operand* const both[] = {&call.in, &call.out};
  call.extent.ndim = n;
  merge_dims(call.extent, 0, both);
  const int kept = n = call.extent.ndim;
  for (int d = 0; d < shape.ndim(); ++d)
    if (!is_kept(d)) append(d, false);
  call.extent.ndim = n;
  merge_dims(call.extent, kept, std::span(both).first(1));
  if (call.extent.ndim == kept) {  // only dimensions of size 1 are reduced: one addend
    call.extent.sizes[static_cast<std::size_t>(kept)] = 1;
    call.in.strides[static_cast<std::size_t>(kept)] = 1;
    ++call.extent.ndim;
  }
  call.reduced = call.extent.ndim - kept;
  x.storage()->backend().run(call);
}

}  // namespace luge
