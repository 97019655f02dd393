#pragma once

#include <cstdint>

#include <luge/seam/backend.h>

namespace luge {

/// How a parameter starts. Drawn by Philox keyed by (seed, set, stream, element): a set starts the
/// same alone and inside any batch, on every device. Each parameter has a stream of its own.
struct Init {
  Random::Kind kind = Random::Kind::Uniform;
  bool is_constant = false;
  double a = 0, b = 0;   ///< constant: a; uniform: [a, b); normal: mean a, deviation b
};

namespace init {

Init constant(double value);
inline Init zeros() { return constant(0); }
inline Init ones() { return constant(1); }
/// Uniform in [low, high). Throws ValueError unless low <= high and both are finite.
Init uniform(double low, double high);
/// Throws ValueError unless both are finite and the deviation is 0 or more.
Init normal(double mean, double deviation);
// The ones below throw ValueError for a fan below 1, a slope or gain that is not finite, a negative gain.

/// He et al., arXiv:1502.01852: uniform within sqrt(6 / ((1 + a^2) fan_in)), a the negative slope of the
/// following leaky ReLU; PyTorch's nn.Linear uses a = sqrt(5).
Init kaiming_uniform(std::int64_t fan_in, double a = 0);
Init kaiming_normal(std::int64_t fan_in, double a = 0);
/// Glorot and Bengio 2010: uniform within sqrt(6 / (fan_in + fan_out)).
Init xavier_uniform(std::int64_t fan_in, std::int64_t fan_out, double gain = 1);
Init xavier_normal(std::int64_t fan_in, std::int64_t fan_out, double gain = 1);

}  // namespace init
}  // namespace luge
