#pragma once
// The seam between the kernels and what executes them. nvcc compiles them for the GPU; any other
// compiler takes them as plain C++ on top of the test engine's header, which runs one fiber per CUDA
// thread and defines the same names (threadIdx, __syncthreads, __shfl_xor_sync, ...); the run-time compiler
// takes those that generated kernels share (fused/). Therefore:
//   shared memory is declared by LUGE_SHARED or LUGE_DYNAMIC_SHARED only,
//   kernels are started by launch() (launch.h) only,
//   no inline PTX and no cub block or warp collectives inside a kernel.

#if !defined(__CUDACC_RTC__)
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#endif

#if defined(__CUDACC__)

#if !defined(__CUDACC_RTC__)
#include <cuda_runtime.h>
#endif

/// T name[N] in the block's shared memory; contents undefined at the start of a block.
#define LUGE_SHARED(T, name, N) __shared__ T name[N]

/// T* name: the shared memory whose size the launch gives.
#define LUGE_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char luge_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(luge_dynamic_shared)

#if !defined(__CUDACC_RTC__)
namespace luge::cuda {

/// Queues a kernel.
template <class... Parameters, class... Arguments>
cudaError_t enqueue(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream,
                    Arguments&&... arguments) {
  std::tuple<std::decay_t<Parameters>...> values(std::forward<Arguments>(arguments)...);
  return std::apply(
      [&](auto&... value) {
        void* pointers[] = {const_cast<void*>(static_cast<const void*>(&value))...};
        return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, shared, stream);
      },
      values);
}

}  // namespace luge::cuda
#endif

#else

#include <simt/simt.h>  // defines LUGE_SHARED, LUGE_DYNAMIC_SHARED and simt::enqueue

namespace luge::cuda {
using simt::enqueue;
}  // namespace luge::cuda

#endif
