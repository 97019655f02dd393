// Truth, counts, moments and covariances.

#include <luge/ops/statistics.h>

#include <algorithm>
#include <optional>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/reduction.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// dx = dy 2 (x - mean) / divisor. The sum over the deviations that the mean's own gradient would bring is zero.
class VarianceNode final : public Node {
 public:
  VarianceNode(const char* op, const Tensor& input, const Tensor& mean, const Reduced& shapes, double divisor)
      : Node(op), shape_(input.shape()), kept_(shapes.kept), divisor_(divisor) {
    add_input(input);
    input_.save(input);
    mean_.save(mean);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const Tensor deviations = without_repeats(input_.get(name())) - mean_.get(name());
    const Tensor dx = deviations * (gradient.reshape(kept_) * (2 / divisor_));
    slot->add(dx.expand(shape_), dx.shape() == shape_);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    std::vector<int> dims;
    for (int d = 0; d < shape_.ndim(); ++d)
      if (kept_[d] != shape_[d]) dims.push_back(d);
    const Tensor x = saved_input(0, input_);
    give(0, (x - x.mean(DimList(dims), true)) * (gradient.reshape(kept_) * (2 / divisor_)));
  }

  void release_saved() override {
    input_.clear();
    mean_.clear();
  }

 private:
  Shape shape_, kept_;
  double divisor_;
  SavedTensor input_, mean_;
};

/// The variance alone is recorded where nobody wants the mean's gradient.
Spread moments(const char* op, const Tensor& x, const DimList* dims, double correction, bool keepdim) {
  const DType dtype = checked(x, op).dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the tensor is {}; allowed are the floating dtypes", op, name(dtype));
  if (is_storage_only(dtype)) {  // several steps, rounded once
    const Spread wide = moments(op, x.to(arithmetic_dtype(dtype)), dims, correction, keepdim);
    return {wide.value.to(dtype), wide.mean.to(dtype)};
  }
  const Reduced shapes = reduced_shapes(op, x, dims, keepdim);
  const double divisor = std::max(0.0, static_cast<double>(shapes.count) - correction);
  Tensor mean, result;
  {
    const NoGrad guard;
    // What is repeated without memory of its own is looked at once and counted as often as it repeats.
    const Tensor once = without_repeats(x);
    const Reduced fewer = reduced_shapes(op, once, dims, true);
    const double repeats = fewer.count == 0 ? 1 : static_cast<double>(shapes.count) / static_cast<double>(fewer.count);
    // Two passes: subtracting the mean first keeps what a difference of large squares would lose.
    mean = reduce(ReduceOp::Mean, once, dims, true);
    const Tensor squares = reduce(ReduceOp::SumSquares, once - mean, dims, true);
    result = (squares / (divisor / repeats)).expand(shapes.kept).contiguous().view(shapes.result);
  }
  if (grad_enabled() && needs_grad(x)) record(result, Ref<Node>(new VarianceNode(op, x, mean, shapes, divisor)));
  return {result, mean};
}

Tensor variance(const char* op, const Tensor& x, const DimList* dims, double correction, bool keepdim) {
  return moments(op, x, dims, correction, keepdim).value;
}

/// The root of a variance. Where that is 0 the slope of the root is infinite; the gradient is 0 there, as in PyTorch.
Tensor deviation_of(const Tensor& squared) {
  if (!grad_enabled() || !needs_grad(squared)) return sqrt(squared);
  const Tensor constant = squared == 0;
  return where(constant, 0, sqrt(where(constant, 1, squared)));
}

Tensor deviation(const char* op, const Tensor& x, const DimList* dims, double correction, bool keepdim) {
  if (const DType dtype = checked(x, op).dtype; is_floating(dtype) && is_storage_only(dtype))
    return deviation(op, x.to(arithmetic_dtype(dtype)), dims, correction, keepdim).to(dtype);
  return deviation_of(variance(op, x, dims, correction, keepdim));
}

