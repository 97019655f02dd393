#include <luge/ops/unique.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/ops/sort.h>
#include <luge/ops/detail/search.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// Rows, a matrix or a 1-d tensor, in the order of `order` (undefined: in that in which they stand), of which those that
/// differ from the one before are kept.
Distinct runs(const Tensor& rows, const Tensor& order, const DistinctOptions& options) {
  const std::int64_t n = rows.size(0);
  Tensor differs = rows.slice(0, 1).ne(rows.slice(0, 0, n - 1));
  if (rows.ndim() > 1) differs = differs.max(DimList(1));
  const Tensor begins = cat({ones({1}, {.dtype = DType::Bool, .device = rows.device()}), differs});
  const auto count = begins.sum().item<std::int64_t>();
  // A stable order of bools: the places of the true ones, ascending.
  const Tensor starts = argsort(begins, 0, true).slice(0, 0, count);
  Distinct result;
  result.values = index_select(rows, 0, starts);
  if (options.counts)
    result.counts = cat({starts.slice(0, 1), full({1}, n, {.dtype = DType::Int64, .device = rows.device()})}) - starts;
  if (options.inverse) {
    const Tensor run = running_sums(begins.to(DType::Int64)) - 1;
    result.inverse = order.defined() ? index_copy(run, 0, order, run) : run;
  }
  return result;
}

/// Rows of a matrix in lexicographic order: stably by the last column first.
Tensor lexicographic(const Tensor& rows) {
  Tensor order = argsort(rows.select(1, rows.size(1) - 1));
  for (std::int64_t column = rows.size(1) - 2; column >= 0; --column)
    order = pick(order, argsort(pick(rows.select(1, column).contiguous(), order)));
  return order;
}

Distinct nothing(const Tensor& values, const Shape& inverse, const DistinctOptions& options) {
  const TensorOptions whole{.dtype = DType::Int64, .device = values.device()};
  return {values, options.inverse ? zeros(inverse, whole) : Tensor(), options.counts ? zeros({0}, whole) : Tensor()};
}

enum class Among : bool { All, Neighbours };

Distinct distinct(const char* op, const Tensor& x, Among among, const DistinctOptions& options, SourceLocation location) {
  const TensorImpl& impl = checked(x, op);
  refuse_capture(op, kHostRead, location);
  const Operation called(op);
  const NoGrad guard;
  const Tensor flat = x.detach().reshape({impl.numel});
  if (impl.numel == 0) return nothing(flat.clone(), impl.shape, options);
  const Sorted sorted = among == Among::All ? sort(flat) : Sorted{flat, {}};
  Distinct result = runs(sorted.values, sorted.indices, options);
  if (options.inverse) result.inverse = result.inverse.reshape(impl.shape);
  return result;
}

Distinct distinct_along(const char* op, const Tensor& x, int dim, Among among, const DistinctOptions& options,
                        SourceLocation location) {
  const TensorImpl& impl = checked(x, op);
  LUGE_CHECK(IndexError, impl.shape.ndim() > 0, "{}: dim is {}; a 0-d tensor has no dimensions", op, dim);
  const int d = normalize_dim(op, dim, impl.shape.ndim());
  for (int i = 0; i < impl.shape.ndim(); ++i)
    LUGE_CHECK(ShapeError, i == d || impl.shape[i] > 0,
               "{}: the tensor has shape {}; only dim {} may be empty", op, to_string(impl.shape), dim);
  refuse_capture(op, kHostRead, location);
  const Operation called(op);
  const NoGrad guard;
  const std::int64_t n = impl.shape[d];
  if (n == 0) return nothing(x.detach().clone(), {0}, options);
  const Tensor turned = x.detach().transpose(0, d);
  Shape shape = turned.shape();
  Tensor rows = turned.reshape({n, impl.numel / n}), order;
  if (among == Among::All) {
    order = lexicographic(rows);
    rows = index_select(rows, 0, order);
  }
  Distinct result = runs(rows, order, options);
  shape[0] = result.values.size(0);
  result.values = result.values.reshape(shape).transpose(0, d).contiguous();
  return result;
}

}  // namespace

Distinct unique(const Tensor& x, const DistinctOptions& options, SourceLocation location) {
  return distinct("unique", x, Among::All, options, location);
}
Distinct unique_along(const Tensor& x, int dim, const DistinctOptions& options, SourceLocation location) {
  return distinct_along("unique", x, dim, Among::All, options, location);
}
Distinct unique_consecutive(const Tensor& x, const DistinctOptions& options, SourceLocation location) {
  return distinct("unique_consecutive", x, Among::Neighbours, options, location);
}
Distinct unique_consecutive_along(const Tensor& x, int dim, const DistinctOptions& options, SourceLocation location) {
  return distinct_along("unique_consecutive", x, dim, Among::Neighbours, options, location);
}

}  // namespace luge
