#include <luge/ops/margin_loss.h>

#include <tuple>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/loss_terms.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/result_type.h>
#include <luge/ops/similarity.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// The floating dtype of the loss. Throws DTypeError where there is none.
template <class... Input>
DType loss_dtype(const char* op, const Input&... inputs) {
  (checked(inputs, op), ...);
  const DType dtype = autocast_float32(result_type(inputs...), std::get<0>(std::tie(inputs...)).device());
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the arguments are {}; one of them must be of a floating dtype", op,
             name(dtype));
  return dtype;
}

Tensor wide(const Tensor& x, DType dtype) { return x.to(arithmetic_dtype(dtype)); }

Tensor above_zero(const Tensor& x) { return clamp(x, 0, std::nullopt); }

}  // namespace

Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin, Reduction reduction) {
  constexpr const char* kOp = "hinge_embedding_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, input, target);
  const Tensor x = wide(input, dtype);
  const Tensor near = where(target != -1, x, 0), far = where(target != 1, above_zero(margin - x), 0);
  return reduced(kOp, near + far, reduction).to(dtype);
}

Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction reduction) {
  constexpr const char* kOp = "margin_ranking_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, a, b, target);
  LUGE_CHECK(ShapeError, a.ndim() == b.ndim() && a.ndim() == target.ndim(),
             "{}: input1 is {}, input2 is {} and target is {}; they must have as many dimensions", kOp,
             to_string(a.shape()), to_string(b.shape()), to_string(target.shape()));
  const Tensor losses = above_zero(-wide(target, dtype) * (wide(a, dtype) - wide(b, dtype)) + margin);
  return reduced(kOp, losses, reduction).to(dtype);
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin, Reduction reduction) {
  constexpr const char* kOp = "cosine_embedding_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, a, b);
  const int dims = checked(target, kOp, "target").shape.ndim() + 1;
  LUGE_CHECK(ShapeError, dims <= 2, "{}: target is {}; it must have one dimension or none", kOp,
             to_string(target.shape()));
  LUGE_CHECK(ShapeError, a.ndim() == dims && b.ndim() == dims,
             "{}: target is {}, input1 is {} and input2 is {}; the inputs must have one dimension more", kOp,
             to_string(target.shape()), to_string(a.shape()), to_string(b.shape()));
  const Tensor x = wide(a, dtype), y = wide(b, dtype);
  constexpr double kTiny = 1e-12;  // as PyTorch has it
  const Tensor lengths = (square(x).sum(dims - 1) + kTiny) * (square(y).sum(dims - 1) + kTiny);
  const Tensor cosine = (x * y).sum(dims - 1) / sqrt(lengths);
  const Tensor near = where(target == 1, 1 - cosine, 0), far = where(target == -1, above_zero(cosine - margin), 0);
  return reduced(kOp, near + far, reduction).to(dtype);
}

Tensor soft_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  constexpr const char* kOp = "soft_margin_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, input, target);
  check_goes_with(kOp, "target", target, "input", input.shape(), reduction);
  return reduced(kOp, softplus(-wide(target, dtype) * wide(input, dtype)), reduction).to(dtype);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletOptions& options) {
  constexpr const char* kOp = "triplet_margin_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, anchor, positive, negative);
  LUGE_CHECK(ShapeError, anchor.ndim() == positive.ndim() && anchor.ndim() == negative.ndim(),
             "{}: anchor is {}, positive is {} and negative is {}; they must have as many dimensions", kOp,
             to_string(anchor.shape()), to_string(positive.shape()), to_string(negative.shape()));
  LUGE_CHECK(ValueError, options.margin > 0, "{}: margin is {}; it must be above 0", kOp, options.margin);
  const Tensor a = wide(anchor, dtype), p = wide(positive, dtype), n = wide(negative, dtype);
  const Tensor near = pairwise_distance(a, p, options.p, options.eps);
  Tensor far = pairwise_distance(a, n, options.p, options.eps);
  if (options.swap) far = minimum(far, pairwise_distance(p, n, options.p, options.eps));
  return reduced(kOp, above_zero(near - far + options.margin), options.reduction).to(dtype);
}

Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight, Reduction reduction) {
  constexpr const char* kOp = "multilabel_soft_margin_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, input, target);
  check_goes_with(kOp, "target", target, "input", input.shape(), reduction);
  const Tensor x = wide(input, dtype), t = wide(target, dtype);
  Tensor losses = t * softplus(-x) + (1 - t) * softplus(x);
  if (weight.defined()) losses = losses * wide(weight, dtype);
  return reduced(kOp, losses.ndim() == 0 ? losses : losses.mean(losses.ndim() - 1), reduction).to(dtype);
}

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginOptions& options) {
  constexpr const char* kOp = "multi_margin_loss";
  const Operation called(kOp);
  const DType dtype = loss_dtype(kOp, input);
  LUGE_CHECK(ValueError, options.p == 1 || options.p == 2, "{}: p is {}; it must be 1 or 2", kOp, options.p);
  const Shape& shape = input.shape();
  LUGE_CHECK(ShapeError, shape.ndim() == 1 || shape.ndim() == 2,
             "{}: input is {}; it must be (classes) or (batch, classes)", kOp, to_string(shape));
  const int dim = shape.ndim() - 1;
  const std::int64_t classes = shape[dim];
  LUGE_CHECK(ShapeError, classes > 0, "{}: input is {}; it must have a class", kOp, to_string(shape));
  Shape samples = shape;
  samples.erase(dim);
  const Shape& given = checked(target, kOp, "target").shape;
  LUGE_CHECK(ShapeError, given == samples || (samples.empty() && given == Shape{1}),
             "{}: input is {} and target is {}; it must be {}", kOp, to_string(shape), to_string(given),
             to_string(samples));
  const Tensor labels = checked_labels(kOp, target.reshape(samples), classes).unsqueeze(dim);
  const Tensor x = wide(input, dtype);
  Tensor gaps = above_zero(x - x.gather(dim, labels) + options.margin);
  if (options.p == 2) gaps = square(gaps);
  if (options.weight.defined()) {
    LUGE_CHECK(ShapeError, options.weight.shape() == Shape{classes}, "{}: weight is {}; it must be ({},)", kOp,
               to_string(options.weight.shape()), classes);
    const Tensor weights = wide(options.weight, dtype).gather(0, labels.reshape({labels.numel()}));
    gaps = gaps * weights.reshape(labels.shape());
  }
  const Tensor others = arange(classes, {.dtype = DType::Int64, .device = input.device()}) != labels;
  const Tensor losses = where(others, gaps, 0).sum(dim) / static_cast<double>(classes);
  return reduced(kOp, losses, options.reduction).to(dtype);
}

}  // namespace luge
