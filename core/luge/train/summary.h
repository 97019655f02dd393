#pragma once

#include <cstdint>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

struct SummaryOptions {
  /// Which quantiles, each between 0 and 1.
  std::vector<double> quantiles = {0.05, 0.25, 0.5, 0.75, 0.95};
  /// Bins of the histogram.
  std::int64_t bins = 64;
};

/// How the values of a tensor are spread. All but not_finite is of the finite values; without any, means, quantiles and
/// bounds are NaN and there is no histogram.
struct Summary {
  std::int64_t count = 0;  ///< of the finite values
  std::int64_t not_finite = 0;
  double mean = 0, min = 0, max = 0;
  double sum = 0, sum_squares = 0;
  std::vector<double> probabilities, quantiles;
  /// Of bins of equal width from min to max, and a little beyond where these are as good as the same; one more than
  /// bins.
  std::vector<double> edges;
  std::vector<std::int64_t> counts;  ///< of the values in each bin: its lower edge belongs to it, to the last bin both
};

/// Summarises a tensor of a floating dtype, of any shape: final losses of a million sets, say, or their parameters.
/// It copies the values to the host, waits for the device, and selects there without sorting, in time linear in their
/// number; meant for the end of a training and for every so many steps, while Monitor::record() is for every step.
/// Throws ShapeError for an empty tensor, DTypeError, ValueError, CaptureError while a step is captured.
Summary summarize(const Tensor& x, const SummaryOptions& options = {},
                  SourceLocation location = SourceLocation::current());

/// Quantiles of the finite values, linear between neighbours in order, as NumPy's default; NaN where no value is
/// finite. Throws ValueError for a probability outside [0, 1].
std::vector<double> quantiles_of(std::vector<double> values, const std::vector<double>& probabilities);

}  // namespace luge
