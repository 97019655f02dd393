#pragma once
// Internal: what is to be fitted, checked, and the part of it that a backend takes at a time.

#include <cstdint>

#include <luge/fit/curve_fit.h>
#include <luge/fit/model.h>
#include <luge/seam/detail/fit_model.h>
#include <luge/seam/fit.h>
#include <luge/tensor/tensor.h>

namespace luge::fit {

/// A problem as it was given: views with all of their dimensions, the first of size 1 where sets share them.
struct Problem {
  std::int64_t sets = 1, points = 0, parameters = 0, outputs = 1, predictors = 1, starts = 1;
  bool has_sets = false;
  DType dtype = DType::Float64;  ///< of the model
  FitLoss loss = FitLoss::Linear;
  FitMethod method = FitMethod::LevenbergMarquardt;
  std::int64_t max_steps = 0, usual_steps = 0;
  Tensor x;             ///< (predictors, 1 or sets, points); undefined of none
  Tensor y;             ///< (1 or sets, outputs, points)
  Tensor sigma, mask;   ///< that can be broadcast to (sets, outputs, points), in three dimensions; or undefined
  Tensor start;         ///< (sets, parameters), float64
  Tensor lower, upper;  ///< (sets, parameters), float64; equal where a parameter is fixed. Undefined: no bounds
  Tensor drawn;         ///< (starts - 1, parameters), float64: random numbers of [0, 1); undefined of one start

  Device device() const { return y.device(); }
  bool is_weighted() const { return sigma.defined() || mask.defined(); }
  /// Whether the search leaves its last sums to the covariance. With many parameters they take more memory than an
  /// evaluation is worth.
  bool keeps_sums() const;
  /// How many numbers they are for each set.
  std::int64_t sums() const { return kept_sums(parameters); }
};

/// Throws what is wrong with the arguments, in the words of the function `op` that was called with them.
Problem problem_of(const char* op, const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0,
                   const FitOptions& options);

/// Some of the sets, in the dtypes that backends take. `start` is memory of its own.
struct Piece {
  std::int64_t sets = 0;
  Tensor x, y, weight, lower, upper, start;
};
Piece piece_of(const Problem& problem, std::int64_t begin, std::int64_t end);
/// Every set as often as it has starts, one after the other, each from its own.
Piece with_all_starts(const Problem& problem, const Piece& piece);

/// Throws ValueError where a deviation that counts is not positive; looks at `at_once` sets at a time.
void check_deviations(const char* op, const Problem& problem, std::int64_t at_once);

// ---- memory (plan.cpp) --------------------------------------------------------------------------

/// Sets at a time that take no more than `budget` bytes, at least 1. 0: half of what is free.
std::int64_t most_at_once(const Problem& problem, std::size_t budget);
/// Sets whose counts and scatter about the mean are found together; fewer on a CPU, so that a cache holds the
/// intermediate tensors.
std::int64_t spread_at_once(const Problem& problem);
/// Bytes that a fit takes at most, so many sets at a time.
std::size_t planned_bytes(const Problem& problem, std::int64_t chunk);

}  // namespace luge::fit
