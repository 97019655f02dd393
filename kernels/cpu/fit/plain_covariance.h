#pragma once
// Covariances from the sums that a search has left, of sets whose parameters the observations determine well.

#include <cstdint>
#include <vector>

#include <luge/seam/call.h>

namespace luge::cpu {

/// Of the parameters at a bound, bit by bit.
unsigned at_bounds(const Observations& of, std::int64_t set);

/// Writes the results of sets from `begin` to `end`, but for those that are added to `others`. `call` has sums.
void plain_covariances(const Covariance& call, std::int64_t begin, std::int64_t end, std::vector<std::int64_t>& others);

}  // namespace luge::cpu
