// One op with a derivative of its own: the way back needs x and two numbers per row. The call of the seam computes both ways;
// what has no call of its own, and gradients of gradients, are formulas over other operations.

#include <luge/ops/detail/standardized.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/normalized.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// `value` as a result that waits for `other`. What a fused pass computes from it runs after the pass that computes
/// `other`: differences from a mean are then taken again, which is cheaper than to store and load them.
Tensor after(const Tensor& value, const Tensor& other) { return where(other == other, value, value); }

/// square(x), in place where nothing is recorded; a fused pass would store what is changed in place.
Tensor squared(Tensor x) {
  if (grad_enabled() || observer) return square(x);
  x.square_();
  return x;
}

/// A mean or a sum over dimensions, which stay with size 1: over the last ones first, which a fused pass does on its way, and
/// then of the few results over those that others lie behind.
template <class Reduction>
Tensor reduced(const Tensor& x, const DimList& dims, const Reduction& reduction) {
  std::vector<int> last, rest;
  for (std::size_t i = dims.values().size(); i-- > 0;) {
    const int dim = dims.values()[i];
    (rest.empty() && dim == x.ndim() - 1 - static_cast<int>(last.size()) ? last : rest).push_back(dim);
  }
  if (last.empty() || rest.empty()) return reduction(x, dims);
  return reduction(reduction(x, DimList(last)), DimList(rest));
}

Tensor mean_over(const Tensor& x, const DimList& dims) {
  return reduced(x, dims, [](const Tensor& values, const DimList& over) { return values.mean(over, true); });
}

Moments moments_of(const Tensor& x, const DimList& dims, double eps, bool centred) {
  Moments result;
  if (centred) {
    result.mean = mean_over(x, dims);
    result.variance = mean_over(squared(x - result.mean), dims);
  } else {
    result.variance = mean_over(square(x), dims);
  }
  result.rstd = rsqrt(result.variance + eps);
  return result;
}

/// The dimensions in which `shape` is 1 and `whole` is not.
std::vector<int> broadcast_dims(const Shape& shape, const Shape& whole) {
  std::vector<int> dims;
  for (int d = 0; d < whole.ndim(); ++d)
    if (shape[d] == 1 && whole[d] != 1) dims.push_back(d);
  return dims;
}

Tensor summed_to(const Tensor& x, const Shape& shape) {
  const std::vector<int> dims = broadcast_dims(shape, x.shape());
  if (dims.empty()) return x;
  return reduced(x, DimList(dims), [](const Tensor& values, const DimList& over) { return values.sum(over, true); });
}

/// What the way back knows of the way there.
struct Kept {
  DimList dims;
  double eps;
  bool centred, has_weight, has_bias;
  bool wants_x, wants_weight, wants_bias;
  Moments moments;
};

/// dx = rstd * (h - mean(h) - xhat * mean(h * xhat)) with h = gradient * weight, and xhat = (x - mean) * rstd.
std::vector<Tensor> derivative(const Kept& kept, const Tensor& gradient, std::span<const Tensor> inputs) {
  const Tensor x = widened(inputs[0]), g = widened(gradient);
  const Tensor weight = kept.has_weight ? widened(inputs[1]) : Tensor();
  // Gradients of gradients see how the moments come from x.
  const Moments moments = grad_enabled() ? moments_of(x, kept.dims, kept.eps, kept.centred) : kept.moments;
  const auto centred = [&](const Tensor& mean) { return kept.centred ? x - mean : x; };
  const auto weighted = [&] { return summed_to(kept.has_weight ? g * weight : g, x.shape()); };

  std::vector<Tensor> found(1);
  // Within capture, values are computed again rather than shared: a fused pass stores what others read.
  Tensor h, difference, rstd = moments.rstd;
  if (!observer) {
    difference = centred(moments.mean);
    if (kept.wants_x) h = weighted();
  }
  if (kept.wants_x) {
    const Tensor slope = mean_over(observer ? weighted() * centred(moments.mean) : h * difference, kept.dims) * rstd * rstd;
    const Tensor shift = kept.centred ? mean_over(observer ? weighted() : h, kept.dims) : Tensor();
    if (observer) {
      rstd = after(rstd, slope);
      difference = centred(kept.centred ? after(moments.mean, slope) : Tensor());
      h = weighted();
    }
    const Tensor level = kept.centred ? h - shift : h;
    found[0] = ((level - difference * slope) * rstd).to(inputs[0].dtype());
  }
  if (!difference.defined()) difference = centred(moments.mean);
  if (kept.has_weight) {
    Tensor own;
    if (kept.wants_weight) own = summed_to(g * (difference * rstd), inputs[1].shape()).to(inputs[1].dtype());
    found.push_back(own);
  }
  if (kept.has_bias) found.push_back(kept.wants_bias ? summed_to(g, inputs.back().shape()).to(inputs.back().dtype()) : Tensor());
  return found;
}

