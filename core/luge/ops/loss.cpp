#include <luge/ops/loss.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/loss_terms.h>
#include <luge/ops/softmax.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

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

  /// dy (exp(logits - lse) - [class is the label])
  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    const Tensor logits = saved_input(0, logits_), labels = labels_.get(name()).unsqueeze(-1);
    const std::int64_t count = logits.shape().back();
    const Tensor classes = arange(count, {.dtype = DType::Int64, .device = logits.device()});
    Tensor dy = gradient.unsqueeze(-1);
    // As the kernels have it, where the device does not check labels.
    if (!logits.device().is_cpu()) dy = where((labels >= 0).logical_and(labels < count), dy, kNan);
    give(0, dy * (exp(logits - logits.logsumexp(-1, true)) - (classes == labels).to(logits.dtype())));
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

Tensor classes_last(const Tensor& x, int dim) {
  if (dim == x.ndim() - 1) return x;
  std::vector<int> order;
  for (int d = 0; d < x.ndim(); ++d)
    if (d != dim) order.push_back(d);
  order.push_back(dim);
  return x.permute(order);
}

/// The mean of losses that weigh this much.
Tensor weighted(const Tensor& losses, const Tensor& weights, Reduction reduction) {
  if (reduction == Reduction::Mean) return losses.sum() / weights.sum();
  if (reduction != Reduction::PerSet) return reduced("cross_entropy", losses, reduction);
  return losses.ndim() == 1 ? losses / weights : losses.flatten(1).sum(1) / weights.flatten(1).sum(1);
}

/// The mean of the losses that `counts` holds 1 for; the others are 0. Where all count it has the bits of the mean of all.
Tensor counted(const Tensor& losses, const Tensor& counts, Reduction reduction) {
  const Tensor found = reduced("cross_entropy", losses, reduction);
  if (reduction == Reduction::Mean) return found * (static_cast<double>(losses.numel()) / counts.sum());
  if (reduction != Reduction::PerSet) return found;
  if (losses.ndim() == 1) return found / counts;
  return found * (static_cast<double>(losses.numel() / std::max<std::int64_t>(losses.size(0), 1)) / counts.flatten(1).sum(1));
}

/// The checked arguments of cross_entropy, with the classes as last dimension.
struct Classified {
  Tensor logits;  // contiguous
  Tensor target;
  Tensor weight;  // undefined without one
  Shape samples;  // the logits' shape without the classes
  std::int64_t classes;
};

Classified classified(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const TensorImpl& impl = checked(logits, "cross_entropy", "logits");
  const TensorImpl& wanted = checked(target, "cross_entropy", "target");
  LUGE_CHECK(DTypeError, is_floating(impl.dtype), "cross_entropy: logits are {}; allowed are the floating dtypes",
             name(impl.dtype));
  const int sets = options.reduction == Reduction::PerSet ? 1 : 0;
  const Shape& shape = impl.shape;
  LUGE_CHECK(ShapeError, shape.ndim() > sets, "cross_entropy: logits are {}; they need {}a dimension of classes",
             to_string(shape), sets ? "a leading dimension of sets (PerSet) and " : "");
  const int dim = shape.ndim() == sets + 1 ? sets : sets + 1;
  const std::int64_t classes = shape[dim];
  LUGE_CHECK(ShapeError, classes > 0, "cross_entropy: logits are {}; dimension {}, the classes, must be 1 or more",
             to_string(shape), dim);
  LUGE_CHECK(DeviceError, logits.device() == target.device(), "cross_entropy: logits are on {} and target on {}",
             to_string(logits.device()), to_string(target.device()));
  LUGE_CHECK(ValueError, options.label_smoothing >= 0 && options.label_smoothing <= 1,
             "cross_entropy: label_smoothing is {}; it must be from 0 to 1", options.label_smoothing);
  Shape samples = shape;
  samples.erase(dim);
  const bool is_shape_of_labels = goes_with(wanted.shape, samples, options.reduction);
  const bool is_shape_of_probabilities = goes_with(wanted.shape, shape, options.reduction);
  LUGE_CHECK(ShapeError, is_shape_of_labels || is_shape_of_probabilities,
             "cross_entropy: logits are {} and target is {}; labels must be {}, probabilities of classes {}",
             to_string(shape), to_string(wanted.shape), allowed_shapes(samples, options.reduction),
             allowed_shapes(shape, options.reduction));
  const bool probabilities = is_floating(wanted.dtype);
  LUGE_CHECK(DTypeError, probabilities ? wanted.dtype == impl.dtype : is_index(wanted.dtype),
             "cross_entropy: target is {} and logits are {}; labels are int32 or int64, probabilities of the logits' "
             "dtype",
             name(wanted.dtype), name(impl.dtype));
  LUGE_CHECK(DTypeError, !probabilities || is_shape_of_probabilities,
             "cross_entropy: target is {} and has the shape of labels, {}; labels are int32 or int64, probabilities of "
             "classes have the shape {}",
             name(wanted.dtype), to_string(wanted.shape), allowed_shapes(shape, options.reduction));
  LUGE_CHECK(ShapeError, probabilities || is_shape_of_labels,
             "cross_entropy: logits are {} and target is {}; labels must be {}", to_string(shape),
             to_string(wanted.shape), allowed_shapes(samples, options.reduction));
  LUGE_CHECK(ValueError, !probabilities || !options.ignore_index,
             "cross_entropy: ignore_index is {} and the target holds probabilities; it is for labels",
             options.ignore_index.value_or(0));
  if (options.weight.defined()) {
    const TensorImpl& weight = *options.weight.impl();
    LUGE_CHECK(ShapeError, weight.shape == Shape{classes},
               "cross_entropy: weight is {}; it must be ({},), one per class", to_string(weight.shape), classes);
    LUGE_CHECK(DTypeError, weight.dtype == impl.dtype,
               "cross_entropy: weight is {} and logits are {}; they must be alike", name(weight.dtype),
               name(impl.dtype));
    LUGE_CHECK(DeviceError, options.weight.device() == logits.device(),
               "cross_entropy: logits are on {} and weight on {}", to_string(logits.device()),
               to_string(options.weight.device()));
  }
  const int dropped = shape.ndim() - wanted.shape.ndim();  // 1 where the target has no sets
  const DType dtype = arithmetic_dtype(impl.dtype);  // several steps, rounded once
  return {.logits = classes_last(logits, dim).to(dtype).contiguous(),
          .target = probabilities ? classes_last(target, dim - dropped).to(dtype) : target,
          .weight = options.weight.defined() ? options.weight.to(dtype) : Tensor(),
          .samples = samples,
          .classes = classes};
}

