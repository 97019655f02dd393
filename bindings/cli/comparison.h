#pragma once
// The same training step eagerly and captured, side by side.

#include <cstdint>
#include <functional>
#include <string>

#include <luge/capture/step.h>
#include <luge/base/device.h>
#include <luge/base/dtype.h>

#include "commands.h"

namespace luge::report {
class Report;
}

namespace luge::cli {

struct Comparison {
  std::int64_t sets = 0;
  double eager_seconds = 0, captured_seconds = 0;  ///< of one step, medians; 0: not measured
  StepFigures figures;                             ///< of the captured step
  std::string plan;

  bool has_captured() const { return captured_seconds > 0; }
  /// Of the step as the program runs it.
  double seconds() const { return has_captured() ? captured_seconds : eager_seconds; }
  double speedup() const { return eager_seconds / captured_seconds; }
};

/// Seconds for each side of a report's comparison.
inline constexpr double kCompared = 0.1;

/// How long the steps of the demo and of `luge train` take, measured for `seconds` each on a problem of their
/// own. With `eager` nothing is captured.
Comparison compare_demo(std::int64_t sets, DType dtype, const Common& common, double seconds, bool eager);

struct MlpShape {
  std::int64_t inputs = 784, hidden = 256, classes = 10, batch = 64;
};
Comparison compare_training(std::int64_t sets, const MlpShape& shape, const Common& common, double seconds, bool eager);

/// What a report says of one; it keeps the plan as plan.txt.
void add_comparison(report::Report& report, const Comparison& comparison);

}  // namespace luge::cli
