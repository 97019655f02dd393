// Scans and their gradients. A gradient is a composite of scans in the other direction, so that it has one of its own.

#include <luge/ops/scan.h>

#include <algorithm>
#include <limits>
#include <vector>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor scanned(ScanOp op, const Tensor& x, int dim, bool reverse);

/// `dim` counts from the front, and the tensor has dimensions. The result may be of another dtype, to which x was converted
/// first; the gradient is computed in that of x.
class ScanNode final : public Node {
 public:
  ScanNode(ScanOp op, const Tensor& x, const Tensor& y, int dim, bool reverse)
      : Node(luge::name(op)), op_(op), dtype_(x.dtype()), dim_(dim), reverse_(reverse) {
    add_input(x);
    if (op == ScanOp::Sum) return;
    x_.save(x);
    y_.save_output(y);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    if (op_ == ScanOp::Sum) return slot->add(scanned(op_, gradient.to(dtype_), dim_, !reverse_), true);
    slot->add(input_gradient(gradient, x_.get(name()), y_.get(name())), true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    if (op_ == ScanOp::Sum) return give(0, scanned(op_, gradient.to(dtype_), dim_, !reverse_));
    const Tensor x = saved_input(0, x_), y = saved_output(y_);
    give(0, input_gradient(gradient, x, y));
  }

  void release_saved() override {
    x_.clear();
    y_.clear();
  }

 private:
  /// Computed in the type that arithmetic is done in and rounded once.
  Tensor input_gradient(const Tensor& gradient, const Tensor& x, const Tensor& y) const {
    if (x.numel() == 0) return gradient.to(dtype_);
    const DType wide = arithmetic_dtype(dtype_);
    const Tensor dy = gradient.to(dtype_).to(wide);
    return (op_ == ScanOp::Prod ? product_gradient(dy, x.to(wide), y.to(wide)) : exponential_gradient(dy, x.to(wide), y.to(wide)))
        .to(dtype_);
  }

  /// dx[k] = (product of what stands before k) * s[k], s[k] = dy[k] + x[k + 1] s[k + 1]. The recurrence is solved by
  /// composing its steps, f[k](s) = sums[k] + factors[k] s, with those that are 1, 2, 4, ... behind.
  Tensor product_gradient(const Tensor& dy, const Tensor& x, const Tensor& y) const {
    const std::int64_t n = x.shape()[dim_];
    const Tensor one = ones_like(x.slice(dim_, 0, 1));
    if (n == 1) return dy;
    Tensor sums = dy, factors = x.slice(dim_, 1);
    for (std::int64_t distance = 1; distance < n; distance *= 2) {
      const std::int64_t kept = n - distance;
      const Tensor heads = factors.slice(dim_, 0, kept);
      sums = cat({sums.slice(dim_, 0, kept) + heads * sums.slice(dim_, distance), sums.slice(dim_, kept)}, dim_);
      // Of the last steps nothing is asked: there is no s behind them.
      if (kept > distance) factors = heads.slice(dim_, 0, kept - distance) * factors.slice(dim_, distance, kept);
    }
    return cat({one, y.slice(dim_, 0, n - 1)}, dim_) * sums;
  }

  /// dx[k] = sum over i >= k of dy[i] exp(x[k] - y[i]), of positive and negative dy apart, in logarithms.
  Tensor exponential_gradient(const Tensor& dy, const Tensor& x, const Tensor& y) const {
    const auto share = [&](const Tensor& counts, const Tensor& magnitude) {
      const Tensor logs = where(counts, log(where(counts, magnitude, 1)) - y, -kInfinity);
      return exp(scanned(ScanOp::LogSumExp, logs, dim_, !reverse_) + x);
    };
    return share(dy > 0, dy) - share(dy < 0, -dy);
  }

  ScanOp op_;
  DType dtype_;
  int dim_;
  bool reverse_;
  SavedTensor x_, y_;
};

Scan call_of(ScanOp op, const Tensor& x, int dim, bool reverse) {
  Scan call;
  call.op = op;
  call.reverse = reverse;
  call.n = x.shape()[dim];
  for (int d = 0; d < dim; ++d) call.outer *= x.shape()[d];
  for (int d = dim + 1; d < x.ndim(); ++d) call.inner *= x.shape()[d];
  return call;
}

Operand flat(const Tensor& x) {
  Operand result = operand(x);
  result.strides[0] = 0;
  return result;
}

Tensor scanned(ScanOp op, const Tensor& x, int dim, bool reverse) {
  Tensor y = empty_tensor(x.shape(), x.dtype(), x.storage()->backend());
  if (x.numel() > 0) {
    const Tensor whole = no_grad([&] { return x.contiguous(); });
    Scan call = call_of(op, x, dim, reverse);
    call.in = flat(whole);
    call.out = flat(y);
    x.storage()->backend().run(call);
  }
  if (grad_enabled() && needs_grad(x)) record(y, Ref<Node>(new ScanNode(op, x, y, dim, reverse)));
  return y;
}

/// The scan of what may be 0-d, a line of one element.
Tensor along(ScanOp op, const Tensor& x, int dim) {
  const int d = normalize_dim(name(op), dim, x.ndim());
  if (x.ndim() == 0) return scanned(op, x.reshape({1}), 0, false).reshape({});
  return scanned(op, x, d, false);
}

Tensor total_along(ScanOp op, const Tensor& x, int dim, std::optional<DType> dtype) {
  checked(x, name(op));
  const DType result = dtype.value_or(is_floating(x.dtype()) ? autocast_float32(x.dtype(), x.device()) : DType::Int64);
  if (is_floating(x.dtype()) && is_floating(result) && result != x.dtype()) {
    const int d = normalize_dim(name(op), dim, x.ndim());
    if (x.ndim() == 0) return total_along(op, x.reshape({1}), 0, dtype).reshape({});
    Tensor y = no_grad([&] { return scanned(op, x.to(result), d, false); });
    if (grad_enabled() && needs_grad(x)) record(y, Ref<Node>(new ScanNode(op, x, y, d, false)));
    return y;
  }
  // Integers of any size are counted modulo 2^64.
  const DType counted = is_floating(result) ? result : DType::Int64;
  return along(op, x.to(result).to(counted), dim).to(result);
}

Extremes extremes_along(ScanOp op, const Tensor& x, int dim) {
  checked(x, name(op));
  const int d = normalize_dim(name(op), dim, x.ndim());
  if (x.ndim() == 0) {
    const Extremes row = extremes_along(op, x.reshape({1}), 0);
    return {row.values.reshape({}), row.indices.reshape({})};
  }
  if (x.dtype() == DType::Bool) {
    const Extremes numbers = extremes_along(op, x.to(DType::Int32), d);
    return {numbers.values.to(DType::Bool), numbers.indices};
  }
  Backend& backend = x.storage()->backend();
  Extremes result{empty_tensor(x.shape(), x.dtype(), backend), empty_tensor(x.shape(), DType::Int64, backend)};
  if (x.numel() > 0) {
    const Tensor whole = no_grad([&] { return x.contiguous(); });
    Scan call = call_of(op, x, d, false);
    call.in = flat(whole);
    call.out = flat(result.values);
    call.indices = flat(result.indices);
    backend.run(call);
  }
  if (grad_enabled() && needs_grad(x)) result.values = gather(x, d, result.indices);
  return result;
}

/// y's neighbours along `dim`, added.
Tensor pairs(const Tensor& y, int dim) { return y.slice(dim, 1) + y.slice(dim, 0, std::max<std::int64_t>(y.size(dim) - 1, 0)); }

/// Steps of `x`, that may be 1-d for a y of more dimensions, laid out along y's `dim`.
Tensor steps(const char* op, const Tensor& y, const Tensor& x, int dim) {
  checked(x, op, "x");
  const int d = normalize_dim(op, dim, y.ndim());
  if (x.ndim() == 1) {
    LUGE_CHECK(ShapeError, x.size(0) == y.size(d), "{}: x has {} points and y has size {} along dim {}; they must be equal",
               op, x.size(0), y.size(d), dim);
    Shape shape = Dims::filled(y.ndim(), 1);
    shape[d] = x.size(0);
    return diff(x.reshape(shape), 1, d);
  }
  return diff(x, 1, dim);
}

/// The integral over no points: zeros of y's dtype, which no gradient leads to.
Tensor nothing_along(const Tensor& y, int dim) {
  Shape shape = y.shape();
  shape.erase(normalize_dim("trapezoid", dim, y.ndim()));
  return zeros(shape, {.dtype = y.dtype(), .device = y.device()});
}

Tensor areas(const char* op, const Tensor& y, double dx, int dim) {
  const Operation called(op);
  checked(y, op, "y");
  LUGE_CHECK(IndexError, y.ndim() > 0, "{}: y has no dimensions; it must have one at least", op);
  return pairs(y, normalize_dim(op, dim, y.ndim())) * (dx / 2);
}

Tensor areas(const char* op, const Tensor& y, const Tensor& x, int dim) {
  const Operation called(op);
  checked(y, op, "y");
  LUGE_CHECK(IndexError, y.ndim() > 0, "{}: y has no dimensions; it must have one at least", op);
  return steps(op, y, x, dim) * pairs(y, normalize_dim(op, dim, y.ndim())) / 2;
}

}  // namespace

