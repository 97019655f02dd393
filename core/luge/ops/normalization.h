#pragma once
// Normalization: values less a mean, over a standard deviation. Statistics are those of the population (divided by n), by
// two passes: the mean, then the mean of squared differences from it. Halves are computed in float32 and rounded once.
//
// Weights and biases are optional (undefined tensors) and of x's dtype, or float32 where x is a half: DTypeError otherwise.
// Each may have a leading axis of sets, and so may running statistics: x is then (sets, batch, ...), or, with as few
// dimensions as the op takes, (batch, ...), the same for all sets, and the result is (sets, batch, ...).

#include <cstdint>
#include <optional>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// (x - mean) / sqrt(variance + eps) * weight + bias, with the moments over the last dimensions, whose sizes are `shape`.
/// Weight and bias have that shape. With sets x has one dimension before them (shared), or the sets and one or more.
/// Throws ShapeError, DTypeError.
Tensor layer_norm(const Tensor& x, const Shape& shape, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);

/// x / sqrt(mean(x^2) + eps) * weight over the last dimensions, as layer_norm. Without eps it is the distance from 1 to the
/// next number of the dtype that is computed in.
Tensor rms_norm(const Tensor& x, const Shape& shape, const Tensor& weight = {}, std::optional<double> eps = {});

/// x (batch, channels, ...): the moments are those of each sample's group of channels / groups channels. Weight and bias
/// have one number per channel. With sets x is (sets, batch, channels, ...), or (batch, channels).
/// Throws ShapeError unless groups divides the channels, ValueError for groups below 1 and for a single value per group.
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);

/// How running statistics follow: by this fraction of the way to the new value.
class Momentum {
 public:
  Momentum(double fraction) : fraction_(fraction) {}           // NOLINT(google-explicit-constructor)
  /// On the device: 0-d, or one for each set.
  Momentum(Tensor fraction) : tensor_(std::move(fraction)) {}  // NOLINT(google-explicit-constructor)
  double fraction() const { return fraction_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  double fraction_ = 0;
  Tensor tensor_;
};

/// x (batch, channels, ...), normalized channel by channel: with the moments over everything else where `training`, else with
/// the running ones. `training` moves the running statistics, where they are defined, in place:
/// running = (1 - momentum) running + momentum value, with the variance divided by n - 1. Without running statistics
/// `training` must be true: ValueError. A single value per channel cannot be trained on: ValueError.
/// With sets x is (sets, batch, channels, ...), or (batch, channels).
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, bool training = false, const Momentum& momentum = 0.1, double eps = 1e-5);

/// batch_norm() of each sample by itself: the moments are those of a channel of a sample. With `use_input_stats` running
/// statistics, where they are defined, follow the means over the batch; without it they are what x is normalized with.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean = {}, const Tensor& running_var = {},
                     const Tensor& weight = {}, const Tensor& bias = {}, bool use_input_stats = true,
                     const Momentum& momentum = 0.1, double eps = 1e-5);

/// x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta; channels beyond the ends count as 0. x is
/// (batch, channels, ...) with 3 or more dimensions: ShapeError. ValueError for a size below 1.
Tensor local_response_norm(const Tensor& x, std::int64_t size, double alpha = 1e-4, double beta = 0.75, double k = 1);

}  // namespace luge
