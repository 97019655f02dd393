#include "formulas.cuh"

namespace luge::cuda {

void forward_int64(const Context& context, const Elementwise& call) { forward<std::int64_t>(context, call); }

}  // namespace luge::cuda
