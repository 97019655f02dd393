// Fits on the GPU: what a generated kernel is handed, and its launch.

#include <algorithm>
#include <cmath>
#include <limits>

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include <luge/base/detail/check.h>
#include <luge/base/detail/dispatch.h>
#include <luge/seam/detail/kept_kernels.h>

#include "../block_size.h"
#include "../check.h"
#include "../fit.cuh"
#include "../fused/load.h"
#include "../fused/source.h"
#include "../kernels.h"
#include "source.h"

namespace luge::cuda {

namespace {

static_assert(kMostFitted == kMostFitParameters && kMostFitted <= math::scalar::kMostCovariance);

template <class T>
T* data_of(const Operand& operand) {
  return operand.is_memory() ? static_cast<T*>(operand.data) : nullptr;
}

template <class T>
FitWindow<T> window(const Operand& operand) {
  FitWindow<T> result{data_of<const T>(operand), {}};
  if (result.data) std::copy_n(operand.strides.begin(), 3, result.strides);
  return result;
}

template <class T>
FitData<T> fit_data(const Observations& of) {
  return {window<T>(of.x),
          window<T>(of.y),
          window<T>(of.weight),
          window<double>(of.lower),
          window<double>(of.upper),
          data_of<double>(of.parameters),
          of.sets,
          of.points,
          of.loss_scale};
}

/// The kernel of a model. Throws DeviceError where there is no compiler, CudaError where it fails.
cudaKernel_t kernel_for(const Context& context, const Observations& of, FitWork work, FitMethod method) {
  const std::string missing = why_not_compiled();
  LUGE_CHECK(DeviceError, missing.empty(), "{}: cuda:{} needs NVRTC, which compiles models: {}", context.op(),
             context.gpu().index(), missing);
  const std::string source = fit_source(*of.model, of.loss, work, method);
  keep_kernel(source, "cu");
  const GeneratedKernel& made = generated(context.gpu(), context.op(), kFitKernel, source);
  LUGE_CHECK(CudaError, made.kernel != nullptr, "{}: the model cannot be compiled: {}", context.op(), made.error);
  return made.kernel;
}

/// Blocks of so many teams, one per set, as many as run at once: a team that is done takes another set.
std::int64_t blocks_for(const Context& context, const Observations& of, std::int64_t per_multiprocessor,
                        int teams = kWarps) {
  return std::min(divide_up(of.sets, teams), per_multiprocessor * context.gpu().multiprocessors());
}

/// Queues the kernel with the arguments that both kinds of work have, and `out`.
template <class Out>
void launch_fits(const Context& context, const Observations& of, FitWork work, FitMethod method, std::int64_t blocks,
                 const Out& out) {
  const cudaKernel_t kernel = kernel_for(context, of, work, method);
  const Scratch taken(context, sizeof(unsigned long long));
  const FitQueue queue{taken.as<unsigned long long>()};
  check(cudaMemsetAsync(queue.taken, 0, sizeof(unsigned long long), context.stream()), context.op(), "cudaMemsetAsync");
  KernelArguments arguments;
  with_floating(of.model->dtype, [&]<class T>() { arguments.add(fit_data<T>(of)); });
  arguments.add(queue);
  arguments.add(out);
  std::vector<void*> pointers = arguments.pointers();
  check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(static_cast<unsigned>(blocks)), dim3(kThreads),
                         pointers.data(), 0, context.stream()),
        context.op(), "cudaLaunchKernel");
}

std::size_t large_memory(FitMethod method) {
  switch (method) {
    case FitMethod::LevenbergMarquardt: return sizeof(LargeSearchMemory<formula::Levenberg>);
    case FitMethod::Lbfgs: return sizeof(LargeSearchMemory<formula::Lbfgs>);
    case FitMethod::NelderMead: return sizeof(LargeSearchMemory<formula::NelderMead>);
    case FitMethod::Adam: return sizeof(LargeSearchMemory<formula::AdamSearch>);
  }
  return 0;
}

}  // namespace

void run(const Context& context, const LeastSquares& call) {
  const Observations& of = call.of;
  const double epsilon =
      with_floating(of.model->dtype, [&]<class T>() { return static_cast<double>(std::numeric_limits<T>::epsilon()); });
  FitSearch out{
      {call.ftol, call.xtol, call.gtol, static_cast<int>(std::min<std::int64_t>(call.max_steps, 1 << 30)), epsilon,
       std::sqrt(epsilon)},
      data_of<double>(call.cost),
      data_of<double>(call.optimality),
      data_of<int>(call.steps),
      data_of<int>(call.status),
      nullptr,
      data_of<double>(call.sums)};
  if (of.model->parameters <= kMostAloneParameters && of.points <= kMostAlonePoints)
    return launch_fits(context, of, FitWork::SearchByThreads, call.method, blocks_for(context, of, 2, kThreads), out);
  if (of.model->parameters <= kMostOwnSums)
    return launch_fits(context, of, FitWork::SearchByWarps, call.method, blocks_for(context, of, 8), out);
  const std::int64_t blocks = blocks_for(context, of, 2);
  const Scratch memory(context, blocks * kWarps * static_cast<std::int64_t>(large_memory(call.method)));
  out.memory = memory.as<std::byte>();
  launch_fits(context, of, FitWork::SearchByWarps, call.method, blocks, out);
}

void run(const Context& context, const Covariance& call) {
  const Observations& of = call.of;
  const std::int64_t blocks = blocks_for(context, of, 2);
  const Scratch memory(context, blocks * kWarps * static_cast<std::int64_t>(sizeof(CovarianceMemory)));
  // Columns of elements that are rounded differ by less than this where they are the same.
  const double tolerance = of.model->dtype == DType::Float32 ? 1e-5 : 1e-11;
  const bool sandwich = of.loss != FitLoss::Linear && of.loss != FitLoss::Poisson;
  launch_fits(context, of, FitWork::Covariance, FitMethod::LevenbergMarquardt, blocks,
              FitCovariance{data_of<double>(call.covariance), data_of<double>(call.condition),
                            data_of<double>(call.chi2), data_of<int>(call.free), data_of<int>(call.rank),
                            memory.as<CovarianceMemory>(), data_of<double>(call.sums), tolerance, sandwich});
}

}  // namespace luge::cuda
