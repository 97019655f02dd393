#pragma once
// Internal: effects of recorded calls by address, to be compared.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge {

/// Bytes of memory. Signed: strides lead either way.
struct Range {
  std::intptr_t low, high;

  bool overlaps(const Range& other) const { return low < other.high && other.low < high; }
  friend bool operator==(const Range& a, const Range& b) = default;
};

inline Range range_of(const Effect& effect) {
  const auto data = reinterpret_cast<std::intptr_t>(*effect.data);
  return {data + effect.low, data + effect.high};
}

/// What is done to a range.
struct RangeEffect {
  Range range;
  bool reads, writes;
};

inline RangeEffect at_address(const Effect& effect) { return {range_of(effect), effect.reads, effect.writes}; }

/// Of a call, or of an item of a plan.
template <class AnyCall>
std::vector<RangeEffect> effects_of(const AnyCall& call) {
  std::vector<RangeEffect> all;
  for_each_effect(call, [&](const Effect& effect) { all.push_back(at_address(effect)); });
  return all;
}

}  // namespace luge
