#include <luge/ops/loss.h>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/node.h>
#include <luge/check.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/labels.h>
#include <luge/tensor/iteration.h>
#include <luge/tensor/tensor_impl.h>

namespace luge {

namespace {

Tensor reduced(const char* op, const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::None: return losses;
    case Reduction::Mean: return losses.mean();
    case Reduction::Sum: return losses.sum();
    case Reduction::PerSet: break;
  }
  LUGE_CHECK(ShapeError, losses.ndim() >= 1, "{}: PerSet needs losses with a leading axis of sets; they are 0-d", op);
  return losses.ndim() == 1 ? losses : losses.flatten(1).mean(1);
}

Operand along_rows(const Tensor& tensor, std::int64_t stride) {
  Operand result = operand(tensor);
  result.strides[0] = stride;
  return result;
}

/// Losses of single samples, with all leading dimensions of the logits as rows.
class CrossEntropyNode final : public Node {
 public:
  CrossEntropyNode(const Tensor& logits, const Tensor& target_labels, const Tensor& lse) : Node("cross_entropy") {
    add_input(logits);
    logits_.save(logits);
    labels_.save(target_labels);
    lse_.save(lse);
  }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const Tensor logits = logits_.get(name()), labels = labels_.get(name()), lse = lse_.get(name());
    const GradSlot::Target out = slot->open(logits.shape(), logits.dtype(), logits.storage()->backend());
    if (logits.numel() == 0) return;
    const bool constant = gradient.numel() == 1 || gradient.strides() == Dims::filled(gradient.ndim(), 0);
    const Tensor dy = constant ? gradient : gradient.contiguous();
    CrossEntropy call;
    call.direction = Direction::Backward;
    call.columns = logits.shape().back();
    call.rows = logits.numel() / call.columns;
    call.logits = along_rows(logits, call.columns);
    call.target = along_rows(labels, 1);
    call.lse = along_rows(lse, 1);
    call.dy = along_rows(dy, constant ? 0 : 1);
    call.out = along_rows(out.buffer, call.columns);
    call.store = out.store;
    logits.storage()->backend().run(call);
  }

  void release_saved() override {
    logits_.clear();
    labels_.clear();
    lse_.clear();
  }

 private:
  SavedTensor logits_, labels_, lse_;
};

/// logits (..., classes) contiguous, labels contiguous int64 (...) -> (...)
Tensor sample_losses(const Tensor& logits, const Tensor& labels) {
  Backend& on = logits.storage()->backend();
  Tensor losses = empty_tensor(labels.shape(), logits.dtype(), on);
  const Tensor lse = empty_tensor(labels.shape(), logits.dtype(), on);
  if (losses.numel() > 0) {
    CrossEntropy call;
    call.columns = logits.shape().back();
    call.rows = losses.numel();
    call.logits = along_rows(logits, call.columns);
    call.target = along_rows(labels, 1);
    call.lse = along_rows(lse, 1);
    call.out = along_rows(losses, 1);
    on.run(call);
  }
  if (grad_enabled() && needs_grad(logits)) record(losses, Ref<Node>(new CrossEntropyNode(logits, labels, lse)));
  return losses;
}

}  // namespace

Tensor mse_loss(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  const Operation called("mse_loss");
  checked(prediction, "mse_loss", "prediction");
  checked(target, "mse_loss", "target");
  broadcast_shapes("mse_loss", prediction.shape(), target.shape());
  return reduced("mse_loss", square(prediction - target), reduction);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction) {
  const Operation called("cross_entropy");
  const TensorImpl& impl = checked(logits, "cross_entropy", "logits");
  checked(target, "cross_entropy", "target");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "cross_entropy: logits are {}; allowed are float32 and float64",
             name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape.ndim() >= 1 && impl.shape.back() > 0,
             "cross_entropy: logits are {}; they need a last dimension of at least one class", to_string(impl.shape));
  LUGE_CHECK(DeviceError, logits.device() == target.device(), "cross_entropy: logits are on {} and target on {}",
             to_string(logits.device()), to_string(target.device()));
  Shape samples = impl.shape;
  samples.erase(samples.ndim() - 1);
  LUGE_CHECK(ShapeError, target.ndim() <= samples.ndim() && broadcast_shapes("cross_entropy", samples, target.shape()) == samples,
             "cross_entropy: logits are {} and target is {}; the target must broadcast to {}", to_string(impl.shape),
             to_string(target.shape()), to_string(samples));
  const Tensor labels = checked_labels("cross_entropy", target, impl.shape.back()).expand(samples).contiguous();
  return reduced("cross_entropy", sample_losses(logits.contiguous(), labels), reduction);
}

}  // namespace luge
