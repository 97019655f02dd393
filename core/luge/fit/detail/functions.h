#pragma once
// Internal: functions of formulas, by the names that they have there.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/fit/detail/graph.h>

namespace luge::fit {

/// An op of the table that is a function of one number, or of two; nothing for other names.
std::optional<Op> unary_named(std::string_view name);
std::optional<Op> binary_named(std::string_view name);

/// Of a function that is made of ops, the term of its arguments, which `arguments` reads, so many; nothing for other
/// names.
std::optional<Term> composed(Graph& graph, std::string_view name,
                             const std::function<std::vector<Term>(std::size_t count)>& arguments);
/// "; alike: exp, exp2": functions whose names are much like this one; empty where none is.
std::string alike(std::string_view name);

}  // namespace luge::fit
