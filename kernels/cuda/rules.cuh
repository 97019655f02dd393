#pragma once
// Optimizer rules of core/luge/math/updates.h with their hyperparameters as the device sees them. The constructor takes
// luge::Update, which only the host knows.

#include <cstdint>

#include <luge/math/updates.h>

#include "block_size.h"
#include "device.h"

namespace luge::cuda {

/// A hyperparameter on the device: one value, or one per set; zero where the call gives none.
template <class T>
struct Setting {
  const T* data;
  std::int64_t stride;

  Setting() = default;
  template <class Hyper>
  explicit Setting(const Hyper& hyper) : data(static_cast<const T*>(hyper.data)), stride(hyper.stride) {}
  __device__ T at(std::int64_t set) const { return data ? data[set * stride] : T(0); }
};

/// A set's hyperparameters as memory holds them, then its flag.
template <class Formula, class T>
struct RuleHypers {
  static constexpr int kFlag = Formula::kHypers;
  T values[kFlag + 1];
};

/// The numbers that a rule's step reads for one set, then the flag of the set.
template <class Formula, class T>
struct RuleNumbers {
  static constexpr int kFlag = math::scalar::kNumbersOf<Formula>;
  T values[kFlag + 1];
  __device__ T operator[](int i) const { return values[i]; }
};

/// How many of the first `count` numbers count steps.
template <class Formula>
constexpr int step_numbers_among(int count) {
  int found = 0;
  for (int i = 0; i < count; ++i) found += Formula::kNumbers[i].counts_steps() ? 1 : 0;
  return found;
}

/// Those that count steps, which are dear: powers.
template <class Formula, class T>
struct StepNumbers {
  static constexpr int kCount = step_numbers_among<Formula>(math::scalar::kNumbersOf<Formula>);
  T values[kCount > 0 ? kCount : 1];
};

/// Whether some number of the call's rule differs from set to set; with `counting_steps` only those that count steps.
template <class Update>
bool has_numbers_per_set(const Update& call, bool counting_steps) {
  for (int i = 0; i < call.numbers(); ++i)
    if (call.is_per_set(i) && (call.number(i).counts_steps() || !counting_steps)) return true;
  return false;
}

template <class Formula, class T>
struct Rule {
  using Value = T;
  using Hypers = RuleHypers<Formula, T>;
  using Numbers = RuleNumbers<Formula, T>;
  using AtStep = StepNumbers<Formula, T>;
  static constexpr int kStates = Formula::kStates;
  static constexpr int kNumbers = math::scalar::kNumbersOf<Formula>;

  Setting<T> settings[Formula::kHypers + 1];  ///< the last one: the flags
  const std::int64_t* begun;
  math::scalar::UpdateFlags flags;

  template <class Update>
  explicit Rule(const Update& call) : begun(call.begun), flags{call.maximize, call.decays(), call.has_idle()} {
    for (int h = 0; h < Formula::kHypers; ++h) settings[h] = Setting<T>(call.hyper[h]);
    settings[Formula::kHypers] = Setting<T>(call.hyper[Update::kActive]);
  }

  /// All of a set's hyperparameters.
  __device__ Hypers hypers(std::int64_t set) const {
    Hypers result;
#pragma unroll
    for (int h = 0; h <= Hypers::kFlag; ++h) result.values[h] = settings[h].at(set);
    return result;
  }
  /// Those that are the set's own, in place of another set's.
  __device__ void reload(Hypers& hypers, std::int64_t set) const {
#pragma unroll
    for (int h = 0; h <= Hypers::kFlag; ++h)
      if (settings[h].stride != 0) hypers.values[h] = settings[h].data[set];
  }
  /// The number of the step after `taken`, as a set counts it.
  __device__ double step(std::int64_t set, std::int64_t taken) const {
    return static_cast<double>(taken + 1 - (begun ? begun[set] : 0));
  }
  /// Number `which` of those that count steps, at step t.
  template <int i = 0>
  __device__ static void fill(AtStep& result, int which, const Hypers& hypers, double t) {
    if constexpr (i < kNumbers) {
      if constexpr (Formula::kNumbers[i].counts_steps())
        if (constexpr int at = step_numbers_among<Formula>(i); which == at) result.values[at] = derived<i>(hypers, t);
      fill<i + 1>(result, which, hypers, t);
    }
  }
  /// All of them.
  __device__ static AtStep step_numbers(const Hypers& hypers, double t) {
    AtStep result{};
#pragma unroll
    for (int which = 0; which < AtStep::kCount; ++which) fill(result, which, hypers, t);
    return result;
  }
  /// All numbers.
  __device__ static Numbers numbers(const Hypers& hypers, const AtStep& step_numbers) {
    Numbers result;
    fill_all(result, hypers, step_numbers);
    result.values[kNumbers] = hypers.values[Hypers::kFlag];
    return result;
  }
  /// One element; `states` are kMaxStates.
  __device__ static void step(const Numbers& numbers, math::scalar::UpdateFlags flags, T& value, T grad, T* states) {
    math::scalar::update<Formula>(numbers, flags, value, grad, states);
  }

 private:
  template <int i>
  __device__ static T derived(const Hypers& hypers, double t) {
    constexpr math::Number number = Formula::kNumbers[i];
    return math::scalar::derived(number.how, hypers.values[number.hyper], hypers.values[number.other],
                                 hypers.values[number.third], t);
  }
  template <int i = 0>
  __device__ static void fill_all(Numbers& result, const Hypers& hypers, const AtStep& step_numbers) {
    if constexpr (i < kNumbers) {
      constexpr int at = step_numbers_among<Formula>(i);
      if constexpr (Formula::kNumbers[i].counts_steps())
        result.values[i] = step_numbers.values[at];
      else
        result.values[i] = derived<i>(hypers, 0);
      fill_all<i + 1>(result, hypers, step_numbers);
    }
  }
};

/// Those of set 0's numbers that count steps, for all threads of a block, which all call it: a warp computes each of
/// them, as powers are dear. Rules that count none wait for nobody.
template <class Rule>
__device__ inline typename Rule::AtStep step_numbers_in_block(const Rule& rule, const typename Rule::Hypers& hypers,
                                                              std::int64_t taken) {
  using AtStep = typename Rule::AtStep;
  if constexpr (AtStep::kCount == 0) {
    return AtStep{};
  } else {
    static_assert(AtStep::kCount <= kWarps);
    LUGE_SHARED(AtStep, shared, 1);
    __syncthreads();  // `shared` may still be read on behalf of the call before
    if (threadIdx.x % kWarp == 0 && threadIdx.x / kWarp < AtStep::kCount)
      rule.fill(shared[0], static_cast<int>(threadIdx.x / kWarp), hypers, rule.step(0, taken));
    __syncthreads();
    return shared[0];
  }
}

}  // namespace luge::cuda
