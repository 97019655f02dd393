#include "reduce.cuh"

namespace luge::cuda {

void reduce_double(const Context& context, const Reduce& call) { reduce_all<double>(context, call); }

}  // namespace luge::cuda
