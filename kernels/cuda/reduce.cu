#include "finish.h"
#include "kernels.h"
#include "reduce.cuh"

namespace luge::cuda {

namespace {

template <class T>
void finish_as(const Context& context, const Reduce& call, const double* partials, std::int64_t rows, std::int64_t chunks) {
  if (call.op == ReduceOp::Mean)
    reduce_partials(context, Sum<T, true>{}, partials, rows, chunks, target_of<Sum<T, true>>(call));
  else
    reduce_partials(context, Sum<T, false>{}, partials, rows, chunks, target_of<Sum<T, false>>(call));
}

}  // namespace

void finish_sums(const Context& context, const Reduce& call, const double* partials, std::int64_t rows,
                 std::int64_t chunks) {
  call.out.dtype == DType::Float64 ? finish_as<double>(context, call, partials, rows, chunks)
                                   : finish_as<float>(context, call, partials, rows, chunks);
}

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
