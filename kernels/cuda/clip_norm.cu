// Clipping of gradients by their norm, set by set. How a set's squares are added up depends on what
// its parameters are, never on how many sets there are:
//   few elements per set: one thread adds them in order;
//   else every parameter is cut into units of kUnit elements, a warp adds up a unit as one does a chunk (tree.cuh), and
//   the units' sums are reduced as any sum's partials are.

#include <luge/base/detail/dispatch.h>

#include "arena.cuh"
#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "packs.cuh"
#include "reduce.cuh"
#include "rules.cuh"

namespace luge::cuda {

namespace {

inline constexpr int kUnit = 4096;
inline constexpr std::int64_t kFewPerSet = 64;
inline constexpr std::int64_t kShortUnit = 512;  ///< a warp that scales less is idle for the most part

template <class T>
__device__ inline double square(T x) {
  return static_cast<double>(x) * static_cast<double>(x);
}

/// A norm as a reducer (luge/math/reducers.h).
template <class T>
struct Norm {
  using Value = T;
  using State = double;
  using Result = T;

  __device__ static State identity() { return 0; }
  __device__ static State include(State state, T x, std::int64_t) { return state + square(x); }
  __device__ static State merge(State a, State b) { return a + b; }
  __device__ static Result finish(State state, std::int64_t) { return static_cast<T>(math::scalar::sqrt(state)); }
};

/// Sets of a thread, whose gradients of the same number are loaded at once.
constexpr int kSetsAtOnce = 8;

/// The norms of n sets, `apart` from each other.
template <int n, class T>
__device__ inline void norms_of(const Arena& arena, const T* grad, T* norm, std::int64_t first, std::int64_t apart) {
  double sums[n] = {};
  for (int p = 0; p < arena.parameters; ++p) {
    const std::int64_t per_set = arena.per_set[p], step = apart * per_set;
    const T* from = grad + arena.offset[p] + first * per_set;
    for (std::int64_t i = 0; i < per_set; ++i, ++from) {
      T values[n];
#pragma unroll
      for (int s = 0; s < n; ++s) values[s] = from[s * step];
#pragma unroll
      for (int s = 0; s < n; ++s) sums[s] += square(values[s]);
    }
  }
#pragma unroll
  for (int s = 0; s < n; ++s) norm[first + s * apart] = static_cast<T>(math::scalar::sqrt(sums[s]));
}

/// A thread per kSetsAtOnce sets; those that are left one by one.
template <class T>
__global__ void __launch_bounds__(kThreads) small_norms_kernel(const Arena arena, const T* grad, T* norm) {
  const std::int64_t threads = grid_threads();
  std::int64_t set = grid_thread();
  for (; set + (kSetsAtOnce - 1) * threads < arena.sets; set += kSetsAtOnce * threads)
    norms_of<kSetsAtOnce>(arena, grad, norm, set, threads);
  for (; set < arena.sets; set += threads) norms_of<1>(arena, grad, norm, set, threads);
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
    const bool aligned = reinterpret_cast<std::uintptr_t>(from) % Elements<Norm<T>, Line>::kRunAlignment == 0;
    const Elements<Norm<T>, Line> elements{from, {0}, {1}, per_set, aligned};
    const double sum = reduce_chunk<kUnit>(Norm<T>{}, elements, from, unit.first / kUnit);
    if (WarpTeam::rank() == 0) partials[at] = sum;
  }
}

/// What of an array is multiplied by one factor, by a warp: 64 bytes of each lane at a time.
template <class T>
__device__ inline void scale(T* data, int count, T factor) {
  constexpr int n = 16 / sizeof(T), kPacks = 4;
  const Access access = reinterpret_cast<std::uintptr_t>(data) % 16 == 0 ? Access::Packed : Access::Single;
#pragma unroll 1
  for (int first = WarpTeam::rank() * n; first < count; first += kPacks * kWarp * n) {
    Pack<T, n> packs[kPacks];
    const auto here = [&](int p) {
      const int left = count - (first + p * kWarp * n);
      return left < n ? left : n;
    };
#pragma unroll
    for (int p = 0; p < kPacks; ++p)
      if (here(p) > 0) packs[p] = load<n>(Source<T>{data, T{}, access}, first + p * kWarp * n, here(p));
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      if (here(p) <= 0) break;
#pragma unroll
      for (int i = 0; i < n; ++i) packs[p].values[i] *= factor;
      store<n>(Sink<T>{data, false, access}, first + p * kWarp * n, here(p), packs[p]);
    }
  }
}

