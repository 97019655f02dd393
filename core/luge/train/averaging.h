#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <luge/train/parameters.h>

namespace luge {

struct AveragedOptions {
  /// Exponential moving average: average = decay * average + (1 - decay) * value, from 0 to 1. Absent: the mean of all
  /// values so far (stochastic weight averaging: Izmailov et al., arXiv:1803.05407).
  std::optional<double> ema_decay = {};
};

/// The average of all parameters of an arena over the updates of it, in one block of the arena's layout: an update is
/// elementwise over that block, on the device, whatever the number of parameters and sets. The first update takes the
/// values as they are. A captured step that calls update() goes on with it.
///
///   `Averaged averaged(params, {.ema_decay = 0.999});  ...  optimizer.step(); averaged.update();`
///   `averaged.swap(); evaluate(); averaged.swap();`
///
/// No parameter can be added to the arena any more. Throws ValueError for a decay outside [0, 1] and for an arena without
/// parameters.
class Averaged {
 public:
  explicit Averaged(const Parameters& parameters, const AveragedOptions& options = {});

  void update();
  /// Updates so far: int64, of shape (), as it is in memory.
  const Tensor& count() const { return count_; }
  /// The average of a parameter by its name, or of all, in the order of adding; views of the block.
  Tensor operator[](std::string_view name) const;
  std::vector<Tensor> tensors() const;
  /// Averages and parameters change places: once to evaluate, and again to go on training.
  void swap();

 private:
  Tensor values() const;

  Parameters parameters_;
  std::optional<double> ema_decay_;
  Tensor block_, count_;
};

}  // namespace luge
