#pragma once
// CUDA C++ on the host: what a kernel's source needs from its compiler and from the device, for a plain
// C++ compiler. Every CUDA thread is a fiber of the executor (executor/), which runs one block after
// another. Kernels see this header through kernels/cuda/device.h in place of <cuda_runtime.h>.
//
// Left out on purpose: __activemask() and warp-synchronous code without masks (what they give depends on
// the hardware's moment), cooperative groups, clusters, inline PTX.

#include <cuda_runtime_api.h>

#include "simt/atomics.h"
#include "simt/collectives.h"
#include "simt/enqueue.h"
#include "simt/executor/executor.h"
#include "simt/intrinsics.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __grid_constant__

#define threadIdx (::simt::current->thread)
#define blockIdx (::simt::current->block)
#define blockDim (::simt::current->block_size)
#define gridDim (::simt::current->grid_size)

/// T name[N] in the block's shared memory: a heap block of exactly this size for every declaration, so
/// that AddressSanitizer sees its bounds, filled with 0xFF (a NaN, a -1) when a block of threads starts.
#define LUGE_SHARED(T, name, N)                                                                        \
  static constexpr char name##_declaration = 0;                                                        \
  T(&name)[N] = *static_cast<T(*)[N]>(::simt::shared_memory(&name##_declaration, sizeof(T[N]), alignof(T)))

/// T* name: the shared memory whose size the launch gives; the same precautions.
#define LUGE_DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::simt::dynamic_shared_memory())
