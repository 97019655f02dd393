#pragma once
// Internal: names in the files of results.

#include <string_view>

namespace luge::sweep {

/// Columns of the results beside the hyperparameters.
inline constexpr std::string_view kResultNames[] = {"rank", "set",        "setting",   "seed",  "score",
                                                    "best", "best_score", "best_step", "steps", "stopped"};

/// Throws ValueError for a name that a hyperparameter cannot have.
void check_name(std::string_view name);

}  // namespace luge::sweep
