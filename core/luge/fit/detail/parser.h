#pragma once
// Internal: from the text of a formula to terms.

#include <string>
#include <vector>

#include <luge/fit/detail/graph.h>

namespace luge::fit {

/// Names that a formula reads, each once, in order. Throws ValueError for a text that is no formula.
std::vector<std::string> names_in(const std::string& formula);

/// The term that a formula stands for. Throws ValueError that shows the place, for a name that is neither among the
/// predictors nor among the parameters, too.
Term parse(Graph& graph, const std::string& formula, const std::vector<std::string>& predictors,
           const std::vector<std::string>& parameters);

}  // namespace luge::fit