/// What the call of the seam computed. Inputs are x, then weight and bias as far as there are any.
class NormalizationNode final : public Node {
 public:
  NormalizationNode(const char* op, const Normalization& call, Kept kept, RowNumbers numbers, const Tensor& x, const Tensor& weight,
                    const Tensor& bias)
      : Node(op), call_(call), kept_(std::move(kept)), numbers_(std::move(numbers)) {
    add_input(x);
    x_.save(x);
    if (weight.defined()) {
      add_input(weight);
      weight_.save(weight);
      slots_.weight_shape = weight.shape();
    }
    if (!bias.defined()) return;
    add_input(bias);
    bias_.save(bias);
    slots_.bias_shape = bias.shape();
    slots_.bias_dtype = bias.dtype();
  }

  void backward(const Tensor& gradient) override {
    NormalizationSlots slots = slots_;
    slots.x = target(0);
    if (kept_.has_weight) slots.weight = target(1);
    if (kept_.has_bias) slots.bias = target(inputs() - 1);
    if (!slots.x && !slots.weight && !slots.bias) return;
    run_backward(call_, gradient, x_.get(name()), kept_.has_weight ? weight_.get(name()) : Tensor(), numbers_, slots);
  }

  void differentiable_backward(const Tensor& gradient) override {
    std::vector<Tensor> all{saved_input(0, x_)};
    if (kept_.has_weight) all.push_back(saved_input(1, weight_));
    if (kept_.has_bias) all.push_back(saved_input(inputs() - 1, bias_));
    const std::vector<Tensor> found = derivative(kept_, gradient, all);
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i].defined() && wants(static_cast<int>(i))) give(static_cast<int>(i), found[i]);
  }

  void release_saved() override {
    for (SavedTensor* const saved : {&x_, &weight_, &bias_}) saved->clear();
    numbers_ = {};
  }

 private:
  Normalization call_;
  Kept kept_;
  RowNumbers numbers_;
  NormalizationSlots slots_;
  SavedTensor x_, weight_, bias_;
};

Standardized by_call(const char* op, const Normalization& call, const Tensor& given, const Tensor& weight, const Tensor& bias,
                     const Kept& kept, bool wants_moments) {
  const Tensor x = given.contiguous();
  const bool records = grad_enabled() && (kept.wants_x || kept.wants_weight || kept.wants_bias);
  const RowNumbers numbers = no_grad([&] { return empty_numbers(call, x, records, wants_moments); });
  Tensor y = run_forward(call, x, weight, bias, numbers);
  Standardized result;
  if (wants_moments) {
    const NoGrad guard;
    Shape shape{call.sets, call.over_batch ? 1 : call.batch, call.groups};
    for (int d = 3; d < x.ndim(); ++d) shape.push_back(1);
    result.moments.mean = numbers.mean.defined() ? numbers.mean.reshape(shape) : Tensor();
    result.moments.variance = numbers.variance.reshape(shape);
  }
  if (records) record(y, Ref<Node>(new NormalizationNode(op, call, kept, numbers, x, weight, bias)));
  result.value = std::move(y);
  return result;
}

}  // namespace

Standardized standardized(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const DimList& dims,
                          double eps, bool centred, bool wants_moments) {
  const Kept known{dims, eps, centred, weight.defined(), bias.defined(), needs_grad(x), needs_grad(weight), needs_grad(bias), {}};
  if (const std::optional<Normalization> call = normalization(x, weight, bias, dims, eps, centred))
    return by_call(op, *call, x, weight, bias, known, wants_moments);
  const auto kept = std::make_shared<Kept>(known);
  const auto formula = [&] {
    const Tensor wide = widened(x);
    const Moments moments = moments_of(wide, dims, eps, centred);
    kept->moments = moments;
    Tensor y = centred ? wide - (observer ? after(moments.mean, moments.rstd) : moments.mean) : wide * moments.rstd;
    if (centred) y.mul_(moments.rstd);
    const auto grows = [&](const Tensor& by) { return broadcast_shapes(op, y.shape(), by.shape()) != y.shape(); };
    if (weight.defined()) y = grows(weight) ? y * widened(weight) : y.mul_(widened(weight));
    if (bias.defined()) y = grows(bias) ? y + widened(bias) : y.add_(widened(bias));
    return y.to(x.dtype());
  };
  const auto way_back = [kept](const Tensor& gradient, std::span<const Tensor> inputs) {
    return derivative(*kept, gradient, inputs);
  };
  Tensor value = weight.defined() && bias.defined() ? with_derivative(op, {x, weight, bias}, formula, way_back)
                 : weight.defined()                 ? with_derivative(op, {x, weight}, formula, way_back)
                 : bias.defined()                   ? with_derivative(op, {x, bias}, formula, way_back)
                                                    : with_derivative(op, {x}, formula, way_back);
  return {std::move(value), kept->moments};
}

}  // namespace luge
