#include <luge/ops/activation.h>

#include <cmath>
#include <numbers>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/softmax.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

void check_floating(const char* op, const Tensor& x) {
  const DType dtype = checked(x, op).dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the tensor is {}; allowed are the floating dtypes", op, name(dtype));
}

void check_no_bool(const char* op, const Tensor& x) {
  LUGE_CHECK(DTypeError, checked(x, op).dtype != DType::Bool,
             "{}: the tensor is bool; allowed are integer and floating dtypes", op);
}

/// scale x where x > 0, scale alpha (exp(slope x) - 1) elsewhere. NaN goes with x > 0, as in PyTorch.
Tensor exponential(const char* op, const Tensor& x, double alpha, double scale, double slope) {
  check_floating(op, x);
  return rounded_once(x, [&](const Tensor& wide) {
    const Tensor negative = wide <= 0;
    const Tensor below = where(negative, wide, 0);  // so that exp of a large x is in no gradient
    const Tensor curve = expm1(slope == 1 ? below : below * slope) * (alpha * scale);
    return where(negative, curve, scale == 1 ? wide : wide * scale);
  });
}

}  // namespace

Tensor hardtanh(const Tensor& x, double low, double high) {
  const Operation called("hardtanh");
  check_no_bool("hardtanh", x);
  LUGE_CHECK(ValueError, low <= high, "hardtanh: min_val is {} and max_val is {}; min_val must not be greater", low, high);
  if (!is_floating(x.dtype()))
    return clamp(x, Scalar(Scalar(low).to_int64()), Scalar(Scalar(high).to_int64()));
  return where(x <= low, low, where(x >= high, high, x));
}

Tensor relu6(const Tensor& x) {
  const Operation called("relu6");
  return hardtanh(x, 0, 6);
}

Tensor elu(const Tensor& x, double alpha) {
  const Operation called("elu");
  return exponential("elu", x, alpha, 1, 1);
}

Tensor selu(const Tensor& x) {
  const Operation called("selu");
  return exponential("selu", x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1);
}

Tensor celu(const Tensor& x, double alpha) {
  const Operation called("celu");
  LUGE_CHECK(ValueError, alpha != 0, "celu: alpha is 0; it must not be");
  return exponential("celu", x, alpha, 1, 1 / alpha);
}

Tensor hardsigmoid(const Tensor& x) {
  const Operation called("hardsigmoid");
  check_floating("hardsigmoid", x);
  return rounded_once(x, [](const Tensor& wide) {
    const Tensor inside = (wide > -3).logical_and(wide < 3);
    return where(inside, (wide + 3) / 6, (wide.detach().clamp(-3, 3) + 3) / 6);
  });
}

Tensor hardswish(const Tensor& x) {
  const Operation called("hardswish");
  check_floating("hardswish", x);
  return rounded_once(x, [](const Tensor& wide) {
    // 0 in place of what another branch takes: the gradient of the middle would be 0 times infinity there.
    const Tensor inside = where((wide > -3).logical_and(wide < 3), wide, 0), middle = inside * (inside + 3) / 6;
    return where(wide <= -3, wide.detach() * 0, where(wide < 3, middle, wide));
  });
}

Tensor mish(const Tensor& x) {
  const Operation called("mish");
  check_floating("mish", x);
  return rounded_once(x, [](const Tensor& wide) { return wide * tanh(luge::softplus(wide)); });
}

Tensor softsign(const Tensor& x) {
  const Operation called("softsign");
  check_no_bool("softsign", x);
  return rounded_once(x, [](const Tensor& wide) { return wide / (abs(wide) + 1); });
}

Tensor tanhshrink(const Tensor& x) {
  const Operation called("tanhshrink");
  check_no_bool("tanhshrink", x);
  return rounded_once(x, [](const Tensor& wide) { return wide - tanh(wide); });
}

Tensor softshrink(const Tensor& x, double lambd) {
  const Operation called("softshrink");
  check_floating("softshrink", x);
  LUGE_CHECK(ValueError, lambd >= 0, "softshrink: lambd is {}; it must be 0 or more", lambd);
  return rounded_once(x, [&](const Tensor& wide) {
    return where(abs(wide) <= lambd, wide.detach() * 0, where(wide > 0, wide - lambd, wide + lambd));
  });
}

Tensor logsigmoid(const Tensor& x) {
  const Operation called("logsigmoid");
  check_floating("logsigmoid", x);
  return rounded_once(x, [](const Tensor& wide) { return -luge::softplus(-wide); });
}

Tensor gelu_tanh(const Tensor& x) {
  const Operation called("gelu");
  check_floating("gelu", x);
  return rounded_once(x, [](const Tensor& wide) {
    // (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel.
    constexpr double kTwice = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
    return wide * sigmoid(wide * (square(wide) * (0.044715 * kTwice) + kTwice));
  });
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
  const Operation called("softplus");
  const Tensor smooth = luge::softplus(x, beta);
  return where(x * beta > threshold, x, smooth);
}

Tensor prelu(const Tensor& given, const Tensor& given_weight) {
  const Operation called("prelu");
  const Tensor x = autocast_low(given), weight = autocast_low(given_weight);
  check_floating("prelu", x);
  const Shape& shape = x.shape();
  const TensorImpl& slopes = checked(weight, "prelu", "weight");
  LUGE_CHECK(DTypeError, slopes.dtype == x.dtype(), "prelu: input is {} and weight is {}; their dtypes must be equal",
             name(x.dtype()), name(slopes.dtype));
  const std::int64_t channels = shape.ndim() > 1 ? shape[1] : 1;
  LUGE_CHECK(ShapeError, slopes.shape.ndim() <= 1 && (slopes.numel == 1 || slopes.numel == channels),
             "prelu: input has shape {} and weight has shape {}; weight must hold one number or one for each of {} "
             "channels",
             to_string(shape), to_string(slopes.shape), channels);
  Tensor along = weight;
  if (slopes.numel == 1) {
    along = weight.reshape({});
  } else {
    Shape aligned = Dims::filled(shape.ndim(), 1);
    aligned[1] = channels;
    along = weight.reshape(aligned);
  }
  return rounded_once(x, [&](const Tensor& wide) {
    const Tensor positive = wide > 0;
    return where(positive, wide, where(positive, 0, wide) * along.to(wide.dtype()));
  });
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training) {
  const Operation called("rrelu");
  check_floating("rrelu", x);
  LUGE_CHECK(ValueError, lower <= upper, "rrelu: lower is {} and upper is {}; lower must not be greater", lower, upper);
  if (!training) return leaky_relu(x, (lower + upper) / 2);
  return rounded_once(x, [&](const Tensor& wide) {
    const Tensor slope = rand_like(wide.detach()) * (upper - lower) + lower;
    return where(wide <= 0, wide * slope, wide);
  });
}

Tensor glu(const Tensor& x, int dim) {
  const Operation called("glu");
  check_floating("glu", x);
  LUGE_CHECK(ShapeError, x.ndim() > 0, "glu: the tensor has no dimensions; it needs one of an even size");
  const int along = normalize_dim("glu", dim, x.ndim());
  const std::int64_t size = x.shape()[along];
  LUGE_CHECK(ShapeError, size % 2 == 0, "glu: dimension {} has size {}; it must be even", along, size);
  return rounded_once(x, [&](const Tensor& wide) {
    return wide.slice(along, 0, size / 2) * sigmoid(wide.slice(along, size / 2, size));
  });
}

Tensor softmin(const Tensor& x, int dim) {
  const Operation called("softmin");
  return softmax(-x, dim);
}

}  // namespace luge
