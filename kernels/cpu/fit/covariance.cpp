// Covariances of fits.

#include <luge/math/covariance.h>

#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include <luge/base/detail/dispatch.h>

#include "../kernels.h"
#include "../scratch.h"
#include "../threads.h"
#include "observations.h"
#include "plain_covariance.h"

namespace luge::cpu {

namespace {

using math::scalar::CovarianceInput;
using math::scalar::CovarianceOutput;
using math::scalar::CovarianceWork;
using math::scalar::Pair;

/// Of numbers that are each the sum of two, lane 0 becomes the sum of all lanes.
void join_pairs(double* high, double* low) {
  for (std::int64_t lane = 1; lane < kFitLanes; ++lane) {
    const Pair sum = math::scalar::pair_sum(high[0], high[lane]);
    high[0] = sum.high;
    low[0] += low[lane] + sum.low;
  }
}

template <class T>
class Covariances {
 public:
  explicit Covariances(const Covariance& call)
      : call_(call),
        of_(call.of),
        parameters_(of_.model->parameters),
        lanes_(of_),
        sums_{nullptr, parameters_},
        memory_(sums_.numbers() * kFitLanes),
        work_(std::make_unique<CovarianceWork>()) {
    sums_.memory = memory_.data();
  }

  void run(std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> sets;
    if (call_.sums.is_memory() && parameters_ <= math::scalar::kMostPlain) {
      plain_covariances(call_, begin, end, sets);
    } else {
      sets.resize(static_cast<std::size_t>(end - begin));
      std::iota(sets.begin(), sets.end(), begin);
    }
    const auto together = static_cast<std::size_t>(lanes_.fits());
    const std::span<const std::int64_t> all(sets);
    for (std::size_t first = 0; first < all.size(); first += together)
      group(all.subspan(first, std::min(together, all.size() - first)));
  }

 private:
  void group(std::span<const std::int64_t> sets) {
    std::fill_n(memory_.data(), sums_.numbers() * kFitLanes, 0.0);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto lane = static_cast<std::int64_t>(i);
      lanes_.load(sets[i], lane);
      for (int p = 0; p < parameters_; ++p) lanes_.set_parameter(lane, p, found(sets[i])[p]);
    }
    lanes_.evaluate([&](const FitRows<T>& rows) { add_rows_exactly(of_.loss, of_.loss_scale, rows, sums_); });
    if (lanes_.is_wide()) {
      join_pairs(sums_.chi2(), sums_.chi2() + kFitLanes);
      for (int i = 0; i < parameters_; ++i)
        for (int j = 0; j <= i; ++j) join_pairs(sums_.high(i, j), sums_.low(i, j));
      lanes_.join(sums_.score(0, 0), sums_.products());
    }
    for (std::size_t i = 0; i < sets.size(); ++i) finish(sets[i], static_cast<std::int64_t>(i));
  }

  const double* found(std::int64_t set) const {
    return static_cast<const double*>(of_.parameters.data) + set * parameters_;
  }

  void finish(std::int64_t set, std::int64_t lane) {
    for (int i = 0; i < parameters_; ++i)
      for (int j = 0; j <= i; ++j) {
        double &high = sums_.high(i, j)[lane], &low = sums_.low(i, j)[lane];
        const Pair pair = math::scalar::pair_sum(high, low);
        high = pair.high;
        low = pair.low;
      }
    const bool sandwich = of_.loss != FitLoss::Linear && of_.loss != FitLoss::Poisson;
    // Columns of elements that are rounded differ by less than this where they are the same.
    constexpr double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-11;
    const CovarianceInput in{parameters_,
                             sums_.high(0, 0) + lane,
                             sums_.low(0, 0) + lane,
                             sandwich ? sums_.score(0, 0) + lane : nullptr,
                             kFitLanes,
                             at_bounds(of_, set),
                             tolerance};
    double* const to = static_cast<double*>(call_.covariance.data) + set * parameters_ * parameters_;
    const CovarianceOutput out = math::scalar::covariance_of(in, *work_, to);
    static_cast<double*>(call_.condition.data)[set] = out.condition;
    static_cast<double*>(call_.chi2.data)[set] = sums_.chi2()[lane] + sums_.chi2()[kFitLanes + lane];
    static_cast<std::int32_t*>(call_.free.data)[set] = out.free;
    static_cast<std::int32_t*>(call_.rank.data)[set] = out.rank;
  }

  const Covariance& call_;
  const Observations& of_;
  const int parameters_;
  FitLanes<T> lanes_;
  ExactSums sums_;
  Scratch<double> memory_;
  std::unique_ptr<CovarianceWork> work_;
};

}  // namespace

void run(const Covariance& call) {
  const FitModel& model = *call.of.model;
  const std::int64_t work = call.of.points * static_cast<std::int64_t>(model.formulas.links.size() + 8) * 8;
  parallel_for(
      call.of.sets, work,
      [&](std::int64_t begin, std::int64_t end) {
        with_floating(model.dtype, [&]<class T>() { Covariances<T>(call).run(begin, end); });
      },
      kFitLanes);
}

}  // namespace luge::cpu
