#pragma once
// The searches of the fits of all lanes, by one method.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>

#include <luge/base/detail/dispatch.h>
#include <luge/seam/call.h>

#include "program.h"

namespace luge::cpu {

/// [number][lane] everywhere.
class SearchLanes {
 public:
  virtual ~SearchLanes() = default;

  /// A fit begins in `lane`; low and high as in LeastSquares, both null without bounds. `squares`: the sum of squares
  /// of the weighted observations.
  virtual void begin(std::int64_t lane, const double* start, const double* low, const double* high,
                     std::int64_t observations, double squares) = 0;
  /// Where the model is to be evaluated next. To be called when fits have begun, too.
  virtual const double* trial() = 0;
  /// FitSums of the evaluation; `lanes`: those that have a fit, bit by bit. Returns those that have ended.
  virtual std::uint32_t tell(const double* sums, std::uint32_t lanes) = 0;

  /// What ended fits have found.
  const double* found() const { return found_; }
  /// The lower triangle of products there, which is of no use after FitStatus::Diverged. Null: the method has none.
  const double* products() const { return products_; }
  const double* cost() const { return cost_; }
  const double* cosine() const { return cosine_; }
  const double* steps() const { return steps_; }
  const double* status() const { return status_; }

 protected:
  double *found_ = nullptr, *products_ = nullptr, *cost_ = nullptr, *cosine_ = nullptr, *steps_ = nullptr,
         *status_ = nullptr;
};

/// Settings is FitSettings of any dialect.
template <class Settings>
Settings fit_settings(const LeastSquares& call) {
  const double epsilon = with_floating(
      call.of.model->dtype, []<class T>() { return static_cast<double>(std::numeric_limits<T>::epsilon()); });
  const auto steps = static_cast<int>(std::min<std::int64_t>(call.max_steps, 1 << 30));
  return {call.ftol, call.xtol, call.gtol, steps, epsilon, std::sqrt(epsilon)};
}

/// Levenberg and Marquardt's, in vectors of fits.
std::unique_ptr<SearchLanes> levenberg_lanes(const LeastSquares& call);
/// One fit after another.
std::unique_ptr<SearchLanes> lbfgs_lanes(const LeastSquares& call);
std::unique_ptr<SearchLanes> nelder_mead_lanes(const LeastSquares& call);
std::unique_ptr<SearchLanes> adam_lanes(const LeastSquares& call);

}  // namespace luge::cpu
