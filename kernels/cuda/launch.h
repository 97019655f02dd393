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
};

/// For a grid-stride loop over `items`, `per_block` at a time: enough blocks to fill the GPU several
/// times over, so that a late block costs little.
inline Grid grid_stride(const Context& context, std::int64_t items, std::int64_t per_block) {
  return {std::min(divide_up(items, per_block), std::int64_t{32} * context.gpu().multiprocessors())};
}

/// Queues kernel(arguments...) on the call's stream. Throws CudaError naming the op.
template <class... Parameters, class... Arguments>
void launch(const Context& context, void (*kernel)(Parameters...), Grid grid, Arguments&&... arguments) {
  if (grid.blocks == 0) return;
  const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(grid.blocks, std::numeric_limits<int>::max()));
  check(enqueue(kernel, dim3(blocks), dim3(kThreads), grid.shared, context.stream(),
                std::forward<Arguments>(arguments)...),
        context.op(), "cudaLaunchKernel");
}

}  // namespace luge::cuda
