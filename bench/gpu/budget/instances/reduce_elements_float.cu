// What kernels.toml counts of the library's reduce_elements_float.cu.

#include "kernels/cuda/reduce_elements.cuh"

namespace luge::cuda {

using SumOf = Sum<float, false>;
using MeanOf = Sum<float, true>;

template __global__ void reduce_rows_kernel(const SumOf, const Elements<SumOf, Line>, const Target<SumOf, Line>, std::int64_t,
                                            std::int64_t, std::int64_t, Rest, unsigned*);
template __global__ void reduce_rows_kernel(const MeanOf, const Elements<MeanOf, Line>, const Target<MeanOf, Line>, std::int64_t,
                                            std::int64_t, std::int64_t, Rest, unsigned*);
template __global__ void reduce_columns_kernel(const SumOf, const Elements<SumOf, Line>, const Target<SumOf, Line>, std::int64_t,
                                               std::int64_t);

}  // namespace luge::cuda
