// What kernels.toml counts of the library's elementwise_backward_float.cu.

#include "kernels/cuda/formulas.cuh"

namespace luge::cuda {

template <class Formula>
using Counted = ContiguousCall<Backward<Formula, float>>;

template __global__ void contiguous_kernel(const Counted<math::scalar::Gelu>);
template __global__ void contiguous_kernel(const Counted<math::scalar::Mul>);

}  // namespace luge::cuda
