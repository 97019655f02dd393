#pragma once
// One matrix at a time, by LAPACK and BLAS: for large ones, and for what lanes.h does not do.

#include <cstdint>

#include <luge/seam/call.h>

namespace luge::cpu {

/// Matrices [begin, end) of the call; not RowOrder.
void by_lapack(const Factorize& call, std::int64_t begin, std::int64_t end);

}  // namespace luge::cpu
