#pragma once
// Internal: whether two runs of a step did the same.

#include <cstddef>
#include <optional>
#include <vector>

#include <luge/seam/call.h>

namespace luge {

/// The first call that does something else in `a` than in `b`, or works on other memory; nothing if there is none. Numbers
/// are not compared.
std::optional<std::size_t> difference(const std::vector<Call>& a, const std::vector<Call>& b);

}  // namespace luge
