// One op with a derivative of its own: the way back needs x and two numbers per row, and passes over x twice.

#include <luge/ops/detail/standardized.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/detail/derivative_node.h>
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

}  // namespace

Standardized standardized(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const DimList& dims,
                          double eps, bool centred) {
  const auto kept = std::make_shared<Kept>(Kept{dims, eps, centred, weight.defined(), bias.defined(), needs_grad(x),
                                                needs_grad(weight), needs_grad(bias), {}});
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
