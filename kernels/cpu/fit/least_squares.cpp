// Fits side by side: a lane that has ended takes the next set at once, so that a set costs what its own steps cost.

#include <luge/math/levenberg.h>

#include <cmath>
#include <limits>
#include <vector>

#include <luge/base/detail/dispatch.h>

#include "../kernels.h"
#include "../scratch.h"
#include "../threads.h"
#include "observations.h"
#include "searches.h"

namespace luge::cpu {

namespace {

using math::scalar::FitSettings;
using math::scalar::Levenberg;

template <class T, int P>
class Fits {
 public:
  explicit Fits(const LeastSquares& call)
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
        searches_(static_cast<std::size_t>(lanes_.fits())),
        sets_(searches_.size(), -1) {}

  void run(std::int64_t begin, std::int64_t end) {
    std::int64_t next = begin, running = 0;
    for (std::size_t lane = 0; lane < searches_.size(); ++lane) running += fill(lane, next, end);
    while (running > 0) {
      lanes_.sum(sums_);
      for (std::size_t lane = 0; lane < searches_.size(); ++lane) {
        if (sets_[lane] < 0) continue;
        if (searches_[lane].tell(settings_, memory_.data() + lane, kFitLanes)) {
          finish(lane);
          running += fill(lane, next, end) - 1;
        } else {
          place(lane);
        }
      }
    }
  }

 private:
  double* start(std::int64_t set) const { return static_cast<double*>(of_.parameters.data) + set * parameters_; }
  int free(std::int64_t set) const {
    int count = 0;
    for (int p = 0; p < parameters_; ++p) count += !(bound(of_.lower, set, p, -1) == bound(of_.upper, set, p, 1));
    return count;
  }
  static double bound(const Operand& bounds, std::int64_t set, int p, double none) {
    return bounds.is_memory() ? static_cast<const double*>(bounds.data)[bounds.strides[0] * set + bounds.strides[1] * p]
                              : none;
  }

  /// Begins the next set whose observations can be fitted; 0 where there is none.
  int fill(std::size_t lane, std::int64_t& next, std::int64_t end) {
    while (next < end) {
      const std::int64_t set = next++;
      const Observed observed = lanes_.load(set, static_cast<std::int64_t>(lane));
      sets_[lane] = set;
      if (observed.is_finite && observed.count >= free(set)) {
        double low[kMostFitParameters], high[kMostFitParameters];
        for (int p = 0; p < parameters_; ++p) {
          low[p] = bound(of_.lower, set, p, 0);
          high[p] = bound(of_.upper, set, p, 0);
        }
        const bool bounded = of_.lower.is_memory();
        searches_[lane].begin(parameters_, start(set), bounded ? low : nullptr, bounded ? high : nullptr,
                              observed.count, observed.squares);
        place(lane);
        return 1;
      }
      write(set, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN(), 0,
            static_cast<int>(FitStatus::BadData));
    }
    sets_[lane] = -1;
    return 0;
  }
  void place(std::size_t lane) {
    for (int p = 0; p < parameters_; ++p)
      lanes_.set_parameter(static_cast<std::int64_t>(lane), p, searches_[lane].trial()[p]);
  }
  void finish(std::size_t lane) {
    const Levenberg<P>& search = searches_[lane];
    std::copy_n(search.found(), parameters_, start(sets_[lane]));
    write(sets_[lane], search.cost(), search.cosine(), search.steps(), search.status());
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
  const FitSettings settings_;
  FitLanes<T> lanes_;
  Scratch<double> memory_;
  FitSums sums_;
  std::vector<Levenberg<P>> searches_;
  std::vector<std::int64_t> sets_;  ///< by lane; -1: none
};

template <class T>
void fit(const LeastSquares& call, std::int64_t begin, std::int64_t end) {
  switch (call.of.model->parameters) {
    case 1: return Fits<T, 1>(call).run(begin, end);
    case 2: return Fits<T, 2>(call).run(begin, end);
    case 3: return Fits<T, 3>(call).run(begin, end);
    case 4: return Fits<T, 4>(call).run(begin, end);
    case 5: return Fits<T, 5>(call).run(begin, end);
    default: return Fits<T, 0>(call).run(begin, end);
  }
}

}  // namespace

void run(const LeastSquares& call) {
  const FitModel& model = *call.of.model;
  const std::int64_t work = call.of.points * static_cast<std::int64_t>(model.formulas.links.size() + 8) * 64;
  parallel_for(
      call.of.sets, work,
      [&](std::int64_t begin, std::int64_t end) {
        switch (call.method) {
          case FitMethod::LevenbergMarquardt:
            return with_floating(model.dtype, [&]<class T>() { fit<T>(call, begin, end); });
          case FitMethod::Lbfgs: return search_by_lbfgs(call, begin, end);
          case FitMethod::NelderMead: return search_by_nelder_mead(call, begin, end);
          case FitMethod::Adam: return search_by_adam(call, begin, end);
        }
      },
      kFitLanes);
}

}  // namespace luge::cpu
