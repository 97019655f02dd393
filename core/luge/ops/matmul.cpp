#include <luge/ops/detail/integer_product.h>
#include <luge/autograd/detail/autocast.h>
#include <luge/ops/matmul.h>

#include <atomic>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/product.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

std::atomic<MatmulPrecision> precision{MatmulPrecision::Highest};

/// All dimensions but the last two.
Shape batch_of(const Shape& shape) {
  Shape batch;
  for (int d = 0; d + 2 < shape.ndim(); ++d) batch.push_back(shape[d]);
  return batch;
}

Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

}  // namespace

void multiply(const Tensor& a, const Tensor& b, const Tensor& out, Store store) {
  const TensorImpl& c = *out.impl();
  if (c.numel == 0) return;
  const int ndim = c.shape.ndim();
  if (a.numel() == 0) {  // an empty sum
    if (store == Store::Overwrite) fill_values(out, 0);
    return;
  }
  MatMul call;
  call.m = c.shape[ndim - 2];
  call.n = c.shape[ndim - 1];
  call.k = a.shape().back();
  call.store = store;
  // Halves have no more bits than TF32 has.
  call.allow_tf32 = is_storage_only(a.dtype()) || float32_matmul_precision() != MatmulPrecision::Highest;
  const Tensor* const tensors[] = {&a, &b, &out};
  Operand* const operands[] = {&call.a, &call.b, &call.c};
  call.batch.ndim = ndim - 2;
  for (int d = 0; d + 2 < ndim; ++d) call.batch.sizes[static_cast<std::size_t>(d)] = c.shape[d];
  for (int i = 0; i < 3; ++i) {
    const TensorImpl& impl = *tensors[i]->impl();
    *operands[i] = operand(*tensors[i]);
    const int lead = ndim - impl.shape.ndim();
    for (int d = 0; d + 2 < ndim; ++d)
      operands[i]->strides[static_cast<std::size_t>(d)] =
          d < lead || impl.shape[d - lead] == 1 ? 0 : impl.strides[d - lead];
  }
  merge_dims(call.batch, 0, operands);
  for (int i = 0; i < 3; ++i) {
    const TensorImpl& impl = *tensors[i]->impl();
    const int n = impl.shape.ndim();
    operands[i]->strides[static_cast<std::size_t>(call.batch.ndim)] = impl.strides[n - 2];
    operands[i]->strides[static_cast<std::size_t>(call.batch.ndim) + 1] = impl.strides[n - 1];
  }
  c.storage->backend().run(call);
}

namespace {

/// Adds x y to the slot of an input of shape `shape`, summed over the batch dimensions that the input was
/// repeated along.
void add_product(const Tensor& x, const Tensor& y, const Shape& batch, const Shape& shape, GradSlot& slot) {
  const Shape full = with_matrix(batch, x.shape()[x.ndim() - 2], y.shape().back());
  Backend& on = x.storage()->backend();
  if (full == shape) {
    const GradSlot::Target target = slot.open(shape, x.dtype(), on);
    multiply(x, y, target.buffer, target.store);
    return;
  }
  const Tensor product = empty_tensor(full, x.dtype(), on);
  multiply(x, y, product, Store::Overwrite);
  sum_to(product, shape, slot, true);
}

class MatMulNode final : public Node {
 public:
  /// Keeps a factor only where the other one wants a gradient.
  MatMulNode(const Tensor& a, const Tensor& b) : Node("matmul"), a_shape_(a.shape()), b_shape_(b.shape()) {
    add_input(a);
    add_input(b);
    if (needs_grad(b)) a_.save(a);
    if (needs_grad(a)) b_.save(b);
  }

  void backward(const Tensor& gradient) override {
    const Shape batch = batch_of(gradient.shape());
    if (GradSlot* const slot = target(0))
      add_product(gradient, b_.get(name()).transpose(-1, -2), batch, a_shape_, *slot);
    if (GradSlot* const slot = target(1))
      add_product(a_.get(name()).transpose(-1, -2), gradient, batch, b_shape_, *slot);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, sum_to(matmul(gradient, saved_input(1, b_).transpose(-1, -2)), a_shape_));
    if (wants(1)) give(1, sum_to(matmul(saved_input(0, a_).transpose(-1, -2), gradient), b_shape_));
  }

  void release_saved() override {
    a_.clear();
    b_.clear();
  }

 private:
  Shape a_shape_, b_shape_;
  SavedTensor a_, b_;
};

class LinearNode final : public Node {
 public:
  /// Keeps a factor only where the other one wants a gradient.
  LinearNode(const Tensor& x, const Tensor& weight, const Tensor& bias)
      : Node("linear"), x_shape_(x.shape()), weight_shape_(weight.shape()) {
    add_input(x);
    add_input(weight);
    add_input(bias);
    if (needs_grad(weight)) x_.save(x);
    if (needs_grad(x)) weight_.save(weight);
  }

