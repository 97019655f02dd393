#pragma once
// The source of a kernel of fits: the model's formulas, and which of fit.cuh's functions the kernel calls with them.
// Sizes, strides, addresses, bounds and tolerances are the kernel's arguments, so that a model is compiled once.

#include <string>

#include <luge/seam/detail/fit_model.h>
#include <luge/seam/fit.h>

namespace luge::cuda {

inline constexpr const char* kFitKernel = "luge_fit";

/// Searches: a warp or a thread for each set.
enum class FitWork : std::uint8_t { SearchByWarps, SearchByThreads, Covariance };

/// `method`: of a search.
std::string fit_source(const FitModel& model, FitLoss loss, FitWork work, FitMethod method);

}  // namespace luge::cuda
