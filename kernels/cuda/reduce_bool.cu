#include "reduce.cuh"

namespace luge::cuda {

void reduce_bool(const Context& context, const Reduce& call) { reduce_all<bool>(context, call); }

}  // namespace luge::cuda
