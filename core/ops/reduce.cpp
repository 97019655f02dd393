// Reductions and their gradients.

#include <algorithm>
#include <array>
#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/check.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/sum_to.h>
#include <luge/tensor/tensor_impl.h>
#include <luge/tensor/values.h>

namespace luge {

namespace {

constexpr const char* kReduceNames[] = {"sum", "mean", "prod", "min", "max", "argmin", "argmax", "logsumexp"};
constexpr const char* reduce_name(ReduceOp op) { return kReduceNames[static_cast<int>(op)]; }

/// What a reduction does to the shape.
struct Plan {
  Shape kept;      ///< reduced dimensions have size 1
  Shape result;    ///< reduced dimensions are gone (unless keepdim)
  std::int64_t reduced_count = 1;
};

Plan plan(const char* op, const TensorImpl& impl, const DimList* dims, bool keepdim) {
  std::array<bool, kMaxDims> reduced{};
  if (!dims) {
    reduced.fill(true);
  } else {
    for (const int dim : dims->values()) {
      bool& mark = reduced[static_cast<std::size_t>(normalize_dim(op, dim, impl.shape.ndim()))];
      LUGE_CHECK(IndexError, !mark, "{}: dim {} is given twice", op, dim);
      mark = true;
    }
  }
  Plan plan;
  for (int d = 0; d < impl.shape.ndim(); ++d) {
    const bool gone = reduced[static_cast<std::size_t>(d)];
    plan.kept.push_back(gone ? 1 : impl.shape[d]);
    if (gone) plan.reduced_count *= impl.shape[d];
    if (!gone || keepdim) plan.result.push_back(gone ? 1 : impl.shape[d]);
  }
  return plan;
}

/// The gradient of everything but sums needs what went in and what came out.
class ReduceNode final : public Node {
 public:
  ReduceNode(ReduceOp op, const Tensor& input, const Tensor& output, const Plan& plan)
      : Node(reduce_name(op)), op_(op), shape_(input.shape()), kept_(plan.kept), count_(plan.reduced_count) {
    add_input(input);
    if (op == ReduceOp::Sum || op == ReduceOp::Mean) return;
    input_.save(input);
    output_.save_output(output);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const Tensor dy = gradient.reshape(kept_);
    const Tensor result = input_gradient(dy);
    slot->add(result, op_ != ReduceOp::Sum && op_ != ReduceOp::Mean);
  }

  void release_saved() override {
    input_.clear();
    output_.clear();
  }

 private:
  Tensor input_gradient(const Tensor& dy) const {
    if (op_ == ReduceOp::Sum) return dy.expand(shape_);
    if (op_ == ReduceOp::Mean) return (dy * (1.0 / static_cast<double>(count_))).expand(shape_);
    const Tensor x = input_.get(name());
    const Tensor y = output_.get(name()).reshape(kept_);
    if (op_ == ReduceOp::LogSumExp) return dy * exp(x - where(isfinite(y), y, 0));
    if (op_ == ReduceOp::Prod) return prod_gradient(dy, x);
    const Tensor hits = (x == y).to(dy.dtype());  // Min, Max: equals share evenly
    return hits * (dy / keep_sum(hits));
  }

  /// dy * (product of the others). Without a zero in the way that is y / x; with one zero only the zero
  /// itself gets a gradient; with more nobody does.
  Tensor prod_gradient(const Tensor& dy, const Tensor& x) const {
    const Tensor is_zero = x == 0;
    const Tensor zeros = keep_sum(is_zero.to(dy.dtype()));
    const Tensor without_zeros = where(is_zero, 1, x);
    Tensor others = empty_tensor(kept_, x.dtype(), x.storage()->backend());
    reduce_values(ReduceOp::Prod, without_zeros, others, Store::Overwrite);
    const Tensor zero = zeros * 0;
    return dy * where(is_zero, where(zeros == 1, others, zero), where(zeros == 0, others, zero) / without_zeros);
  }

  Tensor keep_sum(const Tensor& values) const {
    Tensor total = empty_tensor(kept_, values.dtype(), values.storage()->backend());
    reduce_values(ReduceOp::Sum, values, total, Store::Overwrite);
    return total;
  }

