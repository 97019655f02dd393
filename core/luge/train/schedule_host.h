#pragma once
// Learning-rate schedules by functions of the host, and by a metric.

#include <functional>
#include <limits>
#include <vector>

#include <luge/train/schedule.h>

namespace luge {

/// A factor as a function of n: one for all parameter groups, or one for each. It is called on the host, so that a step
/// of such a schedule cannot be captured: CaptureError.
using LrFunction = std::function<double(std::int64_t n)>;

/// base * lr_lambda(n)
class LambdaLr : public LrScheduler {
 public:
  LambdaLr(Optimizer& optimizer, const std::vector<LrFunction>& lr_lambda);

 private:
  struct Made;
  LambdaLr(Optimizer& optimizer, const Made& made);
};

/// base * lr_lambda(1) * ... * lr_lambda(n)
class MultiplicativeLr : public LrScheduler {
 public:
  MultiplicativeLr(Optimizer& optimizer, const std::vector<LrFunction>& lr_lambda);

 private:
  struct Made;
  MultiplicativeLr(Optimizer& optimizer, const Made& made);
};

struct ReduceLrOnPlateauOptions {
  enum class Mode : std::uint8_t { Min, Max } mode = Mode::Min;  ///< a lower metric, or a greater one, is better
  double factor = 0.1;                                           ///< below 1
  std::int64_t patience = 10;                                    ///< steps without improvement that are borne
  double threshold = 1e-4;
  enum class ThresholdMode : std::uint8_t { Rel, Abs } threshold_mode = ThresholdMode::Rel;
  std::int64_t cooldown = 0;        ///< steps after a reduction in which nothing counts as bad
  std::vector<double> min_lr = {0};  ///< one for all parameter groups, or one for each
  double eps = 1e-8;                ///< a smaller reduction is none
};

/// Multiplies the learning rate by `factor` once a metric has not improved for more than `patience` steps. It looks at the
/// metric on the device: nothing waits, and a captured step goes on with it. Where the optimizer has a learning rate for
/// each set, each set has its own metric, best and count.
class ReduceLrOnPlateau : public LrScheduler {
 public:
  explicit ReduceLrOnPlateau(Optimizer& optimizer, const ReduceLrOnPlateauOptions& options = {});
  /// `metric` has shape (), or (sets) where the learning rates have. Throws ShapeError, DeviceError.
  void step(const Tensor& metric);
  /// A metric that the host knows. Throws CaptureError where a step is captured.
  void step(double metric, SourceLocation location = SourceLocation::current());
  /// The best metric so far, the steps since then, and the steps left of the cooldown: float64, as they are in memory.
  const Tensor& best() const { return best_; }
  const Tensor& bad_epochs() const { return bad_epochs_; }
  const Tensor& cooldown() const { return cooldown_; }

 private:
  struct Made;
  ReduceLrOnPlateau(Optimizer& optimizer, const ReduceLrOnPlateauOptions& options, const Made& made);
  ReduceLrOnPlateauOptions options_;
  Tensor best_, bad_epochs_, cooldown_;
};

}  // namespace luge
