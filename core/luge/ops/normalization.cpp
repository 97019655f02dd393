#include <luge/ops/normalization.h>

#include <limits>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/detail/standardized.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/window.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

void check_floating(const char* op, const Tensor& x) {
  const DType dtype = checked(x, op).dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: the tensor is {}; allowed are the floating dtypes", op, name(dtype));
}

/// Of a weight, a bias or running statistics.
void check_dtype(const char* op, const char* argument, const Tensor& given, DType x) {
  if (!given.defined()) return;
  LUGE_CHECK(DTypeError, given.dtype() == x || (is_storage_only(x) && given.dtype() == DType::Float32),
             "{}: {} is {} and the tensor {}; it must be {}{}", op, argument, name(given.dtype()), name(x), name(x),
             is_storage_only(x) ? " or float32" : "");
}

/// A weight (..., shape) or (sets, ..., shape) as one that broadcasts against (sets, rows, elements).
Tensor per_row(const char* op, const char* argument, const Tensor& given, const Shape& shape, std::int64_t elements,
               std::int64_t& sets) {
  if (!given.defined()) return given;
  Shape own = given.shape();
  const bool batched = own.ndim() == shape.ndim() + 1;
  const std::int64_t count = batched ? own[0] : 1;
  if (batched) own.erase(0);
  LUGE_CHECK(ShapeError, own == shape && (!batched || sets == 0 || sets == count),
             "{}: {} has shape {}; it must have normalized_shape {}, or that behind one axis of sets", op, argument,
             to_string(given.shape()), to_string(shape));
  if (batched) sets = count;
  return given.reshape({count, 1, elements});
}

Tensor over_last(const char* op, const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias, double eps,
                 bool centred) {
  check_dtype(op, "weight", weight, x.dtype());
  check_dtype(op, "bias", bias, x.dtype());
  LUGE_CHECK(ShapeError, shape.ndim() >= 1, "{}: normalized_shape is (); it must have one dimension or more", op);
  const int lead = x.ndim() - shape.ndim();
  bool fits = lead >= 0;
  for (int d = 0; fits && d < shape.ndim(); ++d) fits = x.shape()[lead + d] == shape[d];
  LUGE_CHECK(ShapeError, fits, "{}: the tensor has shape {}; it must end with normalized_shape {}", op, to_string(x.shape()),
             to_string(shape));
  const std::int64_t elements = element_count(shape);
  std::int64_t sets = 0, rows = 1;
  const Tensor w = per_row(op, "weight", weight, shape, elements, sets);
  const Tensor b = per_row(op, "bias", bias, shape, elements, sets);
  const bool own_rows = sets > 0 && lead > 1;
  LUGE_CHECK(ShapeError, sets == 0 || (own_rows ? x.shape()[0] == sets : lead == 1),
             "{}: the tensor has shape {}; with {} sets it must have one dimension before normalized_shape {}, or {} and then more",
             op, to_string(x.shape()), sets, to_string(shape), sets);
  for (int d = own_rows ? 1 : 0; d < lead; ++d) rows *= x.shape()[d];
  const Tensor y = standardized(op, x.reshape({own_rows ? sets : 1, rows, elements}), w, b, 2, eps, centred).value;
  Shape result = x.shape();
  if (sets > 0 && !own_rows) result.insert(0, sets);
  return y.reshape(result);
}

/// x (batch, channels, ...) as (sets, batch, channels, elements), with 1 for sets that it is the same for.
struct Channels {
  Tensor x;
  Shape result;  ///< the shape of what comes out
  std::int64_t channels;
};

/// The one length that tensors have by channel; the sets before it, or 0.
struct PerChannel {
  const char* op;
  std::int64_t channels = -1, sets = 0;

  void see(const char* argument, const Tensor& given) {
    if (!given.defined()) return;
    LUGE_CHECK(ShapeError, given.ndim() == 1 || given.ndim() == 2, "{}: {} has shape {}; it must be (channels) or (sets, channels)", op,
               argument, to_string(given.shape()));
    const std::int64_t own = given.shape().back();
    LUGE_CHECK(ShapeError, channels < 0 || own == channels, "{}: {} has {} channels; another argument has {}", op, argument, own,
               channels);
    channels = own;
    if (given.ndim() == 1) return;
    LUGE_CHECK(ShapeError, sets == 0 || given.shape()[0] == sets, "{}: {} has {} sets; another argument has {}", op, argument,
               given.shape()[0], sets);
    sets = given.shape()[0];
  }