  ReduceOp op_;
  Shape shape_, kept_;
  std::int64_t count_;
  SavedTensor input_, output_;
};

/// The value of a reduction over nothing. Throws where there is none.
Scalar identity(ReduceOp op, const Tensor& x) {
  switch (op) {
    case ReduceOp::Sum: return 0;
    case ReduceOp::Prod: return 1;
    case ReduceOp::Mean: return std::numeric_limits<double>::quiet_NaN();
    case ReduceOp::LogSumExp: return -std::numeric_limits<double>::infinity();
    default:
      raise<ShapeError>("{}: nothing to reduce: the tensor has shape {}; the reduced dimensions must not be empty",
                        reduce_name(op), to_string(x.shape()));
  }
}

Tensor reduce(ReduceOp op, const Tensor& input, const DimList* dims, bool keepdim) {
  const TensorImpl& impl = checked(input, reduce_name(op));
  const bool arg = op == ReduceOp::ArgMin || op == ReduceOp::ArgMax;
  const bool floating_only = op == ReduceOp::Mean || op == ReduceOp::LogSumExp;
  LUGE_CHECK(DTypeError, !floating_only || is_floating(impl.dtype), "{}: the tensor is {}; allowed are float32 and float64",
             reduce_name(op), luge::name(impl.dtype));
  const bool widens = (op == ReduceOp::Sum || op == ReduceOp::Prod) && !is_floating(impl.dtype);
  const Plan shapes = plan(reduce_name(op), impl, dims, keepdim);

  const bool over_nothing = impl.numel == 0 && element_count(shapes.kept) > 0;
  const Scalar value = over_nothing ? identity(op, input) : Scalar(0);
  Tensor kept = empty_tensor(shapes.kept, arg || widens ? DType::Int64 : impl.dtype, impl.storage->backend());
  if (over_nothing)
    fill_values(kept, value);
  else if (impl.numel > 0)
    reduce_values(op, input, kept, Store::Overwrite);
  Tensor result = kept.view(shapes.result);
  if (!arg && grad_enabled() && needs_grad(input)) record(result, Ref<Node>(new ReduceNode(op, input, result, shapes)));
  return result;
}

Tensor variance(const Tensor& x, const DimList* dims, double correction, bool keepdim) {
  const TensorImpl& impl = checked(x, "var");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "var: the tensor is {}; allowed are float32 and float64",
             luge::name(impl.dtype));
  const Plan shapes = plan("var", impl, dims, keepdim);
  // Two passes: subtracting the mean first keeps what a difference of large squares would lose.
  const Tensor centered = x - reduce(ReduceOp::Mean, x, dims, true);
  const Tensor squares = reduce(ReduceOp::Sum, square(centered), dims, keepdim);
  return squares / std::max(0.0, static_cast<double>(shapes.reduced_count) - correction);
}

/// all is the least truth value, any the greatest; over nothing, all is true and any is false.
Tensor truth(const Tensor& x, const char* op, ReduceOp extreme) {
  const TensorImpl& impl = checked(x, op);
  if (impl.numel > 0) return reduce(extreme, x.ne(0), nullptr, false);
  Tensor result = empty_tensor({}, DType::Bool, impl.storage->backend());
  fill_values(result, extreme == ReduceOp::Min);
  return result;
}

}  // namespace

#define LUGE_REDUCTION(method, Name)                                                                             \
  Tensor Tensor::method() const { return reduce(ReduceOp::Name, *this, nullptr, false); }                        \
  Tensor Tensor::method(const DimList& dims, bool keepdim) const { return reduce(ReduceOp::Name, *this, &dims, keepdim); }
LUGE_REDUCTION(sum, Sum)
LUGE_REDUCTION(mean, Mean)
LUGE_REDUCTION(prod, Prod)
LUGE_REDUCTION(max, Max)
LUGE_REDUCTION(min, Min)
LUGE_REDUCTION(argmax, ArgMax)
LUGE_REDUCTION(argmin, ArgMin)
#undef LUGE_REDUCTION

Tensor Tensor::logsumexp(const DimList& dims, bool keepdim) const {
  return reduce(ReduceOp::LogSumExp, *this, &dims, keepdim);
}
Tensor Tensor::var() const { return variance(*this, nullptr, 1, false); }
Tensor Tensor::var(const DimList& dims, double correction, bool keepdim) const {
  return variance(*this, &dims, correction, keepdim);
}

Tensor Tensor::all() const { return truth(*this, "all", ReduceOp::Min); }
Tensor Tensor::any() const { return truth(*this, "any", ReduceOp::Max); }

}  // namespace luge