Tensor cumsum(const Tensor& x, int dim, std::optional<DType> dtype) { return total_along(ScanOp::Sum, x, dim, dtype); }
Tensor cumprod(const Tensor& x, int dim, std::optional<DType> dtype) { return total_along(ScanOp::Prod, x, dim, dtype); }

Tensor logcumsumexp(const Tensor& x, int dim) {
  const DType dtype = checked(x, "logcumsumexp").dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "logcumsumexp: the tensor is {}; allowed are the floating dtypes", name(dtype));
  return along(ScanOp::LogSumExp, autocast_float32(x), dim);
}

Extremes cummax(const Tensor& x, int dim) { return extremes_along(ScanOp::Max, x, dim); }
Extremes cummin(const Tensor& x, int dim) { return extremes_along(ScanOp::Min, x, dim); }

Tensor diff(const Tensor& x, std::int64_t n, int dim, const Tensor& prepend, const Tensor& append) {
  const Operation called("diff");
  checked(x, "diff");
  LUGE_CHECK(ShapeError, x.ndim() > 0, "diff: the tensor has no dimensions; it must have one at least");
  LUGE_CHECK(ValueError, n >= 0, "diff: n is {}; it must be 0 or more", n);
  const int d = normalize_dim("diff", dim, x.ndim());
  std::vector<Tensor> parts;
  for (const Tensor* const part : {&prepend, &x, &append})
    if (part->defined()) parts.push_back(*part);
  Tensor result = parts.size() == 1 ? x : cat(parts, d);
  for (std::int64_t i = 0; i < std::min(n, x.size(d) + 1); ++i) {
    const std::int64_t size = result.size(d);
    const Tensor later = result.slice(d, std::min<std::int64_t>(1, size)),
                 earlier = result.slice(d, 0, std::max<std::int64_t>(size - 1, 0));
    result = x.dtype() == DType::Bool ? later.ne(earlier) : later - earlier;
  }
  return result;
}

Tensor cumulative_trapezoid(const Tensor& y, double dx, int dim) {
  return cumsum(areas("cumulative_trapezoid", y, dx, dim), dim);
}
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int dim) {
  return cumsum(areas("cumulative_trapezoid", y, x, dim), dim);
}
Tensor trapezoid(const Tensor& y, double dx, int dim) {
  const Tensor parts = areas("trapezoid", y, dx, dim);
  return y.size(dim) == 0 ? nothing_along(y, dim) : parts.sum(dim);
}
Tensor trapezoid(const Tensor& y, const Tensor& x, int dim) {
  const Tensor parts = areas("trapezoid", y, x, dim);
  return y.size(dim) == 0 ? nothing_along(y, dim) : parts.sum(dim);
}

}  // namespace luge
