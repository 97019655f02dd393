// Clipping of gradients by their norm, set by set. How a set's squares are added up depends on what
// its parameters are, never on how many sets there are:
//   few elements per set: one thread adds them in order;
//   else every parameter is cut into units of kUnit elements, a warp adds up a unit, and another warp
//   adds up the units.

#include <luge/base/detail/dispatch.h>

#include "arena.cuh"
#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "reducers.cuh"
#include "rules.cuh"

namespace luge::cuda {

namespace {

inline constexpr std::int64_t kUnit = 4096;
inline constexpr std::int64_t kFewPerSet = 64;

using SquareSum = Sum<double, false>;

template <class T>
__device__ inline double square(T x) {
  return static_cast<double>(x) * static_cast<double>(x);
}

/// A thread per set.
template <class T>
__global__ void __launch_bounds__(kThreads) small_norms_kernel(const Arena arena, const T* grad, T* norm) {
  for (std::int64_t set = grid_thread(); set < arena.sets; set += grid_threads()) {
    double sum = 0;
    for (int p = 0; p < arena.parameters; ++p) {
      const std::int64_t per_set = arena.per_set[p];
      const T* const from = grad + arena.offset[p] + set * per_set;
      for (std::int64_t i = 0; i < per_set; ++i) sum += square(from[i]);
    }
    norm[set] = static_cast<T>(math::scalar::sqrt(sum));
  }
}

struct Unit {
  int parameter;
  std::int64_t first;  ///< element of the set's part of the parameter
};

/// Which part of a set is its unit number `unit`; the warp searches the parameters 32 at a time.
__device__ inline Unit find_unit(const Arena& arena, std::int64_t unit) {
  const int lane = WarpTeam::rank();
  std::int64_t before = 0;
  for (int base = 0; base < arena.parameters; base += kWarp) {
    const int p = base + lane;
    std::int64_t total = p < arena.parameters ? divide_up(arena.per_set[p], kUnit) : 0;  // running sum over lanes
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const long long other = __shfl_up_sync(kWholeWarp, static_cast<long long>(total), distance);
      if (lane >= distance) total += other;
    }
    const unsigned beyond = __ballot_sync(kWholeWarp, before + total > unit ? 1 : 0);
    if (beyond != 0) {
      const int found = __ffs(static_cast<int>(beyond)) - 1;
      const long long passed = __shfl_sync(kWholeWarp, static_cast<long long>(total), found > 0 ? found - 1 : 0);
      return {base + found, (unit - before - (found > 0 ? passed : 0)) * kUnit};
    }
    before += __shfl_sync(kWholeWarp, static_cast<long long>(total), kWarp - 1);
  }
  return {0, 0};  // not reached: there are no more units than the parameters have
}

/// A warp per unit and set.
template <class T>
__global__ void __launch_bounds__(kThreads)
    square_sums_kernel(const Arena arena, const T* grad, double* partials, std::int64_t units) {
  for (std::int64_t at = WarpTeam::first(); at < arena.sets * units; at += WarpTeam::step()) {
    const std::int64_t set = quick_quotient(at, units);
    const Unit unit = find_unit(arena, at - set * units);
    const std::int64_t per_set = arena.per_set[unit.parameter];
    const T* const from = grad + arena.offset[unit.parameter] + set * per_set;
    const std::int64_t end = unit.first + kUnit < per_set ? unit.first + kUnit : per_set;
    double sum = 0;
#pragma unroll 4
    for (std::int64_t i = unit.first + WarpTeam::rank(); i < end; i += kWarp) sum += square(from[i]);
    sum = warp_reduce(sum, SquareSum{});
    if (WarpTeam::rank() == 0) partials[at] = sum;
  }
}

/// A warp per set.
template <class T>
__global__ void __launch_bounds__(kThreads)
    norms_kernel(const double* partials, std::int64_t units, std::int64_t sets, T* norm) {
  for (std::int64_t set = WarpTeam::first(); set < sets; set += WarpTeam::step()) {
    double sum = 0;
    for (std::int64_t i = WarpTeam::rank(); i < units; i += kWarp) sum += partials[set * units + i];
    sum = warp_reduce(sum, SquareSum{});
    if (WarpTeam::rank() == 0) norm[set] = static_cast<T>(math::scalar::sqrt(sum));
  }
}

/// Multiplies each set by its factor; sets within their limit are read over, not written.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scale_kernel(const Arena arena, T* grad, const T* norm, const Setting<T> max_norm) {
  constexpr int n = 16 / sizeof(T);
  for (std::int64_t pack = grid_thread(); pack * n < arena.size; pack += grid_threads()) {
    ArenaCursor cursor(arena, pack * n);
#pragma unroll
    for (int i = 0; i < n; ++i, cursor.advance()) {
      const std::int64_t at = pack * n + i;
      if (at >= arena.size || !cursor.inside()) continue;
      const T factor = math::scalar::clip_factor(norm[cursor.set()], max_norm.at(cursor.set()));
      if (factor != T(1)) grad[at] *= factor;
    }
  }
}

template <class T>
void clip(const Context& context, const ClipNorm& call) {
  const Arena arena = arena_of(call.layout);
  T *const grad = static_cast<T*>(call.grad), *const norm = static_cast<T*>(call.norm);
  std::int64_t per_set = 0, units = 0;
  for (int p = 0; p < call.layout.parameters; ++p) {
    per_set += call.layout.per_set[p];
    units += divide_up(call.layout.per_set[p], kUnit);
  }
  if (per_set <= kFewPerSet) {
    launch(context, small_norms_kernel<T>, grid_stride(context, arena.sets, kThreads), arena,
           static_cast<const T*>(grad), norm);
  } else {
    const Scratch partials(context, arena.sets * units * static_cast<std::int64_t>(sizeof(double)));
    launch(context, square_sums_kernel<T>, grid_stride(context, arena.sets * units, kWarps), arena,
           static_cast<const T*>(grad), partials.as<double>(), units);
    launch(context, norms_kernel<T>, grid_stride(context, arena.sets, kWarps), partials.as<const double>(), units,
           arena.sets, norm);
  }
  launch(context, scale_kernel<T>,
         grid_stride(context, divide_up(arena.size, static_cast<std::int64_t>(16 / sizeof(T))), kThreads), arena, grad,
         static_cast<const T*>(norm), Setting<T>(call.max_norm));
}

}  // namespace

void run(const Context& context, const ClipNorm& call) {
  with_floating(call.dtype, [&]<class T>() { return clip<T>(context, call); });
}

}  // namespace luge::cuda
