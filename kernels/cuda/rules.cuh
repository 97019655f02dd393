#pragma once
// Optimizer rules of kernels/math/updates.h with their hyperparameters as the device sees them. Constructors
// take the structures of luge/call.h, which only the host knows.

#include <cstdint>

#include <luge/math/updates.h>

#include "device.h"

namespace luge::cuda {

/// A hyperparameter on the device: one value, or one per set; zero where the call gives none.
template <class T>
struct Setting {
  const T* data;
  std::int64_t stride;

  template <class Hyper>
  explicit Setting(const Hyper& hyper) : data(static_cast<const T*>(hyper.data)), stride(hyper.stride) {}
  bool is_given() const { return data != nullptr; }
  __device__ T at(std::int64_t set) const { return data ? data[set * stride] : T(0); }
};

/// One element on its way through a rule.
template <class T>
struct Element {
  T value, grad, first, second;
};

/// A rule's Biases are what it derives from the step count, its Numbers what one set is updated with.
struct NoBiases {};

/// SGD without a momentum buffer.
template <class T>
struct PlainSgd {
  using Value = T;
  using Biases = NoBiases;
  using Numbers = math::scalar::Sgd<T>;
  static constexpr int kStates = 0;
  Setting<T> lr, weight_decay;
  bool decays;

  template <class Update>
  explicit PlainSgd(const Update& call)
      : lr(call.lr), weight_decay(call.weight_decay), decays(weight_decay.is_given()) {}
  __device__ NoBiases biases(std::int64_t, std::int64_t) const { return {}; }
  __device__ Numbers numbers(std::int64_t set, NoBiases) const {
    return {lr.at(set), T(0), T(0), weight_decay.at(set), decays};
  }
  __device__ void step(const Numbers& numbers, Element<T>& x, std::int64_t) const { numbers.step(x.value, x.grad); }
};

template <class T>
struct MomentumSgd {
  using Value = T;
  using Biases = NoBiases;
  using Numbers = math::scalar::Sgd<T>;
  static constexpr int kStates = 1;
  Setting<T> lr, momentum, dampening, weight_decay;
  bool decays, nesterov;

  template <class Update>
  explicit MomentumSgd(const Update& call)
      : lr(call.lr),
        momentum(call.momentum),
        dampening(call.dampening),
        weight_decay(call.weight_decay),
        decays(weight_decay.is_given()),
        nesterov(call.nesterov) {}
  __device__ NoBiases biases(std::int64_t, std::int64_t) const { return {}; }
  __device__ Numbers numbers(std::int64_t set, NoBiases) const {
    return {lr.at(set), momentum.at(set), T(1) - dampening.at(set), weight_decay.at(set), decays};
  }
  __device__ void step(const Numbers& numbers, Element<T>& x, std::int64_t taken) const {
    numbers.step(x.value, x.grad, x.first, taken == 0, nesterov);
  }
};

template <class T>
struct Adam {
  using Value = T;
  struct Biases {
    T bias1, sqrt_bias2;
  };
  using Numbers = math::scalar::Adam<T>;
  static constexpr int kStates = 2;
  Setting<T> lr, beta1, beta2, epsilon, weight_decay;
  bool decays, decoupled;

  template <class Update>
  explicit Adam(const Update& call)
      : lr(call.lr),
        beta1(call.beta1),
        beta2(call.beta2),
        epsilon(call.epsilon),
        weight_decay(call.weight_decay),
        decays(weight_decay.is_given()),
        decoupled(call.rule == decltype(call.rule)::AdamW) {}
  /// 1 - beta^t in float64: in float32 it would lose half of its digits at the first steps.
  __device__ Biases biases(std::int64_t set, std::int64_t taken) const {
    const auto t = static_cast<double>(taken + 1);
    const double bias1 = 1.0 - math::scalar::pow(static_cast<double>(beta1.at(set)), t);
    const double bias2 = 1.0 - math::scalar::pow(static_cast<double>(beta2.at(set)), t);
    return {static_cast<T>(bias1), static_cast<T>(math::scalar::sqrt(bias2))};
  }
  __device__ Numbers numbers(std::int64_t set, const Biases& biases) const {
    const T b1 = beta1.at(set), b2 = beta2.at(set);
    return {lr.at(set),           b1,           T(1) - b1,        b2, T(1) - b2, epsilon.at(set),
            weight_decay.at(set), biases.bias1, biases.sqrt_bias2, decays};
  }
  __device__ void step(const Numbers& numbers, Element<T>& x, std::int64_t) const {
    numbers.step(x.value, x.grad, x.first, x.second, decoupled);
  }
};

}  // namespace luge::cuda
