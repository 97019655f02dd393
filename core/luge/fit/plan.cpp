#include <luge/fit/plan.h>

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/cuda_status.h>
#include <luge/base/detail/check.h>
#include <luge/base/memory.h>
#include <luge/fit/detail/problem.h>

namespace luge::fit {

namespace {

/// Bytes that are kept of a set.
std::size_t result_bytes(const Problem& problem) {
  // Float64: parameters, errors, the covariance, seven measures; int32: active, status, steps, start, agreement; int64:
  // observations.
  const auto p = static_cast<std::size_t>(problem.parameters);
  return 8 * (p * p + 2 * p + 7) + 4 * (p + 4) + 8;
}

/// Weights that a set has of its own.
std::size_t own_weights(const Problem& problem) {
  bool has_own = false;
  std::int64_t outputs = 1, points = 1;
  for (const Tensor& tensor : {problem.sigma, problem.mask}) {
    if (!tensor.defined()) continue;
    has_own = has_own || tensor.shape()[0] > 1;
    outputs = std::max(outputs, tensor.shape()[1]);
    points = std::max(points, tensor.shape()[2]);
  }
  return has_own ? static_cast<std::size_t>(outputs * points) : 0;
}

/// Bytes of a set at a time.
struct Need {
  std::size_t kept;        ///< for as long as the chunk is fitted, results among them
  std::size_t phase;       ///< the most that a phase needs beside that: starts, weights, covariances
  std::size_t scatter;     ///< of the phase that finds the scatter about the mean
  std::int64_t scattered;  ///< sets that have that at once, at most
};

Need need_of(const Problem& problem) {
  const std::size_t size = size_of(problem.dtype), p = static_cast<std::size_t>(problem.parameters),
                    starts = static_cast<std::size_t>(problem.starts);
  const auto observations = static_cast<std::size_t>(problem.outputs * problem.points),
             predictors = static_cast<std::size_t>(problem.predictors * problem.points);
  const bool has_x = problem.x.defined() && problem.x.shape()[1] != 1, is_bounded = problem.lower.defined();
  const std::size_t weights = own_weights(problem);
  const std::size_t sums = problem.keeps_sums() ? 8 * static_cast<std::size_t>(problem.sums()) : 0;
  Need need{};
  constexpr std::size_t kSpread = 2 * 8;  // counts and scatters
  need.kept = 8 * p + sums + weights * size + kSpread + result_bytes(problem);
  // What is made of the data.
  if (problem.y.dtype() != problem.dtype) need.kept += observations * size;
  if (has_x && problem.x.dtype() != problem.dtype) need.kept += predictors * size;
  // Data for each start, while these are run.
  std::size_t search = 0;
  if (starts > 1)
    search = starts * ((observations + weights) * size + (has_x ? predictors * size : 0) + 24 + sums +
                       8 * p * (is_bounded ? 6 : 4));
  need.phase = std::max({search, weights * 2 * size, 3 * 8 * p * p + 16 * 8});
  const std::size_t wide = problem.dtype == DType::Float64 ? 0 : 8;
  need.scatter = observations * (problem.is_weighted() ? 2 * wide + 49 : wide + 16);
  need.scattered = spread_at_once(problem);
  return need;
}

/// Bytes that tensors may still take on the device.
std::size_t free_bytes(Device device) {
  const std::size_t allocated = memory_stats(device).allocated;
  std::size_t most = memory_limit();
  if (!device.is_cpu()) {
    const CudaStatus::Gpu& gpu = cuda_status().gpus[static_cast<std::size_t>(device.index)];
    most = gpu.free_memory > 0 ? gpu.free_memory : gpu.memory;
  }
  return most > allocated ? most - allocated : 0;
}

}  // namespace

std::int64_t spread_at_once(const Problem& problem) {
  constexpr std::int64_t kSlice = 1 << 15;  // observations whose intermediate tensors a cache holds
  if (!problem.device().is_cpu()) return std::max<std::int64_t>(problem.sets, 1);
  return std::max<std::int64_t>(kSlice / (problem.outputs * problem.points + 1), 1);
}

std::int64_t most_at_once(const Problem& problem, std::size_t budget) {
  if (budget == 0) budget = free_bytes(problem.device()) / 2;
  if (planned_bytes(problem, problem.sets) <= budget) return std::max<std::int64_t>(problem.sets, 1);
  const std::size_t kept = static_cast<std::size_t>(problem.sets) * result_bytes(problem);
  const std::size_t left = budget > kept ? budget - kept : 0;
  const Need need = need_of(problem);
  const auto slice = static_cast<std::size_t>(need.scattered);
  std::size_t sets = left / (need.kept + need.scatter);
  if (sets > slice) sets = std::max(slice, (left - slice * need.scatter) / need.kept);
  sets = std::min(sets, left / (need.kept + need.phase));
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(sets), 1, std::max<std::int64_t>(problem.sets, 1));
}

std::size_t planned_bytes(const Problem& problem, std::int64_t chunk) {
  const Need need = need_of(problem);
  const auto sets = static_cast<std::size_t>(chunk), slice = static_cast<std::size_t>(std::min(chunk, need.scattered));
  const std::size_t working = sets * need.kept + std::max(sets * need.phase, slice * need.scatter);
  return working + (chunk < problem.sets ? static_cast<std::size_t>(problem.sets) * result_bytes(problem) : 0);
}

FitPlan plan(const Model& model, const Tensor& x, const Tensor& y, const Tensor& p0, const FitOptions& options,
             std::size_t memory) {
  constexpr const char* op = "plan";
  const Operation called(op);
  const NoGrad no_grad;
  const Problem problem = problem_of(op, model, x, y, p0, options);
  FitPlan plan;
  plan.sets = problem.sets;
  plan.starts = problem.starts;
  plan.free_bytes = free_bytes(problem.device());
  plan.chunk = options.chunk > 0 ? std::min(options.chunk, std::max<std::int64_t>(problem.sets, 1))
                                 : most_at_once(problem, memory);
  plan.chunks = std::max<std::int64_t>(1, (problem.sets + plan.chunk - 1) / plan.chunk);
  plan.calls = 2 * plan.chunks;
  plan.bytes = planned_bytes(problem, std::min(plan.chunk, problem.sets));
  plan.result_bytes = static_cast<std::size_t>(problem.sets) * result_bytes(problem);
  return plan;
}

}  // namespace luge::fit
