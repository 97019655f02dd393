#pragma once
// One kernel for contiguous operands and one for strided ones carry every elementwise formula. What
// they compute is a functor F:
//   F::Value, kInputs   type and number of the values read; kMasked: a bool is read beside them
//   F::Result, kOutputs type and number of the values written
//   f(mask, x, y)       y from x, for one element

#include <cstdint>
#include <type_traits>

#include <luge/math/half.h>

#include "blocks.cuh"
#include "device.h"
#include "launch.h"
#include "packs.cuh"
#include "walk.cuh"

namespace luge::cuda {

/// Elements that a thread handles together: 16 bytes of the widest type.
template <class F>
inline constexpr int kPack = static_cast<int>(16 / (sizeof(typename F::Value) > sizeof(typename F::Result)
                                                        ? sizeof(typename F::Value)
                                                        : sizeof(typename F::Result)));

/// Packs that a thread loads before it computes: enough for 48 KB in flight on a multiprocessor.
template <class F>
inline constexpr int kLaps = F::kInputs <= 2 ? 2 : 1;

template <class F>
struct ContiguousCall {
  std::int64_t count = 0;
  bool packed = false;  ///< no operand is reached element by element
  Source<bool> mask;
  Source<typename F::Value> in[F::kInputs];
  Sink<typename F::Result> out[F::kOutputs];
  F function;
};

/// Neighbours along the last dimension, at most this many, are a run, which one thread handles.
template <class F>
inline constexpr int kRunLength = kPack<F> < 4 ? kPack<F> : 4;
/// Runs that a thread loads before it computes.
template <class F>
inline constexpr int kRuns = F::kInputs == 1 ? 2 : 1;

/// What is walked: inputs, outputs, mask, and the place in the last dimension.
template <class F>
inline constexpr int kMaskWindow = F::kInputs + F::kOutputs;
template <class F>
inline constexpr int kWalked = kMaskWindow<F> + 2;

/// The walk is over the runs; beside the operands' offsets it gives the place of a run's first element in the last
/// dimension.
template <class F, class Walk>
struct StridedCall {
  Walk walk;
  typename Walk::Index columns = 0;             ///< the last dimension's size
  typename Walk::Index steps[kWalked<F>] = {};  ///< from an element of a run to the next one
  Source<bool> mask;
  Source<typename F::Value> in[F::kInputs];
  Sink<typename F::Result> out[F::kOutputs];
  F function;
};

// ---- kernels ------------------------------------------------------------------------------------

/// y from x for the elements of a pack.
template <class F, int n>
__device__ inline void compute(const F& function, const Pack<bool, n>& mask,
                               const Pack<typename F::Value, n> (&in)[F::kInputs],
                               Pack<typename F::Result, n> (&out)[F::kOutputs]) {
#pragma unroll
  for (int k = 0; k < n; ++k) {
    typename F::Value x[F::kInputs];
    typename F::Result y[F::kOutputs];
#pragma unroll
    for (int i = 0; i < F::kInputs; ++i) x[i] = in[i].values[k];
    function(mask.values[k], x, y);
#pragma unroll
    for (int o = 0; o < F::kOutputs; ++o) out[o].values[k] = y[o];
  }
}

/// All packs of a tile are loaded before one is computed. A whole tile of packed operands needs no test of its counts.
template <class F>
__global__ void __launch_bounds__(kThreads) contiguous_kernel(const ContiguousCall<F> call) {
  constexpr int n = kPack<F>, laps = kLaps<F>, step = kThreads * n;
  constexpr std::int64_t kTile = static_cast<std::int64_t>(step) * laps;
  for (std::int64_t tile = blockIdx.x; tile * kTile < call.count; tile += gridDim.x) {
    const std::int64_t first = tile * kTile + static_cast<int>(threadIdx.x) * n;
    const bool whole = call.packed && (tile + 1) * kTile <= call.count;
    const auto count = [&](int lap) {
      const std::int64_t left = call.count - first - lap * step;
      return left >= n ? n : left > 0 ? static_cast<int>(left) : 0;
    };
    Pack<bool, n> mask[laps] = {};
    Pack<typename F::Value, n> in[laps][F::kInputs];
    Pack<typename F::Result, n> out[laps][F::kOutputs];
    if (whole) {
#pragma unroll
      for (int lap = 0; lap < laps; ++lap) {
        if constexpr (F::kMasked) mask[lap] = load_whole<n>(call.mask, first + lap * step);
#pragma unroll
        for (int i = 0; i < F::kInputs; ++i) in[lap][i] = load_whole<n>(call.in[i], first + lap * step);
      }
    } else {
#pragma unroll
      for (int lap = 0; lap < laps; ++lap) {
        if constexpr (F::kMasked) mask[lap] = load<n>(call.mask, first + lap * step, count(lap));
#pragma unroll
        for (int i = 0; i < F::kInputs; ++i) in[lap][i] = load<n>(call.in[i], first + lap * step, count(lap));
      }
    }
#pragma unroll
    for (int lap = 0; lap < laps; ++lap) compute<F, n>(call.function, mask[lap], in[lap], out[lap]);
#pragma unroll
    for (int o = 0; o < F::kOutputs; ++o) {
      if (!call.out[o].data) continue;
      if (whole && !call.out[o].accumulate) {
#pragma unroll
        for (int lap = 0; lap < laps; ++lap)
          *reinterpret_cast<Pack<typename F::Result, n>*>(call.out[o].data + first + lap * step) = out[lap][o];
      } else {
#pragma unroll
        for (int lap = 0; lap < laps; ++lap) store<n>(call.out[o], first + lap * step, count(lap), out[lap][o]);
      }
    }
  }
}

/// All runs of a thread are loaded before one is computed.
template <class F, class Walk>
__global__ void __launch_bounds__(kThreads) strided_kernel(const StridedCall<F, Walk> call) {
  using Position = typename Walk::Position;
  constexpr int n = kRunLength<F>, runs = kRuns<F>, kMask = kMaskWindow<F>;
  const auto threads = static_cast<Position>(grid_threads());
  for (auto at = static_cast<Position>(grid_thread()); at < call.walk.count; at += runs * threads) {
    typename Walk::Index offsets[runs][kWalked<F>];
    int counts[runs];
    Pack<bool, n> mask[runs] = {};
    Pack<typename F::Value, n> in[runs][F::kInputs];
#pragma unroll
    for (int r = 0; r < runs; ++r) {
      const Position ahead = at + r * threads;
      const bool exists = r == 0 || ahead < call.walk.count;
      call.walk.offsets(exists ? ahead : at, offsets[r]);
      const typename Walk::Index left = call.columns - offsets[r][kMask + 1];
      counts[r] = !exists ? 0 : left < n ? static_cast<int>(left) : n;
      if constexpr (F::kMasked) mask[r] = load_run<n>(call.mask, offsets[r][kMask], call.steps[kMask], counts[r]);
#pragma unroll
      for (int i = 0; i < F::kInputs; ++i) in[r][i] = load_run<n>(call.in[i], offsets[r][i], call.steps[i], counts[r]);
    }
#pragma unroll
    for (int r = 0; r < runs; ++r) {
      Pack<typename F::Result, n> out[F::kOutputs];
      compute<F, n>(call.function, mask[r], in[r], out);
#pragma unroll
      for (int o = 0; o < F::kOutputs; ++o)
        if (call.out[o].data)
          store_run<n>(call.out[o], offsets[r][F::kInputs + o], call.steps[F::kInputs + o], counts[r], out[o]);
    }
  }
}

// ---- launch -------------------------------------------------------------------------------------

template <class T>
T immediate(const Operand& operand) {
  if constexpr (math::kIsHalf<T>)
    return math::to_half<T>(operand.floating);
  else
    return is_floating(operand.dtype) ? static_cast<T>(operand.floating) : static_cast<T>(operand.integer);
}

template <class T>
Source<T> source(const Operand& operand) {
  if (operand.is_memory()) return {static_cast<const T*>(operand.data), T{}, Access::Single};
  return {nullptr, operand.is_immediate() ? immediate<T>(operand) : T{}, Access::Constant};
}

template <class T>
Sink<T> sink(const Operand& operand, Store store) {
  if (!operand.is_memory()) return {};
  return {static_cast<T*>(operand.data), store == Store::Accumulate, Access::Single};
}

inline bool walks_evenly(const Operand& operand, const Extent& extent, bool written) {
  if (!operand.is_memory() || extent.ndim == 0) return true;
  return operand.strides[0] == 1 || (!written && operand.strides[0] == 0);
}

template <int n, class T>
Access access(const T* data, const Operand& operand, const Extent& extent) {
  if (extent.ndim == 1 && operand.strides[0] == 0) return Access::Uniform;
  return reinterpret_cast<std::uintptr_t>(data) % (sizeof(T) * n) == 0 ? Access::Packed : Access::Single;
}

/// Runs F over in[0 .. kInputs), out[0 .. kOutputs) and, where it is masked, `mask`.
template <class F>
void launch_elementwise(const Context& context, const Extent& extent, const Operand* in, const Operand* out,
                        const Store* stores, const Operand& mask, const F& function) {
  bool even = extent.ndim <= 1 && (!F::kMasked || walks_evenly(mask, extent, false));
  for (int i = 0; i < F::kInputs; ++i) even = even && walks_evenly(in[i], extent, false);
  for (int o = 0; o < F::kOutputs; ++o) even = even && walks_evenly(out[o], extent, true);

  const auto fill = [&](auto& call) {
    for (int i = 0; i < F::kInputs; ++i) call.in[i] = source<typename F::Value>(in[i]);
    for (int o = 0; o < F::kOutputs; ++o) call.out[o] = sink<typename F::Result>(out[o], stores[o]);
    if constexpr (F::kMasked) call.mask = source<bool>(mask);
    call.function = function;
  };
  if (even) {
    constexpr int n = kPack<F>;
    ContiguousCall<F> call;
    fill(call);
    call.count = extent.count();
    call.packed = true;
    const auto reach = [&](auto& operand, const Operand& window) {
      if (!operand.data) return;
      operand.access = access<n>(operand.data, window, extent);
      call.packed = call.packed && operand.access != Access::Single;
    };
    for (int i = 0; i < F::kInputs; ++i) reach(call.in[i], in[i]);
    for (int o = 0; o < F::kOutputs; ++o) reach(call.out[o], out[o]);
    reach(call.mask, mask);
    launch(context, contiguous_kernel<F>, grid_stride(context, divide_up(call.count, n * kLaps<F>), kThreads), call);
    return;
  }
  constexpr int n = kRunLength<F>, kMask = kMaskWindow<F>, kOperands = kWalked<F>;
  const std::int64_t* strides[kOperands] = {};
  for (int i = 0; i < F::kInputs; ++i) strides[i] = strides_of(in[i]);
  for (int o = 0; o < F::kOutputs; ++o) strides[F::kInputs + o] = strides_of(out[o]);
  if constexpr (F::kMasked) strides[kMask] = strides_of(mask);
  Space<kOperands> space(dims(extent), strides);
  const bool narrow = space.is_narrow();
  const int last = space.ndim - 1;
  const std::int64_t columns = space.sizes[last];
  std::int64_t steps[kOperands];
  for (int o = 0; o < kOperands; ++o) {
    steps[o] = space.strides[o][last];
    space.strides[o][last] *= n;
  }
  space.strides[kMask + 1][last] = n;
  space.sizes[last] = divide_up(columns, n);
  // A run may be moved at once where every run begins at an address that is a multiple of its size.
  const auto reach = [&](auto& operand, int o) {
    if (!operand.data) return;
    bool packed = steps[o] == 1 && reinterpret_cast<std::uintptr_t>(operand.data) % (sizeof(*operand.data) * n) == 0;
    for (int d = 0; d < space.ndim; ++d) packed = packed && space.strides[o][d] % n == 0;
    operand.access = packed ? Access::Packed : steps[o] == 0 ? Access::Uniform : Access::Single;
  };
  with_walk(space, narrow, [&]<class Walk>(const Walk& walk) {
    StridedCall<F, Walk> call;
    fill(call);
    call.walk = walk;
    call.columns = static_cast<typename Walk::Index>(columns);
    for (int o = 0; o < kOperands; ++o) call.steps[o] = static_cast<typename Walk::Index>(steps[o]);
    for (int i = 0; i < F::kInputs; ++i) reach(call.in[i], i);
    for (int o = 0; o < F::kOutputs; ++o) reach(call.out[o], F::kInputs + o);
    reach(call.mask, kMask);
    launch(context, strided_kernel<F, Walk>, grid_stride(context, space.count(), kRuns<F> * kThreads), call);
  });
}

}  // namespace luge::cuda
