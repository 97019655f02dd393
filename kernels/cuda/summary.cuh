#pragma once
// What the monitor keeps of a step's losses, as a reduction in the order of tree.cuh.

#include <cstdint>

#include <luge/math/losses.h>
#include <luge/seam/loss_summary.h>

#include "tree.cuh"

namespace luge::cuda {

using math::Summarize;
using math::Summary;

/// How many partials n losses need.
constexpr std::int64_t summary_partials(std::int64_t n) { return total_partials(divide_up(n, kChunk)); }

/// Where the summary goes, and the losses that are kept themselves.
struct Ring {
  LossSummary* summaries;
  double* rows;
  std::int64_t kept, capacity;
  std::int64_t* counter;
  Summary* partials;  ///< summary_partials(n) of them

  /// The step that is recorded, counted from 0.
  __device__ std::int64_t step() const { return *counter; }
  /// Keeps loss number i where it is one of those wanted.
  __device__ void keep(std::int64_t step, std::int64_t i, double loss) const {
    if (rows && i < kept) rows[step % capacity * kept + i] = loss;
  }
  /// By all threads of a block, when the partials of all n losses are there and their groups are reduced.
  __device__ void finish(std::int64_t step, std::int64_t n) const {
    const Summary all = reduce_rest(Summarize{}, partials, divide_up(n, kChunk));
    if (threadIdx.x != 0) return;
    LossSummary& row = summaries[step % capacity];
    row.mean = all.mean();
    row.min = all.least();
    row.max = all.most();
    row.not_finite = n - all.finite;
    __threadfence_system();
    *const_cast<volatile std::int64_t*>(&row.sequence) = step + 1;
  }
  /// By all threads of the last block: how many steps have been recorded.
  __device__ void count(std::int64_t steps) const {
    if (threadIdx.x == 0) *counter = steps;
  }
};

}  // namespace luge::cuda
