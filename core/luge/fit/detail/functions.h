#pragma once
// Internal: functions of formulas that the op table does not have, made of its ops.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/fit/detail/graph.h>

namespace luge::fit {

/// The term that a function is of its arguments, which `arguments` reads, so many; nothing for an unknown name.
std::optional<Term> composed(Graph& graph, std::string_view name,
                             const std::function<std::vector<Term>(std::size_t count)>& arguments);
std::vector<std::string> composed_names();

}  // namespace luge::fit
