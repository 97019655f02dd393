#include <luge/ops/softmax.h>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/autograd/detail/node.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

Operand rows(const Tensor& tensor) {
  Operand result = operand(tensor);
  result.strides[0] = tensor.shape().back();
  return result;
}

void run_rows(Softmax& call, const Tensor& like) {
  call.columns = like.shape().back();
  call.rows = like.numel() / call.columns;
  like.storage()->backend().run(call);
}

/// Works on contiguous rows: the last dimension.
class SoftmaxNode final : public Node {
 public:
  SoftmaxNode(bool log, const Tensor& x, const Tensor& y) : Node(log ? "log_softmax" : "softmax"), log_(log) {
    add_input(x);
    y_.save_output(y);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const Tensor dy = gradient.contiguous(), y = y_.get(name());
    const GradSlot::Target dx = slot->open(y.shape(), y.dtype(), y.storage()->backend());
    if (y.numel() == 0) return;
    Softmax call;
    call.log = log_;
    call.direction = Direction::Backward;
    call.in = rows(dy);
    call.y = rows(y);
    call.out = rows(dx.buffer);
    call.store = dx.store;
    run_rows(call, y);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    const Tensor y = saved_output(y_);
    give(0, log_ ? gradient - exp(y) * gradient.sum(-1, true) : y * (gradient - (gradient * y).sum(-1, true)));
  }

  void release_saved() override { y_.clear(); }

 private:
  bool log_;
  SavedTensor y_;
};

Tensor over_rows(bool log, const Tensor& x) {
  Tensor y = empty_tensor(x.shape(), x.dtype(), x.storage()->backend());
  if (x.numel() > 0) {
    Softmax call;
    call.log = log;
    call.in = rows(x);
    call.out = rows(y);
    run_rows(call, y);
  }
  if (grad_enabled() && needs_grad(x)) record(y, Ref<Node>(new SoftmaxNode(log, x, y)));
  return y;
}

Tensor softmax_along(bool log, const Tensor& given, int dim) {
  const char* const op = log ? "log_softmax" : "softmax";
  checked(given, op);
  const Tensor x = autocast_float32(given);
  const TensorImpl& impl = *x.impl();
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "{}: the tensor is {}; allowed are the floating dtypes", op,
             name(impl.dtype));
  const int d = normalize_dim(op, dim, impl.shape.ndim());
  if (impl.shape.empty()) return over_rows(log, x.reshape({1})).reshape({});
  const int last = impl.shape.ndim() - 1;
  if (d == last) return over_rows(log, x.contiguous());
  return over_rows(log, x.transpose(d, last).contiguous()).transpose(d, last);
}

}  // namespace

Tensor softmax(const Tensor& x, int dim) { return softmax_along(false, x, dim); }
Tensor log_softmax(const Tensor& x, int dim) { return softmax_along(true, x, dim); }
Tensor Tensor::softmax(int dim) const { return luge::softmax(*this, dim); }
Tensor Tensor::log_softmax(int dim) const { return luge::log_softmax(*this, dim); }

}  // namespace luge
