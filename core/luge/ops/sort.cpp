// Sorting along a dimension: rows are brought to the last dimension, where the kernels want them.

#include <luge/ops/sort.h>

#include <optional>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/picked.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

Operand rows(const Tensor& tensor) {
  Operand result = operand(tensor);
  result.strides[0] = tensor.shape().back();
  return result;
}

/// The first `kept` of each row, x's last dimension.
Sorted in_rows(const char* op, const Tensor& x, bool descending, std::int64_t kept, bool wants_values) {
  const Tensor whole = no_grad([&] { return x.contiguous(); });
  Backend& backend = x.storage()->backend();
  const int last = x.ndim() - 1;
  Shape shape = x.shape();
  shape[last] = kept;
  Sorted result;
  result.indices = empty_tensor(shape, DType::Int64, backend);
  if (wants_values) result.values = empty_tensor(shape, x.dtype(), backend);
  if (result.indices.numel() > 0) {
    Sort call;
    call.descending = descending;
    call.columns = x.shape()[last];
    call.rows = x.numel() / call.columns;
    call.kept = kept;
    call.in = rows(whole);
    call.indices = rows(result.indices);
    if (wants_values) call.values = rows(result.values);
    backend.run(call);
  }
  if (wants_values) record_picked(op, result.values, x, last, result.indices);
  return result;
}

/// The same along any dimension of any tensor; a 0-d one is a row of one element.
Sorted ordered(const char* op, const Tensor& x, int dim, bool descending, std::optional<std::int64_t> k,
               bool wants_values) {
  const TensorImpl& impl = checked(x, op);
  const int ndim = impl.shape.ndim(), d = normalize_dim(op, dim, ndim), last = ndim - 1;
  const std::int64_t size = ndim == 0 ? 1 : impl.shape[d];
  LUGE_CHECK(ValueError, !k || (*k >= (ndim == 0 ? 1 : 0) && *k <= size),
             "{}: k is {}; dim {} of a tensor of shape {} allows {} to {}", op, *k, dim, to_string(impl.shape),
             ndim == 0 ? 1 : 0, size);
  if (d == last) return in_rows(op, x, descending, k.value_or(size), wants_values);
  const auto back = [&](const Tensor& found) { return ndim == 0 ? found.reshape({}) : found.transpose(d, last); };
  const Sorted row =
      in_rows(op, ndim == 0 ? x.reshape({1}) : x.transpose(d, last), descending, k.value_or(size), wants_values);
  return {wants_values ? back(row.values) : Tensor(), back(row.indices)};
}

}  // namespace

Sorted sort(const Tensor& x, int dim, bool descending) { return ordered("sort", x, dim, descending, {}, true); }

Tensor argsort(const Tensor& x, int dim, bool descending) {
  return ordered("argsort", x, dim, descending, {}, false).indices;
}

Sorted topk(const Tensor& x, std::int64_t k, int dim, bool largest) {
  return ordered("topk", x, dim, largest, k, true);
}

}  // namespace luge