  void backward(const Tensor& gradient) override {
    const Shape batch = batch_of(gradient.shape());
    if (GradSlot* const slot = target(0)) add_product(gradient, weight_.get(name()), batch, x_shape_, *slot);
    if (GradSlot* const slot = target(1))
      add_product(gradient.transpose(-1, -2), x_.get(name()), batch, weight_shape_, *slot);
    if (GradSlot* const slot = target(2)) {
      Shape shape = batch;  // (out) or (sets, out)
      shape.push_back(gradient.shape().back());
      add_bias(gradient, shape, *slot);
    }
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, sum_to(matmul(gradient, saved_input(1, weight_)), x_shape_));
    if (wants(1)) give(1, sum_to(matmul(gradient.transpose(-1, -2), saved_input(0, x_)), weight_shape_));
    if (wants(2)) give(2, gradient.sum(-2));
  }

  void release_saved() override {
    x_.clear();
    weight_.clear();
  }

 private:
  /// The gradient of the bias is the sum over the batch, the last dimension but one.
  static void add_bias(const Tensor& gradient, const Shape& shape, GradSlot& slot) {
    const GradSlot::Target target = slot.open(shape, gradient.dtype(), gradient.storage()->backend());
    const Tensor buffer = target.buffer.unsqueeze(-2);
    if (gradient.numel() > 0)
      reduce_values(ReduceOp::Sum, gradient, buffer, target.store);
    else if (target.store == Store::Overwrite)
      fill_values(buffer, 0);
  }

  Shape x_shape_, weight_shape_;
  SavedTensor x_, weight_;
};

void check_operands(const char* op, const char* left, const Tensor& a, const char* right, const Tensor& b, bool integers = false) {
  LUGE_CHECK(DTypeError, (is_floating(a.dtype()) || (integers && a.dtype() != DType::Bool)) && a.dtype() == b.dtype(),
             "{}: {} is {} and {} is {}; both must be of one floating{} dtype", op, left, name(a.dtype()), right,
             name(b.dtype()), integers ? " or integer" : "");
  LUGE_CHECK(DeviceError, a.device() == b.device(), "{}: {} is on {} and {} on {}; bring them together with to()", op,
             left, to_string(a.device()), right, to_string(b.device()));
}

/// (..., m, k) x (..., k, n) with at least two dimensions each.
Tensor matrix_product(const Tensor& a, const Tensor& b) {
  const Shape batch = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
  Tensor result = empty_tensor(with_matrix(batch, a.shape()[a.ndim() - 2], b.shape().back()), a.dtype(),
                               a.storage()->backend());
  multiply(a, b, result, Store::Overwrite);
  if (grad_enabled() && (needs_grad(a) || needs_grad(b))) record(result, Ref<Node>(new MatMulNode(a, b)));
  return result;
}

/// The leading dimensions of `x` become rows of one matrix; back again with `restored`.
Tensor as_rows(const Tensor& x) {
  if (x.ndim() == 2) return x;
  std::int64_t rows = 1;  // not -1: a tensor without elements does not tell it
  for (int d = 0; d + 1 < x.ndim(); ++d) rows *= x.shape()[d];
  return x.reshape({rows, x.shape().back()});
}
Tensor restored(const Tensor& rows, const Tensor& x) {
  if (x.ndim() == 2) return rows;
  Shape shape = x.shape();
  shape[x.ndim() - 1] = rows.shape().back();
  return rows.reshape(shape);
}

/// How many dimensions before the last two b repeats its matrix along, where a has dimensions of its own.
int repeated_dims(const Tensor& a, const Tensor& b) {
  const int most = std::min(a.ndim(), b.ndim()) - 2;
  int dims = 0;
  while (dims < most && b.size(b.ndim() - 3 - dims) == 1) ++dims;
  return dims;
}

/// a b where b repeats its matrix along `dims` dimensions: those of a become rows, as where b is one matrix, so that one of
/// several sets has the bits that it has alone, also in b's gradient.
Tensor product_by_rows(const Tensor& a, const Tensor& b, int dims) {
  const int kept = a.ndim() - 2 - dims;
  Shape folded, matrices, full;
  std::int64_t rows = 1;
  for (int d = 0; d < kept; ++d) folded.push_back(a.size(d));
  for (int d = kept; d + 1 < a.ndim(); ++d) rows *= a.size(d);
  for (int d = 0; d + 2 + dims < b.ndim(); ++d) matrices.push_back(b.size(d));
  const Tensor product = matmul(a.reshape(with_matrix(folded, rows, a.shape().back())),
                                b.reshape(with_matrix(matrices, b.size(-2), b.size(-1))));
  for (int d = 0; d + 2 < product.ndim(); ++d) full.push_back(product.size(d));
  for (int d = kept; d + 1 < a.ndim(); ++d) full.push_back(a.size(d));
  full.push_back(b.size(-1));
  return product.reshape(full);
}

}  // namespace

