#pragma once

#include <memory>
#include <optional>

#include <luge/ops/dropout.h>
#include <luge/train/parameters.h>

namespace luge::nn {

/// What layers of dropout have in common. Copies share whether they are in training, so that one that went into a Sequential
/// follows the one that is kept.
class Dropping {
 public:
  /// Throws ValueError for a p outside [0, 1].
  explicit Dropping(double p = 0.5);
  /// For a model of sets: set i of x (sets, ...) draws the same numbers alone and in a larger batch (draw.h).
  Dropping(double p, const Parameters& params);

  /// Drops from now on, or passes x on as it is.
  void train(bool mode = true) { *training_ = mode; }
  void eval() { train(false); }
  bool training() const { return *training_; }

 protected:
  double p_;
  std::optional<Draw> draw_;

 private:
  std::shared_ptr<bool> training_ = std::make_shared<bool>(true);
};

/// Elements of x. Throws DTypeError.
class Dropout : public Dropping {
 public:
  using Dropping::Dropping;
  Tensor operator()(const Tensor& x) const { return dropout(x, p_, training(), draw_); }
};

/// Whole channels of x (batch, channels, ...), with sets (sets, batch, channels, ...). Throws ShapeError.
class FeatureDropout : public Dropping {
 public:
  using Dropping::Dropping;
  Tensor operator()(const Tensor& x) const { return feature_dropout(x, p_, training(), draw_); }
};

/// Elements of what selu gives; its mean stays 0 and its variance 1.
class AlphaDropout : public Dropping {
 public:
  using Dropping::Dropping;
  Tensor operator()(const Tensor& x) const { return alpha_dropout(x, p_, training(), draw_); }
};

/// AlphaDropout of whole channels. Throws ShapeError.
class FeatureAlphaDropout : public Dropping {
 public:
  using Dropping::Dropping;
  Tensor operator()(const Tensor& x) const { return feature_alpha_dropout(x, p_, training(), draw_); }
};

}  // namespace luge::nn
