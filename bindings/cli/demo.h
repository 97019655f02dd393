#pragma once
// The two faces of luge demo: one parameter, and many sets.

#include <cstdint>
#include <string>
#include <vector>

#include <luge/base/dtype.h>
#include <luge/train/monitor.h>

#include "commands.h"

namespace luge::cli {

struct DemoOptions {
  double start = -1, lr = 0.01;
  std::int64_t epochs = 80, every = 10;
  std::int64_t sets = 0;  ///< 0: one parameter
  DType dtype = float32;
  bool eager = false;
  std::string report;
};

/// One point of the descent.
struct DemoPoint {
  std::int64_t epoch = 0;
  double x = 0, f = 0, gradient = 0, closed_form = 0;
};

/// Minimises with one parameter, from options.start with options.lr.
void run_demo(const DemoOptions& options, const Common& common);
void write_demo_report(const DemoOptions& options, const Common& common, const std::vector<DemoPoint>& points);

/// How well the sets with learning rates between two bounds fit their closed forms.
struct RateBin {
  double lr = 0;           ///< the middle of the bin
  std::int64_t count = 0;
  double worst_error = 0;  ///< |x - closed form|
  double worst_units = 0;  ///< the same in units of eps / min(1, 6 lr)
};

/// Every set held against its own closed form.
struct SetsCheck {
  double worst_units = 0;
  std::int64_t worst_set = -1, not_finite = 0;
  std::vector<RateBin> by_rate;
  std::vector<std::int64_t> units_histogram;  ///< of the error, in kUnitBins bins from 0 to kMostUnits; the last takes the rest
  std::vector<std::int64_t> loss_histogram;   ///< of log10(f - 8/3), from kLowestLoss in steps of one half; both ends take the rest
};
inline constexpr int kUnitBins = 40, kRateBins = 60, kLossBins = 40;
inline constexpr double kMostUnits = 4, kLowestLoss = -18;

struct SetsResult {
  SetsCheck check;
  double seconds = 0, steps_per_second = 0, parameters_per_second = 0, bytes_per_second = 0;
  double bytes_per_parameter = 0;  ///< in one step, as its calls read and write them
  double copy_bandwidth = 0;     ///< bytes/s
  std::vector<double> kept_lr;   ///< of the sets whose losses were kept one by one
  std::vector<double> kept_start;
};

/// Minimises with options.sets sets at once.
void run_demo_sets(const DemoOptions& options, const Common& common);
void write_demo_sets_report(const DemoOptions& options, const Common& common, const SetsResult& result, Monitor& monitor);

}  // namespace luge::cli
