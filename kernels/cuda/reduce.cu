#include <luge/base/detail/dispatch.h>

#include "finish.h"
#include "instances.h"
#include "kernels.h"
#include "reduce.cuh"

namespace luge::cuda {

namespace {

template <class T>
void finish_as(const Context& context, const Reduce& call, const double* partials, std::int64_t rows,
               std::int64_t chunks) {
  if (call.op == ReduceOp::Mean)
    reduce_partials(context, Sum<T, true>{}, partials, rows, chunks, target_of<Sum<T, true>>(call));
  else
    reduce_partials(context, Sum<T, false>{}, partials, rows, chunks, target_of<Sum<T, false>>(call));
}

}  // namespace

void finish_sums(const Context& context, const Reduce& call, const double* partials, std::int64_t rows,
                 std::int64_t chunks) {
  with_floating(call.out.dtype, [&]<class T>() { return finish_as<T>(context, call, partials, rows, chunks); });
}

void run(const Context& context, const Reduce& call) {
  with_dtype(call.in.dtype, [&]<class T>() { reduce_elements<T>(context, call); });
}

}  // namespace luge::cuda
