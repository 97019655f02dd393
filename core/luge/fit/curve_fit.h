#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/fit/model.h>
#include <luge/seam/fit.h>
#include <luge/tensor/tensor.h>

namespace luge::fit {

/// How fits end: see core/luge/seam/fit.h.
using luge::FitStatus;

struct FitOptions {
  /// Standard deviations of the observations, broadcast to them; infinite: not observed. Undefined: 1.
  Tensor sigma = {};
  /// bool, broadcast to the observations: false where there is none, whatever stands in x and y. Undefined: all.
  Tensor mask = {};
  /// Bounds of the parameters, (parameters) or (sets, parameters); infinite or undefined: none.
  Tensor lower = {}, upper = {};
  /// bool, (parameters) or (sets, parameters): parameters that stay at their start. Undefined: none.
  Tensor fixed = {};
  /// "linear", "soft_l1", "huber", "cauchy", "tukey", as in SciPy's least_squares, or "poisson": y are counts.
  std::string_view loss = "linear";
  /// Where residuals (divided by sigma) begin to be outliers; of robust losses.
  double f_scale = 1;
  /// "lm": Levenberg and Marquardt's; "lbfgs", "nelder-mead", "adam": see docs/fits.md.
  std::string_view method = "lm";
  /// Most evaluations of the model. None: 2,000; 20,000 by "nelder-mead" and "adam", which need more.
  std::optional<std::int64_t> max_steps = {};
  /// Converged where the step that is left to go is less than this part of the standard errors ...
  double ftol = 3e-8;
  /// ... where it would move the parameters by less than this part of their size ...
  double xtol = 1e-12;
  /// ... or where the greatest cosine between residuals and what a parameter can change is less than this.
  double gtol = 1e-14;
  /// Whether sigma are the true deviations, so that the covariance is not scaled by the reduced chi squared.
  bool absolute_sigma = false;
  /// Searches for each set, of which the best counts: from p0, and from starts - 1 places drawn between the bounds,
  /// which must be finite, unless a parameter is fixed. Uniformly, or uniformly in the logarithm where the bounds are
  /// of one sign and a factor of 100 or more apart. The places depend on the bounds and the seed alone: a set gets the
  /// same ones alone and among others, and more starts try those of fewer, too.
  std::int64_t starts = 1;
  std::uint64_t seed = 0;
  /// Sets at a time, with the same bits whatever it is. 0: as many as fit into half of what is free (luge/fit/plan.h).
  std::int64_t chunk = 0;
  /// Called between chunks, on this thread, with how many sets are done; with `chunk` 0 these are then so small that it
  /// is called several times a second, unless single fits take longer. What it throws ends the fit. Not called while a
  /// step is captured.
  std::function<void(std::int64_t done, std::int64_t sets)> progress = {};
};

/// What a fit took.
struct FitReceipt {
  std::int64_t sets = 0, starts = 1;
  std::int64_t chunk = 0, chunks = 0;  ///< the greatest; how many
  std::int64_t evaluations = 0;        ///< of the model with its derivatives at all points of a set, of all starts
  double seconds = 0;                  ///< of a step that was captured: of its recording
  std::size_t bytes = 0;               ///< as luge/fit/plan.h plans them for this chunk
  double fits_per_second() const { return static_cast<double>(sets) / seconds; }
};

/// What fits have found, each set in a row of its own. Without sets (all of x, y and p0 those of one fit) there is no
/// first dimension.
struct FitResult {
  Tensor parameters;  ///< (sets, parameters), float64
  /// (sets, parameters, parameters), float64. A parameter at a bound or fixed: NaN; one that the observations do not
  /// determine, or any where there are no more observations than parameters: infinity.
  Tensor covariance;
  Tensor standard_errors;  ///< (sets, parameters), float64
  Tensor status;           ///< (sets), int32: FitStatus
  Tensor steps;            ///< (sets), int32: evaluations of the model
  Tensor cost;             ///< (sets), float64: half of the smallest sum of losses
  Tensor optimality;       ///< (sets), float64: the greatest cosine between residuals and a free column
  Tensor chi2;             ///< (sets), float64: sum of squares of the weighted residuals
  Tensor reduced_chi2;     ///< (sets), float64: chi2 / (observations - free parameters)
  Tensor r2;               ///< (sets), float64: 1 - chi2 / that of the weighted mean
  Tensor aic;              ///< (sets), float64: n log(chi2 / n) + 2 (free parameters)
  Tensor condition;  ///< (sets), float64: of the Jacobian with columns of length 1, by its pivots; infinite: singular
  Tensor active;     ///< (sets, parameters), int32: -1 at the lower bound, 1 at the upper, 0 between
  Tensor observations;  ///< (sets), int64
  Tensor start;         ///< (sets), int32: the start whose search counts, 0 for p0
  /// (sets), int32: how many of the starts converged to the same cost, within the tolerances.
  Tensor agreement;
  std::vector<std::string> names;

  /// What the fit took. Waits for the device.
  FitReceipt receipt() const;

  Tensor evaluations;  ///< (), int64
  FitReceipt taken;    ///< without the evaluations, which the device counts
};

/// A status that curve_fit finds when the backend is done: the columns are so alike that the rounding of their products
/// hides the minimum.
inline constexpr FitStatus kIllConditioned{-5};

/// What a status says: "converged: the cost no longer falls", ...
std::string_view text_of(FitStatus status);
/// Whether a fit has ended at a minimum by its tolerances.
constexpr bool is_converged(FitStatus status) {
  return status == FitStatus::Gradient || status == FitStatus::Cost || status == FitStatus::Step;
}

/// Nonlinear least squares of many sets at once: of every set, the parameters that make the sum of
/// loss(((model(x, parameters) - y) / sigma)^2) smallest, from p0, by Levenberg and Marquardt's method in a trust
/// region (J. J. More, "The Levenberg-Marquardt algorithm: implementation and theory", 1978) or by another one.
///   x   the predictors: (points) or (sets, points); of k > 1 (k, points) or (k, sets, points); undefined of none
///   y   (points) or (sets, points); of m > 1 outputs (m, points) or (sets, m, points)
///   p0  (parameters) or (sets, parameters)
/// float32 where x and y are, else float64. A set that cannot be fitted says so in its status and changes no other.
/// Throws ShapeError, DTypeError, DeviceError, ValueError: a start outside its bounds, a sigma that is not positive,
/// fewer points than parameters, an unknown loss or method. Outside of a captured step it waits for the device.
FitResult curve_fit(const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0,
                    const FitOptions& options = {});

}  // namespace luge::fit