Spread spread(const char* op, const Tensor& x, const DimList* dims, double correction, bool keepdim, bool root) {
  const DType dtype = checked(x, op).dtype;
  if (is_floating(dtype) && is_storage_only(dtype)) {
    const Spread wide = spread(op, x.to(arithmetic_dtype(dtype)), dims, correction, keepdim, root);
    return {wide.value.to(dtype), wide.mean.to(dtype)};
  }
  Spread found = moments(op, x, dims, correction, keepdim);
  if (grad_enabled() && needs_grad(x))
    found.mean = reduce(ReduceOp::Mean, x, dims, keepdim);
  else
    found.mean = found.mean.expand(reduced_shapes(op, x, dims, true).kept).contiguous().view(found.value.shape());
  if (root) found.value = deviation_of(found.value);
  return found;
}

/// all is the least truth value, any the greatest; over nothing, all is true and any is false.
Tensor truth(const char* op, const Tensor& x, ReduceOp extreme, const DimList* dims, bool keepdim) {
  const Operation called(op);
  const DType dtype = checked(x, op).dtype;
  const Reduced shapes = reduced_shapes(op, x, dims, keepdim);
  Tensor result;
  if (x.numel() == 0) {
    result = empty_tensor(shapes.result, DType::Bool, x.storage()->backend());
    if (result.numel() > 0) fill_values(result, extreme == ReduceOp::Min);
  } else {
    const Tensor once = without_repeats(x);
    const Tensor found = reduce(extreme, dtype == DType::Bool ? once : once.ne(0), dims, true);
    result = found.expand(shapes.kept).contiguous().view(shapes.result);
  }
  return dtype == DType::UInt8 ? result.to(dtype) : result;
}

Tensor counted(const char* op, const Tensor& x, const DimList* dims) {
  const Operation called(op);
  return reduce(ReduceOp::Sum, checked(x, op).dtype == DType::Bool ? x : x.ne(0), dims, false);
}

Tensor mean_without_nan(const Tensor& x, const DimList* dims, bool keepdim) {
  const Operation called("nanmean");
  const DType dtype = checked(x, "nanmean").dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "nanmean: the tensor is {}; allowed are the floating dtypes", name(dtype));
  if (is_storage_only(dtype)) return mean_without_nan(x.to(arithmetic_dtype(dtype)), dims, keepdim).to(dtype);
  const Tensor missing = x.isnan();
  const Tensor count = reduce(ReduceOp::Sum, missing.logical_not(), dims, keepdim);
  return reduce(ReduceOp::Sum, where(missing, 0, x), dims, keepdim) / count.to(dtype);
}

Bounds bounds(const Tensor& x, const DimList* dims, bool keepdim) {
  const Operation called("aminmax");
  return {reduce(ReduceOp::Min, x, dims, keepdim), reduce(ReduceOp::Max, x, dims, keepdim)};
}

/// Weights of `count` observations, as a row of x's dtype.
Tensor weights_of(const char* argument, const Tensor& given, std::int64_t count, DType dtype) {
  LUGE_CHECK(ShapeError, given.ndim() <= 1 && given.numel() == count,
             "cov: {} has shape {}; it must have one element for each of the {} observations", argument,
             to_string(given.shape()), count);
  if (!observer && count > 0)
    LUGE_CHECK(ValueError, !no_grad([&] { return (given < 0).any(); }).item<bool>(),
               "cov: {} holds a negative number; all must be 0 or more", argument);
  return given.reshape({1, count}).to(dtype);
}

