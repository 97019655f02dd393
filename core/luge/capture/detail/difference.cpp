#include <luge/capture/detail/difference.h>

#include <algorithm>

#include <luge/capture/detail/range.h>

namespace luge {

namespace {

/// Whether both calls do the same to the same memory.
bool same_memory(const Call& a, const Call& b) {
  if (a.index() != b.index()) return false;
  const std::vector<RangeEffect> first = effects_of(a), second = effects_of(b);
  return std::equal(
      first.begin(), first.end(), second.begin(), second.end(),
      [](const RangeEffect& x, const RangeEffect& y) { return x.range == y.range && x.writes == y.writes; });
}

}  // namespace

std::optional<std::size_t> difference(const std::vector<Call>& a, const std::vector<Call>& b) {
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), same_memory).first;
  if (at == a.end() && a.size() == b.size()) return std::nullopt;
  return static_cast<std::size_t>(at - a.begin());
}

}  // namespace luge
