// Levenberg and Marquardt's method in vectors of fits.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(fit/levenberg_lanes.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#include <luge/math/levenberg.h>

#include <algorithm>
#include <array>

#include "../scratch.h"
#include "search_lanes.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

using Double = Vec<double>;
using DoubleMask = Mask<double>;

template <int P>
class VectorLanes final : public SearchLanes {
 public:
  explicit VectorLanes(const LeastSquares& call)
      : parameters_(call.of.model->parameters),
        bounded_(call.of.lower.is_memory()),
        settings_(fit_settings<scalar_math::FitSettings>(call)),
        groups_(std::make_unique<Groups>()),
        products_count_(parameters_ * (parameters_ + 1) / 2),
        memory_((kNumbers + 5 * parameters_ + products_count_) * kFitLanes) {
    std::fill_n(memory_.data(), (kNumbers + 5 * parameters_ + products_count_) * kFitLanes, 0.0);
    double* next = memory_.data();
    const auto take = [&](int numbers) {
      double* const at = next;
      next += numbers * kFitLanes;
      return at;
    };
    begins_ = take(1);
    told_ = take(1);
    observations_ = take(1);
    squares_ = take(1);
    cost_ = take(1);
    cosine_ = take(1);
    steps_ = take(1);
    status_ = take(1);
    trial_ = take(parameters_);
    start_ = take(parameters_);
    low_ = take(parameters_);
    high_ = take(parameters_);
    found_ = take(parameters_);
    products_ = take(products_count_);
  }

  void begin(std::int64_t lane, const double* start, const double* low, const double* high, std::int64_t observations,
             double squares) override {
    begins_[lane] = 1;
    observations_[lane] = static_cast<double>(observations);
    squares_[lane] = squares;
    for (int p = 0; p < parameters_; ++p) {
      start_[p * kFitLanes + lane] = start[p];
      if (low) low_[p * kFitLanes + lane] = low[p];
      if (high) high_[p * kFitLanes + lane] = high[p];
    }
  }

  const double* trial() override {
    for (std::size_t g = 0; g < kGroups; ++g) {
      const std::size_t lane = g * kLanes<double>;
      Fits& fits = (*groups_)[g];
      const DoubleMask begins = numbers(begins_ + lane) != Double(0.0);
      if (any(begins)) {
        Double start[Fits::kMost] = {}, low[Fits::kMost] = {}, high[Fits::kMost] = {};
        for (int p = 0; p < parameters_; ++p) {
          start[p] = numbers(start_ + p * kFitLanes + lane);
          low[p] = numbers(low_ + p * kFitLanes + lane);
          high[p] = numbers(high_ + p * kFitLanes + lane);
        }
        fits.begin(begins, parameters_, start, bounded_ ? low : nullptr, bounded_ ? high : nullptr,
                   numbers(observations_ + lane), numbers(squares_ + lane));
        store(begins_ + lane, Double(0.0));
      }
      for (int p = 0; p < parameters_; ++p) store(trial_ + p * kFitLanes + lane, fits.trial()[p]);
    }
    return trial_;
  }

  std::uint32_t tell(const double* sums, std::uint32_t lanes) override {
    for (std::int64_t lane = 0; lane < kFitLanes; ++lane) told_[lane] = static_cast<double>(lanes >> lane & 1);
    std::uint32_t ended = 0;
    for (std::size_t g = 0; g < kGroups; ++g) {
      const std::size_t lane = g * kLanes<double>;
      const DoubleMask told = numbers(told_ + lane) != Double(0.0);
      if (!any(told)) continue;
      Fits& fits = (*groups_)[g];
      const auto sum = [sums, lane](int k) HWY_ATTR { return numbers(sums + k * kFitLanes + lane); };
      const DoubleMask ends = fits.tell(settings_, sum, told);
      if (!any(ends)) continue;
      bool bits[kLanes<double>];
      store_mask(bits, ends);
      for (std::size_t i = 0; i < kLanes<double>; ++i) ended |= static_cast<std::uint32_t>(bits[i]) << (lane + i);
      keep(fits, lane);
    }
    return ended;
  }

 private:
  using Fits = scalar_math::LevenbergFits<Double, P>;
  static constexpr std::size_t kWidth = static_cast<std::size_t>(kFitLanes), kGroups = kWidth / kLanes<double>;
  static constexpr int kNumbers = 8;  ///< one by one in the constructor
  using Groups = std::array<Fits, kGroups>;

  static HWY_INLINE Double numbers(const double* from) { return load(from); }
  /// What the fits of a group have found, of those that go on, too.
  void keep(const Fits& fits, std::size_t lane) {
    const auto put = [lane](double* to, Double value) HWY_ATTR { store(to + lane, value); };
    put(cost_, fits.cost());
    put(cosine_, fits.cosine());
    put(steps_, fits.steps());
    put(status_, fits.status());
    for (int p = 0; p < parameters_; ++p) put(found_ + p * kFitLanes, fits.found()[p]);
    double* to = products_;
    for (int i = 0; i < parameters_; ++i)
      for (int j = 0; j <= i; ++j, to += kFitLanes) put(to, fits.product(i, j));
  }

  const int parameters_;
  const bool bounded_;
  const scalar_math::FitSettings settings_;
  std::unique_ptr<Groups> groups_;
  const int products_count_;
  Scratch<double> memory_;
  double *begins_, *told_, *observations_, *squares_, *trial_, *start_, *low_, *high_;
};

/// [parameters]; 0: any number.
template <int P>
std::unique_ptr<SearchLanes> made(const LeastSquares& call) {
  return std::make_unique<VectorLanes<P>>(call);
}
std::unique_ptr<SearchLanes> vector_lanes(const LeastSquares& call) {
  switch (call.of.model->parameters) {
    case 1: return made<1>(call);
    case 2: return made<2>(call);
    case 3: return made<3>(call);
    case 4: return made<4>(call);
    case 5: return made<5>(call);
    default: return made<0>(call);
  }
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(vector_lanes);

std::unique_ptr<SearchLanes> levenberg_lanes(const LeastSquares& call) {
  return HWY_DYNAMIC_DISPATCH(vector_lanes)(call);
}
}  // namespace luge::cpu
#endif