/// A warp per unit and set. Sets within their limit are not read.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scale_units_kernel(const Arena arena, T* grad, const T* norm, const Setting<T> max_norm, std::int64_t units) {
  for (std::int64_t at = WarpTeam::first(); at < arena.sets * units; at += WarpTeam::step()) {
    const std::int64_t set = quick_quotient(at, units);
    const T factor = math::scalar::clip_factor(norm[set], max_norm.at(set));
    if (factor == T(1)) continue;
    const Unit unit = find_unit(arena, at - set * units);
    const std::int64_t per_set = arena.per_set[unit.parameter], left = per_set - unit.first;
    scale(grad + arena.offset[unit.parameter] + set * per_set + unit.first,
          left < kUnit ? static_cast<int>(left) : kUnit, factor);
  }
}

/// A thread per two packs, whose elements are of sets of few elements: an arena has whole packs. Sets within their limit keep their bits.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scale_packs_kernel(const Arena arena, T* grad, const T* norm, const Setting<T> max_norm) {
  constexpr int n = 16 / sizeof(T);
  std::int64_t current = -1;  // the set that `factor` belongs to
  T factor(1);
  const auto whole_pack = [&](std::int64_t at) { return reinterpret_cast<Pack<T, n>*>(grad + at); };  // of an arena
  const auto scale_pack = [&](std::int64_t first, Pack<T, n> pack) {
    bool changes = false;
    ArenaCursor cursor(arena, first);
#pragma unroll
    for (int i = 0; i < n; ++i, cursor.advance()) {
      if (!cursor.inside()) continue;
      if (cursor.set() != current) {
        current = cursor.set();
        factor = math::scalar::clip_factor(norm[current], max_norm.at(current));
      }
      changes = changes || factor != T(1);
      if (factor != T(1)) pack.values[i] *= factor;
    }
    if (changes) *whole_pack(first) = pack;
  };
  const std::int64_t step = grid_threads() * n;
  std::int64_t first = grid_thread() * n;
  for (; first + step < arena.size; first += 2 * step) {
    const Pack<T, n> pack = *whole_pack(first), next = *whole_pack(first + step);
    scale_pack(first, pack);
    scale_pack(first + step, next);
  }
  if (first < arena.size) scale_pack(first, *whole_pack(first));
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
    launch(context, small_norms_kernel<T>, grid_stride(context, arena.sets, kSetsAtOnce * kThreads), arena,
           static_cast<const T*>(grad), norm);
  } else {
    const Scratch partials(context, arena.sets * units * static_cast<std::int64_t>(sizeof(double)));
    launch(context, square_sums_kernel<T>, grid_stride(context, arena.sets * units, kWarps), arena,
           static_cast<const T*>(grad), partials.as<double>(), units);
    Target<Norm<T>, Line> target{};
    target.out = norm;
    target.walk = {1};
    reduce_partials(context, Norm<T>{}, partials.as<const double>(), arena.sets, units, target);
  }
  if (per_set >= kShortUnit * units)
    launch(context, scale_units_kernel<T>, grid_stride(context, arena.sets * units, kWarps), arena, grad,
           static_cast<const T*>(norm), Setting<T>(call.max_norm), units);
  else
    launch(context, scale_packs_kernel<T>,
           grid_stride(context, divide_up(arena.size, static_cast<std::int64_t>(16 / sizeof(T))), 2 * kThreads), arena, grad,
           static_cast<const T*>(norm), Setting<T>(call.max_norm));
}

}  // namespace

void run(const Context& context, const ClipNorm& call) {
  with_floating(call.dtype, [&]<class T>() { return clip<T>(context, call); });
}

}  // namespace luge::cuda
