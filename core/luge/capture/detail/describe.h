#pragma once
// Internal: a plan in numbers and in words.

#include <string>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/capture/step.h>
#include <luge/seam/detail/plan.h>

namespace luge {

/// Calls, bytes and flops of the calls as recorded and of what was made of them.
StepFigures count(const std::vector<Call>& recorded, const Plan& plan);

/// A table of the plan's items and the sums, with the time that the memory bus alone would take: measures the
/// device's copy bandwidth.
std::string describe(const Plan& plan, const StepFigures& figures, Backend& backend);

}  // namespace luge
