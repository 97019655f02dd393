#pragma once
// THE SEAM, for fits: a model with its derivatives, as formulas of the op table, so that backends run it with the code
// that they have for those.

#include <cstdint>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge {

/// Values are numbered: first the predictors, then the parameters, then what the links make, each before it is read.
/// All are of one floating dtype, but for conditions, which are bool.
struct FitModel {
  DType dtype = DType::Float64;
  int predictors = 0, parameters = 0;
  Chain formulas;                       ///< values and links (formulas, forward); the rest is empty
  std::vector<ChainInput> outputs;      ///< values or numbers
  std::vector<ChainInput> derivatives;  ///< [output * parameters + parameter]

  int parameter(int p) const { return predictors + p; }
  const ChainInput& derivative(int output, int parameter) const {
    return derivatives[static_cast<std::size_t>(output * parameters + parameter)];
  }
};

/// Most parameters of a model.
inline constexpr int kMostFitParameters = 32;

/// How many numbers LeastSquares::sums has for each set.
constexpr std::int64_t kept_sums(std::int64_t parameters) { return 1 + parameters * (parameters + 1) / 2; }

}  // namespace luge
