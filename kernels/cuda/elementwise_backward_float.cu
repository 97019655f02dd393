#include "formulas.cuh"

namespace luge::cuda {

void backward_float(const Context& context, const Elementwise& call) { backward<float>(context, call); }

}  // namespace luge::cuda
