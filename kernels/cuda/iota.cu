// Numbers in equal steps.

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"

namespace luge::cuda {

namespace {

template <class T, class Number>
__global__ void __launch_bounds__(kThreads) iota_kernel(T* out, std::int64_t n, Number start, Number step) {
  for (std::int64_t i = grid_thread(); i < n; i += grid_threads())
    out[i] = static_cast<T>(start + static_cast<Number>(i) * step);
}

template <class T, class Number>
void fill(const Context& context, const Iota& call, Number start, Number step) {
  launch(context, iota_kernel<T, Number>, grid_stride(context, call.n, kThreads), static_cast<T*>(call.out.data),
         call.n, start, step);
}

}  // namespace

void run(const Context& context, const Iota& call) {
  with_dtype(call.out.dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      fill<T>(context, call, call.start, call.step);
    else
      fill<T>(context, call, call.integer_start, call.integer_step);
  });
}

}  // namespace luge::cuda
