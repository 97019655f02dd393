#include "formulas.cuh"

namespace luge::cuda {

void forward_float(const Context& context, const Elementwise& call) { forward<float>(context, call); }

}  // namespace luge::cuda
