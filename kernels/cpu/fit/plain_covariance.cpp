// Covariances in vectors of sets.
#include "../targets.h"
#undef HWY_TARGET_INCLUDE
// clang-format off
#define HWY_TARGET_INCLUDE LUGE_CPU_SOURCE(fit/plain_covariance.cpp)
// clang-format on
#include <hwy/foreach_target.h>

#include "../vector.h"

#include <luge/math/covariance.h>

#include <algorithm>

#include <luge/seam/detail/fit_model.h>

#include "plain_covariance.h"

HWY_BEFORE_NAMESPACE();
namespace luge::cpu::HWY_NAMESPACE {

using Double = Vec<double>;

HWY_INLINE Double power_below(Double x) {
  const hn::RebindToUnsigned<Double::D> bits;
  const auto exponent = hn::Set(bits, 0xFFF0000000000000ull);
  return Double(hn::BitCast(Double::D(), hn::And(hn::BitCast(bits, x.raw), exponent)));
}

class PlainSets {
 public:
  explicit PlainSets(const Covariance& call) : call_(call), parameters_(call.of.model->parameters) {}

  /// `count` sets, at most kLanes<double>.
  void run(std::int64_t first, std::size_t count, std::vector<std::int64_t>& others) {
    const auto sum = [&](int k) HWY_ATTR {
      const double* const from = static_cast<const double*>(call_.sums.data) + k * call_.of.sets + first;
      return count == kLanes<double> ? load(from) : load_part(from, count);
    };
    const auto product = [&](int i, int j) HWY_ATTR { return sum(1 + i * (i + 1) / 2 + j); };
    const auto terms = static_cast<double>(call_.of.points) * static_cast<double>(call_.of.model->outputs.size());
    bool is_known[kLanes<double>];
    store_mask(is_known, plain_.find(parameters_, product, terms));
    for (int i = 0; i < parameters_; ++i)
      for (int j = 0; j <= i; ++j) {
        store(numbers_[i * parameters_ + j], plain_.covariance(i, j));
        store(numbers_[j * parameters_ + i], plain_.covariance(i, j));
      }
    HWY_ALIGN double condition[kLanes<double>], chi2[kLanes<double>];
    store(condition, plain_.condition());
    store(chi2, sum(0));
    for (std::size_t lane = 0; lane < count; ++lane) {
      const std::int64_t set = first + static_cast<std::int64_t>(lane);
      if (!is_known[lane] || at_bounds(call_.of, set) != 0) {
        others.push_back(set);
        continue;
      }
      const std::int64_t numbers = std::int64_t{parameters_} * parameters_;
      double* const to = static_cast<double*>(call_.covariance.data) + set * numbers;
      for (std::int64_t k = 0; k < numbers; ++k) to[k] = numbers_[k][lane];
      static_cast<double*>(call_.condition.data)[set] = condition[lane];
      static_cast<double*>(call_.chi2.data)[set] = chi2[lane];
      static_cast<std::int32_t*>(call_.free.data)[set] = parameters_;
      static_cast<std::int32_t*>(call_.rank.data)[set] = parameters_;
    }
  }

 private:
  const Covariance& call_;
  const int parameters_;
  scalar_math::PlainCovariance<Double> plain_;
  HWY_ALIGN double numbers_[scalar_math::kMostPlain * scalar_math::kMostPlain][kLanes<double>];
};

void find_plain(const Covariance& call, std::int64_t begin, std::int64_t end, std::vector<std::int64_t>& others) {
  PlainSets sets(call);
  constexpr auto kStep = static_cast<std::int64_t>(kLanes<double>);
  for (std::int64_t set = begin; set < end; set += kStep)
    sets.run(set, static_cast<std::size_t>(std::min(kStep, end - set)), others);
}

}  // namespace luge::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace luge::cpu {
HWY_EXPORT(find_plain);

unsigned at_bounds(const Observations& of, std::int64_t set) {
  unsigned bits = 0;
  if (!of.lower.is_memory() && !of.upper.is_memory()) return bits;
  const int count = of.model->parameters;
  const double* const parameters = static_cast<const double*>(of.parameters.data) + set * count;
  for (int p = 0; p < count; ++p) {
    const auto is_at = [&](const Operand& bound) {
      return bound.is_memory() &&
             static_cast<const double*>(bound.data)[bound.strides[0] * set + bound.strides[1] * p] == parameters[p];
    };
    if (is_at(of.lower) || is_at(of.upper)) bits |= 1u << p;
  }
  return bits;
}

void plain_covariances(const Covariance& call, std::int64_t begin, std::int64_t end,
                       std::vector<std::int64_t>& others) {
  HWY_DYNAMIC_DISPATCH(find_plain)(call, begin, end, others);
}
}  // namespace luge::cpu
#endif
