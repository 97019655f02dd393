#include "formulas.cuh"

namespace luge::cuda {

void forward_int32(const Context& context, const Elementwise& call) { forward<std::int32_t>(context, call); }

}  // namespace luge::cuda
