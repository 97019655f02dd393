#pragma once

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "simt/runtime/runtime.h"

namespace simt {

/// Queues a kernel on a stream of the stand-in for the CUDA runtime.
template <class... Parameters, class... Arguments>
cudaError_t enqueue(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream,
                    Arguments&&... arguments) {
  static_assert((sizeof(std::decay_t<Parameters>) + ... + 0) <= 4096, "CUDA passes up to 4096 bytes of parameters");
  auto values = std::make_shared<std::tuple<std::decay_t<Parameters>...>>(std::forward<Arguments>(arguments)...);
  return runtime::launch({grid, block, shared, [kernel, values] { std::apply(kernel, *values); }}, stream,
                         reinterpret_cast<const void*>(kernel));
}

}  // namespace simt
