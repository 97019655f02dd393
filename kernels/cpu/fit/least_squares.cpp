// Fits side by side: a lane that has ended takes the next set at once, so that a set costs what its own steps cost.

#include <algorithm>
#include <bit>
#include <limits>
#include <memory>
#include <vector>

#include <luge/base/detail/dispatch.h>
#include <luge/base/threads.h>

#include "../kernels.h"
#include "../scratch.h"
#include "../threads.h"
#include "observations.h"
#include "search_lanes.h"

namespace luge::cpu {

namespace {

std::unique_ptr<SearchLanes> search_lanes(const LeastSquares& call) {
  switch (call.method) {
    case FitMethod::LevenbergMarquardt: return levenberg_lanes(call);
    case FitMethod::Lbfgs: return lbfgs_lanes(call);
    case FitMethod::NelderMead: return nelder_mead_lanes(call);
    case FitMethod::Adam: return adam_lanes(call);
  }
  return nullptr;
}

template <class T>
class Fits {
 public:
  /// `sets`: for how many it will run.
  Fits(const LeastSquares& call, std::int64_t sets)
      : call_(call),
        of_(call.of),
        parameters_(of_.model->parameters),
        lanes_(of_, sets),
        memory_(FitSums::numbers(parameters_) * kFitLanes),
        sums_{memory_.data(), parameters_},
        search_(search_lanes(call)),
        sets_(static_cast<std::size_t>(kFitLanes), -1) {}

  void run(std::int64_t begin, std::int64_t end) {
    next_ = begin;
    end_ = end;
    for (std::int64_t lane = 0; lane < lanes_.fits(); ++lane) fill(lane);
    while (running_ != 0) {
      const double* const trial = search_->trial();
      for (int p = 0; p < parameters_; ++p) lanes_.set_parameters(p, trial + p * kFitLanes);
      lanes_.sum(sums_);
      for (std::uint32_t ended = search_->tell(memory_.data(), running_); ended != 0; ended &= ended - 1) {
        const std::int64_t lane = std::countr_zero(ended);
        finish(lane);
        fill(lane);
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

  /// Begins the next set whose observations can be fitted, if there is one.
  void fill(std::int64_t lane) {
    const std::uint32_t bit = 1u << lane;
    running_ &= ~bit;
    while (next_ < end_ && (running_ & bit) == 0) {
      const std::int64_t set = next_++;
      const Observed observed = lanes_.load(set, lane);
      if (!observed.is_finite || observed.count < free(set)) {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        write(set, nan, nan, 0, static_cast<int>(FitStatus::BadData));
        for (std::int64_t k = 0; k < kept(); ++k) sum(k, set) = nan;
        continue;
      }
      double low[kMostFitParameters], high[kMostFitParameters];
      for (int p = 0; p < parameters_; ++p) {
        low[p] = bound(of_.lower, set, p, 0);
        high[p] = bound(of_.upper, set, p, 0);
      }
      const bool bounded = of_.lower.is_memory();
      search_->begin(lane, start(set), bounded ? low : nullptr, bounded ? high : nullptr, observed.count,
                     observed.squares);
      sets_[static_cast<std::size_t>(lane)] = set;
      running_ |= bit;
    }
  }
  void finish(std::int64_t lane) {
    const std::int64_t set = sets_[static_cast<std::size_t>(lane)];
    const auto of_lane = [lane](const double* numbers, std::int64_t k = 0) { return numbers[k * kFitLanes + lane]; };
    for (int p = 0; p < parameters_; ++p) start(set)[p] = of_lane(search_->found(), p);
    const double cost = of_lane(search_->cost());
    const int status = static_cast<int>(of_lane(search_->status()));
    write(set, cost, of_lane(search_->cosine()), static_cast<int>(of_lane(search_->steps())), status);
    const bool is_known = status != static_cast<int>(FitStatus::Diverged);
    for (std::int64_t k = 0; k < kept(); ++k)
      sum(k, set) = !is_known ? std::numeric_limits<double>::quiet_NaN()
                    : k == 0  ? 2 * cost
                              : of_lane(search_->products(), k - 1);
  }
  void write(std::int64_t set, double cost, double optimality, int steps, int status) {
    static_cast<double*>(call_.cost.data)[set] = cost;
    static_cast<double*>(call_.optimality.data)[set] = optimality;
    static_cast<std::int32_t*>(call_.steps.data)[set] = steps;
    static_cast<std::int32_t*>(call_.status.data)[set] = status;
  }
  /// How many sums somebody asks for.
  std::int64_t kept() const { return call_.sums.is_memory() ? kept_sums(parameters_) : 0; }
  double& sum(std::int64_t k, std::int64_t set) { return static_cast<double*>(call_.sums.data)[k * of_.sets + set]; }

  const LeastSquares& call_;
  const Observations& of_;
  const int parameters_;
  FitLanes<T> lanes_;
  Scratch<double> memory_;
  FitSums sums_;
  std::unique_ptr<SearchLanes> search_;
  std::vector<std::int64_t> sets_;  ///< by lane
  std::uint32_t running_ = 0;       ///< lanes, bit by bit
  std::int64_t next_ = 0, end_ = 0;
};

}  // namespace

void run(const LeastSquares& call) {
  const FitModel& model = *call.of.model;
  const std::int64_t work = call.of.points * static_cast<std::int64_t>(model.formulas.links.size() + 8) * 64;
  // A thread is given many sets at once, so that it makes a model ready few times.
  constexpr std::int64_t kTurns = 8;
  const std::int64_t groups = (call.of.sets + kFitLanes - 1) / kFitLanes;
  parallel_for(
      call.of.sets, work,
      [&](std::int64_t begin, std::int64_t end) {
        with_floating(model.dtype, [&]<class T>() { Fits<T>(call, end - begin).run(begin, end); });
      },
      std::max<std::int64_t>(groups / (kTurns * num_threads()), 1) * kFitLanes);
}

}  // namespace luge::cpu