  Channels split(const Tensor& x) const {
    const int ndim = x.ndim();
    LUGE_CHECK(ShapeError, ndim >= 2, "{}: the tensor has shape {}; it must be (batch, channels, ...)", op, to_string(x.shape()));
    const bool own = sets > 0 && ndim > 2;
    if (own)
      LUGE_CHECK(ShapeError, x.shape()[0] == sets && x.shape()[2] == channels,
                 "{}: the tensor has shape {}; with {} sets of {} channels it must be (batch, {}) or ({}, batch, {}, ...)", op,
                 to_string(x.shape()), sets, channels, channels, sets, channels);
    const int at = own ? 2 : 1;
    const std::int64_t count = x.shape()[at];
    LUGE_CHECK(ShapeError, channels < 0 || count == channels, "{}: the tensor has shape {}; it must have {} channels in dimension {}",
               op, to_string(x.shape()), channels, at);
    std::int64_t elements = 1;
    for (int d = at + 1; d < ndim; ++d) elements *= x.shape()[d];
    Shape result = x.shape();
    if (sets > 0 && !own) result.insert(0, sets);
    return {x.reshape({own ? sets : 1, x.shape()[at - 1], count, elements}), result, count};
  }
};

/// (channels) or (sets, channels) against (sets, batch, channels, elements).
Tensor by_channel(const Tensor& given) {
  if (!given.defined()) return given;
  return given.reshape({given.ndim() == 2 ? given.shape()[0] : 1, 1, given.shape().back(), 1});
}

/// Moves running statistics to values (1 or sets, 1, channels, 1).
void follow(const Tensor& running, const Tensor& value, const Momentum& momentum) {
  if (!running.defined()) return;
  const Tensor old = widened(running), next = running.ndim() == 2 ? value.reshape({value.size(0), value.size(2)})
                                                                  : value.reshape({value.size(2)});
  Tensor to = running;
  if (!momentum.tensor().defined()) {
    to.copy_(next * momentum.fraction() + old * (1 - momentum.fraction()));
    return;
  }
  Tensor fraction = momentum.tensor().to(old.dtype());
  if (fraction.ndim() > 0) fraction = fraction.unsqueeze(-1);
  to.copy_(next * fraction + old * (1 - fraction));
}

void check_running(const char* op, const char* argument, const Tensor& running, std::int64_t sets) {
  LUGE_CHECK(ShapeError, !running.defined() || sets == 0 || running.ndim() == 2,
             "{}: {} has shape {}; with {} sets it must be (sets, channels)", op, argument, to_string(running.shape()), sets);
}

/// (x - running mean) / sqrt(running variance + eps) * weight + bias.
Tensor by_running(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& weight, const Tensor& bias, double eps) {
  Tensor scale = rsqrt(widened(by_channel(variance)) + eps);
  if (weight.defined()) scale = scale * widened(by_channel(weight));
  const Tensor y = (widened(x) - widened(by_channel(mean))) * scale;
  return (bias.defined() ? y + widened(by_channel(bias)) : y).to(x.dtype());
}

