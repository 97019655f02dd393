// Reductions and their gradients.

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/reduce.h>
#include <luge/ops/detail/reduction.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The gradient of everything but sums needs what went in and what came out.
class ReduceNode final : public Node {
 public:
  ReduceNode(ReduceOp op, const Tensor& input, const Tensor& output, const Reduced& shapes)
      : Node(luge::name(op)), op_(op), shape_(input.shape()), kept_(shapes.kept), count_(shapes.count) {
    add_input(input);
    if (op == ReduceOp::Sum || op == ReduceOp::Mean) return;
    input_.save(input);
    if (op != ReduceOp::SumSquares) output_.save_output(output);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    if (is_linear()) return slot->add(input_gradient(gradient.reshape(kept_), {}, {}), false);
    const DType dtype = gradient.dtype(), wide = arithmetic_dtype(dtype);
    const Tensor dy = gradient.reshape(kept_).to(wide);
    const Tensor y = op_ == ReduceOp::SumSquares ? Tensor() : output_.get(name()).to(wide);
    slot->add(input_gradient(dy, input_.get(name()).to(wide), y).to(dtype), true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    if (is_linear()) return give(0, input_gradient(gradient.reshape(kept_), {}, {}));
    const DType dtype = gradient.dtype(), wide = arithmetic_dtype(dtype);
    const Tensor x = saved_input(0, input_).to(wide);
    const Tensor y = op_ == ReduceOp::SumSquares ? Tensor() : saved_output(output_).to(wide);
    give(0, input_gradient(gradient.reshape(kept_).to(wide), x, y).to(dtype));
  }

  void release_saved() override {
    input_.clear();
    output_.clear();
  }

 private:
  bool is_linear() const { return op_ == ReduceOp::Sum || op_ == ReduceOp::Mean; }
  /// `x` and `result` are what went in and came out, of anything but sums.
  Tensor input_gradient(const Tensor& dy, const Tensor& x, const Tensor& result) const {
    if (op_ == ReduceOp::Sum) return dy.expand(shape_);
    if (op_ == ReduceOp::Mean) return (dy * (1.0 / static_cast<double>(count_))).expand(shape_);
    if (op_ == ReduceOp::SumSquares) return x * (dy * 2);
    const Tensor y = result.reshape(kept_);
    // A row of -infinities alone has y = -infinity, which is not subtracted: its gradient is 0.
    if (op_ == ReduceOp::LogSumExp) return dy * exp(x - where(y == -kInfinity, 0, y));
    if (op_ == ReduceOp::Prod) return prod_gradient(dy, x);
    // Min, Max: equals share evenly. A NaN is the extreme wherever there is one.
    const Tensor hits = (x == y).logical_or(x.isnan()).to(dy.dtype());
    return hits * (dy / keep_sum(hits));
  }

  /// dy * (product of the others), with the reduced dimensions behind the kept ones and flattened meanwhile.
  Tensor prod_gradient(const Tensor& dy, const Tensor& x) const {
    if (x.numel() == 0) return empty_tensor(x.shape(), x.dtype(), x.storage()->backend());
    std::vector<int> order, back(static_cast<std::size_t>(shape_.ndim()));
    Shape rows, apart;
    for (const bool reduced : {false, true})
      for (int d = 0; d < shape_.ndim(); ++d) {
        if ((kept_[d] != shape_[d]) != reduced) continue;
        back[static_cast<std::size_t>(d)] = static_cast<int>(order.size());
        order.push_back(d);
        apart.push_back(shape_[d]);
        if (!reduced) rows.push_back(shape_[d]);
      }
    Shape flat = rows, one = rows;
    flat.push_back(count_);
    one.push_back(1);
    const Tensor gradient = products_of_others(x.permute(order).reshape(flat), dy.reshape(one));
    return gradient.reshape(apart).permute(back);
  }

  /// dy (.., 1) times, for each element of x (.., n), the product of the other elements of its row. The row's product
  /// is a tree of products of two halves, and the way back through it multiplies each half by the other one. Without
  /// a division a zero, an infinity or a NaN among the others counts as it does in their product.
  static Tensor products_of_others(const Tensor& x, const Tensor& dy) {
    std::vector<Tensor> levels{x};
    while (levels.back().size(-1) > 1) {
      const Tensor& level = levels.back();
      const std::int64_t n = level.size(-1), half = n / 2;
      Tensor product = level.slice(-1, 0, half) * level.slice(-1, half, 2 * half);
      levels.push_back(n % 2 == 0 ? product : cat({product, level.slice(-1, n - 1)}, -1));
    }
    levels.pop_back();
    Tensor others = dy;
    for (; !levels.empty(); levels.pop_back()) {
      const Tensor& level = levels.back();
      const std::int64_t n = level.size(-1), half = n / 2;
      const Tensor above = others.slice(-1, 0, half);
      std::vector<Tensor> parts{above * level.slice(-1, half, 2 * half), above * level.slice(-1, 0, half)};
      if (n % 2 != 0) parts.push_back(others.slice(-1, half));
      others = cat(parts, -1);
    }
    return others;
  }

  Tensor keep_sum(const Tensor& values) const {
    Tensor total = empty_tensor(kept_, values.dtype(), values.storage()->backend());
    if (total.numel() > 0) reduce_values(ReduceOp::Sum, values, total, Store::Overwrite);
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
    case ReduceOp::Sum:
    case ReduceOp::SumSquares: return 0;
    case ReduceOp::Prod: return 1;
    case ReduceOp::Mean: return std::numeric_limits<double>::quiet_NaN();
    case ReduceOp::LogSumExp: return -kInfinity;
    default:
      raise<ShapeError>("{}: nothing to reduce: the tensor has shape {}; the reduced dimensions must not be empty",
                        luge::name(op), to_string(x.shape()));
  }
}

}  // namespace

