#pragma once
// Evaluations of a model in machine code, with their sums.

#include <cstdint>
#include <memory>
#include <vector>

#include <luge/seam/detail/fit_model.h>

namespace luge::cpu {

/// A model as its Program has it.
struct FitSource {
  const FitModel& model;
  const Chain& formulas;
  const std::vector<char>& is_lane;  ///< by value: one number for each lane, the same at all points
  const double* lanes;               ///< [value][lane], of which those are read
  bool weighted;
};

/// What rows are read from: tiles [row][lane] by predictor and by output.
struct FitTiles {
  const double* const* predictors;
  const double* const* y;
  const double* const* weight;
};

/// Least squares of a float64 model. Every bit is that of the tile functions and of add_rows.
class FitCode {
 public:
  virtual ~FitCode() = default;
  /// To be called when the numbers of lanes have changed.
  virtual void prepare() = 0;
  /// Adds `rows` (at most kFitRows) rows to FitSums.
  virtual void run(const FitTiles& tiles, std::int64_t rows, double* sums) = 0;
};

/// Null where it cannot be done: more sums than registers, another processor. The environment variable LUGE_JIT=0 makes
/// it always null.
std::unique_ptr<FitCode> compile_fit(const FitSource& source);

}  // namespace luge::cpu
