#include <luge/ops/detail/sum_to.h>

#include <vector>

#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

Shape pad_front(const Shape& shape, int ndim) {
  Shape padded = shape;
  while (padded.ndim() < ndim) padded.insert(0, 1);
  return padded;
}

void sum_to(const Tensor& gradient, const Shape& shape, GradSlot& slot, bool fresh) {
  if (gradient.impl()->shape == shape) return slot.add(gradient, fresh);
  const GradSlot::Target target = slot.open(shape, gradient.dtype(), gradient.storage()->backend());
  const Tensor buffer = target.buffer.view(pad_front(shape, gradient.ndim()));
  if (gradient.numel() > 0)
    reduce_values(ReduceOp::Sum, gradient, buffer, target.store);
  else if (target.store == Store::Overwrite)
    fill_values(buffer, 0);
}

Tensor sum_to(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  const Shape padded = pad_front(shape, gradient.ndim());
  std::vector<int> repeated;
  for (int d = 0; d < padded.ndim(); ++d)
    if (padded[d] != gradient.shape()[d]) repeated.push_back(d);
  return gradient.sum(DimList(repeated), true).reshape(shape);
}

}  // namespace luge