Reduced reduced_shapes(const char* op, const Tensor& x, const DimList* dims, bool keepdim) {
  const Shape& shape = checked(x, op).shape;
  std::array<bool, kMaxDims> reduced{};
  if (!dims) {
    reduced.fill(true);
  } else {
    for (const int dim : dims->values()) {
      bool& mark = reduced[static_cast<std::size_t>(normalize_dim(op, dim, shape.ndim()))];
      LUGE_CHECK(IndexError, !mark, "{}: dim {} is given twice", op, dim);
      mark = true;
    }
  }
  Reduced shapes;
  for (int d = 0; d < shape.ndim(); ++d) {
    const bool gone = reduced[static_cast<std::size_t>(d)];
    shapes.kept.push_back(gone ? 1 : shape[d]);
    if (gone) shapes.count *= shape[d];
    if (!gone || keepdim) shapes.result.push_back(gone ? 1 : shape[d]);
  }
  return shapes;
}

Tensor reduce(ReduceOp op, const Tensor& given, const DimList* dims, bool keepdim) {
  checked(given, luge::name(op));
  const bool adds = op == ReduceOp::Sum || op == ReduceOp::Prod || op == ReduceOp::SumSquares || op == ReduceOp::LogSumExp;
  const Tensor input = adds ? autocast_float32(given) : given;
  const TensorImpl& impl = *input.impl();
  const bool arg = op == ReduceOp::ArgMin || op == ReduceOp::ArgMax;
  const bool floating_only = op == ReduceOp::Mean || op == ReduceOp::LogSumExp || op == ReduceOp::SumSquares;
  LUGE_CHECK(DTypeError, !floating_only || is_floating(impl.dtype),
             "{}: the tensor is {}; allowed are the floating dtypes", luge::name(op), luge::name(impl.dtype));
  const bool widens = (op == ReduceOp::Sum || op == ReduceOp::Prod) && !is_floating(impl.dtype);
  const Reduced shapes = reduced_shapes(luge::name(op), input, dims, keepdim);

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

Tensor without_repeats(const Tensor& x) {
  const TensorImpl& impl = *x.impl();
  Shape shape = impl.shape;
  for (int d = 0; d < shape.ndim(); ++d)
    if (impl.strides[d] == 0 && shape[d] > 1) shape[d] = 1;
  return window_tensor(x, shape, impl.strides, impl.offset);
}

namespace {

/// The extreme along one dimension: the gradient goes to the element that the indices name, and to it alone.
class PickedExtremeNode final : public Node {
 public:
  PickedExtremeNode(ReduceOp op, const Tensor& input, const Tensor& indices, int dim)
      : Node(luge::name(op)), shape_(input.shape()), dim_(dim) {
    add_input(input);
    indices_.save(indices);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    slot->add(input_gradient(gradient), true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, input_gradient(gradient));
  }

  void release_saved() override { indices_.clear(); }

 private:
  Tensor input_gradient(const Tensor& gradient) const {
    const Tensor indices = indices_.get(name());
    Shape along = Dims::filled(shape_.ndim(), 1);
    along[dim_] = shape_[dim_];
    const Tensor places = arange(shape_[dim_], {.dtype = DType::Int64, .device = gradient.device()}).view(along);
    return where(places == indices, gradient.reshape(indices.shape()), 0);
  }

  Shape shape_;
  int dim_;
  SavedTensor indices_;
};

Extremes extremes(ReduceOp op, ReduceOp position, const Tensor& x, int dim, bool keepdim) {
  const char* const op_name = luge::name(op);
  const TensorImpl& impl = checked(x, op_name);
  const int d = normalize_dim(op_name, dim, impl.shape.ndim());
  if (impl.shape.empty()) {
    const Extremes row = extremes(op, position, x.reshape({1}), 0, false);
    return {row.values.reshape({}), row.indices.reshape({})};
  }
  Extremes result;
  const DimList dims(d);
  {
    const NoGrad guard;
    result.values = reduce(op, x, &dims, keepdim);
    result.indices = reduce(position, x, &dims, true);
  }
  if (grad_enabled() && needs_grad(x))
    record(result.values, Ref<Node>(new PickedExtremeNode(op, x, result.indices, d)));
  if (!keepdim) result.indices = result.indices.squeeze(d);
  return result;
}

Tensor without_nan(const Tensor& x) {
  return is_floating(checked(x, "nansum").dtype) ? where(x.isnan(), 0, x) : x;
}

}  // namespace

#define LUGE_REDUCTION(method, Name)                                                      \
  Tensor Tensor::method() const { return reduce(ReduceOp::Name, *this, nullptr, false); } \
  Tensor Tensor::method(const DimList& dims, bool keepdim) const {                        \
    return reduce(ReduceOp::Name, *this, &dims, keepdim);                                 \
  }
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
Tensor Tensor::nansum() const {
  const Operation called("nansum");
  return without_nan(*this).sum();
}
Tensor Tensor::nansum(const DimList& dims, bool keepdim) const {
  const Operation called("nansum");
  return without_nan(*this).sum(dims, keepdim);
}

Extremes max_along(const Tensor& x, int dim, bool keepdim) {
  return extremes(ReduceOp::Max, ReduceOp::ArgMax, x, dim, keepdim);
}
Extremes min_along(const Tensor& x, int dim, bool keepdim) {
  return extremes(ReduceOp::Min, ReduceOp::ArgMin, x, dim, keepdim);
}

}  // namespace luge
