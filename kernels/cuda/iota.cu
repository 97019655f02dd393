// Numbers in equal steps.

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
  switch (call.out.dtype) {
    case DType::Float32: return fill<float>(context, call, call.start, call.step);
    case DType::Float64: return fill<double>(context, call, call.start, call.step);
    case DType::Int32: return fill<std::int32_t>(context, call, call.integer_start, call.integer_step);
    case DType::Int64: return fill<std::int64_t>(context, call, call.integer_start, call.integer_step);
    case DType::Bool: return fill<bool>(context, call, call.integer_start, call.integer_step);
    case DType::Float16:
    case DType::BFloat16: break;  // core refuses them by name
  }
}

}  // namespace luge::cuda
