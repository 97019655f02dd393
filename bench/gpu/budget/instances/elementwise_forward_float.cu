// What kernels.toml counts of the library's elementwise_forward_float.cu.

#include "kernels/cuda/formulas.cuh"

namespace luge::cuda {

template <class Formula>
using Counted = ContiguousCall<Forward<Formula, float>>;

template __global__ void contiguous_kernel(const Counted<math::scalar::Add>);
template __global__ void contiguous_kernel(const Counted<math::scalar::Exp>);
template __global__ void contiguous_kernel(const Counted<math::scalar::Gelu>);

}  // namespace luge::cuda
