#pragma once
// What tests may ask of the stand-in for cuBLASLt.

#include <cstddef>
#include <cstdint>

#include "simt/executor/api.h"

namespace simt::cublas {

/// From now on there is an algorithm for no product (or, again, for every one).
SIMT_API void set_without_algorithms(bool without);
/// From now on no algorithm adds to another matrix than it overwrites (or, again, every one).
SIMT_API void set_in_place_only(bool in_place);

struct Statistics {
  std::uint64_t searches = 0;  ///< for an algorithm
  std::uint64_t products = 0;  ///< calls of cublasLtMatmul that were queued
  std::uint64_t tf32 = 0;      ///< of those, with TF32
  std::uint64_t onto = 0;      ///< of those, added to another matrix than they overwrite
};
SIMT_API Statistics statistics();

}  // namespace simt::cublas
