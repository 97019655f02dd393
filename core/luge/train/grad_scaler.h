#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <luge/train/optimizer.h>

namespace luge {

struct GradScalerOptions {
  double init_scale = 65536;             ///< above 0 and finite
  double growth_factor = 2;              ///< above 1
  double backoff_factor = 0.5;           ///< above 0 and below 1
  std::int64_t growth_interval = 2000;   ///< 1 or more
  bool enabled = true;                   ///< false: scale() and the rest do nothing, step() steps
  std::optional<std::int64_t> sets = {};  ///< a scale for each of so many sets; absent: one for all
  Device device = Device::cpu();
};

/// Scales a loss so that gradients in float16 do not vanish, as torch.amp.GradScaler:
///
///   `scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update();`
///
/// step() divides the gradients by the scale and leaves parameters, moments and the count of steps as they were where one
/// is infinite or NaN: for each set of an arena alone. update() multiplies the scale by `backoff_factor` after such a
/// step, and by `growth_factor` after `growth_interval` steps in a row without. Scale, counts and what was found live on
/// the device and nothing reads them on the host, so that a captured step may hold all of it. (PyTorch reads what was
/// found at every step.)
///
/// With a scale for each set, loss has shape (sets) and a set behaves as it does alone. Optimizer::steps_taken of an arena
/// with sets counts steps for all of them, skipped or not; what a rule computes with is counted for each set.
///
/// Throws ValueError for a bad option, for step() or unscale_() of an optimizer that has had it since update(), and for
/// update() without either.
class GradScaler {
 public:
  explicit GradScaler(const GradScalerOptions& options = {});

  /// loss * scale, of the loss's shape: (sets) with a scale for each set, any shape otherwise.
  Tensor scale(const Tensor& loss) const;
  /// Divides the gradients of the optimizer's parameters by the scale, so that they can be clipped; else step() does.
  void unscale_(Optimizer& optimizer);
  /// Whether a gradient was infinite or NaN at the last unscale_ or step: bool, of shape (), or (sets) in an arena with sets.
  Tensor found_inf(Optimizer& optimizer) const;
  /// `how` steps the optimizer; by default its step() does.
  void step(Optimizer& optimizer, const std::function<void()>& how = {});
  void update();
  /// Takes this scale instead. Throws CaptureError where a step is captured.
  void update(double new_scale, SourceLocation location = SourceLocation::current());

  bool is_enabled() const { return options_.enabled; }
  const GradScalerOptions& options() const { return options_; }
  void set_options(const GradScalerOptions& options);
  /// The scale in float32, and the steps without infinities since it changed, int32's range in int64: of shape (), or
  /// (sets). These are the tensors that it works on.
  const Tensor& scale_tensor() const { return scale_; }
  const Tensor& growth_tracker() const { return tracker_; }

 private:
  /// What happened to an optimizer since update().
  struct Seen {
    bool is_stepped = false;
    Tensor found;
  };
  Seen& seen(const char* op, Optimizer& optimizer);

  GradScalerOptions options_;
  Tensor scale_, tracker_;
  std::map<const Optimizer*, Seen> seen_;
};

}  // namespace luge
