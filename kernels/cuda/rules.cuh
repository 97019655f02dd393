#pragma once
// Optimizer rules of core/luge/math/updates.h with their hyperparameters as the device sees them. The constructor takes
// luge::Update, which only the host knows.

#include <cstdint>

#include <luge/math/updates.h>

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
  using Numbers = RuleNumbers<Formula, T>;
  using AtStep = StepNumbers<Formula, T>;
  static constexpr int kStates = Formula::kStates;
  static constexpr int kNumbers = math::scalar::kNumbersOf<Formula>;

  Setting<T> settings[Formula::kHypers];
  Setting<T> active;
  const std::int64_t* begun;
  math::scalar::UpdateFlags flags;

  template <class Update>
  explicit Rule(const Update& call) : begun(call.begun), flags{call.maximize, call.decays(), call.has_idle()} {
    for (int h = 0; h < Formula::kHypers; ++h) settings[h] = Setting<T>(call.hyper[h]);
    active = Setting<T>(call.hyper[Update::kActive]);
  }

  /// Of a set's step number `taken` + 1.
  __device__ AtStep step_numbers(std::int64_t set, std::int64_t taken) const {
    AtStep result{};
    fill(result, set, static_cast<double>(taken + 1 - (begun ? begun[set] : 0)));
    return result;
  }
  /// All of a set's numbers.
  __device__ Numbers numbers(std::int64_t set, const AtStep& step_numbers) const {
    Numbers result;
    fill(result, step_numbers, set);
    result.values[kNumbers] = active.at(set);
    return result;
  }
  /// One element; `states` are kMaxStates.
  __device__ void step(const Numbers& numbers, T& value, T grad, T* states) const {
    math::scalar::update<Formula>(numbers, flags, value, grad, states);
  }

 private:
  template <int i>
  __device__ T derived(std::int64_t set, double t) const {
    constexpr math::Number number = Formula::kNumbers[i];
    return math::scalar::derived(number.how, settings[number.hyper].at(set), settings[number.other].at(set), t);
  }
  template <int i = 0>
  __device__ void fill(AtStep& result, std::int64_t set, double t) const {
    if constexpr (i < kNumbers) {
      constexpr int at = step_numbers_among<Formula>(i);
      if constexpr (Formula::kNumbers[i].counts_steps()) result.values[at] = derived<i>(set, t);
      fill<i + 1>(result, set, t);
    }
  }
  template <int i = 0>
  __device__ void fill(Numbers& result, const AtStep& step_numbers, std::int64_t set) const {
    if constexpr (i < kNumbers) {
      constexpr int at = step_numbers_among<Formula>(i);
      if constexpr (Formula::kNumbers[i].counts_steps())
        result.values[i] = step_numbers.values[at];
      else
        result.values[i] = derived<i>(set, 0);
      fill<i + 1>(result, step_numbers, set);
    }
  }
};

}  // namespace luge::cuda
