// Normalizations: what luge.nn.functional has of them.

#include <luge/ops/normalization.h>

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

using Given = std::optional<Tensor>;

Tensor defined(const Given& given) { return given.value_or(Tensor()); }

Momentum momentum_of(const char* op, nb::handle given) {
  if (is_tensor(given)) return as_tensor(given);
  return scalar(op, "momentum", given).to_double();
}

constexpr const char* kBatchNorm =
    "Input (batch, channels, ...), normalized channel by channel: by its own mean and variance where `training`, else by the running "
    "ones. `training` moves these in place by the fraction `momentum`, the variance divided by n - 1. Weight, bias and running "
    "statistics have one number per channel; of shape (sets, channels) they take (batch, channels), the same for all sets, or "
    "(sets, batch, channels, ...). Raises ValueError without running statistics to use and for a single value per channel to train on, "
    "ShapeError, DTypeError.\n\n"
    ">>> luge.nn.functional.batch_norm(luge.tensor([[1.0], [3.0]]), None, None, training=True, eps=0)\n"
    "tensor([[-1.],\n        [ 1.]])";

constexpr const char* kInstanceNorm =
    "Input (batch, channels, ...), each channel of each sample normalized by its own mean and variance; without `use_input_stats` by "
    "the running ones, which otherwise follow by the fraction `momentum`. Arguments and errors are those of batch_norm.\n\n"
    ">>> luge.nn.functional.instance_norm(luge.tensor([[[1.0, 3.0]]]), eps=0)\ntensor([[[-1.,  1.]]])";

}  // namespace

void bind_normalization(nb::module_& m) {
  nb::module_ own = nb::borrow<nb::module_>(m.attr("_functional"));
  own.def(
      "layer_norm",
      [](const Tensor& x, nb::handle shape, const Given& weight, const Given& bias, double eps) {
        const Shape over = sizes("layer_norm", shape);
        const Unlocked unlocked(x);
        return layer_norm(x, over, defined(weight), defined(bias), eps);
      },
      "input"_a, "normalized_shape"_a, "weight"_a = nb::none(), "bias"_a = nb::none(), "eps"_a = 1e-5,
      nb::sig("def layer_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, "
              "bias: Tensor | None = None, eps: float = 1e-05) -> Tensor"),
      "(x - mean) / sqrt(variance + eps) * weight + bias over the last dimensions, whose sizes are `normalized_shape` and weight's and "
      "bias's. With a leading axis of sets in these, the input has one dimension before them, the same for all sets, or the sets and "
      "more. Raises ShapeError, DTypeError.\n\n"
      ">>> luge.nn.functional.layer_norm(luge.tensor([[1.0, 3.0]]), (2,), eps=0)\ntensor([[-1.,  1.]])");
  own.def(
      "rms_norm",
      [](const Tensor& x, nb::handle shape, const Given& weight, std::optional<double> eps) {
        const Shape over = sizes("rms_norm", shape);
        const Unlocked unlocked(x);
        return rms_norm(x, over, defined(weight), eps);
      },
      "input"_a, "normalized_shape"_a, "weight"_a = nb::none(), "eps"_a = nb::none(),
      nb::sig("def rms_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, "
              "eps: float | None = None) -> Tensor"),
      "x / sqrt(mean(x^2) + eps) * weight over the last dimensions, as layer_norm. Without `eps` it is that of the dtype that is "
      "computed in, float32 for halves. Raises ShapeError, DTypeError.\n\n"
      ">>> luge.nn.functional.rms_norm(luge.tensor([[1.0, -1.0]]), (2,), luge.tensor([2.0, 3.0]), eps=0)\ntensor([[ 2., -3.]])");
  own.def(
      "group_norm",
      [](const Tensor& x, std::int64_t groups, const Given& weight, const Given& bias, double eps) {
        const Unlocked unlocked(x);
        return group_norm(x, groups, defined(weight), defined(bias), eps);
      },
      "input"_a, "num_groups"_a, "weight"_a = nb::none(), "bias"_a = nb::none(), "eps"_a = 1e-5,
      "Input (batch, channels, ...), each sample's groups of channels / num_groups channels normalized by their own mean and variance. "
      "Weight and bias have one number per channel, with sets as in batch_norm. Raises ShapeError unless num_groups divides the "
      "channels, ValueError, DTypeError.\n\n"
      ">>> luge.nn.functional.group_norm(luge.tensor([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0)\ntensor([[-1.,  1., -1.,  1.]])");
  own.def(
      "batch_norm",
      [](const Tensor& x, const Given& mean, const Given& var, const Given& weight, const Given& bias, bool training,
         nb::handle momentum, double eps) {
        const Momentum fraction = momentum_of("batch_norm", momentum);
        const Unlocked unlocked(x);
        return batch_norm(x, defined(mean), defined(var), defined(weight), defined(bias), training, fraction, eps);
      },
      "input"_a, "running_mean"_a.none(), "running_var"_a.none(), "weight"_a = nb::none(), "bias"_a = nb::none(), "training"_a = false,
      "momentum"_a = 0.1, "eps"_a = 1e-5,
      nb::sig("def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None, "
              "bias: Tensor | None = None, training: bool = False, momentum: float | Tensor = 0.1, eps: float = 1e-05) -> Tensor"),
      kBatchNorm);
  own.def(
      "instance_norm",
      [](const Tensor& x, const Given& mean, const Given& var, const Given& weight, const Given& bias, bool use_input_stats,
         nb::handle momentum, double eps) {
        const Momentum fraction = momentum_of("instance_norm", momentum);
        const Unlocked unlocked(x);
        return instance_norm(x, defined(mean), defined(var), defined(weight), defined(bias), use_input_stats, fraction, eps);
      },
      "input"_a, "running_mean"_a = nb::none(), "running_var"_a = nb::none(), "weight"_a = nb::none(), "bias"_a = nb::none(),
      "use_input_stats"_a = true, "momentum"_a = 0.1, "eps"_a = 1e-5,
      nb::sig("def instance_norm(input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, "
              "weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True, momentum: float | Tensor = 0.1, "
              "eps: float = 1e-05) -> Tensor"),
      kInstanceNorm);
  own.def(
      "local_response_norm",
      [](const Tensor& x, std::int64_t size, double alpha, double beta, double k) {
        const Unlocked unlocked(x);
        return local_response_norm(x, size, alpha, beta, k);
      },
      "input"_a, "size"_a, "alpha"_a = 1e-4, "beta"_a = 0.75, "k"_a = 1.0,
      "x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta; channels beyond the ends count as 0. Input (batch, "
      "channels, ...) with 3 or more dimensions. Raises ShapeError, ValueError, DTypeError.\n\n"
      ">>> luge.nn.functional.local_response_norm(luge.ones(1, 2, 1), 1, alpha=1.0, beta=1.0)\n"
      "tensor([[[0.5000],\n         [0.5000]]])");
}

}  // namespace luge::python
