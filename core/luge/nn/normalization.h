#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <luge/base/shape.h>
#include <luge/ops/normalization.h>
#include <luge/train/parameters.h>

namespace luge::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool weight = true;
  bool bias = true;  ///< only with a weight
};

/// layer_norm() over the last dimensions, with "name.weight" of ones and "name.bias" of zeros in the arena.
///   ordinary Parameters   weight (shape):        x (..., shape) -> the same
///   Parameters with sets  weight (sets, shape):  x (batch, shape), the same for all sets, or
///                                                (sets, ..., shape) -> (sets, ..., shape)
class LayerNorm {
 public:
  /// Throws ValueError for a shape without dimensions, sizes below 1 and names in use; then nothing has been added.
  LayerNorm(Parameters& params, std::string_view name, const Shape& shape, LayerNormOptions options = {});

  Tensor operator()(const Tensor& x) const;

  /// Undefined where there is none.
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }

 private:
  Shape shape_;
  double eps_;
  Tensor weight_, bias_;
};

/// rms_norm() over the last dimensions, with "name.weight" of ones; shapes as LayerNorm's.
class RmsNorm {
 public:
  /// eps absent: that of the dtype that is computed in. Throws as LayerNorm.
  RmsNorm(Parameters& params, std::string_view name, const Shape& shape, std::optional<double> eps = {});

  Tensor operator()(const Tensor& x) const;

  const Tensor& weight() const { return weight_; }

 private:
  Shape shape_;
  std::optional<double> eps_;
  Tensor weight_;
};

/// group_norm(), with "name.weight" and "name.bias" by channel.
///   ordinary Parameters   weight (channels):        x (batch, channels, ...) -> the same
///   Parameters with sets  weight (sets, channels):  x (batch, channels), the same for all sets, or
///                                                   (sets, batch, channels, ...) -> (sets, batch, channels, ...)
class GroupNorm {
 public:
  /// Throws ValueError unless groups divides channels, and for names in use; then nothing has been added.
  GroupNorm(Parameters& params, std::string_view name, std::int64_t groups, std::int64_t channels, double eps = 1e-5);

  Tensor operator()(const Tensor& x) const;

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }

 private:
  std::int64_t groups_;
  double eps_;
  Tensor weight_, bias_;
};

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< absent: running statistics are the mean of all batches
  bool affine = true;
};

/// batch_norm(), with "name.weight" and "name.bias" by channel, and running statistics that are no parameters. Shapes as
/// GroupNorm's. Copies are one layer: they share parameters, statistics and whether it trains.
class BatchNorm {
 public:
  /// Throws ValueError for channels below 1 and names in use; then nothing has been added.
  BatchNorm(Parameters& params, std::string_view name, std::int64_t channels, BatchNormOptions options = {});

  /// Training, of which a layer begins in, moves the statistics in place, so that captured steps go on with them.
  Tensor operator()(const Tensor& x) const;

  void train(bool on = true) { state_->training = on; }
  void eval() { train(false); }
  bool training() const { return state_->training; }

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  /// (channels) or (sets, channels).
  const Tensor& running_mean() const { return state_->mean; }
  const Tensor& running_var() const { return state_->variance; }
  /// int64, () or (sets): how many batches the statistics come from.
  const Tensor& batches() const { return state_->batches; }

 private:
  struct State {
    bool training = true;
    Tensor mean, variance, batches;
  };

  BatchNormOptions options_;
  Tensor weight_, bias_;
  std::shared_ptr<State> state_;
};

struct InstanceNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;
};

/// instance_norm(): each channel of each sample by its own moments; with track_running_stats, after eval(), by the running ones,
/// which training moves. "name.weight" and "name.bias" by channel if `affine`. Copies are one layer.
///   ordinary Parameters   x (batch, channels, ...) -> the same
///   Parameters with sets  x (sets, batch, channels, ...) -> the same
class InstanceNorm {
 public:
  /// Throws ValueError for channels below 1 and names in use; then nothing has been added.
  InstanceNorm(Parameters& params, std::string_view name, std::int64_t channels, InstanceNormOptions options = {});

  /// Throws ShapeError for another number of channels and for fewer dimensions, DTypeError.
  Tensor operator()(const Tensor& x) const;

  void train(bool on = true) { state_->training = on; }
  void eval() { train(false); }
  bool training() const { return state_->training; }

  /// Undefined where there is none.
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  /// (channels) or (sets, channels); undefined unless tracked.
  const Tensor& running_mean() const { return state_->mean; }
  const Tensor& running_var() const { return state_->variance; }

 private:
  struct State {
    bool training = true;
    Tensor mean, variance;
  };

  std::string name_;
  std::int64_t channels_;
  std::optional<std::int64_t> sets_;
  InstanceNormOptions options_;
  Tensor weight_, bias_;
  std::shared_ptr<State> state_;
};

/// local_response_norm(x, size, alpha, beta, k).
struct LocalResponseNorm {
  std::int64_t size;
  double alpha = 1e-4, beta = 0.75, k = 1;
  Tensor operator()(const Tensor& x) const { return local_response_norm(x, size, alpha, beta, k); }
};

}  // namespace luge::nn
