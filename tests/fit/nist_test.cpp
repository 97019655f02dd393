// NIST's 27 certified problems of nonlinear regression, both starts as two sets of one call, with default settings.

#include <luge/luge.h>

#include "../devices.h"
#include "../expect.h"
#include "nist.h"

namespace luge::test {
namespace {

class NistTest : public DeviceTest {};

TEST_P(NistTest, ReachesCertifiedValuesFromBothStarts) {
  for (const auto& [name, formula] : kNistProblems) {
    SCOPED_TRACE(name);
    const NistProblem problem = nist_problem(name, formula);
    const auto parameters = static_cast<std::int64_t>(problem.certified.size());
    ASSERT_GT(static_cast<std::int64_t>(problem.y.size()), parameters);
    const fit::ModelNames names = names_of(problem);
    const fit::FitResult result = fit_both_starts(problem, device());
    const std::vector<double> found = result.parameters.to_vector<double>(),
                              deviations = result.standard_errors.to_vector<double>();
    for (std::int64_t set = 0; set < 2; ++set) {
      SCOPED_TRACE("start " + std::to_string(set + 1));
      EXPECT_TRUE(fit::is_converged(status_of(result, set))) << fit::text_of(status_of(result, set));
      for (std::int64_t p = 0; p < parameters; ++p) {
        const auto at = static_cast<std::size_t>(p), in = static_cast<std::size_t>(set * parameters + p);
        EXPECT_NEAR(found[in] / problem.certified[at], 1, 1e-6) << names.parameters[at];
        // The residuals of Lanczos1 are the rounding of its data.
        EXPECT_NEAR(deviations[in] / problem.deviations[at], 1, std::string(name) == "Lanczos1" ? 1e-2 : 1e-5)
            << names.parameters[at];
      }
    }
  }
}

LUGE_ON_EVERY_DEVICE(NistTest);

}  // namespace
}  // namespace luge::test
