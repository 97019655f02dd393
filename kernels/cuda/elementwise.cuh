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

template <class F>
struct ContiguousCall {
  std::int64_t count = 0;
  Source<bool> mask;
  Source<typename F::Value> in[F::kInputs];
  Sink<typename F::Result> out[F::kOutputs];
  F function;
};

template <class F>
struct StridedCall {
  static constexpr int kOperands = F::kInputs + F::kOutputs + 1;  ///< inputs, outputs, mask
  Walk<kOperands> walk;
  Source<bool> mask;
  Source<typename F::Value> in[F::kInputs];
  Sink<typename F::Result> out[F::kOutputs];
  F function;
};

// ---- kernels ------------------------------------------------------------------------------------

template <class F>
__global__ void __launch_bounds__(kThreads) contiguous_kernel(const ContiguousCall<F> call) {
  constexpr int n = kPack<F>;
  const std::int64_t packs = divide_up(call.count, n);
  for (std::int64_t at = grid_thread(); at < packs; at += grid_threads()) {
    const std::int64_t first = at * n;
    const int count = call.count - first < n ? static_cast<int>(call.count - first) : n;
    Pack<bool, n> mask{};
    if constexpr (F::kMasked) mask = load<n>(call.mask, first, count);
    Pack<typename F::Value, n> in[F::kInputs];
#pragma unroll
    for (int i = 0; i < F::kInputs; ++i) in[i] = load<n>(call.in[i], first, count);
    Pack<typename F::Result, n> out[F::kOutputs];
#pragma unroll
    for (int k = 0; k < n; ++k) {
      typename F::Value x[F::kInputs];
      typename F::Result y[F::kOutputs];
#pragma unroll
      for (int i = 0; i < F::kInputs; ++i) x[i] = in[i].values[k];
      call.function(mask.values[k], x, y);
#pragma unroll
      for (int o = 0; o < F::kOutputs; ++o) out[o].values[k] = y[o];
    }
#pragma unroll
    for (int o = 0; o < F::kOutputs; ++o)
      if (call.out[o].data) store<n>(call.out[o], first, count, out[o]);
  }
}

template <class F>
__global__ void __launch_bounds__(kThreads) strided_kernel(const StridedCall<F> call) {
  for (std::int64_t at = grid_thread(); at < call.walk.count; at += grid_threads()) {
    std::int64_t offsets[StridedCall<F>::kOperands];
    call.walk.offsets(at, offsets);
    bool mask = false;
    if constexpr (F::kMasked) mask = load<1>(call.mask, offsets[F::kInputs + F::kOutputs], 1).values[0];
    typename F::Value x[F::kInputs];
    typename F::Result y[F::kOutputs];
#pragma unroll
    for (int i = 0; i < F::kInputs; ++i) x[i] = load<1>(call.in[i], offsets[i], 1).values[0];
    call.function(mask, x, y);
#pragma unroll
    for (int o = 0; o < F::kOutputs; ++o)
      if (call.out[o].data) store<1>(call.out[o], offsets[F::kInputs + o], 1, Pack<typename F::Result, 1>{{y[o]}});
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
    for (int i = 0; i < F::kInputs; ++i)
      if (call.in[i].data) call.in[i].access = access<n>(call.in[i].data, in[i], extent);
    for (int o = 0; o < F::kOutputs; ++o)
      if (call.out[o].data) call.out[o].access = access<n>(call.out[o].data, out[o], extent);
    if (call.mask.data) call.mask.access = access<n>(call.mask.data, mask, extent);
    launch(context, contiguous_kernel<F>, grid_stride(context, divide_up(call.count, n), kThreads), call);
    return;
  }
  constexpr int kOperands = StridedCall<F>::kOperands;
  const std::int64_t* strides[kOperands] = {};
  for (int i = 0; i < F::kInputs; ++i) strides[i] = strides_of(in[i]);
  for (int o = 0; o < F::kOutputs; ++o) strides[F::kInputs + o] = strides_of(out[o]);
  if constexpr (F::kMasked) strides[kOperands - 1] = strides_of(mask);
  StridedCall<F> call;
  fill(call);
  call.walk = make_walk<kOperands>(dims(extent), strides);
  launch(context, strided_kernel<F>, grid_stride(context, call.walk.count, kThreads), call);
}

}  // namespace luge::cuda
