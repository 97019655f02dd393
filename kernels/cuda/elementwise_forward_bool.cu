#include "formulas.cuh"

namespace luge::cuda {

void forward_bool(const Context& context, const Elementwise& call) { forward<bool>(context, call); }

}  // namespace luge::cuda