Tensor covariance(const char* op, const Tensor& input, double correction, const Tensor& frequencies, const Tensor& weights) {
  const Operation called(op);
  const TensorImpl& impl = checked(input, op);
  LUGE_CHECK(ShapeError, impl.shape.ndim() <= 2, "{}: the tensor has shape {}; it must have two dimensions at most", op,
             to_string(impl.shape));
  LUGE_CHECK(DTypeError, impl.dtype != DType::Bool, "{}: the tensor is bool; allowed are numbers", op);
  const DType dtype = is_floating(impl.dtype) ? impl.dtype : DType::Float32;
  if (is_storage_only(dtype))
    return covariance(op, input.to(arithmetic_dtype(dtype)), correction, frequencies, weights).to(dtype);
  const Tensor x = (impl.shape.ndim() < 2 ? input.reshape({1, impl.numel}) : input).to(dtype);
  const std::int64_t count = x.size(1);
  Tensor all_weights, own;
  if (frequencies.defined()) {
    LUGE_CHECK(DTypeError, is_integral(frequencies.dtype()), "cov: fweights is {}; allowed are integers",
               name(frequencies.dtype()));
    all_weights = weights_of("fweights", frequencies, count, dtype);
  }
  if (weights.defined()) {
    LUGE_CHECK(DTypeError, is_floating(weights.dtype()), "cov: aweights is {}; allowed are the floating dtypes",
               name(weights.dtype()));
    own = weights_of("aweights", weights, count, dtype);
    all_weights = all_weights.defined() ? all_weights * own : own;
  }
  if (!all_weights.defined()) {
    const Tensor deviations = x - x.mean(1, true);
    return (matmul(deviations, deviations.t()) / std::max(0.0, static_cast<double>(count) - correction)).squeeze();
  }
  const Tensor total = all_weights.sum();
  const Tensor deviations = x - (x * all_weights).sum(1, true) / total;
  const Tensor spent = own.defined() && correction != 0 ? (all_weights * own).sum() * correction / total
                                                        : full_like(total, correction);
  const Tensor divisor = total - spent;
  return (matmul(deviations, (deviations * all_weights).t()) / where(divisor <= 0, 0, divisor)).squeeze();
}

}  // namespace

Tensor Tensor::var() const { return variance("var", *this, nullptr, 1, false); }
Tensor Tensor::var(const DimList& dims, double correction, bool keepdim) const {
  return variance("var", *this, &dims, correction, keepdim);
}
Tensor Tensor::std() const { return deviation("std", *this, nullptr, 1, false); }
Tensor Tensor::std(const DimList& dims, double correction, bool keepdim) const {
  return deviation("std", *this, &dims, correction, keepdim);
}

Spread var_mean(const Tensor& x, double correction) { return spread("var_mean", x, nullptr, correction, false, false); }
Spread var_mean(const Tensor& x, const DimList& dims, double correction, bool keepdim) {
  return spread("var_mean", x, &dims, correction, keepdim, false);
}
Spread std_mean(const Tensor& x, double correction) { return spread("std_mean", x, nullptr, correction, false, true); }
Spread std_mean(const Tensor& x, const DimList& dims, double correction, bool keepdim) {
  return spread("std_mean", x, &dims, correction, keepdim, true);
}

Tensor Tensor::all() const { return truth("all", *this, ReduceOp::Min, nullptr, false); }
Tensor Tensor::any() const { return truth("any", *this, ReduceOp::Max, nullptr, false); }
Tensor all(const Tensor& x, const DimList& dims, bool keepdim) { return truth("all", x, ReduceOp::Min, &dims, keepdim); }
Tensor any(const Tensor& x, const DimList& dims, bool keepdim) { return truth("any", x, ReduceOp::Max, &dims, keepdim); }

Tensor count_nonzero(const Tensor& x) { return counted("count_nonzero", x, nullptr); }
Tensor count_nonzero(const Tensor& x, const DimList& dims) { return counted("count_nonzero", x, &dims); }

Tensor nanmean(const Tensor& x) { return mean_without_nan(x, nullptr, false); }
Tensor nanmean(const Tensor& x, const DimList& dims, bool keepdim) { return mean_without_nan(x, &dims, keepdim); }

Bounds aminmax(const Tensor& x) { return bounds(x, nullptr, false); }
Bounds aminmax(const Tensor& x, int dim, bool keepdim) {
  const DimList dims(dim);
  return bounds(x, &dims, keepdim);
}

Tensor cov(const Tensor& x, double correction, const Tensor& frequencies, const Tensor& weights) {
  return covariance("cov", x, correction, frequencies, weights);
}

Tensor corrcoef(const Tensor& x) {
  const Operation called("corrcoef");
  const Tensor covariances = covariance("corrcoef", x, 1, {}, {});
  if (covariances.ndim() == 0) return covariances / covariances;
  const std::int64_t n = covariances.size(0);
  const Tensor deviations = sqrt(covariances.reshape({n * n}).slice(0, 0, n * n, n + 1));
  return (covariances / deviations.unsqueeze(1) / deviations).clamp(-1, 1);
}

}  // namespace luge
