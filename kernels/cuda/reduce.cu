#include "kernels.h"
#include "reduce.cuh"

namespace luge::cuda {

void run(const Context& context, const Reduce& call) {
  switch (call.in.dtype) {
    case DType::Float32: return reduce_float(context, call);
    case DType::Float64: return reduce_double(context, call);
    case DType::Int32: return reduce_int32(context, call);
    case DType::Int64: return reduce_int64(context, call);
    case DType::Bool: return reduce_bool(context, call);
    case DType::Float16:
    case DType::BFloat16: break;  // core refuses them by name
  }
}

}  // namespace luge::cuda
