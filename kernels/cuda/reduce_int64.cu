#include "reduce.cuh"

namespace luge::cuda {

void reduce_int64(const Context& context, const Reduce& call) { reduce_all<std::int64_t>(context, call); }

}  // namespace luge::cuda
