#include "formulas.cuh"

namespace luge::cuda {

void backward_double(const Context& context, const Elementwise& call) { backward<double>(context, call); }

}  // namespace luge::cuda
