#pragma once
// What tests may ask of the stand-in for cuBLASLt.

#include <cstddef>
#include <cstdint>

#include "simt/executor/api.h"

namespace simt::cublas {

/// From now on there is an algorithm for no product (or, again, for every one).
SIMT_API void set_without_algorithms(bool without);

struct Statistics {
  std::uint64_t searches = 0;  ///< for an algorithm
  std::uint64_t products = 0;  ///< calls of cublasLtMatmul that were queued
  std::uint64_t tf32 = 0;      ///< of those, with TF32
};
SIMT_API Statistics statistics();

}  // namespace simt::cublas
