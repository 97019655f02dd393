#include <luge/capture/difference.h>

#include <algorithm>

#include <luge/capture/access.h>

namespace luge {

namespace {

/// Whether both calls do the same to the same memory.
bool same_memory(Call a, Call b) {
  if (a.index() != b.index()) return false;
  std::vector<Access> first, second;
  for_each_access(a, [&](const Access& access) { first.push_back(access); });
  for_each_access(b, [&](const Access& access) { second.push_back(access); });
  return std::equal(first.begin(), first.end(), second.begin(), second.end(), [](const Access& x, const Access& y) {
    return *x.data == *y.data && x.low == y.low && x.high == y.high && x.writes == y.writes;
  });
}

}  // namespace

std::optional<std::size_t> difference(const std::vector<Call>& a, const std::vector<Call>& b) {
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), same_memory).first;
  if (at == a.end() && a.size() == b.size()) return std::nullopt;
  return static_cast<std::size_t>(at - a.begin());
}

}  // namespace luge