Tensor of_probabilities(const Classified& given, const CrossEntropyOptions& options) {
  Tensor target = given.target;
  const double smoothing = options.label_smoothing;
  if (smoothing > 0) target = target * (1 - smoothing) + smoothing / static_cast<double>(given.classes);
  Tensor terms = log_softmax(given.logits, -1) * target;
  if (given.weight.defined()) terms = terms * given.weight;
  return reduced("cross_entropy", -terms.sum(-1), options.reduction);
}

Tensor of_labels(const Classified& given, const CrossEntropyOptions& options) {
  const KeptLabels kept = options.ignore_index
                              ? kept_labels("cross_entropy", given.target, given.classes, *options.ignore_index)
                              : KeptLabels{checked_labels("cross_entropy", given.target, given.classes), {}};
  const Tensor ignored = kept.ignored.defined() ? kept.ignored.expand(given.samples) : Tensor();
  const Tensor labels = kept.labels.expand(given.samples).contiguous();
  Tensor losses = sample_losses(given.logits, labels), weights;
  if (given.weight.defined()) {
    weights = given.weight.gather(0, labels.reshape({labels.numel()})).reshape(given.samples);
    losses = losses * weights;
  }
  if (const double smoothing = options.label_smoothing; smoothing > 0) {
    Tensor all = log_softmax(given.logits, -1);
    if (given.weight.defined()) all = all * given.weight;
    losses = losses * (1 - smoothing) - all.sum(-1) * (smoothing / static_cast<double>(given.classes));
  }
  if (ignored.defined()) {
    losses = where(ignored, 0, losses);
    if (!weights.defined()) return counted(losses, where(ignored, 0, ones_like(losses)), options.reduction);
    weights = where(ignored, 0, weights);
  }
  return weights.defined() ? weighted(losses, weights, options.reduction)
                           : reduced("cross_entropy", losses, options.reduction);
}

}  // namespace

Tensor mse_loss(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  const Operation called("mse_loss");
  const Shape& shape = checked(prediction, "mse_loss", "prediction").shape;
  const Shape& wanted = checked(target, "mse_loss", "target").shape;
  LUGE_CHECK(ShapeError, goes_with(wanted, shape, reduction),
             "mse_loss: prediction is {} and target is {}; the target must be {}", to_string(shape), to_string(wanted),
             allowed_shapes(shape, reduction));
  const DType dtype = autocast_float32(promote(prediction.dtype(), target.dtype()), prediction.device());
  if (autocast_mode.is_on())
    return reduced("mse_loss", square(prediction.to(dtype) - target.to(dtype)), reduction);
  if (!is_storage_only(dtype) || !is_floating(dtype))
    return reduced("mse_loss", square(prediction - target), reduction);
  const DType wide = arithmetic_dtype(dtype);  // several steps, rounded once
  return reduced("mse_loss", square(prediction.to(wide) - target.to(wide)), reduction).to(dtype);
}

Tensor cross_entropy(const Tensor& given_logits, const Tensor& given_target, const CrossEntropyOptions& given_options) {
  const Operation called("cross_entropy");
  const Tensor logits = autocast_float32(given_logits), target = autocast_float32(given_target);
  CrossEntropyOptions options = given_options;
  options.weight = autocast_float32(options.weight);
  const Classified given = classified(logits, target, options);
  const Tensor loss = is_floating(target.dtype()) ? of_probabilities(given, options) : of_labels(given, options);
  return loss.to(logits.dtype());
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction) {
  return cross_entropy(logits, target, CrossEntropyOptions{.reduction = reduction});
}

}  // namespace luge
