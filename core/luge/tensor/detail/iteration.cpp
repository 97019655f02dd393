#include <luge/tensor/detail/iteration.h>

#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Operand operand(const Tensor& tensor) {
  Operand result;
  result.kind = Operand::Kind::Memory;
  result.dtype = tensor.impl()->dtype;
  result.data = tensor.impl()->data();
  if (observer) [[unlikely]]
    observer->uses(*tensor.impl()->storage);
  return result;
}

Operand immediate(Scalar value, DType dtype, const char* op) {
  Operand result;
  result.kind = Operand::Kind::Immediate;
  result.dtype = dtype;
  value.check_fits(op, dtype);
  if (is_floating(dtype))
    result.floating = value.to_double();
  else
    result.integer = dtype == DType::Bool ? value.to<bool>(op) : value.to<std::int64_t>(op);
  return result;
}

namespace {

std::int64_t& stride(Operand& operand, int d) { return operand.strides[static_cast<std::size_t>(d)]; }
std::int64_t& size(Extent& extent, int d) { return extent.sizes[static_cast<std::size_t>(d)]; }

void broadcast_into(Operand& operand, const TensorImpl& tensor, const Shape& shape) {
  const int lead = shape.ndim() - tensor.shape.ndim();
  for (int d = 0; d < shape.ndim(); ++d)
    stride(operand, d) = d < lead || tensor.shape[d - lead] == 1 ? 0 : tensor.strides[d - lead];
}

bool merges(const Extent& extent, int outer, int inner, std::span<Operand* const> operands) {
  const auto o = static_cast<std::size_t>(outer), i = static_cast<std::size_t>(inner);
  for (const Operand* operand : operands)
    if (operand->strides[o] != operand->strides[i] * extent.sizes[i]) return false;
  return true;
}

}  // namespace

void merge_dims(Extent& extent, int first, std::span<Operand* const> operands) {
  int last = first - 1;  // the dimension that the next one may merge into
  for (int d = first; d < extent.ndim; ++d) {
    if (size(extent, d) == 1) continue;
    if (last >= first && merges(extent, last, d, operands)) {
      size(extent, last) *= size(extent, d);
    } else {
      ++last;
      size(extent, last) = size(extent, d);
    }
    for (Operand* operand : operands) stride(*operand, last) = stride(*operand, d);
  }
  extent.ndim = last + 1;
}

void set_plain_extent(Extent& extent, const Shape& shape, std::span<const Binding> bindings) {
  extent.ndim = shape.ndim();
  for (int d = 0; d < shape.ndim(); ++d) size(extent, d) = shape[d];
  for (const Binding& binding : bindings)
    if (binding.tensor) broadcast_into(*binding.operand, *binding.tensor->impl(), shape);
}

void set_extent(Extent& extent, const Shape& shape, std::span<const Binding> bindings) {
  bool flat = true;
  for (const Binding& binding : bindings)
    flat &= !binding.tensor || (binding.tensor->impl()->contiguous && binding.tensor->impl()->shape == shape);
  if (flat) {
    std::int64_t count = 1;
    for (const std::int64_t s : shape) count *= s;
    extent.ndim = 1;
    extent.sizes[0] = count;
    for (const Binding& binding : bindings) binding.operand->strides[0] = 1;
    return;
  }
  set_plain_extent(extent, shape, bindings);
  std::array<Operand*, Elementwise::kMaxInputs + Elementwise::kMaxOutputs> operands;
  std::size_t count = 0;
  for (const Binding& binding : bindings)
    if (binding.tensor) operands[count++] = binding.operand;
  merge_dims(extent, 0, std::span(operands.data(), count));
  if (extent.ndim == 0) {  // a single element still is one iteration
    extent.ndim = 1;
    extent.sizes[0] = 1;
    for (const Binding& binding : bindings) binding.operand->strides[0] = 1;
  }
}

}  // namespace luge
