#pragma once
// The one way to start a kernel.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "block_size.h"
#include "check.h"
#include "context.h"
#include "device.h"

namespace luge::cuda {

/// How many blocks of kThreads. No blocks: nothing is launched.
struct Grid {
  std::int64_t blocks = 0;
  std::size_t shared = 0;  ///< bytes for LUGE_DYNAMIC_SHARED
  bool resident = false;   ///< no more blocks than run at once: the kernel takes its items in turns
};

/// As many blocks of `kernel` as run at once on the GPU, and no more than `blocks`: for kernels whose threads take
/// several items in turns. A grid that is a little larger would leave most of the GPU idle in its last wave. A
/// cudaKernel_t is a kernel, too.
inline Grid resident_grid(const Context& context, const void* kernel, std::int64_t blocks, std::size_t shared = 0) {
  return {std::min(blocks, context.gpu().resident_blocks(context.op(), kernel, shared)), shared};
}
template <class... Parameters>
Grid resident_grid(const Context& context, void (*kernel)(Parameters...), std::int64_t blocks, std::size_t shared = 0) {
  return resident_grid(context, reinterpret_cast<const void*>(kernel), blocks, shared);
}

/// For a grid-stride loop over `items`, `per_block` at a time. The launch, which knows the kernel, leaves of these
/// blocks as many as run at once.
inline Grid grid_stride(const Context&, std::int64_t items, std::int64_t per_block) {
  return {divide_up(items, per_block), 0, true};
}

/// Queues kernel(arguments...) on the call's stream. Throws CudaError naming the op.
template <class... Parameters, class... Arguments>
void launch(const Context& context, void (*kernel)(Parameters...), Grid grid, Arguments&&... arguments) {
  if (grid.blocks == 0) return;
  if (grid.resident) grid = resident_grid(context, kernel, grid.blocks, grid.shared);
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(grid.blocks, std::numeric_limits<int>::max()));
  check(enqueue(kernel, dim3(blocks), dim3(kThreads), grid.shared, context.stream(),
                std::forward<Arguments>(arguments)...),
        context.op(), "cudaLaunchKernel");
}

}  // namespace luge::cuda
