#pragma once
// Internal: the methods of fits by their names.

#include <cstdint>
#include <string_view>

#include <luge/seam/fit.h>

namespace luge::fit {

struct Method {
  std::string_view name;
  FitMethod method;
  std::int64_t max_steps;  ///< where nothing is said
  std::int64_t usual;      ///< evaluations of a fit, about
};

/// Throws ValueError in the words of the function `op`.
const Method& method_named(std::string_view op, std::string_view name);

}  // namespace luge::fit
