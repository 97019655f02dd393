#pragma once
// THE SEAM, for fits: which methods there are and how they end. A model is in detail/fit_model.h.

#include <cstdint>

namespace luge {

struct FitModel;

/// What a residual costs, in the meaning of SciPy's least_squares: C^2 rho((r / C)^2) / 2 with C the loss's scale.
/// Poisson: the deviance of counts y with expectation f, f - y + y log(y / f).
enum class FitLoss : std::uint8_t { Linear, SoftL1, Huber, Cauchy, Tukey, Poisson };

/// How the minimum is looked for: each is a search in core/luge/math.
enum class FitMethod : std::uint8_t { LevenbergMarquardt, Lbfgs, NelderMead, Adam };

/// How a fit ended. The numbers from 0 to 3 are those of SciPy's least_squares.
enum class FitStatus : std::int32_t {
  Running = 100,
  MaxSteps = 0,
  Gradient = 1,   ///< converged: the residuals are perpendicular to what parameters can change
  Cost = 2,       ///< converged: the cost no longer falls
  Step = 3,       ///< converged: the parameters no longer move
  Precision = 5,  ///< as near to the minimum as rounding of the model's dtype lets it be seen
  Stalled = -1,   ///< no step makes the cost smaller, and the gradient is not small either
  Diverged = -2,  ///< the model has no finite value at the start
  Singular = -3,  ///< converged, and some parameters are not determined by the observations
  BadData = -4,   ///< observations that are NaN or infinite, or fewer than parameters
};

}  // namespace luge