/// batch_norm() and instance_norm(), which differ in the dimensions that the moments are over.
Tensor over_channels(const char* op, const char* learns, const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool training, bool each_sample, const Momentum& momentum,
                     double eps) {
  check_floating(op, x);
  LUGE_CHECK(ValueError, training || (running_mean.defined() && running_var.defined()),
             "{}: running_mean or running_var is missing; without {} both must be given", op, learns);
  PerChannel shape{.op = op};
  const std::pair<const char*, const Tensor&> arguments[] = {
      {"running_mean", running_mean}, {"running_var", running_var}, {"weight", weight}, {"bias", bias}};
  for (const auto& [argument, given] : arguments) {
    check_dtype(op, argument, given, x.dtype());
    shape.see(argument, given);
  }
  check_running(op, "running_mean", running_mean, shape.sets);
  check_running(op, "running_var", running_var, shape.sets);
  const Channels input = shape.split(x);
  if (!training) return by_running(input.x, running_mean, running_var, weight, bias, eps).reshape(input.result);

  const std::int64_t count = input.x.size(3) * (each_sample ? 1 : input.x.size(1));
  LUGE_CHECK(ValueError, count != 1, "{}: the tensor has shape {}; with {} there must be more than one value per channel", op,
             to_string(x.shape()), learns);
  const bool follows = (running_mean.defined() || running_var.defined()) && x.numel() > 0;
  const auto [value, moments] = standardized(op, input.x, by_channel(weight), by_channel(bias),
                                             each_sample ? DimList{3} : DimList{1, 3}, eps, true, follows);
  if (follows) {
    const NoGrad guard;
    const auto over_batch = [&](const Tensor& moment) { return each_sample ? moment.mean(1, true) : moment; };
    follow(running_mean, over_batch(moments.mean), momentum);
    const double n = static_cast<double>(count);
    follow(running_var, over_batch(moments.variance) * (n / (n - 1)), momentum);
  }
  return value.reshape(input.result);
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight, const Tensor& bias, double eps) {
  const Operation called("layer_norm");
  check_floating("layer_norm", x);
  return over_last("layer_norm", autocast_float32(x), shape, weight, bias, eps, true);
}

Tensor rms_norm(const Tensor& x, const Shape& shape, const Tensor& weight, std::optional<double> eps) {
  const Operation called("rms_norm");
  check_floating("rms_norm", x);
  const double least = arithmetic_dtype(x.dtype()) == DType::Float64 ? std::numeric_limits<double>::epsilon()
                                                                     : std::numeric_limits<float>::epsilon();
  return over_last("rms_norm", autocast_float32(x), shape, weight, {}, eps.value_or(least), false);
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  const char* const op = "group_norm";
  const Operation called(op);
  check_floating(op, x);
  LUGE_CHECK(ValueError, groups >= 1, "{}: num_groups is {}; it must be 1 or more", op, groups);
  PerChannel shape{.op = op};
  check_dtype(op, "weight", weight, x.dtype());
  check_dtype(op, "bias", bias, x.dtype());
  shape.see("weight", weight);
  shape.see("bias", bias);
  const Channels input = shape.split(autocast_float32(x));
  LUGE_CHECK(ShapeError, input.channels % groups == 0, "{}: {} channels cannot be in {} groups of equal size", op, input.channels,
             groups);
  const std::int64_t each = input.channels / groups, elements = input.x.size(3);
  const auto grouped = [&](const Tensor& given) {
    if (!given.defined()) return given;
    return given.reshape({given.ndim() == 2 ? given.shape()[0] : 1, 1, groups, each, 1});
  };
  return standardized(op, input.x.reshape({input.x.size(0), input.x.size(1), groups, each, elements}), grouped(weight), grouped(bias),
                      {3, 4}, eps)
      .value.reshape(input.result);
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight, const Tensor& bias,
                  bool training, const Momentum& momentum, double eps) {
  const Operation called("batch_norm");
  return over_channels("batch_norm", "training", x, running_mean, running_var, weight, bias, training, false, momentum, eps);
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight, const Tensor& bias,
                     bool use_input_stats, const Momentum& momentum, double eps) {
  const Operation called("instance_norm");
  return over_channels("instance_norm", "use_input_stats", x, running_mean, running_var, weight, bias, use_input_stats, true,
                       momentum, eps);
}

Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha, double beta, double k) {
  const char* const op = "local_response_norm";
  const Operation called(op);
  check_floating(op, x);
  LUGE_CHECK(ShapeError, x.ndim() >= 3, "{}: the tensor has shape {}; it must be (batch, channels, ...) with 3 or more dimensions", op,
             to_string(x.shape()));
  LUGE_CHECK(ValueError, size >= 1, "{}: size is {}; it must be 1 or more", op, size);
  if (x.numel() == 0) return x.clone();
  std::int64_t elements = 1;
  for (int d = 2; d < x.ndim(); ++d) elements *= x.shape()[d];
  const Tensor wide = widened(x).reshape({x.shape()[0], x.shape()[1], elements});
  const Tensor squares = pad(square(wide), {0, 0, size / 2, (size - 1) / 2});
  const Tensor means = unfold(squares, 1, size, 1).sum(-1) * (1 / static_cast<double>(size));
  return (wide / pow(means * alpha + k, beta)).reshape(x.shape()).to(x.dtype());
}

}  // namespace luge
