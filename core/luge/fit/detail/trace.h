#pragma once
// Internal: from a function of tensors to terms, by looking on while it runs.

#include <functional>
#include <vector>

#include <luge/fit/detail/graph.h>
#include <luge/tensor/tensor.h>

namespace luge::fit {

/// The terms that the function's results are of its predictors and parameters. Throws ValueError for what does not work
/// element by element.
std::vector<Term> trace(
    Graph& graph, int predictors, int parameters,
    const std::function<std::vector<Tensor>(const std::vector<Tensor>&, const std::vector<Tensor>&)>& function);

}  // namespace luge::fit
