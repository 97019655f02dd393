#include <luge/ops/stack.h>

#include <luge/base/detail/check.h>
#include <luge/ops/broadcast.h>
#include <luge/ops/create.h>
#include <luge/ops/join.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

std::vector<Tensor> at_least(const char* op, const std::vector<Tensor>& tensors, int ndim) {
  LUGE_CHECK(ValueError, !tensors.empty(), "{}: no tensors are given; at least one is needed", op);
  std::vector<Tensor> result;
  for (const Tensor& x : tensors) result.push_back(atleast(op, x, ndim));
  return result;
}

}  // namespace

Tensor hstack(const std::vector<Tensor>& tensors) {
  const Operation called("hstack");
  const std::vector<Tensor> parts = at_least("hstack", tensors, 1);
  return cat(parts, parts[0].ndim() == 1 ? 0 : 1);
}

Tensor vstack(const std::vector<Tensor>& tensors) {
  const Operation called("vstack");
  return cat(at_least("vstack", tensors, 2), 0);
}

Tensor dstack(const std::vector<Tensor>& tensors) {
  const Operation called("dstack");
  return cat(at_least("dstack", tensors, 3), 2);
}

Tensor column_stack(const std::vector<Tensor>& tensors) {
  const Operation called("column_stack");
  LUGE_CHECK(ValueError, !tensors.empty(), "column_stack: no tensors are given; at least one is needed");
  std::vector<Tensor> parts;
  for (const Tensor& x : tensors)
    parts.push_back(checked(x, "column_stack").shape.ndim() <= 1 ? x.reshape({x.numel(), 1}) : x);
  return cat(parts, 1);
}

Tensor block_diag(const std::vector<Tensor>& tensors) {
  const Operation called("block_diag");
  if (tensors.empty()) return zeros({1, 0});
  std::int64_t columns = 0, before = 0;
  DType dtype = checked(tensors[0], "block_diag").dtype;
  std::vector<Tensor> blocks;
  for (const Tensor& x : tensors) {
    LUGE_CHECK(ShapeError, checked(x, "block_diag").shape.ndim() <= 2, "block_diag: a tensor has shape {}; it must be a matrix",
               to_string(x.shape()));
    LUGE_CHECK(DeviceError, x.device() == tensors[0].device(), "block_diag: tensors are on {} and {}",
               to_string(tensors[0].device()), to_string(x.device()));
    blocks.push_back(atleast("block_diag", x, 2));
    columns += blocks.back().size(1);
    dtype = promote(dtype, x.dtype());
  }
  std::vector<Tensor> rows;
  for (const Tensor& block : blocks) {
    const TensorOptions like{.dtype = dtype, .device = block.device()};
    const std::int64_t height = block.size(0), width = block.size(1);
    rows.push_back(cat({zeros({height, before}, like), block, zeros({height, columns - before - width}, like)}, 1));
    before += width;
  }
  return cat(rows, 0);
}

}  // namespace luge
