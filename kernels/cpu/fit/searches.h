#pragma once
// Fits by searches of core/luge/math that know one fit each, side by side: a lane that has ended takes the next set at
// once, so that a set costs what its own steps cost.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <luge/base/detail/dispatch.h>
#include <luge/math/fit_search.h>

#include "../scratch.h"
#include "observations.h"

namespace luge::cpu {

/// The sets [begin, end) of a call by one method.
void search_by_lbfgs(const LeastSquares& call, std::int64_t begin, std::int64_t end);
void search_by_nelder_mead(const LeastSquares& call, std::int64_t begin, std::int64_t end);
void search_by_adam(const LeastSquares& call, std::int64_t begin, std::int64_t end);

/// A model of elements T. Search has the interface of math::scalar::Levenberg.
template <class T, class Search>
class Searches {
 public:
  explicit Searches(const LeastSquares& call)
      : call_(call),
        of_(call.of),
        parameters_(of_.model->parameters),
        settings_{call.ftol,
                  call.xtol,
                  call.gtol,
                  static_cast<int>(std::min<std::int64_t>(call.max_steps, 1 << 30)),
                  static_cast<double>(std::numeric_limits<T>::epsilon()),
                  std::sqrt(static_cast<double>(std::numeric_limits<T>::epsilon()))},
        lanes_(of_),
        memory_(FitSums::numbers(parameters_) * kFitLanes),
        sums_{memory_.data(), parameters_},
        runs_(static_cast<std::size_t>(lanes_.fits())) {}

  void run(std::int64_t begin, std::int64_t end) {
    next_ = begin;
    end_ = end;
    for (std::size_t lane = 0; lane < runs_.size(); ++lane) fill(lane);
    while (std::any_of(runs_.begin(), runs_.end(), [](const Run& run) { return run.set >= 0; })) {
      lanes_.sum(sums_);
      for (std::size_t lane = 0; lane < runs_.size(); ++lane) {
        Run& run = runs_[lane];
        if (run.set < 0) continue;
        if (run.search.tell(settings_, memory_.data() + lane, kFitLanes)) {
          finish(run);
          fill(lane);
        } else {
          place(lane);
        }
      }
    }
  }

 private:
  struct Run {
    Search search;
    std::int64_t set = -1;  ///< -1: none
  };

  double* start(std::int64_t set) const { return static_cast<double*>(of_.parameters.data) + set * parameters_; }
  /// -infinity, infinity where there is no bound.
  static double bound(const Operand& bounds, std::int64_t set, int p, double none) {
    return bounds.is_memory() ? static_cast<const double*>(bounds.data)[bounds.strides[0] * set + bounds.strides[1] * p]
                              : none;
  }

  /// Begins the next set whose observations can be fitted.
  void fill(std::size_t lane) {
    Run& run = runs_[lane];
    for (run.set = -1; run.set < 0 && next_ < end_; ++next_) {
      const Observed observed = lanes_.load(next_, static_cast<std::int64_t>(lane));
      double low[kMostFitParameters], high[kMostFitParameters];
      int free = 0;
      for (int p = 0; p < parameters_; ++p) {
        low[p] = bound(of_.lower, next_, p, -std::numeric_limits<double>::infinity());
        high[p] = bound(of_.upper, next_, p, std::numeric_limits<double>::infinity());
        free += low[p] != high[p];
      }
      if (!observed.is_finite || observed.count < free) {
        write(next_, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN(), 0,
              static_cast<int>(FitStatus::BadData));
        continue;
      }
      const bool bounded = of_.lower.is_memory();
      run.search.begin(parameters_, start(next_), bounded ? low : nullptr, bounded ? high : nullptr, observed.count,
                       observed.squares);
      run.set = next_;
      place(lane);
    }
  }
  void place(std::size_t lane) {
    for (int p = 0; p < parameters_; ++p)
      lanes_.set_parameter(static_cast<std::int64_t>(lane), p, runs_[lane].search.trial()[p]);
  }
  void finish(const Run& run) {
    std::copy_n(run.search.found(), parameters_, start(run.set));
    write(run.set, run.search.cost(), run.search.cosine(), run.search.steps(), run.search.status());
  }
  void write(std::int64_t set, double cost, double optimality, int steps, int status) {
    static_cast<double*>(call_.cost.data)[set] = cost;
    static_cast<double*>(call_.optimality.data)[set] = optimality;
    static_cast<std::int32_t*>(call_.steps.data)[set] = steps;
    static_cast<std::int32_t*>(call_.status.data)[set] = status;
  }

  const LeastSquares& call_;
  const Observations& of_;
  const int parameters_;
  const math::scalar::FitSettings settings_;
  FitLanes<T> lanes_;
  Scratch<double> memory_;
  FitSums sums_;
  std::vector<Run> runs_;  ///< by lane
  std::int64_t next_ = 0, end_ = 0;
};

/// With as many parameters as the model has known to the compiler where they are few.
template <template <int> class Search>
void search_by(const LeastSquares& call, std::int64_t begin, std::int64_t end) {
  with_floating(call.of.model->dtype, [&]<class T>() {
    switch (call.of.model->parameters) {
      case 1: return Searches<T, Search<1>>(call).run(begin, end);
      case 2: return Searches<T, Search<2>>(call).run(begin, end);
      case 3: return Searches<T, Search<3>>(call).run(begin, end);
      case 4: return Searches<T, Search<4>>(call).run(begin, end);
      case 5: return Searches<T, Search<5>>(call).run(begin, end);
      default: return Searches<T, Search<0>>(call).run(begin, end);
    }
  });
}

}  // namespace luge::cpu
