#include "formulas.cuh"

namespace luge::cuda {

void forward_double(const Context& context, const Elementwise& call) { forward<double>(context, call); }

}  // namespace luge::cuda
