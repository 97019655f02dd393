#include "reduce.cuh"

namespace luge::cuda {

void reduce_float(const Context& context, const Reduce& call) { reduce_all<float>(context, call); }

}  // namespace luge::cuda
