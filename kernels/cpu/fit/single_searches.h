#pragma once
// Searches of core/luge/math that know one fit each, side by side.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include <luge/math/fit_search.h>

#include "../scratch.h"
#include "search_lanes.h"

namespace luge::cpu {

/// Search has the interface of math::scalar::Levenberg.
template <class Search>
class SingleSearches final : public SearchLanes {
 public:
  explicit SingleSearches(const LeastSquares& call)
      : parameters_(call.of.model->parameters),
        settings_(fit_settings<math::scalar::FitSettings>(call)),
        memory_((4 + 2 * parameters_) * kFitLanes),
        searches_(static_cast<std::size_t>(kFitLanes)) {
    std::fill_n(memory_.data(), (4 + 2 * parameters_) * kFitLanes, 0.0);
    cost_ = memory_.data();
    cosine_ = cost_ + kFitLanes;
    steps_ = cosine_ + kFitLanes;
    status_ = steps_ + kFitLanes;
    found_ = status_ + kFitLanes;
    trial_ = found_ + parameters_ * kFitLanes;
  }

  void begin(std::int64_t lane, const double* start, const double* low, const double* high, std::int64_t observations,
             double squares) override {
    Search& search = searches_[static_cast<std::size_t>(lane)];
    search.begin(parameters_, start, low, high, observations, squares);
    put(trial_, lane, search.trial());
  }

  const double* trial() override { return trial_; }

  std::uint32_t tell(const double* sums, std::uint32_t lanes) override {
    std::uint32_t ended = 0;
    for (; lanes != 0; lanes &= lanes - 1) {
      const int lane = std::countr_zero(lanes);
      Search& search = searches_[static_cast<std::size_t>(lane)];
      if (!search.tell(settings_, sums + lane, kFitLanes)) {
        put(trial_, lane, search.trial());
        continue;
      }
      ended |= 1u << lane;
      put(found_, lane, search.found());
      cost_[lane] = search.cost();
      cosine_[lane] = search.cosine();
      steps_[lane] = search.steps();
      status_[lane] = search.status();
    }
    return ended;
  }

 private:
  void put(double* to, std::int64_t lane, const double* parameters) const {
    for (int p = 0; p < parameters_; ++p) to[p * kFitLanes + lane] = parameters[p];
  }

  const int parameters_;
  const math::scalar::FitSettings settings_;
  Scratch<double> memory_;
  std::vector<Search> searches_;
  double* trial_;
};

/// With as many parameters as the model has known to the compiler where they are few.
template <template <int> class Search>
std::unique_ptr<SearchLanes> single_searches(const LeastSquares& call) {
  switch (call.of.model->parameters) {
    case 1: return std::make_unique<SingleSearches<Search<1>>>(call);
    case 2: return std::make_unique<SingleSearches<Search<2>>>(call);
    case 3: return std::make_unique<SingleSearches<Search<3>>>(call);
    case 4: return std::make_unique<SingleSearches<Search<4>>>(call);
    case 5: return std::make_unique<SingleSearches<Search<5>>>(call);
    default: return std::make_unique<SingleSearches<Search<0>>>(call);
  }
}

}  // namespace luge::cpu
