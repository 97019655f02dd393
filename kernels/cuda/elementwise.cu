#include "formulas.cuh"
#include "kernels.h"

namespace luge::cuda {

void run(const Context& context, const Elementwise& call) {
  const bool forward = call.direction == Direction::Forward;
  const DType dtype = call.in[forward && call.op == Op::Where ? 1 : 0].dtype;
  if (!forward) return dtype == DType::Float64 ? backward_double(context, call) : backward_float(context, call);
  switch (dtype) {
    case DType::Float32: return forward_float(context, call);
    case DType::Float64: return forward_double(context, call);
    case DType::Int32: return forward_int32(context, call);
    case DType::Int64: return forward_int64(context, call);
    case DType::Bool: return forward_bool(context, call);
    case DType::Float16:
    case DType::BFloat16: break;  // core refuses them by name
  }
}

}  // namespace luge::cuda
