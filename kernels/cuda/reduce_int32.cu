#include "reduce.cuh"

namespace luge::cuda {

void reduce_int32(const Context& context, const Reduce& call) { reduce_all<std::int32_t>(context, call); }

}  // namespace luge::cuda