void set_float32_matmul_precision(MatmulPrecision chosen) { precision.store(chosen, std::memory_order_relaxed); }
MatmulPrecision float32_matmul_precision() { return precision.load(std::memory_order_relaxed); }

Tensor matmul(const Tensor& given_a, const Tensor& given_b) {
  checked(given_a, "matmul", "a");
  checked(given_b, "matmul", "b");
  const Tensor a = autocast_factor(given_a), b = autocast_factor(given_b);
  LUGE_CHECK(ShapeError, a.ndim() > 0 && b.ndim() > 0, "matmul: a is {}, b is {}; both need at least one dimension",
             to_string(a.shape()), to_string(b.shape()));
  check_operands("matmul", "a", a, "b", b, true);
  const std::int64_t inner = b.shape()[std::max(0, b.ndim() - 2)];
  LUGE_CHECK(ShapeError, a.shape().back() == inner,
             "matmul: inner dimensions differ: a is {}, b is {}; a[-1] must equal {}", to_string(a.shape()),
             to_string(b.shape()), b.ndim() == 1 ? "b[-1]" : "b[-2]");
  if (a.ndim() == 1) {
    const Tensor product = matmul(a.unsqueeze(0), b);
    return product.squeeze(b.ndim() == 1 ? 0 : product.ndim() - 2);
  }
  if (b.ndim() == 1) {
    const Tensor product = matmul(a, b.unsqueeze(1));
    return product.squeeze(product.ndim() - 1);
  }
  if (!is_floating(a.dtype())) return integer_product(a, b);
  if (b.ndim() == 2) return restored(matrix_product(as_rows(a), b), a);
  const int repeated = repeated_dims(a, b);
  return repeated > 0 ? product_by_rows(a, b, repeated) : matrix_product(a, b);
}

Tensor Tensor::matmul(const Tensor& other) const { return luge::matmul(*this, other); }

Tensor linear(const Tensor& given, const Tensor& given_weight, const Tensor& given_bias) {
  checked(given, "linear", "x");
  checked(given_weight, "linear", "weight");
  const Tensor x = autocast_low(given), weight = autocast_low(given_weight), bias = autocast_low(given_bias);
  LUGE_CHECK(ShapeError, weight.ndim() == 2 || weight.ndim() == 3,
             "linear: weight is {}; allowed are (out, in) and (sets, out, in)", to_string(weight.shape()));
  check_operands("linear", "x", x, "weight", weight);
  LUGE_CHECK(ShapeError, x.ndim() >= 1 && x.shape().back() == weight.shape().back(),
             "linear: x is {}, weight is {}; x[-1] must equal weight[-1]", to_string(x.shape()),
             to_string(weight.shape()));
  if (bias.defined()) {
    Shape expected = weight.shape();
    expected.erase(weight.ndim() - 1);
    check_operands("linear", "x", x, "bias", bias);
    LUGE_CHECK(ShapeError, bias.shape() == expected, "linear: bias is {}; weight {} asks for {}",
               to_string(bias.shape()), to_string(weight.shape()), to_string(expected));
  }
  if (weight.ndim() == 2 && x.ndim() != 2) {
    if (x.ndim() == 1) return linear(x.unsqueeze(0), weight, bias).squeeze(0);
    return restored(linear(as_rows(x), weight, bias), x);
  }
  LUGE_CHECK(ShapeError, weight.ndim() == 2 || x.ndim() == 2 || (x.ndim() >= 3 && x.size(0) == weight.size(0)),
             "linear: x is {} and weight is {}; allowed are x (batch, in) or (sets, ..., in)", to_string(x.shape()),
             to_string(weight.shape()));
  if (x.ndim() > 3) {  // the samples of each set as one dimension
    const Tensor samples = linear(x.flatten(1, -2), weight, bias);
    Shape shape = x.shape();
    shape[x.ndim() - 1] = samples.shape().back();
    return samples.reshape(shape);
  }

  const Shape batch = broadcast_shapes("linear", batch_of(x.shape()), batch_of(weight.shape()));
  Tensor result = empty_tensor(with_matrix(batch, x.shape()[x.ndim() - 2], weight.shape()[weight.ndim() - 2]),
                               x.dtype(), x.storage()->backend());
  if (bias.defined())  // the product accumulates onto it
    copy_values(no_grad([&] { return bias.unsqueeze(-2); }), result, Store::Overwrite);
  no_grad([&] { multiply(x, weight.transpose(-1, -2), result, bias.defined() ? Store::Accumulate : Store::Overwrite); });
  if (grad_enabled() && (needs_grad(x) || needs_grad(weight) || needs_grad(bias)))
    record(result, Ref<Node>(new LinearNode(x, weight, bias)));
  return result;
}

}  // namespace luge
