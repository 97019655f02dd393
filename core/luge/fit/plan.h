#pragma once

#include <cstddef>
#include <cstdint>

#include <luge/fit/curve_fit.h>

namespace luge::fit {

/// What a fit would take, time apart. Bytes are those of tensors beside the data; the blocks of a GPU have some ten
/// megabytes of their own.
struct FitPlan {
  std::int64_t sets = 0, starts = 1;
  std::int64_t chunk = 0;        ///< sets at a time, at most; a fit that is watched takes fewer
  std::int64_t chunks = 0;       ///< how often
  std::int64_t calls = 0;        ///< of fits and covariances, two for each chunk
  std::size_t bytes = 0;         ///< of the device, the most at any time: results and what a chunk needs
  std::size_t result_bytes = 0;  ///< that the results keep
  std::size_t free_bytes = 0;    ///< that tensors may still take on the device
};

/// What curve_fit would take with these arguments, without fitting. `memory`: bytes that it may take, which the chunk
/// is chosen for where options.chunk is 0. 0: half of what is free: on a CPU of the memory limit (luge/base/memory.h),
/// on a GPU of its free memory. Where one set alone needs more, the chunk is 1. Throws what curve_fit throws, but looks
/// at no value of x, y and sigma.
FitPlan plan(const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0, const FitOptions& options = {},
             std::size_t memory = 0);

}  // namespace luge::fit
