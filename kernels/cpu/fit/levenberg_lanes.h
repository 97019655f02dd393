#pragma once
// Levenberg and Marquardt's method for the fits of all lanes at once, in vectors.

#include <cstdint>
#include <memory>

#include <luge/seam/call.h>

#include "program.h"

namespace luge::cpu {

/// [number][lane] everywhere.
class LevenbergLanes {
 public:
  virtual ~LevenbergLanes() = default;

  /// A fit begins in `lane`; low and high as in LeastSquares, both null without bounds. `squares`: the sum of squares
  /// of the weighted observations.
  virtual void begin(std::int64_t lane, const double* start, const double* low, const double* high,
                     std::int64_t observations, double squares) = 0;
  /// Where the model is to be evaluated next. To be called when fits have begun, too.
  virtual const double* trial() = 0;
  /// FitSums of the evaluation; `lanes`: those that have a fit, bit by bit. Returns those that have ended.
  virtual std::uint32_t tell(const double* sums, std::uint32_t lanes) = 0;

  /// What ended fits have found, and the lower triangle of products there, which is of no use after
  /// FitStatus::Diverged.
  const double* found() const { return found_; }
  const double* products() const { return products_; }
  const double* cost() const { return cost_; }
  const double* cosine() const { return cosine_; }
  const double* steps() const { return steps_; }
  const double* status() const { return status_; }

 protected:
  double *found_ = nullptr, *products_ = nullptr, *cost_ = nullptr, *cosine_ = nullptr, *steps_ = nullptr,
         *status_ = nullptr;
};

std::unique_ptr<LevenbergLanes> levenberg_lanes(const LeastSquares& call);

}  // namespace luge::cpu
