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

/// Bytes that a set takes while it is fitted, its results among them.
std::size_t working_bytes(const Problem& problem) {
  const std::size_t size = size_of(problem.dtype), p = static_cast<std::size_t>(problem.parameters),
                    starts = static_cast<std::size_t>(problem.starts);
  const auto observations = static_cast<std::size_t>(problem.outputs * problem.points),
             predictors = static_cast<std::size_t>(problem.predictors * problem.points);
  const bool has_x = problem.x.defined() && problem.x.shape()[1] != 1, is_weighted = problem.is_weighted(),
             is_bounded = problem.lower.defined();
  // What is made of the data, for as long as the sets are fitted.
  std::size_t whole = 8 * p;
  const std::size_t sums = problem.keeps_sums() ? 8 * static_cast<std::size_t>(problem.sums()) : 0;
  whole += sums;
  if (problem.y.dtype() != problem.dtype) whole += observations * size;
  if (has_x && problem.x.dtype() != problem.dtype) whole += predictors * size;
  const std::size_t weights = own_weights(problem);
  whole += weights * size;
  // Data for each start, while these are run.
  std::size_t search = 0;
  if (starts > 1)
    search = starts * ((observations + weights) * size + (has_x ? predictors * size : 0) + 24 + sums +
                       8 * p * (is_bounded ? 6 : 4));
  // Temporaries of weights and of R2, and of covariances.
  const std::size_t wide = problem.dtype == DType::Float64 ? 0 : 8;
  const std::size_t weighing = weights * 2 * size;
  const std::size_t measures = observations * (is_weighted ? 2 * wide + 49 : wide + 16);
  const std::size_t errors = 3 * 8 * p * p + 16 * 8;
  return whole + std::max({search, weighing, measures, errors}) + result_bytes(problem);
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

std::int64_t most_at_once(const Problem& problem, std::size_t budget) {
  if (budget == 0) budget = free_bytes(problem.device()) / 2;
  if (planned_bytes(problem, problem.sets) <= budget) return std::max<std::int64_t>(problem.sets, 1);
  const std::size_t kept = static_cast<std::size_t>(problem.sets) * result_bytes(problem);
  const std::size_t left = budget > kept ? budget - kept : 0;
  const auto sets = static_cast<std::int64_t>(left / working_bytes(problem));
  return std::clamp<std::int64_t>(sets, 1, std::max<std::int64_t>(problem.sets, 1));
}

std::size_t planned_bytes(const Problem& problem, std::int64_t chunk) {
  const std::size_t working = static_cast<std::size_t>(chunk) * working_bytes(problem);
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
